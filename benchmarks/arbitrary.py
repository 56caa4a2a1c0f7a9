"""Any style: seconds a picture by the defaults, and style-swap's exact match beside its convolution form.

    python -m benchmarks.arbitrary --output benchmarks/results/arbitrary.json

A picture's time is with the networks loaded and the style encoded; what that takes is told apart. The convolution
form is the one of the paper: the style's normalised patches as filters over the photo's features, then the channel of
the maximum. Each form of the match runs in a process of its own, in turns, for its memory as for its time.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

MATCHES = ("convolution", "exact", "auto")
"""The paper's form; ours in float32; ours in the arithmetic that `--precision auto` uses."""


def _pictures(size: int):
    from impasto.demo.photos import demo_photo
    from impasto.demo.styles import draw
    from impasto.images.geometry import fit
    from impasto.images.read import read

    return fit(read(demo_photo("astronaut")).pixels, size), read(draw("night", size)).pixels


def paint(method: str, size: int, repeats: int) -> dict[str, list[float]]:
    """Seconds of loading the networks and encoding a style, and of painting a photo, each."""
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


def match(form: str, size: int, repeats: int) -> dict:
    """Seconds of matching every patch of a photo at relu3_1, each, and the extra memory at its peak."""
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

    def once():
        if form == "convolution":
            return functional.conv2d(content, filters).argmax(1)
        return match_patches(content, prepared)

    before = peak_memory_mb()
    seconds = []
    with torch.no_grad():
        found = once()
        for _ in range(repeats):
            started = time.perf_counter()
            found = once()
            seconds.append(time.perf_counter() - started)
    return {"seconds": seconds, "extra_mb": peak_memory_mb() - before, "positions": found.numel()}


def _worker(*arguments: object) -> dict:
    command = [sys.executable, "-m", "benchmarks.arbitrary", "--worker", *map(str, arguments)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/arbitrary.json"))
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--worker", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        task, what, size, repeats = options.worker
        print(json.dumps((paint if task == "paint" else match)(what, int(size), int(repeats))))
        return

    from benchmarks.machine import describe

    pictures = {method: {"bind": [], "paint": []} for method in ("adain", "swap")}
    matches: dict[str, list[dict]] = {form: [] for form in MATCHES}
    for _ in range(options.rounds):
        for method, seconds in pictures.items():
            for what, times in _worker("paint", method, options.size, options.repeats).items():
                seconds[what] += times
        for form, runs in matches.items():
            runs.append(_worker("match", form, options.size, 1 if form == "convolution" else options.repeats))

    painted = {
        method: {what: statistics.median(times) for what, times in seconds.items()}
        for method, seconds in pictures.items()
    }
    matched = {
        form: {
            "seconds": statistics.median(second for run in runs for second in run["seconds"]),
            "extra_mb": statistics.median(run["extra_mb"] for run in runs),
        }
        for form, runs in matches.items()
    }
    for form in MATCHES:
        matched[form]["ratio"] = matched[form]["seconds"] / matched["convolution"]["seconds"]
    for method, seconds in painted.items():
        extra = f"{seconds['bind']:.2f} s before to load the networks and encode the style"
        print(f"{method}: {seconds['paint']:.2f} s a picture at {options.size} px, {extra}")
    for form, row in matched.items():
        ratio = f"{row['ratio']:.2f} of convolution"
        print(f"match, {form}: {row['seconds']:.2f} s, {ratio}, {row['extra_mb']:.0f} MiB extra")
    result = {
        "command": " ".join(["python -m benchmarks.arbitrary", *sys.argv[1:]]),
        "date": time.strftime("%Y-%m-%d"),
        "machine": describe(),
        "size": options.size,
        "picture_seconds": painted,
        "match": matched,
    }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(result, indent=1) + "\n")
    print(f"written to {options.output}")


if __name__ == "__main__":
    main()
