"""Terms towards pictures: the statistics of styles and the features of a photograph, as losses."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor

from ..encoders.tiles import parts
from ..encoders.vgg import VGG
from ..painter import Regions
from .functional import GramNorm, gram_divisor, gram_sum, mass_of, ridged, rows
from .objective import ContentTerm, GramTerm, Reduction, WassersteinTerm

StyleLoss = Literal["gram", "wasserstein"]

Statistics = Mapping[str, tuple[Tensor, ...]]
"""Of a style picture by layer: its Gram matrix, or the mean and the covariance of its features."""


def style_terms(
    encoder: VGG,
    pictures: Iterable[Tensor],
    shares: Sequence[float],
    weights: Mapping[str, float],
    *,
    kind: StyleLoss = "gram",
    norm: GramNorm = "positions",
    regions: Regions | None = None,
    tile: int | None = None,
) -> list[GramTerm | WassersteinTerm]:
    """Style terms towards several pictures, encoded one after another; see `measure_style` and `terms_towards`."""
    found = (measure_style(encoder, picture, weights, kind=kind, norm=norm, tile=tile) for picture in pictures)
    return terms_towards(found, shares, weights, kind=kind, norm=norm, regions=regions)


@torch.no_grad()
def measure_style(
    encoder: VGG,
    picture: Tensor,
    weights: Mapping[str, float],
    *,
    kind: StyleLoss = "gram",
    norm: GramNorm = "positions",
    tile: int | None = None,
) -> Statistics:
    """What style terms are made of, of one picture, 1×3×H×W, at the layers that weigh anything.

    It is encoded in tiles of about `tile` pixels a side; None for whole.
    """
    active = [layer for layer, weight in weights.items() if weight > 0]
    if not active:
        return {}
    if kind == "gram":
        return {layer: (gram,) for layer, gram in _grams(encoder, picture, active, norm, tile).items()}
    return _gaussians(encoder, picture, active, tile)


@torch.no_grad()
def terms_towards(
    styles: Iterable[Statistics],
    shares: Sequence[float],
    weights: Mapping[str, float],
    *,
    kind: StyleLoss = "gram",
    norm: GramNorm = "positions",
    regions: Regions | None = None,
) -> list[GramTerm | WassersteinTerm]:
    """Style terms towards several styles, mixed by `shares` (summing to 1); `weights` by layer.

    Gram losses to several styles are summed (neural-style); Gaussians are mixed before (crowsonkb). With
    `regions` each style has terms of its own, and its share at each position is what they say.
    """
    if regions is not None:
        return [
            dataclasses.replace(term, where=functools.partial(share_of, regions, number))
            for number, style in enumerate(styles)
            for term in terms_towards([style], [1.0], weights, kind=kind, norm=norm)
        ]
    active = {layer: weight for layer, weight in weights.items() if weight > 0}
    if not active:
        return []
    mixed: dict[str, list[Tensor | float]] = {}
    squares: dict[str, float] = {}
    for style, share in zip(styles, shares, strict=True):
        for layer, values in style.items():
            before = mixed.get(layer, [0.0] * len(values))
            mixed[layer] = [old + share * value for old, value in zip(before, values, strict=True)]
            squares[layer] = squares.get(layer, 0.0) + share * float(values[0].square().mean())
    found = {layer: [torch.as_tensor(value) for value in values] for layer, values in mixed.items()}
    if kind == "wasserstein":
        return [WassersteinTerm(la, found[la][0], found[la][1], weight) for la, weight in active.items()]
    return [
        GramTerm(la, found[la][0], weight, norm, spread=max(0.0, squares[la] - float(found[la][0].square().mean())))
        for la, weight in active.items()
    ]


def share_of(regions: Regions, number: int, height: int, width: int) -> Tensor:
    """The share of a style at each position, 1×1×H×W: a `Where`, its first arguments given."""
    return regions.at(height, width)[number : number + 1]


def _grams(
    encoder: VGG, picture: Tensor, layers: Collection[str], norm: GramNorm, tile: int | None
) -> dict[str, Tensor]:
    sums: dict[str, Tensor] = {}
    divisors: dict[str, float] = {}
    for found in parts(encoder, picture, layers, tile):
        for layer, part in found.items():
            sums[layer] = sums.get(layer, 0) + gram_sum(rows(part.features))
            divisors[layer] = gram_divisor(part.features.shape[1], mass_of(part.size), norm)
    return {layer: total / divisors[layer] for layer, total in sums.items()}


def _gaussians(
    encoder: VGG, picture: Tensor, layers: Collection[str], tile: int | None
) -> dict[str, tuple[Tensor, Tensor]]:
    about: dict[str, Tensor] = {}  # the first part's mean: sums of what is left keep their digits
    first: dict[str, Tensor] = {}
    second: dict[str, Tensor] = {}
    masses: dict[str, float] = {}
    for found in parts(encoder, picture, layers, tile):
        for layer, part in found.items():
            x = rows(part.features).float()
            x = x - about.setdefault(layer, x.mean(0))
            first[layer] = first.get(layer, 0) + x.sum(0)
            second[layer] = second.get(layer, 0) + x.t().mm(x)
            masses[layer] = mass_of(part.size)
    gaussians: dict[str, tuple[Tensor, Tensor]] = {}
    for layer, mass in masses.items():
        apart = first[layer] / mass
        gaussians[layer] = (about[layer] + apart, ridged(second[layer] / mass - apart.outer(apart)))
    return gaussians


@torch.no_grad()
def content_terms(
    encoder: VGG,
    picture: Tensor,
    weights: Mapping[str, float],
    reduction: Reduction = "mean",
    *,
    tile: int | None = None,
) -> list[ContentTerm]:
    """Content terms towards one picture; `weights` by layer, `tile` as for `style_terms`."""
    active = {layer: weight for layer, weight in weights.items() if weight > 0}
    targets: dict[str, Tensor] = {}
    for found in parts(encoder, picture, active, tile) if active else ():
        for layer, part in found.items():
            if layer not in targets:
                shape = (1, part.features.shape[1], *part.size)
                targets[layer] = torch.empty(
                    shape, dtype=encoder.dtype, device=picture.device, memory_format=torch.channels_last
                )
            part.of(targets[layer]).copy_(part.features)
    return [ContentTerm(layer, targets[layer], weight, reduction) for layer, weight in active.items()]
