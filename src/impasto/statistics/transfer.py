"""Features that take a style's statistics, in place, for they are large; everywhere or by region."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ..painter import Regions
from ..strips import VALUES, ranges
from .moments import Moments, affine, blend, moments_over, spread, stacked
from .transport import transport

_AT_ONCE = 2**21  # values that are brought to float32 and moved together

Styles = Mapping[str, Moments]
"""Moments by layer."""


def impose_moments(x: Tensor, style: Moments, alpha: float = 1.0, regions: Regions | None = None) -> None:
    """Give features the style's channel means and deviations: AdaIN.

    Args:
        x: 1×C×H×W, written to.
        style: one row of moments, or one a region.
        alpha: share of the result; the rest is the features themselves.
        regions: where each row applies.
    """
    height, width = x.shape[2:]
    gain, shift = affine(moments_over([((0, height), x)], (height, width), regions), style, alpha)
    if regions is None:
        x.mul_(gain.to(x.dtype)).add_(shift.to(x.dtype))
        return
    shares = regions.everywhere(height, width)
    for first, end in ranges(height, max(1, VALUES // (x.shape[1] * width))):
        here = shares[:, :, first:end]
        x[:, :, first:end].mul_(spread(gain, here, x.dtype)).add_(spread(shift, here, x.dtype))


def impose_correlations(
    x: Tensor,
    style: Moments,
    share: float,
    alpha: float = 1.0,
    regions: Regions | None = None,
    own: Moments | None = None,
    root: Tensor | None = None,
) -> None:
    """As `impose_moments`, and a share of the correlations between the style's channels too; see `transport`.

    Args:
        x: N×C×H×W, written to.
        style: moments with correlations.
        share: of the correlations, 0 to 1.
        alpha: share of the result.
        regions: where each row of moments applies.
        own: the features' moments with correlations, where they are known.
        root: of the style's correlations, from `correlation_root`, where it is known.
    """
    height, width = x.shape[2:]
    own = own or moments_over([((0, height), x)], (height, width), regions, correlations=True)
    matrix, aim = transport(own, style, share, alpha, root)
    turn, shift = matrix.transpose(1, 2), aim.flatten(1) - (matrix @ own.mean.flatten(2)).flatten(1)
    turn, shift = turn.to(x.dtype), shift.unsqueeze(1).to(x.dtype)
    shares = None if regions is None else regions.everywhere(height, width)
    for first, end in ranges(height, max(1, _AT_ONCE // (len(matrix) * x.shape[1] * width))):
        part = x[:, :, first:end]
        made = torch.baddbmm(shift, part.flatten(2).transpose(1, 2).expand(len(turn), -1, -1), turn)
        if shares is not None:  # a row a region
            made = (made * shares[:, 0, first:end].flatten(1).unsqueeze(2).to(x.dtype)).sum(0, keepdim=True)
        part.copy_(made.transpose(1, 2).view(part.shape))


def mix_moments(styles: Sequence[Styles], shares: Sequence[float], layers: Sequence[str]) -> dict[str, Moments]:
    """Several pictures' moments, interpolated by `shares`, by layer."""
    return {layer: blend([each[layer] for each in styles], shares) for layer in layers}


def stack_moments(styles: Sequence[Styles]) -> dict[str, Moments]:
    """Several pictures' moments, a row each, by layer: for painting with regions."""
    return {layer: stacked([each[layer] for each in styles]) for layer in styles[0]}
