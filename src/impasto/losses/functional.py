"""The losses themselves: pure, differentiable functions of feature maps and images.

Features are N×C×H×W of any float dtype; results are float32.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import RequestError
from ..statistics.moments import mean_and_variance

GramNorm = Literal["positions", "elements", "none"]
TVKind = Literal["squared", "squared-mean", "absolute", "absolute-mean", "nine-point"]

# Rows of one block of the Gram product. bfloat16 products are rounded once a block and summed in float32:
# at this size that is both faster and three times closer to the float32 result than one product.
_GRAM_ROWS = 4096

_SUMMED = 1 << 18  # values squared and summed at once
_RIDGE = 1e-4  # as crowsonkb
_LEAST_MASS = 1e-6  # of a guide that is nothing at a deep layer: no division by zero


def rows(features: Tensor) -> Tensor:
    """1×C×H×W -> HW×C, without a copy where the layout is channels_last."""
    if features.shape[0] != 1:
        raise RequestError(f"expected one feature map, got a batch of {features.shape[0]}")
    return features.permute(0, 2, 3, 1).reshape(-1, features.shape[1])


def gram_sum(matrix: Tensor) -> Tensor:
    """``XᵀX`` of P×C rows as C×C float32."""
    count = matrix.shape[0] // _GRAM_ROWS
    if matrix.dtype == torch.float32 or count < 2:
        return matrix.t().mm(matrix).float()
    whole = count * _GRAM_ROWS
    blocks = matrix[:whole].view(count, _GRAM_ROWS, -1)
    total = blocks.transpose(1, 2).bmm(blocks).float().sum(0)
    if whole < matrix.shape[0]:
        total += matrix[whole:].t().mm(matrix[whole:]).float()
    return total


def mass_of(size: tuple[int, int], guide: Tensor | None = None) -> float:
    """What positions count together: their number H·W, or the sum of the guide's shares."""
    return float(size[0] * size[1]) if guide is None else max(float(guide.sum()), _LEAST_MASS)


def gram_divisor(channels: int, mass: float, norm: GramNorm) -> float:
    """What the sum over positions is divided by: their `mass` (H·W without a guide), C times that, or 1."""
    return {"positions": mass, "elements": channels * mass, "none": 1.0}[norm]


def gram(features: Tensor, norm: GramNorm = "positions") -> Tensor:
    """Gram matrix (Gatys et al. 2015): C×C inner products of channels over positions, float32.

    Args:
        features: 1×C×H×W.
        norm: divide by the number of positions, of elements (C·H·W), or not at all.
    """
    channels, height, width = features.shape[1:]
    return gram_sum(rows(features)) / gram_divisor(channels, mass_of((height, width)), norm)


def moments(features: Tensor, eps: float = 1e-5) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (biased, `eps` added to the variance) over positions, N×C×1×1 float32."""
    mean, variance = mean_and_variance(features.float())
    return mean, (variance + eps).sqrt()


def covariance(features: Tensor, guide: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Mean (C) and covariance (C×C, 1e-4 added to the diagonal) of one feature map, as crowsonkb.

    `guide`, 1×1×H×W, weighs the positions; None counts them all the same.
    """
    x = rows(features).float()
    shares = x.new_full((len(x), 1), 1 / len(x)) if guide is None else rows(guide).float()
    shares = shares / shares.sum().clamp_min(_LEAST_MASS)
    mean = (x * shares).sum(0)
    centred = x - mean
    cov = (centred * shares).t().mm(centred)
    return mean, ridged(cov)


def ridged(cov: Tensor) -> Tensor:
    """A covariance with `_RIDGE` added to its diagonal: its root exists, and has a derivative."""
    return cov + _RIDGE * torch.eye(cov.shape[0], device=cov.device)


