"""The efforts of `impasto paint`: how long each takes, in evaluations of Gatys' loss, and in how much memory.

    python -m benchmarks.ladder --output benchmarks/results/ladder.json
    python -m benchmarks.ladder --sizes 512,1024 --efforts draft,quick --add

An evaluation is that of `benchmarks.gatys`: loss and gradient of the preset pastiche at 512×512 px. Since the speed
of a machine changes, it is timed before and after every picture, in a process of its own; the mean of both is the
unit.

The photograph and the style are squares, which have the most pixels of a `--size`. The time is of painting alone,
with networks loaded. Memory is the peak of a process that paints only one picture, within a budget where `LIMITS` has
one. Results are written after every picture; `--add` keeps those of other pictures.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict

from benchmarks import processes
from benchmarks.gatys import Evaluations
from benchmarks.shapes import Effort, Ladder, read

SIZES = (512, 1024, 2048, 4096)
EVALUATED = 512  # side in pixels of the pictures of an evaluation
REPEATS = 5
LIMITS = {  # limits by size and effort: evaluations, and peak memory in GB; None for no limit
    (512, "quick"): (12, None),
    (512, "fine"): (40, None),
    (512, "best"): (130, 1.2),
    (1024, "quick"): (60, None),
    (1024, "best"): (520, 1.6),
    (2048, "quick"): (200, None),
    (2048, "best"): (1600, 3.0),
    (4096, "draft"): (None, 8.0),
    (4096, "quick"): (None, 8.0),
    (4096, "fine"): (None, 8.0),
    (4096, "best"): (None, 8.0),
}


class Painted(TypedDict):
    """Seconds of painting a picture, peak memory of the process in GB, the picture's sides, and the method."""

    seconds: float
    peak_gb: float
    height: int
    width: int
    method: str


def paint(request: dict[str, Any]) -> Painted:
    """Paint one picture in this process."""
    from impasto import Style, bind, make_recipe
    from impasto.api import last
    from impasto.images.read import read
    from impasto.memory import peak_memory_mb
    from impasto.methods.effort import way

    name, preset, settings = way(request["effort"], request["boldness"])
    common = {"size": request["size"], "memory": request["memory"]}
    recipe = make_recipe(name, [Style(path=request["style"])], preset=preset, settings={**settings, **common})
    photo = read(request["photo"]).pixels
    painter = bind(recipe, device="cpu")
    started = time.perf_counter()
    height, width = last(painter.paint(photo)).image.shape[2:]
    return {
        "seconds": round(time.perf_counter() - started, 2),
        "peak_gb": round(peak_memory_mb() * 2**20 / 1e9, 2),
        "height": height,
        "width": width,
        "method": name,
    }


def evaluate(request: dict[str, Any]) -> Evaluations:
    """Time evaluations of Gatys' loss in this process."""
    from benchmarks.gatys import evaluate as measured

    return measured("impasto", request["photo"], request["style"], REPEATS)


def work(arguments: Sequence[str]) -> Painted | Evaluations:
    """Measure in this process. Arguments: `paint` or `evaluate`, and a request as JSON."""
    kind, request = arguments
    return (paint if kind == "paint" else evaluate)(json.loads(request))


def _evaluation(pictures: dict[str, str]) -> float:
    found: Evaluations = processes.measure("ladder", "evaluate", pictures)
    seconds = sorted(found["seconds"])
    return seconds[len(seconds) // 2]


def _squares(folder: str, size: int) -> dict[str, str]:
    """Write a photograph and a style picture, and return their files."""
    from impasto.demo import photos, styles

    found = {what: f"{folder}/{what}-{size}.png" for what in ("photo", "style")}
    photos.demo_photo("astronaut").resize((size, size)).save(found["photo"])
    styles.draw("night", min(size, 1024)).save(found["style"])
    return found


def _place(picture: Effort) -> tuple[int, int]:
    from impasto.methods.effort import EFFORTS

    return picture["size"], EFFORTS.index(picture["effort"])


def main() -> None:
    from impasto.methods.effort import DEFAULT_BOLDNESS, EFFORTS

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/ladder.json"))
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    parser.add_argument("--efforts", default=",".join(EFFORTS))
    parser.add_argument("--boldness", type=float, default=DEFAULT_BOLDNESS)
    parser.add_argument("--free", action="store_true", help="paint without memory budgets")
    parser.add_argument("--add", action="store_true", help="keep the results of other pictures")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(work(options.worker)))
        return

    from benchmarks.machine import describe

    result: Ladder = {
        "command": processes.command_line("ladder"),
        "date": processes.today(),
        "machine": describe(),
        "pictures": [],
    }
    kept = read(options.output, Ladder)["pictures"] if options.add and options.output.exists() else []
    with tempfile.TemporaryDirectory() as folder:
        small = _squares(folder, EVALUATED)
        before = _evaluation(small)
        for size in map(int, options.sizes.split(",")):
            pictures = _squares(folder, size)
            for effort in options.efforts.split(","):
                most, gigabytes = LIMITS.get((size, effort), (None, None))
                memory = f"{gigabytes}GB" if gigabytes and not options.free else None
                request = {**pictures, "effort": effort, "size": size, "boldness": options.boldness, "memory": memory}
                found: Painted = processes.measure("ladder", "paint", request)
                after = _evaluation(small)
                evaluation = (before + after) / 2
                before = after
                row: Effort = {
                    "effort": effort,
                    "size": size,
                    **found,
                    "evaluation_seconds": round(evaluation, 3),
                    "evaluations": round(found["seconds"] / evaluation, 1),
                    "asked_evaluations": most,
                    "asked_gb": gigabytes,
                }
                kept = [each for each in kept if (each["size"], each["effort"]) != (size, effort)] + [row]
                result["pictures"] = sorted(kept, key=_place)
                print(
                    f"{size:5d} px  {effort:6s} {row['seconds']:8.1f} s  {row['evaluations']:7.1f} evaluations"
                    f"{'' if most is None else f' of {most}'}  {row['peak_gb']:.2f} GB"
                    f"{'' if gigabytes is None else f' of {gigabytes}'}",
                    flush=True,
                )
                processes.write(options.output, result)


if __name__ == "__main__":
    main()
