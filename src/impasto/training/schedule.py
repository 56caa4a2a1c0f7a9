"""The learning rate of each step, and the number of steps, which a run may change on its way."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from .options import TrainOptions

TURN = "turn"
"""Where a recipe keeps a `Turn`."""

_LAST = 0.01  # share of the highest learning rate that a cosine ends with
_RESERVE = 0.03  # share of the time that is left for validation and saving


@dataclass(frozen=True)
class Turn:
    """A new number of steps, decided when a part of them was done.

    Attributes:
        step: steps done then.
        rate: the learning rate then, without the warm-up.
        steps: steps in all.
    """

    step: int
    rate: float
    steps: int

    @classmethod
    def of(cls, recipe: Mapping[str, Any]) -> Turn | None:
        """Return the turn that a recipe keeps, if any."""
        return cls(**recipe[TURN]) if recipe.get(TURN) else None

    def to_json(self) -> dict[str, Any]:
        """Return the turn as a recipe keeps it."""
        return asdict(self)


def learning_rate(options: TrainOptions, step: int, turn: Turn | None = None) -> float:
    """Learning rate of a step; the first step is 0."""
    warm = min(1.0, (step + 1) / options.warmup) if options.warmup else 1.0
    return warm * _settled_rate(options, step, turn)


def turned(options: TrainOptions, step: int, steps: int, turn: Turn | None) -> Turn:
    """Return the turn that gives a run of `step` steps so far, perhaps turned before, a new number of steps."""
    return Turn(step, _settled_rate(options, step, turn), steps)


def steps_that_fit(seconds: float, pace: float) -> int:
    """Return how many steps of `pace` seconds fit in a time, of which a small part is left for other work."""
    return max(0, int(seconds * (1 - _RESERVE) / max(pace, 1e-9)))


def _settled_rate(options: TrainOptions, step: int, turn: Turn | None) -> float:
    """The learning rate without the warm-up."""
    if options.schedule == "inverse":
        return options.lr / (1 + options.decay * step)
    if options.schedule == "constant":
        return options.lr
    begin, highest, steps = (turn.step, turn.rate, turn.steps) if turn else (0, options.lr, options.steps)
    lowest = _LAST * options.lr
    share = (step - begin) / max(1, steps - begin)
    return lowest + (highest - lowest) * (0.5 + 0.5 * math.cos(math.pi * share))
