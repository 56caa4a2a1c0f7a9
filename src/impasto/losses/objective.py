"""A weighted sum of losses over an encoder's layers, with its gradient with respect to the image."""

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
    add_ridge,
    gaussian_distance,
    gram_divisor,
    gram_sum,
    mass_of,
    matrix_sqrt,
    rows,
    sum_of_squares,
    total_variation,
)
from .held import Held

Reduction = Literal["mean", "half-sum"]
Guide = Callable[[int, int], Tensor]
"""Returns the share of a style at each position, 1×1×H×W in [0, 1], for a height and a width."""

Slope = Callable[[Part, Tensor | None], Tensor]
"""Returns a loss's gradient at a part of its layer, added (perhaps in place) to the given gradient, if any."""

_EPS = 1e-8


class Term(ABC):
    """One weighted loss at one layer.

    The loss is a function of sums over positions. So a layer can be processed in parts: `gather` returns the sums of
    a part, the caller adds them up, and `settle` computes the loss from the sums of the whole. The gradient at a part
    then needs only that part's features.

    Attributes:
        kind: name under which the loss is reported.
        layer: canonical layer.
        weight: factor of the loss.
    """

    kind: str
    layer: str
    weight: float

    @abstractmethod
    def gather(self, part: Part) -> tuple[Tensor, ...]:
        """Return the sums over a part's positions."""

    @abstractmethod
    def settle(self, sums: tuple[Tensor, ...], size: tuple[int, int], /) -> tuple[Tensor, Slope]:
        """Return the weighted loss (float32 scalar) of a layer of height and width `size`, and its gradient."""

    def evaluate(self, features: Tensor) -> tuple[Tensor, Tap]:
        """Return the weighted loss of a whole layer, 1×C×H×W, and its tap."""
        part = Part.whole(features)
        loss, slope = self.settle(self.gather(part), part.size)
        return loss, functools.partial(slope, part)


@dataclass
class ContentTerm(Term):
    """Content loss ``mean((F − P)²)``, or ``½Σ(F − P)²`` as in Gatys et al. 2015; P are the photograph's features."""

    layer: str
    target: Tensor = field(repr=False)
    weight: float
    reduction: Reduction = "mean"
    kind: str = "content"

    def gather(self, part: Part) -> tuple[Tensor, ...]:
        """See `Term.gather`: ``Σ(F − P)²``."""
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
    """Gram loss ``mean((G − A)²)`` over the C² entries of the Gram matrices (Gatys et al. 2015); see `gram`.

    For several styles s it is the sum ``Σ wₛ mean((G − Aₛ)²)``, which equals ``mean((G − A)²)`` plus a constant. The
    gradient with respect to F is ``4/C² · F(G − A)/N``.

    With a guide, positions are weighted by it: the guided Gram matrix of Gatys et al. 2017, "Controlling Perceptual
    Factors in Neural Style Transfer". The weight is multiplied by the guide's mean.

    Attributes:
        target: A, the weighted mean of the styles' Gram matrices, C×C.
        norm: the divisor N of the Gram matrices; see `gram`.
        spread: the constant, ``Σ wₛ mean(Aₛ²) − mean(A²)``.
        guide: see `Guide`; None means everywhere.
    """

    layer: str
    target: Tensor = field(repr=False)
    weight: float
    norm: GramNorm = "positions"
    spread: float = 0.0
    guide: Guide | None = None
    kind: str = "style"

    def gather(self, part: Part) -> tuple[Tensor, ...]:
        """See `Term.gather`: ``FᵀF``."""
        x, shares = rows(part.features), guide_at(self.guide, part)
        return (gram_sum(x if shares is None else x * shares.sqrt()),)

    def settle(self, sums: tuple[Tensor, ...], size: tuple[int, int], /) -> tuple[Tensor, Slope]:
        """See `Term.settle`."""
        mass, weight = mass_and_weight(self.guide, size, self.weight)
        divisor = gram_divisor(len(self.target), mass, self.norm)
        difference = sums[0] / divisor - self.target
        loss = (difference.square().mean() + self.spread) * weight
        matrix = difference * (4 * weight / (difference.numel() * divisor))

        def slope(part: Part, gradient: Tensor | None) -> Tensor:
            x, shares = rows(part.features), guide_at(self.guide, part)
            x = x if shares is None else x * shares
            if gradient is None:
                return _to_map(x.mm(matrix.to(x.dtype)), part.features)
            running = rows(gradient)
            running.addmm_(x, matrix.to(x.dtype))
            return gradient if running.data_ptr() == gradient.data_ptr() else _to_map(running, part.features)

        return loss, slope


