"""A weighted sum of named losses over an encoder's layers, with its gradient at the image."""

from __future__ import annotations

import dataclasses
import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from ..encoders.vgg import VGG, Tap
from ..painter import Regions
from .functional import (
    GramNorm,
    TVKind,
    covariance,
    gram_divisor,
    gram_sum,
    matrix_sqrt,
    rows,
    total_variation,
    wasserstein2,
)

Reduction = Literal["mean", "half-sum"]
Where = Callable[[int, int], Tensor]
"""The share of a style at each position, 1×1×H×W in [0, 1], for a height and a width."""

_EPS = 1e-8


class Term(ABC):
    """One loss at one layer: its weighted value, and a tap that adds its gradient to the running one."""

    kind: str
    layer: str
    weight: float

    @abstractmethod
    def evaluate(self, features: Tensor) -> tuple[Tensor, Tap]:
        """Weighted loss (float32 scalar) of 1×C×H×W `features`, and its tap."""


@dataclass
class ContentTerm(Term):
    """``mean((F−P)²)``, or ``½Σ(F−P)²`` as in Gatys et al. 2015, against the photograph's features."""

    layer: str
    target: Tensor = field(repr=False)
    weight: float
    reduction: Reduction = "mean"
    kind: str = "content"

    def evaluate(self, features: Tensor) -> tuple[Tensor, Tap]:
        """See `Term.evaluate`."""
        difference = features - self.target
        scale = 1 / difference.numel() if self.reduction == "mean" else 0.5
        flat = difference.permute(0, 2, 3, 1).reshape(-1).float()  # as it lies in memory
        loss = flat.dot(flat) * (self.weight * scale)

        def tap(gradient: Tensor | None) -> Tensor:
            if gradient is None:
                return difference.mul_(2 * self.weight * scale)
            return gradient.add_(difference, alpha=2 * self.weight * scale)

        return loss, tap


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

    def evaluate(self, features: Tensor) -> tuple[Tensor, Tap]:
        """See `Term.evaluate`."""
        x = rows(features)
        guide, weight = _guided(self.where, features, self.weight)
        divisor = gram_divisor(features, self.norm, guide)
        if guide is not None:
            shares = rows(guide).to(x.dtype)
            difference = gram_sum(x * shares.sqrt()) / divisor - self.target
            x = x * shares
        else:
            difference = gram_sum(x) / divisor - self.target
        loss = (difference.square().mean() + self.spread) * weight
        slope = (difference * (4 * weight / (difference.numel() * divisor))).to(x.dtype)

        def tap(gradient: Tensor | None) -> Tensor:
            if gradient is None:
                height, width = features.shape[2:]
                return x.mm(slope).view(1, height, width, -1).permute(0, 3, 1, 2)
            running = rows(gradient)
            running.addmm_(x, slope)
            if running.data_ptr() == gradient.data_ptr():
                return gradient
            return running.view(1, *features.shape[2:], -1).permute(0, 3, 1, 2)

        return loss, tap


@dataclass
class WassersteinTerm(Term):
    """2-Wasserstein distance between the Gaussians of the features (crowsonkb), by autograd; `where` as above."""

    layer: str
    mean: Tensor = field(repr=False)
    covariance: Tensor = field(repr=False)
    weight: float
    where: Where | None = None
    kind: str = "style"

    def __post_init__(self) -> None:
        self._root = matrix_sqrt(self.covariance)

    def evaluate(self, features: Tensor) -> tuple[Tensor, Tap]:
        """See `Term.evaluate`."""
        guide, weight = _guided(self.where, features, self.weight)
        with torch.enable_grad():
            leaf = features.detach().requires_grad_()
            loss = wasserstein2(leaf, self.mean, self.covariance, self._root, guide) * weight
            (own,) = torch.autograd.grad(loss, leaf)

        def tap(gradient: Tensor | None) -> Tensor:
            return own if gradient is None else gradient.add_(own)

        return loss.detach(), tap


