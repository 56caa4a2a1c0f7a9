"""How much memory it takes to optimise a picture, and which tiles and history of L-BFGS fit a budget.

The prediction counts the pictures, features and pairs of L-BFGS that exist at the busiest moments.
`benchmarks/memory.py` compares it with the memory of real processes.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from ..encoders.tiles import SMALLEST, halo, largest_tile
from ..encoders.vgg import VGG
from ..memory import FLOAT, PICTURE, Cost, Plan, fit
from ..strips import Size
from ..weights.layers import layer_stride

Optimizer = Literal["lbfgs", "adam", "learned"]

Copies = Literal["gram", "gaussian", "difference"]
"""Which copies a loss makes of its layer's features; see `_COPIED`."""

_SPARE = Cost.of_bytes(180e6)  # kernels forwards and backwards, matrices, buffers of the libraries
_SLACK = 1.2  # factor for gaps between blocks of different sizes
_EFFICIENT_TILE = 512  # side of a tile that takes 1.7 times the work of its pixels: prefer a shorter history
_USEFUL_HISTORY = 5  # pairs of L-BFGS: prefer smaller tiles

# Pictures that exist in addition to the features, counted from `Descent` and the optimisers. The numbers of learned
# steps, which have features of their own, were measured at 2048 px.
_WHILE_ENCODING: dict[Optimizer, float] = {"lbfgs": 7, "adam": 7, "learned": 18}
_WHILE_MOVING: dict[Optimizer, float] = {"lbfgs": 10, "adam": 8, "learned": 30}
_TOTAL_VARIATION = 8  # pictures that autograd keeps for total variation
_GAINS = 1 / 6  # pictures: the factors of the preconditioner

# Copies that a loss makes in the type of the features, copies in float32, and whether it makes them of a whole
# picture too. Gram matrices copy the core of a tile. Gaussians centre and weight in float32. Differences are summed
# in float32.
_COPIED: dict[Copies, tuple[int, int, bool]] = {
    "gram": (1, 0, False),
    "gaussian": (0, 3, True),
    "difference": (1, 1, True),
}


class Tiling(NamedTuple):
    """A way to work on an optimisation.

    Attributes:
        tile: side of the tiles in pixels; None for the whole picture.
        history: pairs of steps and gradient changes that L-BFGS keeps.
    """

    tile: int | None
    history: int


