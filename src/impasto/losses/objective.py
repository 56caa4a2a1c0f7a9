"""A weighted sum of named losses over an encoder's layers, with its gradient at the image."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from ..encoders.layers import Tap
from ..encoders.tiles import Part
from ..encoders.vgg import VGG
from .functional import (
    GramNorm,
    TVKind,
    gaussian_distance,
    gram_divisor,
    gram_sum,
    mass_of,
    matrix_sqrt,
    ridged,
    rows,
    sum_of_squares,
    total_variation,
)

Reduction = Literal["mean", "half-sum"]
Where = Callable[[int, int], Tensor]
"""The share of a style at each position, 1×1×H×W in [0, 1], for a height and a width."""

Slope = Callable[[Part, Tensor | None], Tensor]
"""A loss's gradient at a part of its layer, added (perhaps in place) to the one given, if any."""

_EPS = 1e-8


class Term(ABC):
    """One weighted loss at one layer.

    It depends on the features through sums over their positions (`gather`), so that a layer may come in parts:
    the sums of parts are added, `settle` turns those of the whole into the loss, and its gradient at any part
    needs that part's features alone.
    """

    kind: str
    layer: str
    weight: float

    @abstractmethod
    def gather(self, part: Part) -> tuple[Tensor, ...]:
        """The sums over a part's positions."""

    @abstractmethod
    def settle(self, sums: tuple[Tensor, ...], size: tuple[int, int], /) -> tuple[Tensor, Slope]:
        """Weighted loss (float32 scalar) of a layer of height and width `size`, and its gradient."""

    def evaluate(self, features: Tensor) -> tuple[Tensor, Tap]:
        """Weighted loss of a whole layer, 1×C×H×W, and its tap."""
        part = Part.whole(features)
        loss, slope = self.settle(self.gather(part), part.size)
        return loss, functools.partial(slope, part)


@dataclass
class ContentTerm(Term):
    """``mean((F−P)²)``, or ``½Σ(F−P)²`` as in Gatys et al. 2015, against the photograph's features."""

    layer: str
    target: Tensor = field(repr=False)
    weight: float
    reduction: Reduction = "mean"
    kind: str = "content"

    def gather(self, part: Part) -> tuple[Tensor, ...]:
        """``Σ(F−P)²``."""
        return (sum_of_squares(part.features - part.of(self.target)),)

    def settle(self, sums: tuple[Tensor, ...], _size: tuple[int, int], /) -> tuple[Tensor, Slope]:
        """See `Term.settle`."""
        scale = self.weight * (1 / self.target.numel() if self.reduction == "mean" else 0.5)

        def slope(part: Part, gradient: Tensor | None) -> Tensor:
            difference = part.features - part.of(self.target)
            if gradient is None:
                return difference.mul_(2 * scale)
            return gradient.add_(difference, alpha=2 * scale)

        return sums[0] * scale, slope


@dataclass
class GramTerm(Term):
    """``mean((G−A)²)`` over the C² entries of the Gram matrices (Gatys et al. 2015).

    `target` is the weighted mean A of the styles' matrices; `spread` is what that leaves out,
    ``Σ wₛ mean(Aₛ²) − mean(A²)``, so the value is the weighted sum of the separate losses. Its gradient
    is the same: ``4/C² · F(G−A)/divisor``.

    With `where`, the positions count by the share there: the guided Gram matrix of Gatys et al. 2017,
    "Controlling Perceptual Factors in Neural Style Transfer". The weight is then that of a share of 1 everywhere.
    """

    layer: str
    target: Tensor = field(repr=False)
    weight: float
    norm: GramNorm = "positions"
    spread: float = 0.0
    where: Where | None = None
    kind: str = "style"

    def gather(self, part: Part) -> tuple[Tensor, ...]:
        """``FᵀF``."""
        x, shares = rows(part.features), shares_at(self.where, part)
        return (gram_sum(x if shares is None else x * shares.sqrt()),)

    def settle(self, sums: tuple[Tensor, ...], size: tuple[int, int], /) -> tuple[Tensor, Slope]:
        """See `Term.settle`."""
        mass, weight = counted(self.where, size, self.weight)
        divisor = gram_divisor(len(self.target), mass, self.norm)
        difference = sums[0] / divisor - self.target
        loss = (difference.square().mean() + self.spread) * weight
        matrix = difference * (4 * weight / (difference.numel() * divisor))

        def slope(part: Part, gradient: Tensor | None) -> Tensor:
            x, shares = rows(part.features), shares_at(self.where, part)
            x = x if shares is None else x * shares
            if gradient is None:
                return _map_of(x.mm(matrix.to(x.dtype)), part.features)
            running = rows(gradient)
            running.addmm_(x, matrix.to(x.dtype))
            return gradient if running.data_ptr() == gradient.data_ptr() else _map_of(running, part.features)

        return loss, slope


