"""Gaussian transport: features with another picture's means, deviations and correlations between channels.

Lu et al. 2019, "A Closed-form Solution to Universal Style Transfer": of the linear maps that take one Gaussian to
another, the one that moves features least. AdaIN is the same map where channels are not correlated.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .adain import Moments

_LEAST = 1e-3  # eigenvalue of a correlation matrix: what hardly varies is not blown up


def transport(own: Moments, style: Moments, share: float, alpha: float = 1.0) -> tuple[Tensor, Tensor]:
    """The map ``x -> matrix @ (x - own.mean) + aim`` that gives features with moments `own` the style's.

    Args:
        own: of the features, N rows, with correlations.
        style: N or 1 rows, with correlations.
        share: of the correlations, 0 to 1. They are shrunk to it in both pictures; 0 is AdaIN.
        alpha: share of the result; the rest is the features themselves.

    Returns:
        The matrix, N×C×C, and the aim, N×C×1×1, float32.
    """
    assert own.correlation is not None and style.correlation is not None
    root, inverse = _roots(_shrunk(own.correlation, share), 0.5, -0.5)
    (middle,) = _roots(root @ _shrunk(style.correlation, share) @ root, 0.5)
    matrix = style.std.flatten(2) * (inverse @ middle @ inverse) / own.std.flatten(2).transpose(1, 2)
    return alpha * matrix + (1 - alpha) * _unrelated(matrix), own.mean.lerp(style.mean, alpha)


def _unrelated(like: Tensor) -> Tensor:
    return torch.eye(like.shape[1], dtype=like.dtype, device=like.device)


def _shrunk(correlation: Tensor, share: float) -> Tensor:
    """Towards none at all, as Ledoit & Wolf 2004 do: what few positions tell of many channels is mostly noise."""
    return correlation * share + _unrelated(correlation) * (1 - share)


def _roots(matrices: Tensor, *powers: float) -> list[Tensor]:
    """Powers of symmetric positive N×C×C matrices."""
    try:
        values, vectors = torch.linalg.eigh(matrices)
    except NotImplementedError:  # on Apple's GPUs, before torch has it there
        values, vectors = (part.to(matrices) for part in torch.linalg.eigh(matrices.cpu()))
    values = values.clamp_min(_LEAST)
    return [(vectors * values.pow(power).unsqueeze(1)) @ vectors.transpose(1, 2) for power in powers]
