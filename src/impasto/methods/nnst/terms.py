"""What keeps the photograph, and the style's contrast, while positions are painted like their matches."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ...encoders.tiles import encode_tiles
from ...encoders.vgg import VGG
from ...images.geometry import resize
from ...losses.nearest import DirectionTerm, MomentsTerm, SquareMeans
from ...losses.objective import Term
from ...losses.targets import content_terms, share_of
from ...matching.columns import STORED, StyleColumns
from ...painter import Regions
from ...strips import ranges
from .matched import MOMENT_LAYERS, StyleTable

CONTENT_LAYER = "relu4_1"

_AT_ONCE = 2**22  # values that are worked on together
_MOST_SPARED = 4.0  # times the mean that a position of the photo may count


def content_term(
    encoder: VGG, photo: Tensor, table: StyleTable, weight: float, spare: float, tile: int | None
) -> list[Term]:
    """1 − cosine to the photograph's features; none where it weighs nothing.

    The photograph's features are seen from their own mean, the picture's from the styles'.

    Args:
        encoder: of the losses.
        photo: 1×3×H×W in [0, 1].
        table: the styles.
        weight: of the term.
        spare: how much more it counts where the photograph is busy and small.
        tile: side in pixels of the tiles that it is encoded in; None for the whole.
    """
    if not weight:
        return []
    (found,) = content_terms(encoder, photo, {CONTENT_LAYER: 1.0}, tile=tile)
    features = found.target
    stress = stress_of(encoder, photo, features, spare, tile) if spare else None
    mean = features.float().mean((2, 3), keepdim=True)
    target = torch.empty_like(features, dtype=STORED)
    for first, end in ranges(features.shape[2], max(1, _AT_ONCE // features[0, :, 0].numel())):
        target[:, :, first:end] = F.normalize(features[:, :, first:end].float() - mean, dim=1)
    middle = table.mixture[table.places[CONTENT_LAYER]] if CONTENT_LAYER in table.places else mean.flatten()

    def targets(down: slice, along: slice) -> Tensor:
        return target[:, :, down, along].permute(0, 2, 3, 1).flatten(0, 2).float()

    def centres(_down: slice, _along: slice) -> Tensor:
        return middle

    return [DirectionTerm(CONTENT_LAYER, weight, SquareMeans(1), targets, centres, stress, kind="content")]


def stress_of(encoder: VGG, photo: Tensor, features: Tensor, spare: float, tile: int | None) -> Tensor:
    """What each position of the photograph counts, 1×1×h×w, 1 on average.

    More where `features`, its own at `CONTENT_LAYER`, change once it is seen at half its size: that is where things
    are busy and small, as faces are.
    """
    apart = torch.zeros(1, 1, *features.shape[2:], device=photo.device)
    for each in encode_tiles(encoder, halved(photo), [CONTENT_LAYER], tile):
        part = each[CONTENT_LAYER]
        likeness = F.cosine_similarity(part.features.float(), part.of(features).float(), dim=1)
        part.of(apart).copy_(1 - likeness[:, None])
    apart = F.avg_pool2d(F.pad(apart, (1, 1, 1, 1), "replicate"), 3, 1)
    counted = 1 + spare * (apart / apart.mean().clamp_min(1e-6) - 1)
    counted = counted.clamp(1 / _MOST_SPARED, _MOST_SPARED)
    return counted / counted.mean()


def moments_terms(
    styles: Sequence[StyleColumns], shares: Sequence[float], weight: float, regions: Regions | None
) -> list[Term]:
    """Means and deviations of channels, the styles' mixed by `shares`; with `regions` each style has its own."""
    terms: list[Term] = []
    weight /= len(MOMENT_LAYERS)
    for layer in MOMENT_LAYERS if weight else ():
        if regions is not None:
            for number, style in enumerate(styles):
                mean, std = style.moments[layer]
                terms.append(MomentsTerm(layer, mean, std, weight, functools.partial(share_of, regions, number)))
            continue
        mean, std = (
            torch.stack([share * style.moments[layer][n] for share, style in zip(shares, styles, strict=True)]).sum(0)
            for n in (0, 1)
        )
        terms.append(MomentsTerm(layer, mean, std, weight))
    return terms


def halved(photo: Tensor) -> Tensor:
    """What is left of a photograph that is seen at half its size: 1×3×H×W, of its own."""
    height, width = photo.shape[2:]
    return resize(resize(photo, max(1, height // 2), max(1, width // 2)), height, width)
