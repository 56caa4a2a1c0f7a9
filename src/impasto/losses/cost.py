"""What optimising a picture takes in memory, and the tiles and history that keep it within a budget.

What is alive at the busiest moments is counted, in pictures, features and pairs of L-BFGS; `benchmarks/memory.py`
compares the prediction with what processes really took.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from ..encoders.tiles import SMALLEST, halo, largest
from ..encoders.vgg import VGG
from ..memory import FLOAT, PICTURE, Cost, Plan, fit
from ..strips import Size
from ..weights.layers import layer_stride

Optimizer = Literal["lbfgs", "adam", "learned"]

Copies = Literal["gram", "gaussian", "difference"]
"""What a loss copies of its layer's features: see `_COPIED`."""

_SPARE = Cost.of_bytes(180e6)  # kernels in both directions, matrices, the libraries' own buffers
_SLACK = 1.2  # what the allocator loses between blocks of different sizes
_ENOUGH = 512  # a tile of that side takes 1.7 times the work of its pixels: below, a shorter history saves more
_FEW = 5  # pairs of L-BFGS below which smaller tiles are the better saving

# Pictures alive beside the features, counted in `Descent` and the optimisers at each moment; those of learned steps,
# whose own features come and go, after what processes took at 2048 px.
_WHILE_ENCODING: dict[Optimizer, float] = {"lbfgs": 7, "adam": 7, "learned": 18}
_WHILE_MOVING: dict[Optimizer, float] = {"lbfgs": 10, "adam": 8, "learned": 30}
_TOTAL_VARIATION = 8  # of its autograd
_GAINS = 1 / 6  # of a picture: the preconditioner's

# Copies in the features' own arithmetic, and in float32, and whether they are made of a whole picture too: Gram
# matrices copy the inner region of a tile; Gaussians centre and weigh in float32; content subtracts, then sums in it.
_COPIED: dict[Copies, tuple[int, int, bool]] = {
    "gram": (1, 0, False),
    "gaussian": (0, 3, True),
    "difference": (1, 1, True),
}


class Tiling(NamedTuple):
    """How an optimisation is worked on.

    Attributes:
        tile: side of a tile in pixels; None for the whole picture at once.
        history: pairs of steps and gradients that L-BFGS keeps.
    """

    tile: int | None
    history: int


@dataclass(frozen=True)
class Optimisation:
    """What the memory of optimising a picture at one size depends on.

    Attributes:
        encoder: as it will be used.
        size: height and width of the picture.
        content: canonical layers of the content loss.
        layers: canonical layers of all losses.
        steps: to be made; few steps never fill the history.
        styles: height and width of each style picture that is encoded before.
        optimizer: what moves the picture.
        history: pairs that L-BFGS is to keep.
        loss_copies: what the losses copy.
        kept_pictures: how many are kept all the while, beside the one that is moved.
        tv: whether total variation is part of the loss.
        extra: what the losses hold all the while.
        aside: what is needed beside that before the first step, while nothing is encoded.
        once: multiply-adds beside the evaluations.
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
    extra: Cost = field(default_factory=Cost)
    aside: Cost = field(default_factory=Cost)
    once: float = 0.0

    @property
    def work(self) -> float:
        """Multiply-adds of an evaluation and its gradient, worked on whole."""
        return 2 * self.encoder.work(self.layers) * self.size[0] * self.size[1]

    @property
    def all_work(self) -> float:
        """Multiply-adds of all of its steps, and of what is done once."""
        return self.once + self.steps * self.work

    def cost(self, tiling: Tiling) -> Cost:
        """Memory at the busiest moment, worked on in this way."""
        return self._cost(tiling, self._features(self.size, tiling.tile))

    def plan(self, budget: int | None) -> Plan[Tiling]:
        """The largest tiles and the longest history that fit a budget in bytes; None for most of what is free.

        Raises:
            RequestError: nothing fits the budget.
        """
        return fit(self.ways(), self.size, budget, self.encoder.device)

    def ways(self) -> Iterator[tuple[Tiling, Cost]]:
        """Tiles and histories worth trying, with their costs, the best first."""
        sides = self._sides()
        features = {side: self._features(self.size, side) for side in sides}
        efficient = [side for side in sides if side is None or side >= _ENOUGH]
        # The history first: a shorter one makes, if hardly, another picture; smaller tiles only take longer.
        for fewest, among in ((_FEW, efficient), (1, sides)):
            shortest = min(fewest, self.history) if self.optimizer == "lbfgs" else self.history
            for history in range(self.history, shortest - 1, -1):
                for side in among:
                    tiling = Tiling(side, history)
                    yield tiling, self._cost(tiling, features[side])

    @property
    def min_cost(self) -> Cost:
        """Memory that it needs in the smallest tiles and with the shortest history."""
        return self.cost(Tiling(self._sides()[-1], 1 if self.optimizer == "lbfgs" else self.history))

    def notes(self, tiling: Tiling) -> list[str]:
        """What a painting should say of how it keeps within bounds, if anything."""
        parts: list[str] = []
        if tiling.tile is not None and tiling.tile < max(self.size):
            parts.append(f"tiles of {tiling.tile} px")
        if self.optimizer == "lbfgs" and tiling.history < self.history:
            parts.append(f"{tiling.history} of {self.history} pairs")
        return parts

    def _cost(self, tiling: Tiling, features: float) -> Cost:
        kind = self.optimizer
        held = self.kept_pictures * PICTURE + self.encoder.features_cost(self.content)
        first = held + self.aside + 4 * PICTURE
        if kind == "lbfgs":
            held += (2 * min(tiling.history + 1, self.steps) + _GAINS) * PICTURE
        busiest = Cost.of_bytes(features) + _WHILE_ENCODING[kind] * PICTURE | _WHILE_MOVING[kind] * PICTURE
        if self.tv:
            busiest |= (_WHILE_ENCODING[kind] + _TOTAL_VARIATION) * PICTURE
        total = first | held + busiest
        # Before any of it, the style pictures are encoded one after another; a forward pass alone needs less.
        for size in self.styles:
            style = PICTURE.at(size) + self._features(size, tiling.tile)
            total |= 2 * PICTURE + Cost.of_bytes(style)
        return _SLACK * total + self.extra + _SPARE

    def _features(self, size: Size, tile: int | None) -> float:
        """Bytes of the largest tile's features."""
        if not self.layers:
            return 0.0
        encoder = self.encoder
        crop, core, tiles = largest(encoder.spec, self.layers, *size, tile)
        own, floats, whole_too = _COPIED[self.loss_copies]
        widest = max(encoder.channels(layer) / layer_stride(layer) ** 2 for layer in self.layers)
        copied = widest * (own * encoder.dtype.itemsize + floats * FLOAT) * (tiles > 1 or whole_too)
        return encoder.vjp_cost(self.layers).at((1, crop)) + core * copied

    def _sides(self) -> list[int | None]:
        """Sides of tiles worth trying, the largest first: None for the whole, then each √2 shorter."""
        least = max(SMALLEST, halo(self.encoder.spec, self.layers) if self.layers else SMALLEST)
        sides: list[int | None] = [None]
        side = max(self.size) / math.sqrt(2)
        while side >= least:
            sides.append(round(side))
            side /= math.sqrt(2)
        return sides
