"""Refining style-swap's picture: down the distance between its features and those that were swapped."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from ...encoders.vgg import VGG
from ...losses.cost import Optimisation, Tiling
from ...losses.descent import Descent
from ...losses.functional import sum_of_squares
from ...losses.objective import ContentTerm, NormalisedGradient, TVTerm
from ...losses.optimisers import LBFGS, Adam, Learned, Optimiser, frequency_preconditioner
from ...losses.tiled import TiledObjective
from ...memory import Cost, Plan, describe, give_back_freed_memory, keep_freed_memory
from ...nets.decoder import Decoder
from ...strips import Size
from ..common.any_style import MARGIN
from ..common.one_pass import Painted
from .options import SwapOptions

_LEVELS = 255.0
_HISTORY = 20  # pairs L-BFGS remembers
# Of L-BFGS: the exponent of its preconditioner, and the mean of its first move. The net's picture has its colours and
# large shapes, which a preconditioner made for a photograph's would move; its loss is least 0.007 to 0.02 downhill.
_FROM_THE_PHOTO, _FROM_THE_NET = (0.5, 0.001), (0.25, 0.008)


class Refiner:
    """Minimises ``‖Φ(I) − target‖² + λ Σ(Δx² + Δy²)`` over pictures I, by learned steps, L-BFGS or Adam.

    Args:
        options: how.
        encoder: Φ.
        decoder: the net whose picture is refined, which may have learned steps; None to begin with the photograph.
        memory: budget in bytes, or None.
    """

    def __init__(self, options: SwapOptions, encoder: VGG, decoder: Decoder | None, memory: int | None) -> None:
        self._options, self._encoder, self._decoder, self._memory = options, encoder, decoder, memory
        taught = decoder is not None and decoder.spec.steps and options.optimizer == "auto"
        self._learned = decoder if taught else None

    def plan(self, size: Size, longest: int) -> Plan[Tiling] | None:
        """How a picture is refined within the budget; None where it is not.

        Args:
            size: its height and width.
            longest: its longest side, as asked for.

        Raises:
            RequestError: the budget is too small.
        """
        if not self._options.descent(longest):
            return None
        return self._needs(size, longest).plan(self._memory)

    def cost(self, size: Size, longest: int) -> Cost:
        """Memory that refining takes at least."""
        if not self._options.descent(longest):
            return Cost()
        return self._needs(size, longest).min_cost

    def work(self, size: Size, longest: int) -> float:
        """Multiply-adds of refining a picture."""
        needs = self._needs(size, longest)
        return needs.steps * needs.work

    def steps(self, target: Tensor, picture: Tensor, plan: Plan[Tiling], count: int) -> Iterator[Painted]:
        """Pictures in [0, 1] after each of `count` steps, and the losses before it.

        Losses are relative to ``‖target‖²``, so that they do not grow with the picture.

        Args:
            target: 1×C×h×w, what the picture's features are to be.
            picture: 1×3×H×W to begin with; it is moved in place.
            plan: from `plan`.
            count: of steps.
        """
        options = self._options
        # Twice a half sum; or, normalised as style-swap.lua does, a gradient whose L1 norm is 1.
        content = ContentTerm(options.layer, target, 1.0 if options.normalize_gradients else 2.0, "half-sum")
        term = NormalisedGradient(content) if options.normalize_gradients else content
        # What was learned is down the distance of features alone.
        tv = TVTerm(2 * options.tv_weight, "squared", _LEVELS) if options.tv_weight and not self._learned else None
        if plan.way.tile is not None:  # in tiles memory is scarce
            keep_freed_memory(False)
            give_back_freed_memory()
        boxed = self._learned is not None or options.optimizer == "adam"
        objective = TiledObjective(self._encoder, [term], tv, tile=plan.way.tile)
        descent = Descent(objective, picture, self._optimiser(picture, plan.way.history, count), clamp=boxed)
        needs = self._needs((picture.shape[2], picture.shape[3]), 0)
        scale = float(sum_of_squares(target)) or 1.0
        for _ in range(count):
            losses = {name: loss / scale for name, loss in descent.step().items()}
            parts = needs.notes(plan.way._replace(tile=descent.tile))
            if parts or self._memory:  # beside the peak of encoding and matching, which may be less
                parts = [*(parts or ["optimised whole"]), f"about {describe(plan.peak)}"]
            yield Painted(descent.image.clamp(0, 1), losses, ", ".join(parts))

    def _optimiser(self, picture: Tensor, history: int, count: int) -> Optimiser:
        options = self._options
        if self._learned is not None:
            return Learned(self._learned.learned_steps(count))
        if options.optimizer == "adam":
            return Adam(picture, options.learning_rate or 0.05)
        exponent, first = _FROM_THE_NET if self._decoder is not None else _FROM_THE_PHOTO
        preconditioner = frequency_preconditioner(picture.shape[2], picture.shape[3], exponent, picture.device)
        return LBFGS(options.learning_rate or 1.0, history, preconditioner, first)

    def _framed(self, size: Size) -> Size:
        frame = 2 * MARGIN if self._decoder else 0
        return size[0] + frame, size[1] + frame

    def _needs(self, size: Size, longest: int) -> Optimisation:
        """What the memory of refining a picture of that size depends on."""
        options, layers = self._options, (self._options.layer,)
        return Optimisation(
            self._encoder,
            self._framed(size),
            layers,
            layers,
            options.descent(longest),
            optimizer="learned" if self._learned else "lbfgs" if options.optimizer == "auto" else options.optimizer,
            history=_HISTORY,
            loss_copies="difference",
            kept_pictures=2,  # the picture shown is a copy
            tv=bool(options.tv_weight) and not self._learned,
        )
