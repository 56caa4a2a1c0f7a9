"""Films: frames a second beside the painter's own, flicker and strokes, memory and rate over minutes.

    python -m benchmarks.video --also bigbuckbunny.mp4 bikes.mp4 --output benchmarks/results/video.json

Three clips are made from the demo's photos; real ones may be added. Rates are those of the whole, from decoding to
the finished file, beside the painter alone on frames in memory; the two take turns in one process. Films of some
minutes are small, so that they take no hours, and have processes of their own.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import processes
from benchmarks.clips import CLIPS, RATE, Pixels, camera, write_clip
from benchmarks.shapes import FilmLength, FilmRate, Flicker, Video

if TYPE_CHECKING:
    from impasto.recipe import Recipe
    from impasto.video.film import FilmProgress

NET = "great-wave-small"
SMALL = (160, 90)  # width and height of the films of some minutes
_MEASURED_EVERY = 8  # frames, of strokes


def _recipe(method: str, folder: Path, size: int) -> Recipe:
    from impasto.methods import make_recipe
    from impasto.recipe import Style

    styles = [] if method == "johnson" else [Style(path=str(folder / "style.png"))]
    return make_recipe(method, styles, settings={"size": size, **({"net": NET} if method == "johnson" else {})})


def paint(source: Path, recipe: Recipe, steady: float) -> list[float]:
    """Paint a film; return when each frame was painted, in seconds."""
    from impasto.session.session import Session
    from impasto.video.film import paint_film
    from impasto.video.job import plan_film
    from impasto.video.options import FilmSettings

    job = plan_film(
        str(source),
        str(source.with_name(f"{source.stem}.painted.mp4")),
        recipe,
        FilmSettings(steady=steady),
        device="cpu",
        overwrite=True,
    )
    times: list[float] = []

    def watch(progress: FilmProgress) -> None:
        del progress
        times.append(time.perf_counter())

    paint_film(job, Session(device="cpu"), watch=watch)
    return times


def measure_rates(method: str, folder: Path, size: tuple[int, int], frames: int, rounds: int) -> FilmRate:
    """Measure frames a second of the painter alone and of films, without the seconds to load networks."""
    from impasto.api import last
    from impasto.session.session import Session
    from impasto.video.frame_painter import tensor_of
    from impasto.video.options import DEFAULT_STEADY
    from impasto.video.read import AvFilm

    source, recipe = folder / "camera.mp4", _recipe(method, folder, max(size))
    held = [tensor_of(frame.pixels) for frame in AvFilm(str(source)).frames(size)]
    painter = Session(device="cpu").bind(recipe).painter
    last(painter.paint(held[0]))
    alone: list[float] = []
    film: dict[str, list[float]] = {"0": [], str(DEFAULT_STEADY): []}
    for _ in range(rounds):
        began = time.perf_counter()
        for photo in held:
            last(painter.paint(photo))
        alone.append(frames / (time.perf_counter() - began))
        for steady, rates in film.items():
            times = paint(source, recipe, float(steady))
            rates.append((len(times) - 1) / (times[-1] - times[0]))  # without the first, which loads networks
    medians = {steady: statistics.median(rates) for steady, rates in film.items()}
    rate = statistics.median(alone)
    return {"painter": rate, "film": medians, "ratios": {steady: each / rate for steady, each in medians.items()}}


def measure_flicker(source: Path, folder: Path, longest: int, most: int) -> Flicker:
    """Measure the flicker of a clip painted by adain, and how strong its strokes are."""
    import torch
    from PIL import Image

    from impasto.metrics.score import Scorer
    from impasto.session.session import Session
    from impasto.video.flicker import Meter
    from impasto.video.flow import find_motion
    from impasto.video.frame_painter import FramePainter, tensor_of
    from impasto.video.frames import fitted
    from impasto.video.options import FilmSettings
    from impasto.video.sources import open_film

    film = open_film(str(source))
    size = fitted(film.info.size, longest, even=True)
    painter = FramePainter(Session(device="cpu"), _recipe("adain", folder, max(size)), FilmSettings(), size, None)
    scorer, style = Scorer(torch.device("cpu")), _tensor(Image.open(folder / "style.png"))
    meters = {"sharp": Meter(), "linear": Meter(sharp=False)}
    before, strokes = None, list[tuple[float, float]]()
    for number, frame in enumerate(itertools.islice(film.frames(size), most)):
        motion = None if before is None else find_motion(before[0].pixels, frame.pixels)
        made = painter.paint(frame, motion)
        if before is not None and motion is not None:
            for meter in meters.values():
                meter.add("input", before[0].pixels, frame.pixels, motion)
                meter.add("frames", before[1].own, made.own, motion)
                meter.add("result", before[1].pixels, made.pixels, motion)
        if (number + 1) % min(_MEASURED_EVERY, most) == 0:
            photo = tensor_of(frame.pixels)
            ours, own = (scorer.measure(tensor_of(each), photo, style).style for each in (made.pixels, made.own))
            strokes.append((ours, own))
        before = frame, made
    means = [statistics.mean(each) for each in zip(*strokes, strict=True)]
    return {"sharp": meters["sharp"].means(), "linear": meters["linear"].means(), "strokes": means[0] / means[1]}


def _tensor(image: Any) -> Any:
    import numpy as np

    from impasto.video.frame_painter import tensor_of

    return tensor_of(np.array(image.convert("RGB"), np.uint8))


def measure_length(folder: Path, minutes: float) -> FilmLength:
    """Paint a small film of some minutes by johnson, in this process."""
    from impasto.memory import peak_memory_mb
    from impasto.video.options import DEFAULT_STEADY

    source = folder / f"minutes-{minutes}.mp4"
    write_clip(source, _to_and_fro(round(minutes * 60 * RATE)), SMALL)
    times = paint(source, _recipe("johnson", folder, max(SMALL)), DEFAULT_STEADY)
    part = min(len(times) // 2, 60 * RATE)
    first, last = (((len(part_) - 1) / (part_[-1] - part_[0])) for part_ in (times[1:part], times[-part:]))
    source.unlink()
    return {"minutes": minutes, "peak_mb": peak_memory_mb(), "first": first, "last": last}


def _to_and_fro(count: int) -> Iterator[Pixels]:
    """Frames of a camera that goes to and fro."""
    frames = camera(50, SMALL)
    return itertools.islice(itertools.cycle([*frames, *frames[-2:0:-1]]), count)


def work(arguments: Sequence[str]) -> Any:
    """Measure in this process. Arguments: what, a folder, and what else it needs."""
    what, folder, *more = arguments
    if what == "rates":
        method, width, height, frames, rounds = more
        return measure_rates(method, Path(folder), (int(width), int(height)), int(frames), int(rounds))
    if what == "flicker":
        source, longest, most = more
        return measure_flicker(Path(source), Path(folder), int(longest), int(most))
    return measure_length(Path(folder), float(more[0]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/video.json"))
    parser.add_argument("--size", default="512x288", help="width and height of the clips")
    parser.add_argument("--frames", type=int, default=48, help="frames of each clip")
    parser.add_argument("--methods", nargs="*", default=["johnson", "adain"], help="methods whose rates are measured")
    parser.add_argument("--clips", nargs="*", type=Path, help="clips whose flicker is measured; unset: the made ones")
    parser.add_argument("--also", nargs="*", default=[], type=Path, help="other clips, beside the made ones")
    parser.add_argument("--minutes", nargs="*", default=[1.0, 10.0], type=float, help="lengths of films")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--add", action="store_true", help="keep what the file has and is not measured now")
    parser.add_argument("--worker", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(work(options.worker)))
        return

    from benchmarks.machine import describe
    from benchmarks.shapes import read
    from impasto.demo.styles import draw
    from impasto.video.options import DEFAULT_STEADY

    width, height = (int(side) for side in options.size.split("x"))
    result: Video = {
        "command": processes.command_line("video"),
        "date": processes.today(),
        "machine": describe(),
        "size": (width, height),
        "frames": options.frames,
        "steady": DEFAULT_STEADY,
        "rates": {},
        "flicker": {},
        "lengths": [],
    }
    if options.add and options.output.exists():
        kept = read(options.output, Video)
        result["rates"], result["flicker"], result["lengths"] = kept["rates"], kept["flicker"], kept["lengths"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw("night", 512).save(folder / "style.png")
        for clip, make in CLIPS.items():
            write_clip(folder / f"{clip}.mp4", make(options.frames, (width, height)), (width, height))
        for method in options.methods:
            rate: FilmRate = processes.measure(
                "video", "rates", name, method, width, height, options.frames, options.rounds
            )
            result["rates"][method] = rate
            print(f"{method}: painter {rate['painter']:.2f} a second, film {rate['ratios']} of it", flush=True)
            processes.write(options.output, result)
        made = [folder / f"{clip}.mp4" for clip in CLIPS] + options.also
        for clip in made if options.clips is None else options.clips:
            flicker: Flicker = processes.measure("video", "flicker", name, clip, max(width, height), options.frames)
            result["flicker"][clip.stem] = flicker
            print(f"{clip.stem}: {flicker}", flush=True)
            processes.write(options.output, result)
        for minutes in options.minutes:
            length: FilmLength = processes.measure("video", "length", name, minutes)
            result["lengths"] = [each for each in result["lengths"] if each["minutes"] != minutes] + [length]
            print(f"{minutes} min: {length}", flush=True)
            processes.write(options.output, result)


if __name__ == "__main__":
    main()
