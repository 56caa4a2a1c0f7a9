"""Colours as far apart as the painting's: passes that average patches or features bring colours together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ...images.geometry import fitted_size, resize
from ...matching.styles import luminance
from ...painter import Regions
from ...strips import ranges

_MEASURED = 256
"""Longest side in pixels at which colours are measured."""

_MOST = 1.35
"""Largest factor by which colours are moved apart: a photo of few colours keeps to few."""

_MEAN = 0.5
"""How far the mean colour moves towards the painting's."""

_AT_ONCE = 2**20  # pixels that are changed at a time


class Spread(NamedTuple):
    """Colours less their brightness: their mean, 1×3×1×1, and their deviation from it, a number."""

    mean: Tensor
    deviation: float


def with_colours(
    picture: Tensor, styles: Sequence[Tensor], shares: Sequence[float], regions: Regions | None = None
) -> Tensor:
    """Move the colours of a picture apart where they are nearer together than the painting's. Brightness stays.

    Args:
        picture: 1×3×H×W in [0, 1]; it is changed in place.
        styles: 1×3×h×w each, in [0, 1].
        shares: of each style, with a sum of 1.
        regions: where each style applies; None means all of them everywhere.

    Returns:
        The picture.

    Examples:
        >>> painting = torch.rand(1, 3, 16, 16)
        >>> tuple(with_colours(torch.full((1, 3, 8, 8), 0.5), [painting], [1.0]).shape)
        (1, 3, 8, 8)
    """
    of_styles = [_measure(_small(style)) for style in styles]
    if regions is None:
        mean = torch.stack([share * each.mean for share, each in zip(shares, of_styles, strict=True)]).sum(0)
        of_styles = [Spread(mean, sum(share * each.deviation for share, each in zip(shares, of_styles, strict=True)))]
    small = _small(picture)
    inside = [None] if regions is None else regions.everywhere(*small.shape[2:]).split(1)
    own = [_measure(small, each) for each in inside]
    height, width = picture.shape[2:]
    where = None if regions is None else regions.everywhere(height, width)
    for first, end in ranges(height, _AT_ONCE // width):
        strip = picture[:, :, first:end]
        colours = strip - luminance(strip)
        for number, (made, wanted) in enumerate(zip(own, of_styles, strict=True)):
            gain = min(_MOST, max(1.0, wanted.deviation / max(made.deviation, 1e-6)))
            change = (colours - made.mean).mul_(gain - 1).add_(_MEAN * (wanted.mean - made.mean))
            strip.add_(change if where is None else change.mul_(where[number : number + 1, :, first:end]))
    return picture.clamp_(0, 1)


def _small(picture: Tensor) -> Tensor:
    height, width = picture.shape[2:]
    return resize(picture, *fitted_size(height, width, min(_MEASURED, max(height, width))))


def _measure(picture: Tensor, share: Tensor | None = None) -> Spread:
    """Measure the colours of 1×3×H×W, each pixel counted by its share, 1×1×H×W; None counts all alike."""
    colours = picture - luminance(picture)
    share = colours.new_ones(1, 1, *colours.shape[2:]) if share is None else share
    total = share.sum().clamp_min(1e-6)
    mean = (colours * share).sum((2, 3), keepdim=True) / total
    variance = ((colours - mean).square().sum(1, keepdim=True) * share).sum() / total
    return Spread(mean, float(variance.sqrt()))
