"""How a run begins: with which net, and for how long. A resumed run keeps what it began with."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..weights.files import sha256_of
from ..weights.shipped import locate_net, net_names
from .schedule import TURN


@dataclass(frozen=True)
class Start:
    """How a run begins where nobody says it.

    Attributes:
        net: name or file of the net to begin with; None for random weights.
        max_time: longest time of training, as text; None for as long as the steps take.
        steps: number of steps; None for that of the preset.
    """

    net: str | None = None
    max_time: str | None = None
    steps: int | None = None


def resumed_start(recipe: Mapping[str, Any], given: Collection[str]) -> Start:
    """Return how a run began that is now resumed.

    The time is that of the run if its steps were not fitted to it yet; else the number of steps bounds the run.

    Args:
        recipe: of the checkpoint.
        given: names of the settings that are given.
    """
    length = {"steps", "max_time"} & set(given)
    time = None if length or recipe.get(TURN) else recipe.get("max_time")
    steps = None if "steps" in given else recipe.get("steps")
    return Start(_shipped(recipe.get("parent")), time, steps)


def _shipped(parent: Mapping[str, str] | None) -> str | None:
    """The name of the shipped net that a run began with; None if it began with none, or with a file."""
    name = Path(parent["name"]).stem if parent else ""
    if parent and name in net_names() and sha256_of(locate_net(name)) == parent["sha256"]:
        return name
    return None