def matrix_sqrt(matrix: Tensor, iterations: int = 12) -> Tensor:
    """Square root of a symmetric positive definite C×C matrix by Newton-Schulz iteration; differentiable."""
    norm = matrix.square().sum().sqrt()
    y, identity = matrix / norm, torch.eye(matrix.shape[0], device=matrix.device, dtype=matrix.dtype)
    z = identity
    for _ in range(iterations):
        t = (3 * identity - z.mm(y)) / 2
        y, z = y.mm(t), t.mm(z)
    return y * norm.sqrt()


def wasserstein2(
    features: Tensor, mean: Tensor, cov: Tensor, cov_sqrt: Tensor, guide: Tensor | None = None
) -> Tensor:
    """Squared 2-Wasserstein distance between Gaussians, per channel, as crowsonkb's style-transfer-pytorch.

    ``mean((μ−μ̂)²) + mean diag(Σ + Σ̂ − 2(Σ̂^½ Σ Σ̂^½)^½)``; the target is (`mean`, `cov`) with its root;
    `guide` as for `covariance`.
    """
    got_mean, got = covariance(features, guide)
    return gaussian_distance(got_mean, got, mean, cov, cov_sqrt)


def gaussian_distance(got_mean: Tensor, got: Tensor, mean: Tensor, cov: Tensor, cov_sqrt: Tensor) -> Tensor:
    """`wasserstein2` of a mean and covariance already known."""
    cross = matrix_sqrt(cov_sqrt.mm(got).mm(cov_sqrt))
    return (got_mean - mean).square().mean() + (got + cov - 2 * cross).diagonal().mean()


def total_variation(image: Tensor, kind: TVKind = "squared") -> Tensor:
    """Total variation of an image.

    * ``squared``: ½Σ(Δx²+Δy²), summed (neural-style);
    * ``squared-mean``: mean Δx² + mean Δy² (lengstrom's fast-style-transfer);
    * ``absolute``: Σ|Δx|+Σ|Δy|, summed (neural-style-pt);
    * ``absolute-mean``: ½(mean|Δx|+mean|Δy|) (pastiche);
    * ``nine-point``: mean squared differences to all eight neighbours, replicate-padded (crowsonkb).
    """
    if kind == "nine-point":
        x = F.pad(image, (1, 1, 1, 1), "replicate")
        right = x[..., 1:-1, 2:] - x[..., 1:-1, 1:-1]
        below = x[..., 2:, 1:-1] - x[..., 1:-1, 1:-1]
        falling = x[..., 1:, 1:] - x[..., :-1, :-1]
        rising = x[..., 1:, :-1] - x[..., :-1, 1:]
        straight = right.square().mean() + below.square().mean()
        return 2 * (straight / 3 + (falling.square().mean() + rising.square().mean()) / 12)
    dx, dy = image.diff(dim=3), image.diff(dim=2)
    if kind == "squared":
        return (dx.square().sum() + dy.square().sum()) / 2
    if kind == "squared-mean":
        return sum((d.square().mean() for d in (dx, dy) if d.numel()), image.new_zeros(()))
    if kind == "absolute":
        return dx.abs().sum() + dy.abs().sum()
    # A side of one pixel has no differences, hence no mean.
    return sum((d.abs().mean() / 2 for d in (dx, dy) if d.numel()), image.new_zeros(()))


def sum_of_squares(values: Tensor) -> Tensor:
    """``Σx²`` over N×C×H×W, or over any tensor of two dimensions and more, as a float32 scalar.

    `dot` and `norm` add into few accumulators, and lose three digits in 10⁷ values. Here rows are squared and
    summed some at a time, so that little memory is needed beside the values.
    """
    height = values.shape[-2]
    at_once = max(1, _SUMMED * height // max(1, values.numel()))
    return torch.stack([block.float().square().sum() for block in values.split(at_once, dim=-2)]).sum()


def relative_distance(got: Tensor, expected: Tensor) -> float:
    """``‖got − expected‖ / ‖expected‖`` in float32, of any tensors that `sum_of_squares` takes."""
    apart = sum_of_squares(got.float() - expected.float())
    return float((apart / sum_of_squares(expected).clamp_min(1e-24)).sqrt())
