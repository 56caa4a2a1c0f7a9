"""Losses of nearest-neighbour style transfer: 1 − cosine to each position's match, and channel moments.

They are functions of sums over positions, with gradients written by hand, so pictures can be processed in tiles.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from ..encoders.layers import square_means
from ..encoders.tiles import Part
from .objective import Guide, Slope, Term, guide_at, mass_and_weight

_MIN_LENGTH = 1e-6  # smallest divisor: shorter features have no direction


class ViewedPart(NamedTuple):
    """A part of a layer, as a `View` shows it.

    Attributes:
        features: 1×C×h×w float32.
        rows: rows of the view that these are.
        columns: columns of the view that these are.
    """

    features: Tensor
    rows: slice
    columns: slice


class View(Protocol):
    """The positions of a layer that a loss compares."""

    def size(self, layer: tuple[int, int]) -> tuple[int, int]:
        """Return the height and width of the view of a layer of height and width `layer`."""
        ...

    def show(self, part: Part) -> ViewedPart:
        """Return the view of a part of the layer."""
        ...

    def add(self, slope: Tensor, part: Part, gradient: Tensor | None) -> Tensor:
        """Return the gradient at the part's features, given `slope` at its view, added to `gradient` if any."""
        ...


@dataclass(frozen=True)
class SquareMeans:
    """A view of the means of squares of `side`×`side` positions.

    Attributes:
        side: side of a square; the borders of parts have to be on multiples of it.
        ceil: whether incomplete squares at the border count.
    """

    side: int
    ceil: bool = False

    def size(self, layer: tuple[int, int]) -> tuple[int, int]:
        """See `View.size`."""
        odd = self.side - 1 if self.ceil else 0
        return (layer[0] + odd) // self.side, (layer[1] + odd) // self.side

    def show(self, part: Part) -> ViewedPart:
        """See `View.show`."""
        small = square_means(part.features, self.side, ceil=self.ceil).float()
        top, left = part.rows.start // self.side, part.columns.start // self.side
        return ViewedPart(small, slice(top, top + small.shape[2]), slice(left, left + small.shape[3]))

    def add(self, slope: Tensor, part: Part, gradient: Tensor | None) -> Tensor:
        """See `View.add`."""
        features, side = part.features, self.side
        if side > 1:
            height, width = features.shape[2:]
            down, along = slope.shape[2:]
            counts = _counts(height, side, down, slope)[:, None] * _counts(width, side, along, slope)
            slope = (slope / counts).to(features.dtype)
            larger = F.interpolate(slope, scale_factor=side, mode="nearest")[:, :, :height, :width]
            missing = (0, width - larger.shape[3], 0, height - larger.shape[2])
            slope = F.pad(larger, missing) if any(missing) else larger
        if gradient is None:
            return slope.to(features.dtype).contiguous(memory_format=torch.channels_last)
        return gradient.add_(slope)


