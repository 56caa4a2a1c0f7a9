"""Give features a style's statistics, everywhere or by region. Features are changed in place: they are large."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ..painter import Regions
from ..strips import VALUES, ranges
from .moments import Moments, affine, blend, mix_by_region, moments_over, stack_rows
from .transport import transport

_BLOCK = 2**21  # values of all regions that are mapped at a time

Styles = Mapping[str, Moments]
"""Moments of one style picture, by layer."""


def impose_moments(x: Tensor, style: Moments, alpha: float = 1.0, regions: Regions | None = None) -> None:
    """Give features the style's channel means and deviations; see `adain`.

    Args:
        x: 1×C×H×W features, changed in place.
        style: one row of moments, or one for each region.
        alpha: share of the result, 0 to 1; the rest is the features themselves.
        regions: where each row applies; None means everywhere.
    """
    height, width = x.shape[2:]
    gain, shift = affine(moments_over([((0, height), x)], (height, width), regions), style, alpha)
    if regions is None:
        x.mul_(gain.to(x.dtype)).add_(shift.to(x.dtype))
        return
    shares = regions.everywhere(height, width)
    for first, end in ranges(height, max(1, VALUES // (x.shape[1] * width))):
        here = shares[:, :, first:end]
        x[:, :, first:end].mul_(mix_by_region(gain, here, x.dtype)).add_(mix_by_region(shift, here, x.dtype))


def impose_correlations(
    x: Tensor,
    style: Moments,
    share: float,
    alpha: float = 1.0,
    regions: Regions | None = None,
    own: Moments | None = None,
    root: Tensor | None = None,
) -> None:
    """Give features the style's means, deviations, and a share of its correlations; see `transport`.

    Args:
        x: N×C×H×W features, changed in place.
        style: moments with correlations; one row, one for each picture, or one for each region.
        share: share of the correlations, 0 to 1.
        alpha: share of the result, 0 to 1; the rest is the features themselves.
        regions: where each row of moments applies; None means everywhere.
        own: the features' moments with correlations, if known.
        root: the result of `correlation_root` for the style, if known.
    """
    height, width = x.shape[2:]
    own = own or moments_over([((0, height), x)], (height, width), regions, correlations=True)
    matrix, aim = transport(own, style, share, alpha, root)
    turn, shift = matrix.transpose(1, 2), aim.flatten(1) - (matrix @ own.mean.flatten(2)).flatten(1)
    turn, shift = turn.to(x.dtype), shift.unsqueeze(1).to(x.dtype)
    shares = None if regions is None else regions.everywhere(height, width)
    for first, end in ranges(height, max(1, _BLOCK // (len(matrix) * x.shape[1] * width))):
        part = x[:, :, first:end]
        moved = torch.baddbmm(shift, part.flatten(2).transpose(1, 2).expand(len(turn), -1, -1), turn)
        if shares is not None:  # one row of `moved` for each region
            moved = (moved * shares[:, 0, first:end].flatten(1).unsqueeze(2).to(x.dtype)).sum(0, keepdim=True)
        part.copy_(moved.transpose(1, 2).view(part.shape))


def mix_moments(styles: Sequence[Styles], shares: Sequence[float], layers: Sequence[str]) -> dict[str, Moments]:
    """The mean of several pictures' moments, weighted by `shares`, by layer."""
    return {layer: blend([each[layer] for each in styles], shares) for layer in layers}


def stack_moments(styles: Sequence[Styles]) -> dict[str, Moments]:
    """Several pictures' moments by layer, one row each, for painting with regions."""
    return {layer: stack_rows([each[layer] for each in styles]) for layer in styles[0]}
