"""Refines a picture by moving its pixels, so that its features come nearer to the swapped ones."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from ...encoders.vgg import VGG
from ...losses.cost import Optimisation, Tiling
from ...losses.descent import Descent
from ...losses.functional import sum_of_squares
from ...losses.objective import ContentTerm, NormalisedGradient, TVTerm
from ...losses.optimisers import LBFGS, Adam, LearnedSteps, Optimiser, frequency_preconditioner
from ...losses.tiled import TiledObjective
from ...memory import Cost, Plan, describe, give_back_freed_memory, keep_freed_memory
from ...nets.decoder import Decoder
from ...strips import Size
from ..common.any_style import MARGIN
from ..common.one_pass import Painted
from .options import SwapOptions

_LEVELS = 255.0
_HISTORY = 20  # pairs L-BFGS remembers
# For L-BFGS: the exponent of its preconditioner, and the mean change of its first move, of pixels in [0, 1].
# Colours and large shapes of the net's picture are right already, so low frequencies are moved less than from the
# photo. Down the gradient from the net's picture, the loss is lowest after a move of 0.007 to 0.02.
_FROM_THE_PHOTO, _FROM_THE_NET = (0.5, 0.001), (0.25, 0.008)


class Refiner:
    """Minimises ``‖Φ(I) − target‖² + λ Σ(Δx² + Δy²)`` over pictures I, by learned steps, L-BFGS or Adam.

    Args:
        options: settings of the method.
        encoder: Φ.
        decoder: the net whose picture is refined, which may have learned steps; None to begin with the photograph.
        memory: memory budget in bytes; None for no budget.
    """

    def __init__(self, options: SwapOptions, encoder: VGG, decoder: Decoder | None, memory: int | None) -> None:
        self._options, self._encoder, self._decoder, self._memory = options, encoder, decoder, memory
        has_steps = decoder is not None and decoder.spec.steps and options.optimizer == "auto"
        self._learned = decoder if has_steps else None

    def plan(self, size: Size, longest: int) -> Plan[Tiling] | None:
        """Choose tiles and history so that refining stays within the budget; return None for pictures not refined.

        Args:
            size: height and width of the picture.
            longest: longest side of the picture that was asked for, in pixels.

        Raises:
            RequestError: the budget is too small.
        """
        if not self._options.count_steps(longest):
            return None
        return self._needs(size, longest).plan(self._memory)

    def cost(self, size: Size, longest: int) -> Cost:
        """Return the least memory that refining takes; for the arguments see `plan`."""
        if not self._options.count_steps(longest):
            return Cost()
        return self._needs(size, longest).min_cost

    def work(self, size: Size, longest: int) -> float:
        """Return the multiply-adds of refining a picture; for the arguments see `plan`."""
        needs = self._needs(size, longest)
        return needs.steps * needs.work

    def steps(self, target: Tensor, picture: Tensor, plan: Plan[Tiling], count: int) -> Iterator[Painted]:
        """Yield the picture after each step, in [0, 1], with the losses before the step.

        Losses are relative to ``‖target‖²``, so that they do not grow with the picture.

        Args:
            target: features to approach, 1×C×h×w.
            picture: picture to begin with, 1×3×H×W; it is changed in place.
            plan: from `plan`.
            count: number of steps.
        """
        options = self._options
        # The sum of squares, twice a half sum; or, as in style-swap.lua, a gradient whose L1 norm is 1.
        content = ContentTerm(options.layer, target, 1.0 if options.normalize_gradients else 2.0, "half-sum")
        term = NormalisedGradient(content) if options.normalize_gradients else content
        # Learned steps were trained without total variation.
        tv = TVTerm(2 * options.tv_weight, "squared", _LEVELS) if options.tv_weight and not self._learned else None
        if plan.way.tile is not None:  # with tiles, memory is short
            keep_freed_memory(False)
            give_back_freed_memory()
        clamped = self._learned is not None or options.optimizer == "adam"
        objective = TiledObjective(self._encoder, [term], tv, tile=plan.way.tile)
        descent = Descent(objective, picture, self._optimiser(picture, plan.way.history, count), clamp=clamped)
        needs = self._needs((picture.shape[2], picture.shape[3]), 0)
        scale = float(sum_of_squares(target)) or 1.0
        for _ in range(count):
            losses = {name: loss / scale for name, loss in descent.step().items()}
            parts = needs.notes(plan.way._replace(tile=descent.tile))
            if parts or self._memory:  # this peak may exceed that of encoding and matching
                parts = [*(parts or ["optimised whole"]), f"about {describe(plan.peak)}"]
            yield Painted(descent.image.clamp(0, 1), losses, ", ".join(parts))

    def _optimiser(self, picture: Tensor, history: int, count: int) -> Optimiser:
        options = self._options
        if self._learned is not None:
            return LearnedSteps(self._learned.learned_steps(count))
        if options.optimizer == "adam":
            return Adam(picture, options.learning_rate or 0.05)
        exponent, first = _FROM_THE_NET if self._decoder is not None else _FROM_THE_PHOTO
        preconditioner = frequency_preconditioner(picture.shape[2], picture.shape[3], exponent, picture.device)
        return LBFGS(options.learning_rate or 1.0, history, preconditioner, first)

    def _framed(self, size: Size) -> Size:
        """Add the margin of the net to a height and width."""
        frame = 2 * MARGIN if self._decoder else 0
        return size[0] + frame, size[1] + frame

    def _needs(self, size: Size, longest: int) -> Optimisation:
        """Return what memory and work of refining depend on; for the arguments see `plan`."""
        options, layers = self._options, (self._options.layer,)
        return Optimisation(
            self._encoder,
            self._framed(size),
            layers,
            layers,
            options.count_steps(longest),
            optimizer="learned" if self._learned else "lbfgs" if options.optimizer == "auto" else options.optimizer,
            history=_HISTORY,
            loss_copies="difference",
            kept_pictures=2,  # the picture and the copy that is shown
            tv=bool(options.tv_weight) and not self._learned,
        )