@dataclass
class WassersteinTerm(Term):
    """Squared 2-Wasserstein distance between the Gaussians of the features; see `wasserstein2`.

    Attributes:
        mean: mean of the style's features, C.
        covariance: their covariance, C×C.
        guide: see `GramTerm`.
    """

    layer: str
    mean: Tensor = field(repr=False)
    covariance: Tensor = field(repr=False)
    weight: float
    guide: Guide | None = None
    kind: str = "style"

    def __post_init__(self) -> None:
        self._root = matrix_sqrt(self.covariance)

    def gather(self, part: Part) -> tuple[Tensor, ...]:
        """See `Term.gather`: ``Σx`` and ``Σxxᵀ`` of the features minus the target's mean, which rounds less."""
        x, shares = rows(part.features).float() - self.mean, guide_at(self.guide, part)
        weighted = x if shares is None else x * shares.float()
        return weighted.sum(0), weighted.t().mm(x)

    def settle(self, sums: tuple[Tensor, ...], size: tuple[int, int], /) -> tuple[Tensor, Slope]:
        """See `Term.settle`."""
        mass, weight = mass_and_weight(self.guide, size, self.weight)
        with torch.enable_grad():
            first, second = (each.detach().requires_grad_() for each in sums)
            offset = first / mass
            found = add_ridge(second / mass - offset.outer(offset))
            mean = self.mean + offset
            loss = gaussian_distance(mean, found, self.mean, self.covariance, self._root) * weight
            by_first, by_second = torch.autograd.grad(loss, (first, second))
        matrix = by_second + by_second.t()

        def slope(part: Part, gradient: Tensor | None) -> Tensor:
            x, shares = rows(part.features).float() - self.mean, guide_at(self.guide, part)
            own = torch.addmm(by_first, x, matrix)
            own = _to_map(own if shares is None else own * shares.float(), part.features).to(part.features.dtype)
            return own if gradient is None else gradient.add_(own)

        return loss.detach(), slope


@dataclass
class NormalisedGradient(Term):
    """Scales the gradient of another term to an L1 norm of `weight`: neural-style's ``-normalize_gradients``."""

    inner: Term

    def __post_init__(self) -> None:
        self.kind, self.layer, self.weight = self.inner.kind, self.inner.layer, self.inner.weight

    def gather(self, part: Part) -> tuple[Tensor, ...]:
        """See `Term.gather`."""
        return self.inner.gather(part)

    def settle(self, sums: tuple[Tensor, ...], size: tuple[int, int], /) -> tuple[Tensor, Slope]:
        """See `Term.settle`. The slope is the inner term's; the caller has to pass it to `scaled`."""
        return self.inner.settle(sums, size)

    def scaled(self, slope: Slope, norm: Tensor) -> Slope:
        """Scale `slope`, whose L1 norm over the whole layer is `norm`, to the weight."""

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
    """Total variation of the image; see `total_variation`.

    Attributes:
        weight: factor of the loss.
        kind: its form.
        scale: factor of the image: the encoder's range, 255 for Caffe's networks.
    """

    weight: float
    kind: TVKind
    scale: float

    def add(self, image: Tensor, gradient: Tensor) -> Tensor:
        """Return the weighted loss, and add its gradient to `gradient` in place."""
        with torch.enable_grad():
            leaf = image.detach().requires_grad_()
            loss = total_variation(leaf * self.scale, self.kind) * self.weight
            (own,) = torch.autograd.grad(loss, leaf)
        gradient += own
        return loss.detach()


