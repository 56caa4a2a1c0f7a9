"""Pictures from small to large: seconds, and the peak memory of a process that paints only one picture.

    python -m benchmarks.large --output benchmarks/results/large.json
    python -m benchmarks.large --methods adain        # replaces the results of adain

The photograph is a square, which has the most pixels of a `--size`, and the style picture is as large. Each picture
is painted in a fresh process, from reading the files to the finished pixels. `painting_seconds` begins when the
networks are loaded and the style is encoded.

gatys is planned for all its steps at the full size alone, and stopped after `--steps`. Pairs that L-BFGS has not
gathered by then are in the peak that its note predicts, but not in the measured one (`benchmarks.memory` compares
the two).

Results are written after every picture, and a table is printed at the end.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks import processes
from benchmarks.shapes import Failed, Large, LargePicture, read

METHODS = ("johnson", "adain", "swap", "gatys")
SIZES = (512, 1024, 2048, 4096)


def paint(request: dict[str, Any]) -> LargePicture:
    """Paint one picture in this process."""
    from impasto import Style, bind, make_recipe
    from impasto.api import last
    from impasto.images.read import read
    from impasto.memory import peak_memory_mb

    method, size = request["method"], request["size"]
    styles = [] if method == "johnson" else [Style(path=request["style"])]
    recipe = make_recipe(method, styles, settings={"size": size, **request["settings"]})
    started = time.perf_counter()
    photo = read(request["photo"]).pixels
    painter = bind(recipe, device="cpu")
    bound = time.perf_counter()
    with contextlib.closing(painter.paint(photo)) as steps:
        step = last(islice(steps, request["steps"]))
    ended = time.perf_counter()
    return {
        "seconds": ended - started,
        "painting_seconds": ended - bound,
        "peak_mb": peak_memory_mb(),
        "note": step.note,
    }


def work(arguments: Sequence[str]) -> LargePicture | dict[str, str]:
    """Paint or draw in this process. The argument is a request as JSON."""
    request = json.loads(arguments[0])
    return paint(request) if "method" in request else draw(request)


def _painted(request: dict[str, Any]) -> LargePicture | Failed:
    # A started process begins with the peak memory of this one, so this one does nothing large.
    try:
        return processes.measure("large", request)
    except processes.MeasurementFailed as error:
        return {"failed": str(error)}


def draw(files: dict[str, Any]) -> dict[str, str]:
    """Write a photograph and a style picture, of at most 1024 px; painting enlarges it."""
    from impasto.demo import photos, styles

    size = files["size"]
    photos.demo_photo("astronaut").resize((size, size)).save(files["photo"])
    styles.draw("night", min(size, 1024)).save(files["style"])
    return {}


def _net(folder: Path) -> tuple[str, str]:
    """Name and architecture of a feed-forward network: one of the gallery, or else an untrained one as costly."""
    from impasto.methods.johnson.gallery import gallery
    from impasto.nets.files import JOHNSON_KIND
    from impasto.nets.transformer import Transformer
    from impasto.nets.transformer_spec import TransformerSpec
    from impasto.weights.shipped import save_net

    for name, entry in gallery().items():
        return name, entry.metadata["network"]["architecture"]
    net = Transformer(TransformerSpec())
    metadata = {"kind": JOHNSON_KIND, "encoder_sha256": "0" * 64, "network": net.spec.to_json()}
    return str(save_net(folder / "untrained.safetensors", net.state_dict(), metadata)), net.spec.architecture


def table(methods: Mapping[str, Mapping[str, LargePicture | Failed]], sizes: Sequence[int]) -> str:
    """Peak memory in GB, and seconds: a row for each method, a column for each size."""
    lines = [" " * 9 + "".join(f"{f'{size} px':>20}" for size in sizes)]
    for method, rows in methods.items():
        cells = (
            "failed" if "failed" in row else f"{row['peak_mb'] * 2**20 / 1e9:.2f} GB, {row['seconds']:.0f} s"
            for row in (rows[str(size)] for size in sizes)
        )
        lines.append(f"{method:<9}" + "".join(f"{cell:>20}" for cell in cells))
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/large.json"))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("--sizes", nargs="+", type=int, default=SIZES)
    parser.add_argument("--memory", default="4GB", help="memory budget of the one-pass methods")
    parser.add_argument("--gatys-memory", default="8GB", help="memory budget of gatys")
    parser.add_argument("--steps", type=int, default=1, help="steps of gatys for each picture")
    parser.add_argument("--worker", nargs=1, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(work(options.worker)))
        return

    from benchmarks.machine import describe

    before = read(options.output, Large) if options.output.exists() else None
    result: Large = {
        "machine": describe(),
        "memory": {"one-pass": options.memory, "gatys": options.gatys_memory},
        "dates": before["dates"] if before else {},
        "methods": before["methods"] if before else {},
        "johnson_architecture": "",
    }
    with tempfile.TemporaryDirectory() as folder:
        settings: dict[str, dict[str, Any]] = {method: {"memory": options.memory} for method in METHODS}
        settings["gatys"] = {"memory": options.gatys_memory, "min_size": None}
        net, result["johnson_architecture"] = _net(Path(folder))
        settings["johnson"]["net"] = net
        pictures = {
            size: {what: f"{folder}/{what}-{size}.png" for what in ("photo", "style")} for size in options.sizes
        }
        for size, files in pictures.items():
            processes.measure("large", {"size": size, **files})
        for method in options.methods:
            rows = result["methods"][method] = dict[str, LargePicture | Failed]()
            result["dates"][method] = processes.today()
            for size in options.sizes:
                steps = options.steps if method == "gatys" else None
                request = {"method": method, "size": size, "settings": settings[method], "steps": steps}
                row = rows[str(size)] = _painted({**request, **pictures[size]})
                if "failed" in row:
                    print(f"{method}, {size} px: {row['failed']}", flush=True)
                else:
                    print(
                        f"{method}, {size} px: peak {row['peak_mb']:.0f} MiB, {row['seconds']:.1f} s, "
                        f"{row['painting_seconds']:.1f} s of them painting {row['note']}".rstrip(),
                        flush=True,
                    )
                processes.write(options.output, result)
    print(table({method: result["methods"][method] for method in options.methods}, options.sizes))
    print(f"written to {options.output}")


if __name__ == "__main__":
    main()
