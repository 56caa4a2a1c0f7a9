"""What a run says before its first step, and the command that paints with its net."""

from __future__ import annotations

import shlex
import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import ImpastoWarning
from ..memory import describe
from ..weights.files import TRAINED
from .data import Batches
from .options import TrainOptions
from .task import Task
from .times import describe_time

_PAINTS = {
    "adain": "impasto adain photo.jpg painting.jpg",
    "swap": "impasto swap photo.jpg painting.jpg",
    "swap-steps": "impasto swap photo.jpg painting.jpg",
    "johnson": "impasto johnson photo.jpg",
}
"""The command that paints with the net of a task, by the name of the task."""


def paint_command(net: Path, metadata: Mapping[str, Any]) -> str | None:
    """Return the command that paints with a trained net; None for a net of an unknown task.

    Args:
        net: its file.
        metadata: what it records.
    """
    command = _PAINTS.get(metadata.get("recipe", {}).get("task"))
    if command is None:
        return None
    learnt, known = metadata["recipe"].get("styles", ()), metadata.get("network", {}).get("styles", ())
    style = f"#{learnt[0]}" if learnt and len(known) > 1 else ""
    return f"{command} --net {shlex.quote(f'{net}{style}')}"


def describe_opening(
    task: Task, batches: Batches, options: TrainOptions, out: Path, recipe: Mapping[str, Any], steps: tuple[int, int]
) -> list[str]:
    """Say in a few lines what a run will take, what it begins with, and how it may be ended.

    Args:
        task: what is learned.
        batches: the pictures.
        options: how long and how fast.
        out: folder of the run.
        recipe: of the run.
        steps: steps done, and steps in all.
    """
    lines = [f"{_contents(batches, options, recipe)}; {_steps(batches, options, steps)}; {_sizes(task, options)}"]
    if steps[0] >= steps[1]:
        return lines
    lines.append("; ".join([_beginning(recipe, resumed=steps[0] > 0), *_time(options)]))
    if command := paint_command(out / TRAINED, {**task.metadata(), "recipe": recipe}):
        lines.append(f"Ctrl-C at any step leaves a net that paints: {command}")
    return lines


def warn_of_full_disk(task: Task, out: Path, *, resumed: bool) -> None:
    """Warn where a run will need more room than is free. A new file is whole before the old one goes.

    Args:
        task: what is learned.
        out: folder of the run, which exists.
        resumed: the files of the run are there already.
    """
    try:
        free = shutil.disk_usage(out).free
    except OSError:
        return
    needed = _bytes_on_disk(task) * (1 if resumed else 2)
    if free < needed:
        warnings.warn(
            f"{out} has {describe(free)} free, and the run needs about {describe(needed)}: make room now, or stop it "
            "and give another --out",
            ImpastoWarning,
            stacklevel=2,
        )


def _contents(batches: Batches, options: TrainOptions, recipe: Mapping[str, Any]) -> str:
    kinds = {"photos": batches.photos, "paintings": batches.paintings}
    parts = [
        f"{len(pictures)} {kind} and {options.held_out} held out" for kind, pictures in kinds.items() if len(pictures)
    ]
    if styles := recipe.get("styles"):
        parts.append(f"{len(styles)} style{'s' * (len(styles) > 1)}")
    return ", ".join(parts)


def _steps(batches: Batches, options: TrainOptions, steps: tuple[int, int]) -> str:
    done, total = steps
    if done >= total:
        return f"all {total} steps are done (--steps with more of them lengthens the run)"
    images = sum(batches.counts) * batches.world
    limited = " at most" if options.max_time else ""
    which = f"steps {done + 1} to {total}" if done else f"{total} step{'s' * (total > 1)}"
    return f"{which}{limited}, each with {images} image{'s' * (images != 1)}"


def _sizes(task: Task, options: TrainOptions) -> str:
    return (
        f"net and checkpoint take about {describe(_bytes_on_disk(task))}, sample sheets come every "
        f"{options.validate_every} steps"
    )


def _bytes_on_disk(task: Task) -> float:
    numbers = sum(value.numel() for value in task.net.state_dict().values())
    trained = sum(value.numel() for value in task.net.parameters() if value.requires_grad)
    return max(1e6, 10 * numbers + 8 * trained)


def _beginning(recipe: Mapping[str, Any], *, resumed: bool) -> str:
    """With which weights a run begins, and how it would begin with others."""
    parent = recipe.get("parent")
    weights = f"the weights of {parent['name']}" if parent else "random weights"
    if resumed:
        return f"the run began with {weights}"
    if parent is None:
        return f"begins with {weights} (--net: with those of a net)"
    bound = recipe.get("task") == "swap-steps" or recipe.get("learn") == "styles"  # they go on from a net
    return f"begins with {weights}{'' if bound else ' (--net none: with random ones)'}"


def _time(options: TrainOptions) -> list[str]:
    if options.max_time is None:
        return []
    return [f"takes {describe_time(options.max_time.total_seconds())} at most (--max-time changes that)"]
