"""Folders: pictures a second of `impasto batch` beside the painter's own; by one process, two, and a Ray cluster.

    python -m benchmarks.batch --output benchmarks/results/batch.json

Photos are JPEG, and so are the paintings. The first quarter of the paintings is not counted: networks are loaded, and
the style is encoded, before. What is painted by several at once has one thread each. Ray needs the extra ``ray``;
without it these figures are left out.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks import processes
from benchmarks.shapes import Batch, BatchMethod

NET = "great-wave"
PAINTER, ONE, TWO, ONE_NODE, TWO_NODES = (
    "painter",
    "one process",
    "two processes",
    "Ray, one node",
    "Ray, two nodes",
)
_NOT_COUNTED = 4  # the first of so many parts


def make_photos(folder: Path, count: int, size: int) -> None:
    """Write different photos as JPEG."""
    from impasto.demo.photos import demo_photo

    folder.mkdir()
    photo = demo_photo("astronaut").resize((size, size))
    for number in range(count):
        photo.rotate(number).save(folder / f"{number:04}.jpg", quality=95)


def _settings(method: str, size: int) -> dict[str, Any]:
    return {"size": size, **({"net": NET} if method == "johnson" else {})}


def _styles(method: str, folder: Path) -> list[str]:
    return [] if method == "johnson" else [str(folder / "style.png")]


def paint_alone(method: str, folder: Path, size: int, count: int) -> float:
    """Return the painter's own rate, in pictures a second: a photo that is read, painted again and again."""
    import impasto
    from impasto.api import last

    styles = [impasto.Style(path=path) for path in _styles(method, folder)]
    painter = impasto.bind(impasto.make_recipe(method, styles, settings=_settings(method, size)), device="cpu")
    photo = impasto.read(folder / "photos/0000.jpg").pixels
    last(painter.paint(photo))
    began = time.perf_counter()
    for _ in range(count):
        last(painter.paint(photo))
    return count / (time.perf_counter() - began)


def paint_folder(method: str, folder: Path, size: int) -> None:
    """Paint the photos of a folder into the folder ``out`` beside it."""
    from impasto import batch

    batch.paint_folder(
        folder / "photos",
        folder / "out",
        *_styles(method, folder),
        method=method,
        device="cpu",
        **_settings(method, size),
    )


def paint_on_cluster(method: str, folder: Path, size: int, nodes: int) -> None:
    """Paint the photos of a folder by Ray, with two CPUs in all."""
    from impasto.batch.plan import Request
    from impasto.batch.ray import RayBatch
    from impasto.batch.rows import Stop
    from impasto.batch.ways import Maker

    os.environ["RAY_worker_niceness"] = "0"  # as the other ways have  # noqa: SIM112 (a name of Ray)
    cluster = importlib.import_module("ray.cluster_utils").Cluster(
        initialize_head=True, head_node_args={"num_cpus": 2 // nodes}
    )
    for _ in range(nodes - 1):
        cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    request = Request(
        inputs=[str(folder / "photos")],
        out=folder / "out",
        maker=Maker(method=method, settings=_settings(method, size)),
        styles=_styles(method, folder),
    )
    with RayBatch(request, "cpu", cluster.address) as made:
        for _ in made.paint(made.plan(), Stop()):
            pass
    cluster.shutdown()


def rate(out: Path) -> float:
    """Return pictures a second by the times at which paintings were written, without the first quarter of them."""
    times = sorted(path.stat().st_mtime_ns / 1e9 for path in out.iterdir() if path.is_file())
    first = len(times) // _NOT_COUNTED
    return (len(times) - 1 - first) / max(times[-1] - times[first], 1e-9)


def work(arguments: Sequence[str]) -> float | None:
    """Paint in this process. Arguments: how, the method, a folder, the size, and a number of pictures."""
    how, method, folder, size, count = arguments
    if how == PAINTER:
        return paint_alone(method, Path(folder), int(size), int(count))
    if how in (ONE, TWO):
        paint_folder(method, Path(folder), int(size))
    else:
        paint_on_cluster(method, Path(folder), int(size), 1 if how == ONE_NODE else 2)
    return None


def measure(how: str, method: str, folder: Path, size: int, count: int) -> float:
    """Return the rate of a way to paint a folder, in processes of its own."""
    arguments = (how, method, folder, size, count)
    if how == PAINTER:
        return processes.measure("batch", *arguments)
    shutil.rmtree(folder / "out", ignore_errors=True)
    threads = os.environ.get("OMP_NUM_THREADS")
    try:
        if how != ONE:
            os.environ["OMP_NUM_THREADS"] = "1"
        with ThreadPoolExecutor(2) as pool:
            runs = [pool.submit(processes.measure, "batch", *arguments) for _ in range(2 if how == TWO else 1)]
            for each in runs:
                each.result()
    finally:
        if threads is None:
            os.environ.pop("OMP_NUM_THREADS", None)
        else:
            os.environ["OMP_NUM_THREADS"] = threads
    return rate(folder / "out")


def measure_method(method: str, folder: Path, ways: Sequence[str], options: argparse.Namespace) -> BatchMethod:
    """Measure a method in all ways, which take turns."""
    rates: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(options.rounds):
        for way, found in rates.items():
            found.append(measure(way, method, folder, options.size, max(4, options.pictures // 4)))
    medians = {way: statistics.median(found) for way, found in rates.items()}
    for way, median in medians.items():
        print(f"{method}, {way}: {median:.2f} a second, {median / medians[PAINTER]:.2f} of the painter", flush=True)
    written = [path.stat().st_size for path in (folder / "out").iterdir() if path.is_file()]
    return {
        "rates": medians,
        "ratios": {way: median / medians[PAINTER] for way, median in medians.items()},
        "bytes": round(statistics.mean(written)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/batch.json"))
    parser.add_argument("--size", type=int, default=512, help="longest side of photos and paintings in pixels")
    parser.add_argument("--pictures", type=int, default=48, help="photos of the folder")
    parser.add_argument("--methods", nargs="+", default=["adain", "johnson"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--worker", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(work(options.worker)))
        return

    from benchmarks.machine import describe
    from impasto.demo.styles import draw

    ways = [PAINTER, ONE, TWO, *([ONE_NODE, TWO_NODES] if importlib.util.find_spec("ray") else [])]
    methods: dict[str, BatchMethod] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_photos(folder / "photos", options.pictures, options.size)
        draw("night", options.size).save(folder / "style.png")
        for method in options.methods:
            methods[method] = measure_method(method, folder, ways, options)
    result: Batch = {
        "command": processes.command_line("batch"),
        "date": processes.today(),
        "machine": describe(),
        "size": options.size,
        "pictures": options.pictures,
        "methods": methods,
    }
    processes.write(options.output, result)


if __name__ == "__main__":
    main()
