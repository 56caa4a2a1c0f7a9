"""Loss terms of nnst that keep the photograph, and the means and contrasts of the style."""

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

_VALUES_AT_ONCE = 2**22  # values to normalise at a time
_MAX_SPARED = 4.0  # largest weight of a position, and the inverse of the smallest; the mean is 1


def content_term(
    encoder: VGG, photo: Tensor, table: StyleTable, weight: float, spare: float, tile: int | None
) -> list[Term]:
    """Return the content loss, 1 − cosine to the photo's features; nothing if its weight is 0.

    The mean of the photo is subtracted from the photo's features, the mean of the styles from the picture's.

    Args:
        encoder: the encoder of the losses.
        photo: 1×3×H×W in [0, 1].
        table: the styles.
        weight: weight of the term.
        spare: how much more positions count that `measure_detail` finds.
        tile: side in pixels of the tiles to encode in; None for the whole picture.
    """
    if not weight:
        return []
    (found,) = content_terms(encoder, photo, {CONTENT_LAYER: 1.0}, tile=tile)
    features = found.target
    emphasis = measure_detail(encoder, photo, features, spare, tile) if spare else None
    mean = features.float().mean((2, 3), keepdim=True)
    target = torch.empty_like(features, dtype=STORED)
    for first, end in ranges(features.shape[2], max(1, _VALUES_AT_ONCE // features[0, :, 0].numel())):
        target[:, :, first:end] = F.normalize(features[:, :, first:end].float() - mean, dim=1)
    middle = table.mixture[table.places[CONTENT_LAYER]] if CONTENT_LAYER in table.places else mean.flatten()

    def targets(down: slice, along: slice) -> Tensor:
        return target[:, :, down, along].permute(0, 2, 3, 1).flatten(0, 2).float()

    def centres(_down: slice, _along: slice) -> Tensor:
        return middle

    return [DirectionTerm(CONTENT_LAYER, weight, SquareMeans(1), targets, centres, emphasis, kind="content")]


def measure_detail(encoder: VGG, photo: Tensor, features: Tensor, spare: float, tile: int | None) -> Tensor:
    """Return a weight for each position of the photograph, 1×1×h×w with mean 1.

    Weights are larger where `features`, those of the photo at `CONTENT_LAYER`, change if the photo loses its fine
    detail: such places, as faces, are small and busy.
    """
    apart = torch.zeros(1, 1, *features.shape[2:], device=photo.device)
    for each in encode_tiles(encoder, without_fine_detail(photo), [CONTENT_LAYER], tile):
        part = each[CONTENT_LAYER]
        likeness = F.cosine_similarity(part.features.float(), part.of(features).float(), dim=1)
        part.of(apart).copy_(1 - likeness[:, None])
    apart = F.avg_pool2d(F.pad(apart, (1, 1, 1, 1), "replicate"), 3, 1)
    counted = 1 + spare * (apart / apart.mean().clamp_min(1e-6) - 1)
    counted = counted.clamp(1 / _MAX_SPARED, _MAX_SPARED)
    return counted / counted.mean()


def moments_terms(
    styles: Sequence[StyleColumns], shares: Sequence[float], weight: float, regions: Regions | None
) -> list[Term]:
    """Return losses of channel means and deviations: of the styles mixed by `shares`, or of each in its region."""
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


def without_fine_detail(photo: Tensor) -> Tensor:
    """Reduce a photograph to half its size and enlarge it again, 1×3×H×W: it loses its finest detail."""
    height, width = photo.shape[2:]
    return resize(resize(photo, max(1, height // 2), max(1, width // 2)), height, width)