class Objective:
    """The weighted sum of terms at an encoder's layers, of total variation, and of values outside [0, 1].

    Call it with a 1×3×H×W image. It returns the weighted losses by kind (``content``, ``style``, ``tv``, ``range``,
    ``total``; 0-d tensors) and the gradient with respect to the image.

    Args:
        encoder: computes the features.
        terms: losses of features.
        tv: total variation; None for none.
        range_weight: weight of the mean squared distance of values to [0, 1], in levels of 255. Such values are
            clipped when the picture is shown, so style would be lost.

    Attributes:
        held: holds the picture at another one; None does not. It may be set before the first call.
    """

    def __init__(
        self, encoder: VGG, terms: Sequence[Term], tv: TVTerm | None = None, range_weight: float = 0.0
    ) -> None:
        self.encoder, self.terms, self.tv, self.range_weight = encoder, tuple(terms), tv, range_weight
        self.held: Held | None = None

    @torch.no_grad()
    def __call__(self, image: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Return losses by kind, and the gradient."""
        losses, gradient = self._of_features(image)
        if self.tv is not None:
            losses["tv"] = self.tv.add(image, gradient)
        if self.range_weight:
            excess = (image - image.clamp(0, 1)) * 255
            losses["range"] = excess.square().mean() * self.range_weight
            gradient.add_(excess, alpha=2 * 255 * self.range_weight / excess.numel())
        if self.held is not None:
            losses["held"] = self.held.add(image, gradient, torch.stack([*losses.values()]).sum())
        losses["total"] = torch.stack([value.reshape(()) for value in losses.values()]).sum()
        return losses, gradient

    def renew(self, image: Tensor, step: int) -> bool:  # noqa: ARG002 (a hook)
        """Update the targets that depend on the picture. This is called before every step.

        Args:
            image: the picture so far, 1×3×H×W.
            step: number of the step, counted from 0.

        Returns:
            Whether the losses changed.
        """
        return False

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return what `renew` found and later steps depend on: tensors, not copied, and JSON data."""
        return {}, {}

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Continue from a `state`."""

    def _of_features(self, image: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Return the losses at the encoder's layers by kind, and their gradient."""
        features, pullback = self.encoder.vjp(image, {term.layer for term in self.terms})
        losses: dict[str, Tensor] = {}
        taps: dict[str, Tap] = {}
        for term in self.terms:
            loss, tap = term.evaluate(features[term.layer])
            losses[term.kind] = losses.get(term.kind, 0) + loss
            taps[term.layer] = _chain(taps[term.layer], tap) if term.layer in taps else tap
        del features  # the pullback frees each layer as it passes
        return losses, pullback(taps)


def guide_at(guide: Guide | None, part: Part) -> Tensor | None:
    """The guide at a part's positions, P×1 in the features' type; None without one."""
    return None if guide is None else rows(part.of(guide(*part.size))).to(part.features)


def mass_and_weight(guide: Guide | None, size: tuple[int, int], weight: float) -> tuple[float, float]:
    """Total weight of a layer's positions, and weight of a term.

    Sums are divided by the former. The latter is multiplied by the guide's mean, so the gradient of a pixel inside
    the guide is as large as without a guide.
    """
    if guide is None:
        return mass_of(size), weight
    shares = guide(*size)
    return mass_of(size, shares), weight * float(shares.mean())


def _to_map(matrix: Tensor, features: Tensor) -> Tensor:
    """Reshape P×C rows to a map of the size of `features`."""
    return matrix.view(1, *features.shape[2:], -1).permute(0, 3, 1, 2)


def _chain(first: Tap, second: Tap) -> Tap:
    return lambda gradient: second(first(gradient))