@dataclass(frozen=True)
class Optimisation:
    """The optimisation of a picture at one size: everything that its memory and work depend on.

    Attributes:
        encoder: the encoder of the losses.
        size: height and width of the picture.
        content: canonical layers of the content loss.
        layers: canonical layers of all losses.
        steps: number of steps; a few steps never fill the history.
        styles: height and width of each style picture that is encoded first.
        optimizer: the optimiser.
        history: pairs that L-BFGS keeps if memory allows.
        loss_copies: which copies the losses make; see `Copies`.
        kept_pictures: pictures that exist all the time, in addition to the one that is optimised.
        tv: whether total variation is part of the loss.
        extra_cost: memory that the losses hold all the time.
        setup_cost: memory that is needed only before the first step, when nothing is encoded.
        setup_work: multiply-adds before the first step.
    """

    encoder: VGG
    size: Size
    content: Collection[str]
    layers: Collection[str]
    steps: int
    styles: Sequence[Size] = ()
    optimizer: Optimizer = "lbfgs"
    history: int = 20
    loss_copies: Copies = "gram"
    kept_pictures: int = 1
    tv: bool = False
    extra_cost: Cost = field(default_factory=Cost)
    setup_cost: Cost = field(default_factory=Cost)
    setup_work: float = 0.0

    @property
    def work(self) -> float:
        """Multiply-adds of an evaluation and its gradient, without tiles."""
        return 2 * self.encoder.work(self.layers) * self.size[0] * self.size[1]

    @property
    def all_work(self) -> float:
        """Multiply-adds of all steps and of the setup."""
        return self.setup_work + self.steps * self.work

    def cost(self, tiling: Tiling) -> Cost:
        """Memory at the busiest moment."""
        return self._cost(tiling, self._features(self.size, tiling.tile))

    def plan(self, budget: int | None) -> Plan[Tiling]:
        """Choose the best way that fits a budget in bytes; None means most of the free memory.

        Raises:
            RequestError: nothing fits the budget.
        """
        return fit(self.ways(), self.size, budget, self.encoder.device)

    def ways(self) -> Iterator[tuple[Tiling, Cost]]:
        """Yield ways to try, with their costs, the best first."""
        sides = self._sides()
        features = {side: self._features(self.size, side) for side in sides}
        efficient = [side for side in sides if side is None or side >= _EFFICIENT_TILE]
        # Smaller tiles are tried before a shorter history, which changes the picture slightly. Inefficient tiles and
        # very short histories come last.
        for fewest, among in ((_USEFUL_HISTORY, efficient), (1, sides)):
            shortest = min(fewest, self.history) if self.optimizer == "lbfgs" else self.history
            for history in range(self.history, shortest - 1, -1):
                for side in among:
                    tiling = Tiling(side, history)
                    yield tiling, self._cost(tiling, features[side])

    @property
    def min_cost(self) -> Cost:
        """Memory with the smallest tiles and the shortest history."""
        return self.cost(Tiling(self._sides()[-1], 1 if self.optimizer == "lbfgs" else self.history))

    def notes(self, tiling: Tiling) -> list[str]:
        """Return what the note of a painting says about its tiles and its history; may be empty."""
        parts: list[str] = []
        if tiling.tile is not None and tiling.tile < max(self.size):
            parts.append(f"tiles of {tiling.tile} px")
        if self.optimizer == "lbfgs" and tiling.history < self.history:
            parts.append(f"{tiling.history} of {self.history} pairs")
        return parts

    def _cost(self, tiling: Tiling, features: float) -> Cost:
        kind = self.optimizer
        held = self.kept_pictures * PICTURE + self.encoder.features_cost(self.content)
        first = held + self.setup_cost + 4 * PICTURE
        if kind == "lbfgs":
            held += (2 * min(tiling.history + 1, self.steps) + _GAINS) * PICTURE
        busiest = Cost.of_bytes(features) + _WHILE_ENCODING[kind] * PICTURE | _WHILE_MOVING[kind] * PICTURE
        if self.tv:
            busiest |= (_WHILE_ENCODING[kind] + _TOTAL_VARIATION) * PICTURE
        total = first | held + busiest
        # The style pictures are encoded first, one after another.
        for size in self.styles:
            style = PICTURE.at(size) + self._features(size, tiling.tile)
            total |= 2 * PICTURE + Cost.of_bytes(style)
        return _SLACK * total + self.extra_cost + _SPARE

    def _features(self, size: Size, tile: int | None) -> float:
        """Bytes of the largest tile's features."""
        if not self.layers:
            return 0.0
        encoder = self.encoder
        crop, core, tiles = largest_tile(encoder.spec, self.layers, *size, tile)
        same_type, floats, of_whole = _COPIED[self.loss_copies]
        widest = max(encoder.channels(layer) / layer_stride(layer) ** 2 for layer in self.layers)
        copied = widest * (same_type * encoder.dtype.itemsize + floats * FLOAT) * (tiles > 1 or of_whole)
        return encoder.vjp_cost(self.layers).at((1, crop)) + core * copied

    def _sides(self) -> list[int | None]:
        """Sides of tiles to try, the largest first: None for the whole, then each shorter by √2."""
        shortest_side = max(SMALLEST, halo(self.encoder.spec, self.layers) if self.layers else SMALLEST)
        sides: list[int | None] = [None]
        side = max(self.size) / math.sqrt(2)
        while side >= shortest_side:
            sides.append(round(side))
            side /= math.sqrt(2)
        return sides
