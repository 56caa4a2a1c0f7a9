"""Methods for any style: seconds a picture by default, and style-swap's exact match beside its convolution form.

    python -m benchmarks.arbitrary --output benchmarks/results/arbitrary.json

The time of a picture begins when the networks are loaded and the style is encoded; that time is given apart. The
convolution form is that of the paper: the style's normalised patches are filters over the photo's features, and the
channel of the maximum is the match. The forms take turns, each in a process of its own, which measures its memory
too.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from benchmarks import processes
from benchmarks.shapes import Arbitrary, Match, PictureSeconds

if TYPE_CHECKING:
    from torch import Tensor

METHODS = ("adain", "swap")
MATCHES = ("convolution", "exact", "auto")
"""The paper's form; impasto's in float32; impasto's in the arithmetic of `--precision auto`."""


class MatchRun(TypedDict):
    """Seconds of each match, MiB that its peak adds to the memory of the process, and positions matched."""

    seconds: list[float]
    extra_mb: float
    positions: int


def _pictures(size: int) -> tuple[Tensor, Tensor]:
    from impasto.demo.photos import demo_photo
    from impasto.demo.styles import draw
    from impasto.images.geometry import fit
    from impasto.images.read import read

    return fit(read(demo_photo("astronaut")).pixels, size), read(draw("night", size)).pixels


def paint(method: str, size: int, repeats: int) -> dict[str, list[float]]:
    """Seconds of each loading of the networks with encoding of a style, and of each painting of a photo."""
    from impasto import Style, bind, make_recipe
    from impasto.api import last

    photo, style = _pictures(size)
    recipe = make_recipe(method, [Style(path="night")], settings={"size": size})
    seconds: dict[str, list[float]] = {"bind": [], "paint": []}
    for _ in range(repeats + 1):
        started = time.perf_counter()
        painter = bind(recipe, styles=[style], device="cpu")
        bound = time.perf_counter()
        last(painter.paint(photo))
        seconds["paint"].append(time.perf_counter() - bound)
        seconds["bind"].append(bound - started)
    return {what: times[1:] for what, times in seconds.items()}


def match(form: str, size: int, repeats: int) -> MatchRun:
    """Seconds of each match of all patches of a photo at relu3_1, and the memory that its peak adds."""
    import torch
    from torch.nn import functional

    from impasto.encoders.vgg import VGG
    from impasto.matching.styles import prepare
    from impasto.matching.swap import match_patches
    from impasto.memory import peak_memory_mb
    from impasto.runtime import compute_dtype
    from impasto.weights.load import load

    vgg = VGG(load("vgg19", until="relu3_1"), until="relu3_1")
    with torch.no_grad():
        content, style = (vgg(picture, ["relu3_1"])["relu3_1"].contiguous() for picture in _pictures(size))
    dtype = compute_dtype(torch.device("cpu"), "auto" if form == "auto" else "exact")
    prepared = prepare([style], dtype=dtype)
    filters = functional.unfold(style, 3)[0].t()
    filters = (filters / (filters.norm(dim=1, keepdim=True) + 1e-8)).view(-1, style.shape[1], 3, 3)

    def once() -> Tensor:
        if form == "convolution":
            return functional.conv2d(content, filters).argmax(1)
        return match_patches(content, prepared)

    before = peak_memory_mb()
    seconds: list[float] = []
    with torch.no_grad():
        found = once()
        for _ in range(repeats):
            started = time.perf_counter()
            found = once()
            seconds.append(time.perf_counter() - started)
    return {"seconds": seconds, "extra_mb": peak_memory_mb() - before, "positions": found.numel()}


def work(arguments: Sequence[str]) -> dict[str, list[float]] | MatchRun:
    """Measure in this process. Arguments: `paint` or `match`, a method or a form, the size, and repeats."""
    task, what, size, repeats = arguments
    return (paint if task == "paint" else match)(what, int(size), int(repeats))


def _painted(size: int, rounds: int, repeats: int) -> dict[str, PictureSeconds]:
    runs: dict[str, list[dict[str, list[float]]]] = {method: [] for method in METHODS}
    for _ in range(rounds):
        for method, found in runs.items():
            found.append(processes.measure("arbitrary", "paint", method, size, repeats))

    def median(method: str, what: str) -> float:
        return statistics.median(second for run in runs[method] for second in run[what])

    return {method: {"bind": median(method, "bind"), "paint": median(method, "paint")} for method in runs}


def _matched(size: int, rounds: int, repeats: int) -> dict[str, Match]:
    runs: dict[str, list[MatchRun]] = {form: [] for form in MATCHES}
    for _ in range(rounds):
        for form, found in runs.items():
            found.append(processes.measure("arbitrary", "match", form, size, 1 if form == "convolution" else repeats))
    seconds = {
        form: statistics.median(second for run in found for second in run["seconds"]) for form, found in runs.items()
    }
    return {
        form: {
            "seconds": seconds[form],
            "extra_mb": statistics.median(run["extra_mb"] for run in found),
            "ratio": seconds[form] / seconds["convolution"],
        }
        for form, found in runs.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/arbitrary.json"))
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--worker", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(work(options.worker)))
        return

    from benchmarks.machine import describe

    painted = _painted(options.size, options.rounds, options.repeats)
    matched = _matched(options.size, options.rounds, options.repeats)
    for method, seconds in painted.items():
        extra = f"{seconds['bind']:.2f} s before to load the networks and encode the style"
        print(f"{method}: {seconds['paint']:.2f} s a picture at {options.size} px, {extra}")
    for form, row in matched.items():
        ratio = f"{row['ratio']:.2f} of convolution"
        print(f"match, {form}: {row['seconds']:.2f} s, {ratio}, {row['extra_mb']:.0f} MiB extra")
    result: Arbitrary = {
        "command": processes.command_line("arbitrary"),
        "date": processes.today(),
        "machine": describe(),
        "size": options.size,
        "picture_seconds": painted,
        "match": matched,
    }
    processes.write(options.output, result)
    print(f"written to {options.output}")


if __name__ == "__main__":
    main()