@dataclass
class WassersteinTerm(Term):
    """2-Wasserstein distance between the Gaussians of the features (crowsonkb); `where` as above."""

    layer: str
    mean: Tensor = field(repr=False)
    covariance: Tensor = field(repr=False)
    weight: float
    where: Where | None = None
    kind: str = "style"

    def __post_init__(self) -> None:
        self._root = matrix_sqrt(self.covariance)

    def gather(self, part: Part) -> tuple[Tensor, ...]:
        """``Σx`` and ``Σxxᵀ`` of the features less the target's mean, which keeps digits."""
        x, shares = rows(part.features).float() - self.mean, shares_at(self.where, part)
        weighed = x if shares is None else x * shares.float()
        return weighed.sum(0), weighed.t().mm(x)

    def settle(self, sums: tuple[Tensor, ...], size: tuple[int, int], /) -> tuple[Tensor, Slope]:
        """See `Term.settle`."""
        mass, weight = counted(self.where, size, self.weight)
        with torch.enable_grad():
            first, second = (each.detach().requires_grad_() for each in sums)
            apart = first / mass
            found = ridged(second / mass - apart.outer(apart))
            mean = self.mean + apart
            loss = gaussian_distance(mean, found, self.mean, self.covariance, self._root) * weight
            by_first, by_second = torch.autograd.grad(loss, (first, second))
        matrix = by_second + by_second.t()

        def slope(part: Part, gradient: Tensor | None) -> Tensor:
            x, shares = rows(part.features).float() - self.mean, shares_at(self.where, part)
            own = torch.addmm(by_first, x, matrix)
            own = _map_of(own if shares is None else own * shares.float(), part.features).to(part.features.dtype)
            return own if gradient is None else gradient.add_(own)

        return loss.detach(), slope


@dataclass
class NormalisedGradient(Term):
    """Scales another term's gradient to an L1 norm of its weight, as neural-style's -normalize_gradients."""

    inner: Term

    def __post_init__(self) -> None:
        self.kind, self.layer, self.weight = self.inner.kind, self.inner.layer, self.inner.weight

    def gather(self, part: Part) -> tuple[Tensor, ...]:
        """See `Term.gather`."""
        return self.inner.gather(part)

    def settle(self, sums: tuple[Tensor, ...], size: tuple[int, int], /) -> tuple[Tensor, Slope]:
        """The inner term's; `scaled` makes its slope this one's, once the norm over all parts is known."""
        return self.inner.settle(sums, size)

    def scaled(self, slope: Slope, norm: Tensor) -> Slope:
        """`slope`, whose L1 norm over the whole layer is `norm`, scaled to the weight."""

        def normalised(part: Part, gradient: Tensor | None) -> Tensor:
            own = slope(part, None).float().mul_(self.weight / (norm + _EPS)).to(part.features.dtype)
            return own if gradient is None else gradient.add_(own)

        return normalised

    def evaluate(self, features: Tensor) -> tuple[Tensor, Tap]:
        """See `Term.evaluate`."""
        part = Part.whole(features)
        loss, slope = self.settle(self.gather(part), part.size)

        def tap(gradient: Tensor | None) -> Tensor:
            norm = l1_norm(slope, part)
            return self.scaled(slope, norm)(part, gradient)

        return loss, tap


