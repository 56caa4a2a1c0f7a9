"""Memory of painting by optimisation: what is predicted beside what a process took, by size, arithmetic and budget.

    python -m benchmarks.memory --output benchmarks/results/memory.json
    python -m benchmarks.memory --rest        # what the results there leave out

Each picture is begun in a process of its own. The memory is at its peak once L-BFGS has all its pairs, so the
steps are those that gather them: of a short history, but for the largest picture, whose history is the usual one.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path

HISTORY = 3
RUNS = [  # size, precision, budget, further settings
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


def measure(size: int, precision: str, memory: str | None, settings: dict) -> dict:
    """Predicted and measured peak in MB, and the plan."""
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
    beneath = painter.painter
    assert isinstance(beneath, GatysPainter)
    plan = beneath.plan(photo, size, beneath.options.steps)
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/memory.json"))
    parser.add_argument("--largest", type=int, default=4096, help="longest side to try")
    parser.add_argument("--rest", action="store_true", help="only the runs that the results there leave out")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(measure(*json.loads(options.worker))))
        return

    from benchmarks.machine import describe

    result: dict = {
        "command": " ".join(["python -m benchmarks.memory", *sys.argv[1:]]),
        "date": time.strftime("%Y-%m-%d"),
        "machine": describe(),
        "left_out": list(RUNS),
        "runs": [],
    }
    if options.rest:
        result["runs"] = json.loads(options.output.read_text())["runs"]
        for row in result["runs"]:
            result["left_out"].remove(tuple(row[key] for key in ("size", "precision", "memory", "settings")))
    options.output.parent.mkdir(parents=True, exist_ok=True)
    print(f"{'size':>6}{'predicted':>11}{'measured':>10}{'ratio':>7}  tile, pairs; precision, budget, settings")
    for run in (run for run in tuple(result["left_out"]) if run[0] <= options.largest):
        size, precision, memory, settings = run
        command = [sys.executable, "-m", "benchmarks.memory", "--worker", json.dumps(run)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{size} px failed: {(done.stderr.strip().splitlines() or ['no reason given'])[-1]}")
        row = {
            "size": size,
            "precision": precision,
            "memory": memory,
            "settings": settings,
            **json.loads(done.stdout),
        }
        result["runs"].append(row)
        result["left_out"].remove(run)
        print(
            f"{size:>6}{row['predicted_mb']:>8} MB{row['measured_mb']:>7} MB{row['ratio']:>7.2f}  "
            f"{row['tile'] or 'whole'}, {row['history']}; "
            f"{precision}, {memory or 'no budget'}, {settings or 'as usual'}",
            flush=True,
        )
        options.output.write_text(json.dumps(result, indent=1) + "\n")
    print(f"written to {options.output}")


if __name__ == "__main__":
    main()