@dataclass(frozen=True)
class Subgrid:
    """A view of every nth position in both directions.

    Attributes:
        step: n.
        top: row of the first position.
        left: column of the first position.
    """

    step: int
    top: int
    left: int

    def size(self, layer: tuple[int, int]) -> tuple[int, int]:
        """See `View.size`."""
        return len(range(self.top, layer[0], self.step)), len(range(self.left, layer[1], self.step))

    def show(self, part: Part) -> ViewedPart:
        """See `View.show`."""
        down, along = self._inside(part.rows, self.top), self._inside(part.columns, self.left)
        found = self._of(part.features, part).float()
        rows, columns = ((first - offset) // self.step for first, offset in ((down, self.top), (along, self.left)))
        return ViewedPart(found, slice(rows, rows + found.shape[2]), slice(columns, columns + found.shape[3]))

    def add(self, slope: Tensor, part: Part, gradient: Tensor | None) -> Tensor:
        """See `View.add`."""
        gradient = torch.zeros_like(part.features) if gradient is None else gradient
        self._of(gradient, part).add_(slope)
        return gradient

    def _of(self, features: Tensor, part: Part) -> Tensor:
        """The part's positions in the view, sharing its memory."""
        down = self._inside(part.rows, self.top) - part.rows.start
        along = self._inside(part.columns, self.left) - part.columns.start
        return features[:, :, down :: self.step, along :: self.step]

    def _inside(self, part: slice, offset: int) -> int:
        """The first position of the view that is not before the part."""
        return max(offset, part.start + (offset - part.start) % self.step)


Targets = Callable[[slice, slice], Tensor]
"""Returns the targets for some rows and columns of a view: P×C float32, of length 1 or less."""

Centres = Callable[[slice, slice], Tensor]
"""Returns what is subtracted from features, for some rows and columns of a view: C or P×C float32."""


@dataclass
class DirectionTerm(Term):
    """Centred cosine distance ``mean(w · (1 − cos(x − c, t)))`` of features x, centres c, targets t.

    Kolkin et al. 2022, "Neural Neighbor Style Transfer". A target may be the mean of several directions; the loss is
    then the mean of the distances to each.

    Attributes:
        view: the positions to compare.
        targets: t, of length 1 or less; see `Targets`.
        centres: c; see `Centres`.
        position_weights: w, 1×1×h×w with a mean of 1; None for equal weights.
    """

    layer: str
    weight: float
    view: View
    targets: Targets = field(repr=False)
    centres: Centres = field(repr=False)
    position_weights: Tensor | None = field(default=None, repr=False)
    kind: str = "style"

    def gather(self, part: Part) -> tuple[Tensor, ...]:
        """See `Term.gather`: ``Σ w · (1 − cos)``."""
        return (self._compare(self.view.show(part))[0],)

    def settle(self, sums: tuple[Tensor, ...], size: tuple[int, int], /) -> tuple[Tensor, Slope]:
        """See `Term.settle`."""
        scale = self._scale(size)

        def slope(part: Part, gradient: Tensor | None) -> Tensor:
            seen = self.view.show(part)
            return self.view.add(self._compare(seen)[1]().mul_(scale), part, gradient)

        return sums[0] * scale, slope

    def evaluate(self, features: Tensor) -> tuple[Tensor, Callable[[Tensor | None], Tensor]]:
        """See `Term.evaluate`. The features are compared once for loss and gradient."""
        part = Part.whole(features)
        scale = self._scale(part.size)
        total, slope = self._compare(self.view.show(part))
        made = slope().mul_(scale)
        return total * scale, lambda gradient: self.view.add(made, part, gradient)

    def _scale(self, layer: tuple[int, int]) -> float:
        height, width = self.view.size(layer)
        return self.weight / max(1, height * width)

    def _compare(self, seen: ViewedPart) -> tuple[Tensor, Callable[[], Tensor]]:
        """The sum over some positions, and a function that returns its gradient, 1×C×h×w."""
        height, width = seen.features.shape[2:]
        x = seen.features.permute(0, 2, 3, 1).flatten(0, 2) - self.centres(seen.rows, seen.columns)
        target = self.targets(seen.rows, seen.columns)
        inverse = 1 / x.square().sum(1, keepdim=True).sqrt_().clamp_min_(_MIN_LENGTH)
        x *= inverse
        cosine = torch.linalg.vecdot(x, target)[:, None]
        difference = 1 - cosine
        weights = None
        if self.position_weights is not None:
            weights = self.position_weights[0, 0, seen.rows, seen.columns].reshape(-1, 1)
            difference = difference * weights

        def slope() -> Tensor:
            own = x.mul_(cosine).sub_(target).mul_(inverse if weights is None else inverse * weights)
            return own.view(1, height, width, -1).permute(0, 3, 1, 2)

        return difference.sum(), slope


@dataclass
class MomentsTerm(Term):
    """Moment loss ``(Σ(μ − μ̂)² + Σ(σ − σ̂)²) / (Σμ̂² + Σσ̂²)`` over channels.

    The numerator is the style loss of Huang & Belongie 2017 (equation 13), with squared norms.

    Attributes:
        mean: μ̂, the style's channel means, C.
        std: σ̂, the style's channel deviations, C.
        guide: see `GramTerm`.
    """

    layer: str
    mean: Tensor = field(repr=False)
    std: Tensor = field(repr=False)
    weight: float
    guide: Guide | None = None
    kind: str = "moments"

    def gather(self, part: Part) -> tuple[Tensor, ...]:
        """See `Term.gather`: ``Σx`` and ``Σx²`` of the features minus the target's mean, which rounds less."""
        x, shares = self._rows(part)
        first = x.new_zeros(x.shape[1], dtype=torch.float32)
        second = torch.zeros_like(first)
        for start in range(0, len(x), _ROWS):
            some = x[start : start + _ROWS].float() - self.mean
            weighed = some if shares is None else some * shares[start : start + _ROWS].float()
            first += weighed.sum(0)
            second += some.mul_(weighed).sum(0)
        return first, second

    def settle(self, sums: tuple[Tensor, ...], size: tuple[int, int], /) -> tuple[Tensor, Slope]:
        """See `Term.settle`."""
        mass, weight = mass_and_weight(self.guide, size, self.weight)
        first, second = sums
        difference = first / mass
        std = (second / mass - difference.square()).clamp_min(0).add(_VARIANCE).sqrt()
        std_difference = std - self.std
        scale = weight / float((self.mean.square().sum() + self.std.square().sum()).clamp_min(_MIN_LENGTH))
        loss = (difference.square().sum() + std_difference.square().sum()) * scale
        # The gradient at x, without the scale: 2·(μ − μ̂)/mass + 2·(σ − σ̂)/σ·(x − μ)/mass = factor·x + constant.
        factor = std_difference / std * (2 * scale / mass)
        constant = difference * (2 * scale / mass) - factor * (self.mean + difference)

        def slope(part: Part, gradient: Tensor | None) -> Tensor:
            features = part.features
            by, plus = (each.view(1, -1, 1, 1).to(features.dtype) for each in (factor, constant))
            if self.guide is None and gradient is not None:
                return gradient.addcmul_(features, by).add_(plus)
            own = features * by + plus
            if self.guide is not None:
                own *= part.of(self.guide(*part.size)).to(own)
            return own if gradient is None else gradient.add_(own)

        return loss, slope

    def _rows(self, part: Part) -> tuple[Tensor, Tensor | None]:
        x = part.features.permute(0, 2, 3, 1).reshape(-1, part.features.shape[1])
        return x, guide_at(self.guide, part)


_ROWS = 2**14  # positions summed at a time
_VARIANCE = 1e-5  # added to variances: the derivative of a square root is infinite at 0


def _counts(length: int, side: int, squares: int, like: Tensor) -> Tensor:
    """How many of `length` positions are in each square along one axis."""
    return torch.tensor([min(side, length - number * side) for number in range(squares)]).to(like)
