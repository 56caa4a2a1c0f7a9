"""Channel moments of features, and AdaIN: giving features the moments of another picture.

Huang & Belongie 2017, "Arbitrary Style Transfer in Real-time with Adaptive Instance Normalization".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import RequestError
from ..painter import Regions
from ..strips import Rows, ranges

_BLOCK = 2**20  # values that are converted to float32 at a time: as many as the cache holds

EPSILON = 1e-5
"""Added to variances, as in the authors' code."""

_LEAST_VARYING = 0.02  # least deviation of a channel in a region, as a share of its deviation in the whole picture


class Moments(NamedTuple):
    """Mean and standard deviation of each channel over positions.

    Attributes:
        mean: means, N×C×1×1 float32.
        std: standard deviations, N×C×1×1 float32: √(variance + `EPSILON`).
        correlation: correlations between channels, N×C×C float32; None if they were not computed.
    """

    mean: Tensor
    std: Tensor
    correlation: Tensor | None = None


class RunningMoments:
    """Channel moments of features that are added a part at a time, as `moments` gives them for the whole.

    Chan, Golub & LeVeque 1983: with parts A and B of mass a and b, and d the difference of their means, the mean is
    ``mean_A + d·b/(a+b)`` and the sum of squares about the mean is ``M_A + M_B + d²·ab/(a+b)``.

    Parts are merged in float64 on the CPU, since some GPUs (Apple's) have no float64.

    Args:
        correlations: compute the correlations between channels too.
    """

    def __init__(self, correlations: bool = False) -> None:
        self._mass = self._mean = self._squares = torch.zeros((), dtype=torch.float64)
        self._products = torch.zeros((), dtype=torch.float64) if correlations else None
        self._device = torch.device("cpu")

    def add(self, features: Tensor, weights: Tensor | None = None) -> None:
        """Add a part of the features.

        Args:
            features: the part, N×C×h×w.
            weights: the weight of each position, N×1×h×w or 1×1×h×w, not negative; None for equal weights.
        """
        count, channels, height, width = features.shape
        self._device = features.device
        for first, end in ranges(height, _BLOCK // (count * channels * width)):
            self._add(features[:, :, first:end].float(), None if weights is None else weights[:, :, first:end])

    def _add(self, x: Tensor, weights: Tensor | None) -> None:
        if weights is None:
            mean = x.mean((2, 3), keepdim=True)
            mass = torch.full((), x.shape[2] * x.shape[3], dtype=torch.float64)
            centred = weighed = x - mean
        else:
            weights = weights.to(x)
            region_mass = weights.sum((2, 3), keepdim=True)
            mean = (x * weights).sum((2, 3), keepdim=True) / region_mass.clamp_min(1e-12)
            mass = _to_float64(region_mass)
            centred = x - mean
            weighed = centred * weights
        total = self._mass + mass
        share = mass / total.clamp_min(1e-12)
        difference = _to_float64(mean) - self._mean
        if self._products is None:
            squares = _to_float64((centred * weighed).sum((2, 3), keepdim=True))
        else:
            products = _to_float64(centred.flatten(2) @ weighed.flatten(2).transpose(1, 2))
            squares = products.diagonal(dim1=1, dim2=2)[:, :, None, None]
            between = (
                difference.flatten(2) @ difference.flatten(2).transpose(1, 2) * (mass * (1 - share)).view(-1, 1, 1)
            )
            self._products = self._products + products + between
        self._squares = self._squares + squares + difference.square() * (mass * (1 - share))
        self._mean = self._mean + difference * share
        self._mass = total

    def moments(self) -> Moments:
        """Return the moments of all positions so far. If all weights are 0, mean is 0 and std is √`EPSILON`."""
        mass = self._mass.clamp_min(1e-12)
        mean, std = self._mean.float(), ((self._squares / mass).float() + EPSILON).sqrt()
        if self._products is None:
            return Moments(mean.to(self._device), std.to(self._device))
        each = std.double().flatten(2)
        correlation = (self._products / mass.view(-1, 1, 1) / (each @ each.transpose(1, 2))).float()
        return Moments(mean.to(self._device), std.to(self._device), correlation.to(self._device))


def _to_float64(values: Tensor) -> Tensor:
    return values.cpu().double()


def moments(features: Tensor, *, correlations: bool = False) -> Moments:
    """Channel moments of N×C×H×W features, in float32; differentiable.

    ``μ = mean(x)``, ``σ = √(mean((x − μ)²) + EPSILON)`` (Huang & Belongie 2017), and the correlations
    ``mean((x − μ)/σ · ((x − μ)/σ)ᵀ)``, all over positions. They are computed on the device of the features in one
    piece, so the host does not wait for a GPU.

    Args:
        features: N×C×H×W of any float type.
        correlations: compute the correlations between channels too.

    Examples:
        >>> tuple(moments(torch.rand(1, 4, 8, 6)).mean.shape)
        (1, 4, 1, 1)
    """
    x = features.float()
    mean, variance = mean_and_variance(x)
    std = (variance + EPSILON).sqrt()
    if not correlations:
        return Moments(mean, std)
    each = ((x - mean) / std).flatten(2)
    return Moments(mean, std, each @ each.transpose(1, 2) / each.shape[2])


def mean_and_variance(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and biased variance of each channel over positions, N×C×1×1 each; faster than `torch.var_mean`."""
    mean = x.mean((2, 3), keepdim=True)
    return mean, (x - mean).square().mean((2, 3), keepdim=True)


def moments_over(
    parts: Iterable[tuple[Rows, Tensor]],
    size: tuple[int, int],
    regions: Regions | None = None,
    *,
    correlations: bool = False,
) -> Moments:
    """Channel moments of features that come in strips of rows.

    Args:
        parts: the rows of each strip, and its features, 1×C×h×W.
        size: height and width of the whole.
        regions: regions to measure one by one; None measures the whole.
        correlations: compute the correlations between channels too.

    Returns:
        One row of moments, 1×C×1×1; or one a region, R×C×1×1, those of the whole where it has no position.
        If there are positions outside all regions, no deviation of a region is below a fiftieth of the whole's.
    """
    whole = RunningMoments(correlations)
    shares = None if regions is None else regions.at(*size)
    each = [] if shares is None else [RunningMoments(correlations) for _ in shares]
    for (first, end), part in parts:
        whole.add(part)
        for number, own in enumerate(each):
            assert shares is not None
            own.add(part, shares[number : number + 1, :, first:end])
    if shares is None:
        return whole.moments()
    there, everywhere = shares.sum((1, 2, 3)) >= 1, whole.moments()
    found = stack_rows([own.moments() if some else everywhere for own, some in zip(each, there, strict=True)])
    # Positions outside all regions get the regions' map too (`Regions.everywhere`). A channel that is even in a
    # region but not outside would be multiplied by thousands there, and the layers after it would see nothing else.
    covered = bool(shares.sum(0).min() > 0.5)
    return found if covered else _with_least_std(found, _LEAST_VARYING * everywhere.std)


def _with_least_std(found: Moments, least: Tensor) -> Moments:
    """Raise deviations below `least`, 1×C×1×1, to it. The covariances that the correlations stand for stay."""
    std = found.std.maximum(least)
    if found.correlation is None:
        return Moments(found.mean, std)
    change = (found.std / std).flatten(2)
    return Moments(found.mean, std, found.correlation * (change @ change.transpose(1, 2)))


def stack_rows(several: Sequence[Moments]) -> Moments:
    """Join moments of several regions or styles to one row each; with correlations if all have them."""
    found = [each.correlation for each in several if each.correlation is not None]
    return Moments(
        torch.cat([each.mean for each in several]),
        torch.cat([each.std for each in several]),
        torch.cat(found) if len(found) == len(several) else None,
    )


def mix_by_region(values: Tensor, shares: Tensor, dtype: torch.dtype) -> Tensor:
    """Mix the values of regions, R×C×1×1, at every position by shares R×1×h×w: 1×C×h×w, channels last."""
    height, width = shares.shape[2:]
    mixed = shares.flatten(1).to(dtype).T @ values.flatten(1).to(dtype)
    return mixed.view(1, height, width, -1).permute(0, 3, 1, 2)


def blend(styles: Sequence[Moments], weights: Sequence[float]) -> Moments:
    """Weighted mean of several styles' moments; the weights are scaled to sum to 1.

    Raises:
        RequestError: there is no style, there are not as many weights, one is negative, or all are 0.
    """
    total = sum(weights)
    if len(styles) != len(weights) or not styles or min(weights) < 0 or total <= 0:
        raise RequestError(
            f"{len(styles)} styles with weights {list(weights)}; "
            "expected one weight a style, none negative, not all zero"
        )
    shares = [weight / total for weight in weights]

    def mixed(parts: Sequence[Tensor]) -> Tensor:
        return sum((part * share for part, share in zip(parts, shares, strict=True)), start=torch.tensor(0.0))

    correlations = [style.correlation for style in styles if style.correlation is not None]
    return Moments(
        mixed([style.mean for style in styles]),
        mixed([style.std for style in styles]),
        mixed(correlations) if len(correlations) == len(styles) else None,
    )


def adain(content: Tensor, style: Moments, alpha: float = 1.0) -> Tensor:
    """Content features x with the style's moments: ``σ_s (x − μ)/σ + μ_s`` (Huang & Belongie 2017, equation 8).

    Args:
        content: N×C×H×W features.
        style: moments, N rows or 1.
        alpha: share of the result, 0 to 1; the rest is the content's own features.

    Returns:
        N×C×H×W in the type of `content`.
    """
    gain, shift = affine(moments(content), style, alpha)
    return (content * gain.to(content.dtype)).add_(shift.to(content.dtype))


def affine(own: Moments, style: Moments, alpha: float = 1.0) -> tuple[Tensor, Tensor]:
    """Gain and shift of channels, N×C×1×1: ``gain·x + shift`` is `adain` of features x with moments `own`."""
    gain = style.std / own.std
    shift = style.mean - own.mean * gain
    return alpha * gain + (1 - alpha), alpha * shift
