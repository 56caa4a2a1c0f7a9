"""A picture of the losses of a run: ``curve.png`` beside its log."""

from __future__ import annotations

import importlib.util
import io
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from ..images.atomic import write_atomically

LOG = "log.jsonl"
CURVE = "curve.png"

STOPPED = "stopped"
"""Marks a line of the log that was written where a run was stopped, and that a resumed run removes."""

_NOT_LOSSES = ("step", "lr", "gradient", "validation", "loss", STOPPED)
_TOTAL = "loss"  # figure of held-out pictures: the sum of the loss terms
_SMOOTH = 25  # entries of the log in the window of the running median
_MAX_FIGURES = 6  # figures by style are drawn up to this number

Points = dict[str, list[tuple[float, float]]]


def read_log(path: Path) -> tuple[Points, Points]:
    """Read the log of a run. Lines that a crash cut short are skipped.

    Returns:
        Loss terms of the training crops, and figures of the held-out pictures: points (step, value) by name.
    """
    training: Points = defaultdict(list)
    validation: Points = defaultdict(list)
    for line in path.read_text().splitlines():
        try:
            entry: dict[str, Any] = json.loads(line)
            step = float(entry["step"])
        except (ValueError, KeyError):
            continue
        for name, value in entry.items():
            if name not in _NOT_LOSSES:
                training[name].append((step, value))
        for name, value in entry.get("validation", {}).items():
            validation[name].append((step, value))
    return dict(training), dict(validation)


def draw_curve(run: Path) -> Path | None:
    """Draw the log of the run in a folder as ``curve.png``. Return its path, or None where matplotlib is missing.

    Lines without dots are running medians of the loss terms of training crops; terms below a hundredth of the largest
    are left out. Lines with dots are figures of held-out pictures; figures by style are left out where there are more
    than six, and where there is one, whose figure is the sum.
    """
    if importlib.util.find_spec("matplotlib") is None:
        return None
    from matplotlib.figure import Figure  # not pyplot: no window, no global state

    training, validation = read_log(run / LOG)
    largest = max((_median(points) for points in training.values()), default=0.0)
    training = {name: points for name, points in training.items() if _median(points) > largest / 100}
    figure = Figure(figsize=(8, 4.5), dpi=100, layout="constrained")
    axes = figure.subplots()
    colours: dict[str, Any] = {}
    for name, points in training.items():
        steps, values = np.array(points).T
        smooth = [float(np.median(values[max(0, n - _SMOOTH) : n + 1])) for n in range(len(values))]
        marker = "" if len(smooth) > 1 else "."
        line = axes.plot(steps, smooth, linewidth=1.2, marker=marker, alpha=0.45, label=name)[0]
        colours[name] = line.get_color()
    others = [name for name in validation if name not in training and min(validation[name])[1] > 0]
    others = [name for name in others if name == _TOTAL or validation[name] != validation.get(_TOTAL)]
    for name in [
        *(name for name in validation if name in training),
        *(others if len(others) <= _MAX_FIGURES else ()),
    ]:
        steps, values = np.array(validation[name]).T
        axes.plot(steps, values, "o-", markersize=4, color=colours.get(name), label=f"{name}, held out")
    if axes.lines:
        axes.legend(frameon=False, fontsize=8, ncols=2)
    axes.set_yscale("log")
    axes.set_xlabel("step")
    axes.set_ylabel("loss")
    axes.spines[["top", "right"]].set_visible(False)
    out = io.BytesIO()
    figure.savefig(out, format="png")
    write_atomically(run / CURVE, out.getvalue(), overwrite=True)
    return run / CURVE


def _median(points: list[tuple[float, float]]) -> float:
    return float(np.median([value for _, value in points]))
