"""A picture's way down an objective, one evaluation and one move at a time."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor

from ..encoders.tiles import SMALLEST
from ..errors import ImpastoError
from ..memory import give_back_freed_memory, with_less
from .optimisers import LBFGS, Optimiser
from .tiled import TiledObjective

Made = TypeVar("Made")

BLOWN = 10.0
"""Times the lowest loss so far: a move that brings as much led nowhere, and is shortened."""


class Descent:
    """Moves a picture, `step` by `step`; in smaller tiles, or with a shorter history, where memory runs out.

    Args:
        objective: what is to become less.
        image: 1×3×H×W, what it begins with, in units; it is moved in place.
        optimiser: what moves it.
        unit: of the objective's range 0 to 1, as the optimiser counts: it decides what a step is.
        clamp: keep pixels within that range.

    Attributes:
        image: so far, in units.
        lowest: loss so far.
        steps: made so far.
        whole: false while a step changes what the next depends on.
    """

    def __init__(
        self,
        objective: TiledObjective,
        image: Tensor,
        optimiser: Optimiser,
        *,
        unit: float = 1.0,
        clamp: bool = False,
    ) -> None:
        self.image, self.lowest, self.steps, self.whole = image, math.inf, 0, True
        self._objective, self._optimiser = objective, optimiser
        self._unit, self._clamp = unit, clamp

    @property
    def tile(self) -> int | None:
        """Side of the tiles the picture is worked on in; None for the whole at once."""
        return self._objective.tile

    def step(self) -> dict[str, float]:
        """One evaluation and one move; the losses are those before the move.

        Raises:
            ImpastoError: the loss is not finite, or memory does not suffice.
        """
        if self._objective.renew(self.image if self._unit == 1 else self.image / self._unit, self.steps):
            self.lowest = math.inf
            self._optimiser.renew()
        losses, gradient = self._evaluate()
        while not losses["total"] <= BLOWN * self.lowest:
            self.whole = False
            if not self._optimiser.shorten(self.image):
                break
            self.whole = True
            losses, gradient = self._evaluate()
        total = losses["total"]
        if not math.isfinite(total):
            raise ImpastoError(
                f"the loss became {total} at step {self.steps + 1}; lower the learning rate or the weights, "
                "or use --precision exact"
            )
        self.whole = False
        self.lowest = min(total, self.lowest)
        self._before(total)
        self._move(gradient.div_(self._unit))
        if self._clamp:
            self.image.clamp_(0, self._unit)
        self.steps += 1
        self._after()
        self.whole = True
        return losses

    def _before(self, total: float) -> None:
        """What is to be done with the picture of this loss, before it is moved."""

    def _after(self) -> None:
        """What is to be done with the picture moved."""

    def _evaluate(self) -> tuple[dict[str, float], Tensor]:
        """Losses and gradient, in smaller tiles where memory runs out."""

        def evaluate(tile: int | None) -> tuple[dict[str, Tensor], Tensor]:
            self._objective.tile = tile
            return self._objective(self.image if self._unit == 1 else self.image / self._unit)

        losses, gradient = in_tiles(evaluate, self._objective.tile, (self.image.shape[2], self.image.shape[3]))
        if self._objective.tile is not None:  # the features of tiles leave gaps, of no use to the move's pictures
            give_back_freed_memory()
        values = torch.stack([loss.reshape(()) for loss in losses.values()]).tolist()
        return dict(zip(losses, values, strict=True)), gradient

    def _move(self, gradient: Tensor) -> None:
        """One step of the optimiser, with a shorter history where memory runs out."""
        optimiser = self._optimiser

        def move(history: int) -> None:
            if isinstance(optimiser, LBFGS) and history < optimiser.history:
                optimiser.forget(history)
            optimiser.update(self.image, gradient)

        with_less(
            move,
            optimiser.history if isinstance(optimiser, LBFGS) else 1,
            lambda history: history // 2 or None,
            lambda: "memory ran out while moving the picture; paint with a smaller --size, or close other programs",
        )


def in_tiles(work: Callable[[int | None], Made], tile: int | None, size: tuple[int, int]) -> Made:
    """``work(tile)``, in tiles half as large each time that memory runs out.

    Args:
        work: what to do in tiles of a side in pixels, or with the whole picture for None.
        tile: side to begin with.
        size: height and width of the picture.

    Raises:
        ImpastoError: memory does not suffice for the smallest tiles.
    """
    height, width = size

    def half(tile: int | None) -> int | None:
        side = min(tile or max(size), max(size)) // 2
        return None if side < SMALLEST else side

    return with_less(
        work,
        tile,
        half,
        lambda: (
            f"memory ran out at {width}×{height} pixels, even in the smallest tiles; paint with a smaller --size, or "
            "close other programs"
        ),
    )
