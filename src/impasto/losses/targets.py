"""Style terms and content terms: losses towards the statistics of styles and the features of a photograph."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor

from ..encoders.tiles import encode_tiles
from ..encoders.vgg import VGG
from ..painter import Regions
from .functional import GramNorm, add_ridge, gram_divisor, gram_sum, mass_of, rows
from .objective import ContentTerm, GramTerm, Reduction, WassersteinTerm

StyleLoss = Literal["gram", "wasserstein"]

Statistics = Mapping[str, tuple[Tensor, ...]]
"""Statistics of a style picture by layer: its Gram matrix, or the mean and the covariance of its features."""


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
    statistics = (measure_style(encoder, picture, weights, kind=kind, norm=norm, tile=tile) for picture in pictures)
    return terms_towards(statistics, shares, weights, kind=kind, norm=norm, regions=regions)


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
    """Compute the statistics of a style picture that `terms_towards` needs.

    Args:
        encoder: computes the features.
        picture: 1×3×H×W in [0, 1].
        weights: weights by canonical layer; layers of weight 0 are skipped.
        kind: ``gram`` for Gram matrices, ``wasserstein`` for means and covariances.
        norm: divisor of Gram matrices; see `gram`.
        tile: approximate side in pixels of the tiles to encode in; None encodes the whole.
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
    """Make style terms towards several styles.

    Gram losses of several styles are summed, as in neural-style. Gaussians are averaged first, as in crowsonkb's
    style-transfer-pytorch.

    Args:
        styles: statistics from `measure_style`.
        shares: shares of the styles, with a sum of 1.
        weights: weights by canonical layer.
        kind: see `measure_style`.
        norm: see `measure_style`.
        regions: where each style applies; each style then has terms of its own, with a guide. None means everywhere.
    """
    if regions is not None:
        return [
            dataclasses.replace(term, guide=functools.partial(share_of, regions, number))
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
    targets = {layer: [torch.as_tensor(value) for value in values] for layer, values in mixed.items()}
    terms: list[GramTerm | WassersteinTerm] = []
    for layer, weight in active.items():
        if kind == "wasserstein":
            mean, cov = targets[layer]
            terms.append(WassersteinTerm(layer, mean, cov, weight))
            continue
        (target,) = targets[layer]
        spread = max(0.0, squares[layer] - float(target.square().mean()))
        terms.append(GramTerm(layer, target, weight, norm, spread))
    return terms


def share_of(regions: Regions, number: int, height: int, width: int) -> Tensor:
    """The share of style `number` at each position, 1×1×H×W. With its first two arguments bound it is a `Guide`."""
    return regions.at(height, width)[number : number + 1]


def _grams(
    encoder: VGG, picture: Tensor, layers: Collection[str], norm: GramNorm, tile: int | None
) -> dict[str, Tensor]:
    sums: dict[str, Tensor] = {}
    divisors: dict[str, float] = {}
    for found in encode_tiles(encoder, picture, layers, tile):
        for layer, part in found.items():
            sums[layer] = sums.get(layer, 0) + gram_sum(rows(part.features))
            divisors[layer] = gram_divisor(part.features.shape[1], mass_of(part.size), norm)
    return {layer: total / divisors[layer] for layer, total in sums.items()}


def _gaussians(
    encoder: VGG, picture: Tensor, layers: Collection[str], tile: int | None
) -> dict[str, tuple[Tensor, Tensor]]:
    origin: dict[str, Tensor] = {}  # the first part's mean: subtracting it keeps rounding errors of the sums small
    first: dict[str, Tensor] = {}
    second: dict[str, Tensor] = {}
    masses: dict[str, float] = {}
    for found in encode_tiles(encoder, picture, layers, tile):
        for layer, part in found.items():
            x = rows(part.features).float()
            x = x - origin.setdefault(layer, x.mean(0))
            first[layer] = first.get(layer, 0) + x.sum(0)
            second[layer] = second.get(layer, 0) + x.t().mm(x)
            masses[layer] = mass_of(part.size)
    gaussians: dict[str, tuple[Tensor, Tensor]] = {}
    for layer, mass in masses.items():
        offset = first[layer] / mass
        gaussians[layer] = (origin[layer] + offset, add_ridge(second[layer] / mass - offset.outer(offset)))
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
    """Make content terms towards one picture.

    Args:
        encoder: computes the features.
        picture: 1×3×H×W in [0, 1].
        weights: weights by canonical layer; layers of weight 0 are skipped.
        reduction: see `ContentTerm`.
        tile: see `measure_style`.
    """
    active = {layer: weight for layer, weight in weights.items() if weight > 0}
    targets: dict[str, Tensor] = {}
    for found in encode_tiles(encoder, picture, active, tile) if active else ():
        for layer, part in found.items():
            if layer not in targets:
                shape = (1, part.features.shape[1], *part.size)
                targets[layer] = torch.empty(
                    shape, dtype=encoder.dtype, device=picture.device, memory_format=torch.channels_last
                )
            part.of(targets[layer]).copy_(part.features)
    return [ContentTerm(layer, targets[layer], weight, reduction) for layer, weight in active.items()]
