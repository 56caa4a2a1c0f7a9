"""Minimising an objective, one evaluation and one move at a time."""

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

Result = TypeVar("Result")

MAX_INCREASE = 10.0
"""A move that raises the loss to more than this multiple of the lowest so far is shortened."""


class Descent:
    """Optimises a picture, `step` by `step`. If memory runs out, it uses smaller tiles or a shorter history.

    Args:
        objective: the loss to minimise.
        image: the picture to start from, 1×3×H×W in [0, `unit`]; it is changed in place.
        optimiser: moves the picture.
        unit: the value of `image` that is 1 for the objective. It decides how large a step of the optimiser is.
        clamp: keep pixels within [0, `unit`].

    Attributes:
        image: the picture so far.
        lowest: the lowest loss so far.
        steps: number of steps made.
        whole: False while a step is being made, when picture and optimiser do not belong together.
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
        """Side in pixels of the tiles to work in; None for the whole picture."""
        return self._objective.tile

    def step(self) -> dict[str, float]:
        """Evaluate the objective and move the picture. Returns the losses before the move, by kind.

        Raises:
            ImpastoError: the loss is not finite, or memory runs out in the smallest tiles.
        """
        if self._objective.renew(self.image if self._unit == 1 else self.image / self._unit, self.steps):
            self.lowest = math.inf
            self._optimiser.renew()
        losses, gradient = self._evaluate()
        while not losses["total"] <= MAX_INCREASE * self.lowest:
            self.whole = False
            if not self._optimiser.shorten(self.image):
                break
            self.whole = True
            losses, gradient = self._evaluate()
        total = losses["total"]
        if not math.isfinite(total):
            raise ImpastoError(
                f"the loss became {total} at step {self.steps + 1}; expected a number: use --precision exact, "
                "another net, a lower learning rate or smaller weights"
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
        """Called with the loss of the picture before it is moved."""

    def _after(self) -> None:
        """Called after the picture was moved."""

    def _evaluate(self) -> tuple[dict[str, float], Tensor]:
        """Return losses and gradient; in smaller tiles if memory runs out."""

        def evaluate(tile: int | None) -> tuple[dict[str, Tensor], Tensor]:
            self._objective.tile = tile
            return self._objective(self.image if self._unit == 1 else self.image / self._unit)

        losses, gradient = run_in_tiles(evaluate, self._objective.tile, (self.image.shape[2], self.image.shape[3]))
        if self._objective.tile is not None:  # blocks of tiles' features are of no use to the move
            give_back_freed_memory()
        values = torch.stack([loss.reshape(()) for loss in losses.values()]).tolist()
        return dict(zip(losses, values, strict=True)), gradient

    def _move(self, gradient: Tensor) -> None:
        """Let the optimiser move the picture; with a shorter history if memory runs out."""
        optimiser = self._optimiser

        def move(history: int) -> None:
            if isinstance(optimiser, LBFGS) and history < optimiser.history:
                optimiser.forget(history)
            optimiser.update(self.image, gradient)

        with_less(
            move,
            optimiser.history if isinstance(optimiser, LBFGS) else 1,
            lambda history: history // 2 or None,
            lambda: "memory ran out while moving the picture; use a smaller --size, or close other programs",
        )


def run_in_tiles(work: Callable[[int | None], Result], tile: int | None, size: tuple[int, int]) -> Result:
    """Call ``work(tile)``, and again with tiles of half the side each time that memory runs out.

    Args:
        work: works in tiles of a side in pixels; None means the whole picture.
        tile: side of the first attempt.
        size: height and width of the picture.

    Raises:
        ImpastoError: memory runs out even in the smallest tiles.
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
            f"memory ran out at {width}×{height} pixels, even in the smallest tiles; use a smaller --size, or "
            "close other programs"
        ),
    )