@dataclass
class NormalisedGradient(Term):
    """Scales another term's gradient to an L1 norm of `strength`, as neural-style's -normalize_gradients."""

    inner: Term

    def __post_init__(self) -> None:
        self.kind, self.layer, self.weight = self.inner.kind, self.inner.layer, self.inner.weight

    def evaluate(self, features: Tensor) -> tuple[Tensor, Tap]:
        """See `Term.evaluate`."""
        loss, inner_tap = self.inner.evaluate(features)

        def tap(gradient: Tensor | None) -> Tensor:
            own = inner_tap(None)
            scale = self.weight / (own.float().abs().sum() + _EPS)
            own = own.float().mul_(scale).to(features.dtype)
            return own if gradient is None else gradient.add_(own)

        return loss, tap


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
        features, pullback = self.encoder.vjp(image, {term.layer for term in self.terms})
        losses: dict[str, Tensor] = {}
        taps: dict[str, Tap] = {}
        for term in self.terms:
            loss, tap = term.evaluate(features[term.layer])
            losses[term.kind] = losses.get(term.kind, 0) + loss
            taps[term.layer] = _both(taps[term.layer], tap) if term.layer in taps else tap
        del features  # the pullback frees each layer as it passes
        gradient = pullback(taps)
        if self.tv is not None:
            losses["tv"] = self.tv.add(image, gradient)
        if self.range_weight:
            excess = (image - image.clamp(0, 1)) * 255
            losses["range"] = excess.square().mean() * self.range_weight
            gradient.add_(excess, alpha=2 * 255 * self.range_weight / excess.numel())
        losses["total"] = torch.stack([value.reshape(()) for value in losses.values()]).sum()
        return losses, gradient


def _guided(where: Where | None, features: Tensor, weight: float) -> tuple[Tensor | None, float]:
    """The shares at a layer, and the weight of a term that they guide: each pixel is pulled as hard as without."""
    if where is None:
        return None, weight
    guide = where(*features.shape[2:]).to(features.device)
    return guide, weight * float(guide.mean())


def _both(first: Tap, second: Tap) -> Tap:
    return lambda gradient: second(first(gradient))


@torch.no_grad()
def style_terms(
    encoder: VGG,
    pictures: Sequence[Tensor],
    shares: Sequence[float],
    weights: Mapping[str, float],
    *,
    kind: Literal["gram", "wasserstein"] = "gram",
    norm: GramNorm = "positions",
    regions: Regions | None = None,
) -> list[GramTerm | WassersteinTerm]:
    """Style terms towards several pictures, mixed by `shares` (summing to 1); `weights` by layer.

    Gram losses to several styles are summed (neural-style); Gaussians are mixed before (crowsonkb). With
    `regions` each style has terms of its own, and its share at each position is what they say.
    """
    if regions is not None:
        return [
            dataclasses.replace(term, where=functools.partial(_share_of, regions, number))
            for number, picture in enumerate(pictures)
            for term in style_terms(encoder, [picture], [1.0], weights, kind=kind, norm=norm)
        ]
    active = {layer: weight for layer, weight in weights.items() if weight > 0}
    if not active:
        return []
    first: dict[str, Tensor] = {}
    second: dict[str, Tensor] = {}
    squares: dict[str, float] = {}
    for picture, share in zip(pictures, shares, strict=True):
        for layer, features in encoder(picture, active).items():
            if kind == "gram":
                a = gram_sum(rows(features)) / gram_divisor(features, norm)
                squares[layer] = squares.get(layer, 0.0) + share * float(a.square().mean())
                second[layer] = second.get(layer, 0) + share * a
            else:
                mean, cov = covariance(features)
                first[layer] = first.get(layer, 0) + share * mean
                second[layer] = second.get(layer, 0) + share * cov
    if kind == "wasserstein":
        return [WassersteinTerm(la, first[la], second[la], weight) for la, weight in active.items()]
    return [
        GramTerm(la, second[la], weight, norm, spread=max(0.0, squares[la] - float(second[la].square().mean())))
        for la, weight in active.items()
    ]


def _share_of(regions: Regions, number: int, height: int, width: int) -> Tensor:
    return regions.at(height, width)[number : number + 1]


@torch.no_grad()
def content_terms(
    encoder: VGG, picture: Tensor, weights: Mapping[str, float], reduction: Reduction = "mean"
) -> list[Term]:
    """Content terms towards one picture; `weights` by layer."""
    active = {layer: weight for layer, weight in weights.items() if weight > 0}
    if not active:
        return []
    features = encoder(picture, active)
    # A layer that also carries a style term would be changed in place by later layers' ReLU: keep a copy.
    return [ContentTerm(la, features[la].clone(), weight, reduction) for la, weight in active.items()]
