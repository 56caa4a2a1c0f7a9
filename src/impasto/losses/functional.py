"""Loss functions of feature maps and images: pure and differentiable.

Features are N×C×H×W of any float dtype; results are float32.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import RequestError

GramNorm = Literal["positions", "elements", "none"]
TVKind = Literal["squared", "squared-mean", "absolute", "absolute-mean", "nine-point"]

# Rows of one block of the Gram product. A bfloat16 product is rounded once for each block, and the blocks are summed
# in float32. At this size that is faster than one product, and its error is a third.
_GRAM_ROWS = 4096

_SUM_BLOCK = 1 << 18  # values that are squared and summed at a time
_RIDGE = 1e-4  # as in crowsonkb's style-transfer-pytorch
_MIN_MASS = 1e-6  # for a guide that is 0 everywhere at a deep layer: avoids a division by zero


def rows(features: Tensor) -> Tensor:
    """Reshape 1×C×H×W to HW×C, without a copy if the layout is channels-last.

    Raises:
        RequestError: there is more than one feature map.
    """
    if features.shape[0] != 1:
        raise RequestError(f"expected one feature map, got a batch of {features.shape[0]}")
    return features.permute(0, 2, 3, 1).reshape(-1, features.shape[1])


def gram_sum(matrix: Tensor) -> Tensor:
    """``XᵀX`` of P×C rows: C×C float32."""
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
    """The total weight of positions: their number H·W, or the sum of the guide."""
    return float(size[0] * size[1]) if guide is None else max(float(guide.sum()), _MIN_MASS)


def gram_divisor(channels: int, mass: float, norm: GramNorm) -> float:
    """The divisor of a sum over positions: their `mass` (H·W without a guide), C times that, or 1."""
    return {"positions": mass, "elements": channels * mass, "none": 1.0}[norm]


def gram(features: Tensor, norm: GramNorm = "positions") -> Tensor:
    """Gram matrix ``G = FᵀF / N`` of the HW×C features F (Gatys et al. 2015): C×C float32.

    Args:
        features: 1×C×H×W.
        norm: the divisor N: the number of positions H·W, of elements C·H·W, or 1 (the paper).

    Examples:
        >>> gram(torch.ones(1, 2, 3, 4)).tolist()
        [[1.0, 1.0], [1.0, 1.0]]
    """
    channels, height, width = features.shape[1:]
    return gram_sum(rows(features)) / gram_divisor(channels, mass_of((height, width)), norm)


def covariance(features: Tensor, guide: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Mean ``μ = mean(x)`` and covariance ``Σ = mean((x − μ)(x − μ)ᵀ) + 10⁻⁴·I`` over positions.

    As in crowsonkb's style-transfer-pytorch.

    Args:
        features: 1×C×H×W.
        guide: weights of the positions, 1×1×H×W; None for equal weights.

    Returns:
        The mean, C, and the covariance, C×C, in float32.
    """
    x = rows(features).float()
    shares = x.new_full((len(x), 1), 1 / len(x)) if guide is None else rows(guide).float()
    shares = shares / shares.sum().clamp_min(_MIN_MASS)
    mean = (x * shares).sum(0)
    centred = x - mean
    cov = (centred * shares).t().mm(centred)
    return mean, add_ridge(cov)


def add_ridge(cov: Tensor) -> Tensor:
    """Add `_RIDGE` to the diagonal of a covariance, so that its square root exists and is differentiable."""
    return cov + _RIDGE * torch.eye(cov.shape[0], device=cov.device)


def matrix_sqrt(matrix: Tensor, iterations: int = 12) -> Tensor:
    """Square root of a symmetric positive definite C×C matrix; differentiable.

    Newton-Schulz iteration (Higham 2008): with ``Y₀ = A/‖A‖``, ``Z₀ = I`` and ``T = (3I − ZY)/2``, ``Y ← YT`` tends
    to ``(A/‖A‖)^½`` while ``Z ← TZ``.
    """
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
    """Squared 2-Wasserstein distance between Gaussians (Olkin & Pukelsheim 1982), divided by the channels.

    ``mean((μ − μ̂)²) + mean(diag(Σ + Σ̂ − 2(Σ̂^½ Σ Σ̂^½)^½))``, as in crowsonkb's style-transfer-pytorch.

    Args:
        features: 1×C×H×W, whose mean μ and covariance Σ are computed by `covariance`.
        mean: μ̂, C.
        cov: Σ̂, C×C.
        cov_sqrt: Σ̂^½, C×C.
        guide: see `covariance`.
    """
    got_mean, got = covariance(features, guide)
    return gaussian_distance(got_mean, got, mean, cov, cov_sqrt)


def gaussian_distance(got_mean: Tensor, got: Tensor, mean: Tensor, cov: Tensor, cov_sqrt: Tensor) -> Tensor:
    """`wasserstein2` for features whose mean `got_mean` and covariance `got` are known."""
    cross = matrix_sqrt(cov_sqrt.mm(got).mm(cov_sqrt))
    return (got_mean - mean).square().mean() + (got + cov - 2 * cross).diagonal().mean()


def total_variation(image: Tensor, kind: TVKind = "squared") -> Tensor:
    """Total variation of an N×3×H×W image: a scalar.

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
    # A side of one pixel has no differences, so there is no mean.
    return sum((d.abs().mean() / 2 for d in (dx, dy) if d.numel()), image.new_zeros(()))


def sum_of_squares(values: Tensor) -> Tensor:
    """``Σx²`` over a tensor of two or more dimensions, as a float32 scalar.

    `torch.dot` and `torch.norm` sum into few accumulators and lose three digits in 10⁷ values. Here blocks of rows
    are summed one by one, which also needs little memory.
    """
    height = values.shape[-2]
    at_once = max(1, _SUM_BLOCK * height // max(1, values.numel()))
    return torch.stack([block.float().square().sum() for block in values.split(at_once, dim=-2)]).sum()


def relative_distance(got: Tensor, expected: Tensor) -> float:
    """``‖got − expected‖ / ‖expected‖`` in float32, for tensors of two or more dimensions."""
    distance = sum_of_squares(got.float() - expected.float())
    return float((distance / sum_of_squares(expected).clamp_min(1e-24)).sqrt())
