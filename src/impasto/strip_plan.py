"""How large the strips of a painting may be, by the memory that is free or allowed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import torch

from .memory import SPARE, Cost, Plan, describe, fit, give_back_freed_memory, keep_freed_memory, with_less
from .strips import VALUES, Size

MIN_VALUES = 2**21
"""Smallest number of values to process at a time: with less, most of the work goes into the extra rows."""

_COPIES = 20  # peak memory in multiples of these values: inputs and outputs, copies, gaps between freed blocks
_CHANNELS = 64  # channels of the widest layer at full resolution

Made = TypeVar("Made")


@dataclass(frozen=True)
class StripPlan(Plan[int]):
    """How large strips may be: `way` is the number of values of the widest layer to process at a time.

    Attributes:
        size: height and width of the picture, for messages.
        noted: whether the painting's note should mention the strips.
    """

    size: Size
    noted: bool

    @property
    def note(self) -> str:
        """A note for the painting's steps; may be empty."""
        return f"in strips, about {describe(self.peak)}" if self.noted else ""

    def run(self, work: Callable[[int], Made]) -> Made:
        """Call ``work(values)``, and again with half as many values each time that memory runs out.

        Raises:
            ImpastoError: memory runs out even with the smallest strips.
        """
        keep_freed_memory(self.way == VALUES)  # in smaller strips memory is scarce
        height, width = self.size
        return with_less(
            work,
            self.way,
            lambda values: max(MIN_VALUES, values // 2) if values > MIN_VALUES else None,
            lambda: (
                f"memory ran out at {width}×{height} pixels, even in the smallest strips; use a smaller --size, or "
                "close other programs"
            ),
        )


def plan_strips(
    held: Cost, size: Size, budget: int | None, on: torch.device, dtype: torch.dtype, later: Cost | None = None
) -> StripPlan:
    """Choose the largest strips that fit into memory.

    Args:
        held: memory that is needed in addition to the strips and to what is in use now.
        size: height and width of the picture.
        budget: most bytes for the process; None for most of the free memory.
        on: device of the work.
        dtype: type of the features.
        later: memory held in later work on a picture of this size. An error then names a budget for both.

    Raises:
        RequestError: the budget is too small for the smallest strips.
    """

    def with_strips(held: Cost, values: int) -> Cost:
        most = min(values, positions)
        return held + Cost.of_bytes(SPARE + most * _COPIES * dtype.itemsize)

    def ways() -> Iterator[tuple[int, Cost]]:
        values = VALUES
        while values > MIN_VALUES:
            yield values, with_strips(held, values)
            values = max(MIN_VALUES, values // 2)
        yield values, with_strips(held, values)

    positions = size[0] * size[1] * _CHANNELS
    if positions > VALUES:
        give_back_freed_memory()  # of the last picture, whose blocks had other sizes
    found = fit(ways(), size, budget, on, None if later is None else with_strips(later, MIN_VALUES))
    several = positions > found.way
    return StripPlan(found.way, found.peak, size, several and (budget is not None or found.way < VALUES))
