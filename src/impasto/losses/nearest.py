"""Losses towards what each position was matched with: 1 − cosine; and towards channel moments.

They are sums over positions of a layer, with their gradients written by hand, so that a picture may come in tiles.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from ..encoders.layers import pooled
from ..encoders.tiles import Part
from .objective import Slope, Term, Where, counted, shares_at

_LEAST = 1e-6  # a length: shorter features have no direction


class Seen(NamedTuple):
    """Some positions of a layer, as a loss looks at them.

    Attributes:
        features: 1×C×h×w float32.
        rows: which they are, of all that the loss looks at.
        columns: likewise.
    """

    features: Tensor
    rows: slice
    columns: slice


class View(Protocol):
    """Which positions of a layer a loss looks at, and how."""

    def size(self, layer: tuple[int, int]) -> tuple[int, int]:
        """How many there are down and along, of a layer of height and width `layer`."""
        ...

    def look(self, part: Part) -> Seen:
        """Those of a part."""
        ...

    def add(self, slope: Tensor, part: Part, gradient: Tensor | None) -> Tensor:
        """The gradient at the part's features, given that at what was seen of them, added to `gradient`."""
        ...


@dataclass(frozen=True)
class Squares:
    """Means of squares of `side` positions a side.

    Attributes:
        side: positions; the part's borders lie on multiples of it.
        ceil: whether incomplete squares at the border are seen.
    """

    side: int
    ceil: bool = False

    def size(self, layer: tuple[int, int]) -> tuple[int, int]:
        """See `View.size`."""
        odd = self.side - 1 if self.ceil else 0
        return (layer[0] + odd) // self.side, (layer[1] + odd) // self.side

    def look(self, part: Part) -> Seen:
        """See `View.look`."""
        small = pooled(part.features, self.side, ceil=self.ceil).float()
        top, left = part.rows.start // self.side, part.columns.start // self.side
        return Seen(small, slice(top, top + small.shape[2]), slice(left, left + small.shape[3]))

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
class Lattice:
    """Every so many positions down and along.

    Attributes:
        step: positions between two.
        top: row of the first.
        left: column of the first.
    """

    step: int
    top: int
    left: int

    def size(self, layer: tuple[int, int]) -> tuple[int, int]:
        """See `View.size`."""
        return len(range(self.top, layer[0], self.step)), len(range(self.left, layer[1], self.step))

    def look(self, part: Part) -> Seen:
        """See `View.look`."""
        down, along = self._inside(part.rows, self.top), self._inside(part.columns, self.left)
        found = self._of(part.features, part).float()
        rows, columns = ((first - offset) // self.step for first, offset in ((down, self.top), (along, self.left)))
        return Seen(found, slice(rows, rows + found.shape[2]), slice(columns, columns + found.shape[3]))

    def add(self, slope: Tensor, part: Part, gradient: Tensor | None) -> Tensor:
        """See `View.add`."""
        gradient = torch.zeros_like(part.features) if gradient is None else gradient
        self._of(gradient, part).add_(slope)
        return gradient

    def _of(self, features: Tensor, part: Part) -> Tensor:
        """A view of those of a part's positions that are looked at."""
        down = self._inside(part.rows, self.top) - part.rows.start
        along = self._inside(part.columns, self.left) - part.columns.start
        return features[:, :, down :: self.step, along :: self.step]

    def _inside(self, where: slice, offset: int) -> int:
        """The first position looked at from the part's first on."""
        return max(offset, where.start + (offset - where.start) % self.step)


Targets = Callable[[slice, slice], Tensor]
"""Of rows and columns of what is seen, what features are to point towards: P×C float32, of lengths up to 1."""

Centres = Callable[[slice, slice], Tensor]
"""Of rows and columns of what is seen, where features are seen from: C, or P×C float32."""


@dataclass
class DirectionTerm(Term):
    """Mean of 1 − cosine between features less a centre, and targets.

    Where a target is the mean of several directions, that is the mean of 1 − cosine to each.

    Attributes:
        view: which positions are compared.
        targets: see `Targets`.
        centres: see `Centres`.
        stress: 1×1×h×w, what each position counts, 1 on average; None for alike.
    """

    layer: str
    weight: float
    view: View
    targets: Targets = field(repr=False)
    centres: Centres = field(repr=False)
    stress: Tensor | None = field(default=None, repr=False)
    kind: str = "style"

    def gather(self, part: Part) -> tuple[Tensor, ...]:
        """``Σ w(1−cos)``."""
        return (self._compare(self.view.look(part))[0],)

    def settle(self, sums: tuple[Tensor, ...], size: tuple[int, int], /) -> tuple[Tensor, Slope]:
        """See `Term.settle`."""
        scale = self._scale(size)

        def slope(part: Part, gradient: Tensor | None) -> Tensor:
            seen = self.view.look(part)
            return self.view.add(self._compare(seen)[1]().mul_(scale), part, gradient)

        return sums[0] * scale, slope

    def evaluate(self, features: Tensor) -> tuple[Tensor, Callable[[Tensor | None], Tensor]]:
        """See `Term.evaluate`: what is seen is compared once for both."""
        part = Part.whole(features)
        scale = self._scale(part.size)
        total, slope = self._compare(self.view.look(part))
        made = slope().mul_(scale)
        return total * scale, lambda gradient: self.view.add(made, part, gradient)

    def _scale(self, layer: tuple[int, int]) -> float:
        height, width = self.view.size(layer)
        return self.weight / max(1, height * width)

    def _compare(self, seen: Seen) -> tuple[Tensor, Callable[[], Tensor]]:
        """Loss of some positions, and their gradient as 1×C×h×w."""
        height, width = seen.features.shape[2:]
        x = seen.features.permute(0, 2, 3, 1).flatten(0, 2) - self.centres(seen.rows, seen.columns)
        target = self.targets(seen.rows, seen.columns)
        inverse = 1 / x.square().sum(1, keepdim=True).sqrt_().clamp_min_(_LEAST)
        x *= inverse
        cosine = torch.linalg.vecdot(x, target)[:, None]
        apart = 1 - cosine
        weights = None
        if self.stress is not None:
            weights = self.stress[0, 0, seen.rows, seen.columns].reshape(-1, 1)
            apart = apart * weights

        def slope() -> Tensor:
            own = x.mul_(cosine).sub_(target).mul_(inverse if weights is None else inverse * weights)
            return own.view(1, height, width, -1).permute(0, 3, 1, 2)

        return apart.sum(), slope


@dataclass
class MomentsTerm(Term):
    """``(Σ(m−m̂)² + Σ(σ−σ̂)²) / (Σm̂² + Σσ̂²)`` of channels' means and deviations; `where` as of `GramTerm`."""

    layer: str
    mean: Tensor = field(repr=False)
    std: Tensor = field(repr=False)
    weight: float
    where: Where | None = None
    kind: str = "moments"

    def gather(self, part: Part) -> tuple[Tensor, ...]:
        """``Σx`` and ``Σx²`` of the features less the target's mean, which keeps digits."""
        x, shares = self._rows(part)
        first = x.new_zeros(x.shape[1], dtype=torch.float32)
        second = torch.zeros_like(first)
        for start in range(0, len(x), _ROWS):
            some = x[start : start + _ROWS].float() - self.mean
            weighed = some if shares is None else some * shares[start : start + _ROWS].float()
            first += weighed.sum(0)
            second += torch.einsum("pc,pc->c", weighed, some)
        return first, second

    def settle(self, sums: tuple[Tensor, ...], size: tuple[int, int], /) -> tuple[Tensor, Slope]:
        """See `Term.settle`."""
        mass, weight = counted(self.where, size, self.weight)
        first, second = sums
        apart = first / mass
        std = (second / mass - apart.square()).clamp_min(0).add(_VARIANCE).sqrt()
        wider = std - self.std
        scale = weight / float((self.mean.square().sum() + self.std.square().sum()).clamp_min(_LEAST))
        loss = (apart.square().sum() + wider.square().sum()) * scale
        # Of x: 2·apart/mass + 2·wider/std·(x−mean)/mass.
        factor = wider / std * (2 * scale / mass)
        constant = apart * (2 * scale / mass) - factor * (self.mean + apart)

        def slope(part: Part, gradient: Tensor | None) -> Tensor:
            features = part.features
            by, plus = (each.view(1, -1, 1, 1).to(features.dtype) for each in (factor, constant))
            if self.where is None and gradient is not None:
                return gradient.addcmul_(features, by).add_(plus)
            own = features * by + plus
            if self.where is not None:
                own *= part.of(self.where(*part.size)).to(own)
            return own if gradient is None else gradient.add_(own)

        return loss, slope

    def _rows(self, part: Part) -> tuple[Tensor, Tensor | None]:
        x = part.features.permute(0, 2, 3, 1).reshape(-1, part.features.shape[1])
        return x, shares_at(self.where, part)


_ROWS = 2**14  # positions summed together
_VARIANCE = 1e-5  # added to variances: a root has no slope at 0


def _counts(length: int, side: int, squares: int, like: Tensor) -> Tensor:
    """How many of `length` positions are in each square along one axis."""
    return torch.tensor([min(side, length - number * side) for number in range(squares)]).to(like)
