"""The optimisation of a picture's pixels at one size, whose state can be saved and restored."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from ...losses.descent import Descent
from ...losses.optimisers import LBFGS, Adam, Optimiser, frequency_preconditioner
from ...losses.tiled import TiledObjective

_LEVELS = 255.0  # optimisers work in 0 to 255, as the reproduced systems do
_PLATEAU_WINDOW = 50  # steps


@dataclass(frozen=True)
class OptimiserSettings:
    """How pixels are optimised, and when to stop early. A level is 1/255.

    Attributes:
        optimizer: ``lbfgs`` or ``adam``.
        learning_rate: for L-BFGS, the fraction of its step (1 by default); for Adam, levels a step (5 by default).
        history: pairs of steps and gradient changes that L-BFGS remembers.
        betas: decays of Adam.
        precondition: L-BFGS scales frequency f by f^-precondition.
        precondition_colours: the same exponent for colour differences; None uses `precondition`.
        clamp: keep pixels in [0, 1] after every step.
        average: decay of a running mean of the picture, which becomes the result; 0 for none.
        keep_best: the result is the picture with the lowest loss, not the last one.
        plateau: stop at the final size when the best loss improves by less than this fraction in 50 steps; 0 never
            stops.
        max_seconds: stop after this time; None never stops.
        first_move: smallest mean change of the first move of L-BFGS, in levels; None for its default.
        longest_move: largest root mean square of any move of L-BFGS, in levels.
    """

    optimizer: Literal["lbfgs", "adam"] = "lbfgs"
    learning_rate: float | None = None
    history: int = 20
    betas: tuple[float, float] = (0.9, 0.999)
    precondition: float = 0.5
    precondition_colours: float | None = None
    clamp: bool = False
    average: float = 0.0
    keep_best: bool = False
    plateau: float = 0.0
    max_seconds: float | None = None
    first_move: float | None = None
    longest_move: float = math.inf


class Run(Descent):
    """The optimisation of one stage. Call `step` repeatedly, then `shown` or `carried`. Its state can be saved.

    Args:
        objective: the loss to minimise.
        image: the picture to start from, 1×3×H×W in [0, 1].
        settings: how pixels are optimised.
        history: pairs that L-BFGS keeps, if memory allows fewer than `settings` states.
    """

    def __init__(
        self, objective: TiledObjective, image: Tensor, settings: OptimiserSettings, history: int | None = None
    ) -> None:
        image = image.float().clone(memory_format=torch.contiguous_format) * _LEVELS
        optimiser = _optimiser(settings, image, history or settings.history)
        super().__init__(objective, image, optimiser, unit=_LEVELS, clamp=settings.clamp)
        self._settings = settings
        self._mean: Tensor | None = None
        self._best: tuple[float, Tensor] | None = None
        self._lows: deque[float] = deque(maxlen=_PLATEAU_WINDOW + 1)

    def _before(self, total: float) -> None:
        if self._settings.keep_best and (self._best is None or total < self._best[0]):
            self._best = (total, self.image.clone())
        self._lows.append(self.lowest)

    def _after(self) -> None:
        if decay := self._settings.average:
            kept = torch.zeros_like(self.image) if self._mean is None else self._mean
            self._mean = kept.mul_(decay).add_(self.image, alpha=1 - decay)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return everything that the next step depends on: tensors, which are not copied, and JSON data."""
        of_optimiser, optimiser = self._optimiser.state()
        of_objective, objective = self._objective.state()
        tensors = {f"optimiser.{name}": tensor for name, tensor in of_optimiser.items()}
        tensors |= {f"objective.{name}": tensor for name, tensor in of_objective.items()}
        tensors["image"] = self.image
        if self._mean is not None:
            tensors["mean"] = self._mean
        if self._best is not None:
            tensors["best"] = self._best[1]
        best = self._best and self._best[0]
        facts = {"steps": self.steps, "lows": list(self._lows), "best": best, "optimiser": optimiser}
        return tensors, {**facts, **({"objective": objective} if objective else {})}

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Resume from a `state`. Its tensors are not copied."""
        found = {name: tensor.to(self.image.device) for name, tensor in tensors.items()}
        self.image.copy_(found["image"])
        self._mean = found.get("mean")
        self._best = (facts["best"], found["best"]) if "best" in found else None
        self._lows.extend(facts["lows"])
        self.lowest = self._lows[-1] if self._lows else math.inf
        self.steps = facts["steps"]
        self._optimiser.restore(_without_prefix("optimiser.", found), facts["optimiser"])
        self._objective.restore(_without_prefix("objective.", found), facts.get("objective", {}))

    def reason_to_stop(self) -> str:
        """Return why to stop early; empty if there is no reason."""
        limit = self._settings.plateau
        if limit and len(self._lows) > _PLATEAU_WINDOW and self._lows[0] - self._lows[-1] < limit * self._lows[0]:
            return f"the loss improved by less than {limit:g} in {_PLATEAU_WINDOW} steps"
        return ""

    def shown(self, *, final: bool = False) -> Tensor:
        """Return the picture so far, in [0, 1]; if it is `final` and the best one is kept, that."""
        if final and self._best is not None:
            return (self._best[1] / _LEVELS).clamp_(0, 1)
        return self.carried().clamp_(0, 1)

    def carried(self) -> Tensor:
        """Return what the next size starts from: the picture, or its bias-corrected running mean."""
        if self._mean is None:
            return self.image / _LEVELS
        return self._mean / (_LEVELS * (1 - self._settings.average**self.steps))


def _without_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names begin with `prefix`, by the rest of their names."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _optimiser(settings: OptimiserSettings, image: Tensor, history: int) -> Optimiser:
    if settings.optimizer == "lbfgs":
        height, width = image.shape[2:]
        preconditioner = frequency_preconditioner(
            height, width, settings.precondition, image.device, colours=settings.precondition_colours
        )
        first = {} if settings.first_move is None else {"min_move": settings.first_move}
        return LBFGS(settings.learning_rate or 1.0, history, preconditioner, max_move=settings.longest_move, **first)
    return Adam(image, settings.learning_rate or 5.0, settings.betas)