def l1_norm(slope: Slope, part: Part) -> Tensor:
    """Sum of the absolute values of a loss's gradient at a part."""
    return slope(part, None).float().abs().sum()


@dataclass(frozen=True)
class TVTerm:
    """Total variation of the image in the encoder's units (0-255 for Caffe's networks)."""

    weight: float
    kind: TVKind
    scale: float

    def add(self, image: Tensor, gradient: Tensor) -> Tensor:
        """Weighted loss; its gradient is added to `gradient` in place."""
        with torch.enable_grad():
            leaf = image.detach().requires_grad_()
            loss = total_variation(leaf * self.scale, self.kind) * self.weight
            (own,) = torch.autograd.grad(loss, leaf)
        gradient += own
        return loss.detach()


class Objective:
    """The weighted sum of `terms` at an encoder's layers, of total variation, and of what leaves [0, 1].

    Calling it with a 1×3×H×W image returns the weighted losses by kind (``content``, ``style``, ``tv``,
    ``range``, ``total``; 0-d tensors) and the gradient at the image. `range_weight` weighs the mean squared
    excess beyond [0, 1] in levels of 255: what is clipped when the picture is shown is style lost.
    """

    def __init__(
        self, encoder: VGG, terms: Sequence[Term], tv: TVTerm | None = None, range_weight: float = 0.0
    ) -> None:
        self.encoder, self.terms, self.tv, self.range_weight = encoder, tuple(terms), tv, range_weight

    @torch.no_grad()
    def __call__(self, image: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Losses and gradient."""
        losses, gradient = self._of_features(image)
        if self.tv is not None:
            losses["tv"] = self.tv.add(image, gradient)
        if self.range_weight:
            excess = (image - image.clamp(0, 1)) * 255
            losses["range"] = excess.square().mean() * self.range_weight
            gradient.add_(excess, alpha=2 * 255 * self.range_weight / excess.numel())
        losses["total"] = torch.stack([value.reshape(()) for value in losses.values()]).sum()
        return losses, gradient

    def renew(self, image: Tensor, step: int) -> bool:  # noqa: ARG002 (a hook)
        """Bring what the picture is to be like up to date, before it is evaluated at a step, counted from 0.

        Returns:
            whether losses are other ones from here.
        """
        return False

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """What `renew` found, which later steps depend on: tensors, not copied, and JSON data."""
        return {}, {}

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Go on from a `state`."""

    def _of_features(self, image: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Losses at the encoder's layers by kind, and their gradient."""
        features, pullback = self.encoder.vjp(image, {term.layer for term in self.terms})
        losses: dict[str, Tensor] = {}
        taps: dict[str, Tap] = {}
        for term in self.terms:
            loss, tap = term.evaluate(features[term.layer])
            losses[term.kind] = losses.get(term.kind, 0) + loss
            taps[term.layer] = _both(taps[term.layer], tap) if term.layer in taps else tap
        del features  # the pullback frees each layer as it passes
        return losses, pullback(taps)


def shares_at(where: Where | None, part: Part) -> Tensor | None:
    """Shares at a part's positions, P×1 in the features' type."""
    return None if where is None else rows(part.of(where(*part.size))).to(part.features)


def counted(where: Where | None, size: tuple[int, int], weight: float) -> tuple[float, float]:
    """What a layer's positions count, and the weight of a term: guided, each pixel is pulled as hard as without."""
    if where is None:
        return mass_of(size), weight
    guide = where(*size)
    return mass_of(size, guide), weight * float(guide.mean())


def _map_of(matrix: Tensor, features: Tensor) -> Tensor:
    """P×C rows as the map they are of."""
    return matrix.view(1, *features.shape[2:], -1).permute(0, 3, 1, 2)


def _both(first: Tap, second: Tap) -> Tap:
    return lambda gradient: second(first(gradient))
