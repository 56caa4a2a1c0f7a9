"""Memory of painting by optimisation, predicted and measured, by size, arithmetic and budget.

    python -m benchmarks.memory --output benchmarks/results/memory.json
    python -m benchmarks.memory --rest        # only the runs that the results lack

Each picture is begun in a process of its own. Memory is at its peak once L-BFGS has gathered all its pairs, so a
picture gets as many steps as that takes. The history is short, except for the largest picture, which has the usual
one.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypedDict

from benchmarks import processes
from benchmarks.shapes import Memory, MemoryRun, read

HISTORY = 3
RUNS: list[tuple[int, str, str | None, dict[str, Any]]] = [  # size, precision, budget, further settings
    (512, "auto", None, {}),
    (1024, "auto", None, {}),
    (1024, "auto", "1GB", {}),
    (1024, "auto", "1GB", {"style_loss": "wasserstein"}),
    (1024, "exact", None, {}),
    (1024, "exact", "1.2GB", {"pooling": "avg"}),
    (2048, "auto", "2GB", {}),
    (2048, "auto", "2GB", {"optimizer": "adam", "tv_weight": 1.0, "tv_kind": "nine-point"}),
    (4096, "auto", "8GB", {"lbfgs_history": 20}),
]


class Peak(TypedDict):
    """Predicted and measured peak in MB, their ratio, and the plan: side of a tile, pairs in the history."""

    tile: int | None
    history: int
    predicted_mb: int
    measured_mb: int
    ratio: float


def measure(size: int, precision: str, memory: str | None, settings: dict[str, Any]) -> Peak:
    """Begin a painting in this process, until L-BFGS has gathered all its pairs."""
    from impasto import bind, make_recipe
    from impasto.demo.photos import demo_photo
    from impasto.demo.styles import draw
    from impasto.images.read import read
    from impasto.memory import peak_memory_mb
    from impasto.methods.gatys.painter import GatysPainter
    from impasto.recipe import Style

    common = {"size": size, "precision": precision, "memory": memory, "lbfgs_history": HISTORY, "min_size": None}
    recipe = make_recipe("gatys", [Style(path="style")], settings={**common, **settings})
    painter = bind(recipe, styles=[read(draw("night")).pixels], device="cpu")
    photo = read(demo_photo("astronaut")).pixels
    inner = painter.painter
    assert isinstance(inner, GatysPainter)
    plan = inner.plan(photo, size, inner.options.steps)
    steps = painter.paint(photo)
    for _ in islice(steps, plan.way.history + 2):
        pass
    steps.close()
    peak = peak_memory_mb() * 2**20
    return {
        "tile": plan.way.tile,
        "history": plan.way.history,
        "predicted_mb": round(plan.peak / 1e6),
        "measured_mb": round(peak / 1e6),
        "ratio": round(plan.peak / peak, 2),
    }


def work(arguments: Sequence[str]) -> Peak:
    """Measure in this process. The argument is one of RUNS as JSON."""
    return measure(*json.loads(arguments[0]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/memory.json"))
    parser.add_argument("--largest", type=int, default=4096, help="longest side in pixels of the runs to measure")
    parser.add_argument("--rest", action="store_true", help="measure only the runs that the results lack")
    parser.add_argument("--worker", nargs=1, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(work(options.worker)))
        return

    from benchmarks.machine import describe

    result: Memory = {
        "command": processes.command_line("memory"),
        "date": processes.today(),
        "machine": describe(),
        "left_out": list(RUNS),
        "runs": [],
    }
    if options.rest:
        result["runs"] = read(options.output, Memory)["runs"]
        for row in result["runs"]:
            result["left_out"].remove((row["size"], row["precision"], row["memory"], row["settings"]))
    print(f"{'size':>6}{'predicted':>11}{'measured':>10}{'ratio':>7}  tile, pairs; precision, budget, settings")
    for run in (run for run in tuple(result["left_out"]) if run[0] <= options.largest):
        size, precision, memory, settings = run
        try:
            peak: Peak = processes.measure("memory", run)
        except processes.MeasurementFailed as error:
            raise SystemExit(f"{size} px failed: {error}") from None
        row: MemoryRun = {"size": size, "precision": precision, "memory": memory, "settings": settings, **peak}
        result["runs"].append(row)
        result["left_out"].remove(run)
        print(
            f"{size:>6}{row['predicted_mb']:>8} MB{row['measured_mb']:>7} MB{row['ratio']:>7.2f}  "
            f"{row['tile'] or 'whole'}, {row['history']}; "
            f"{precision}, {memory or 'no budget'}, {settings or 'as usual'}",
            flush=True,
        )
        processes.write(options.output, result)
    print(f"written to {options.output}")


if __name__ == "__main__":
    main()
