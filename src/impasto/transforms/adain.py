"""Adaptive instance normalisation: give features another picture's channel means and deviations.

Huang & Belongie 2017, "Arbitrary Style Transfer in Real-time with Adaptive Instance Normalization".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import RequestError

EPSILON = 1e-5
"""Added to variances, as the original's layer does."""


class Moments(NamedTuple):
    """Mean and standard deviation of each channel over positions, both N×C×1×1 float32."""

    mean: Tensor
    std: Tensor


def moments(features: Tensor) -> Moments:
    """Channel moments of N×C×H×W features, in float32 whatever the features' type."""
    var, mean = torch.var_mean(features.float(), dim=(2, 3), correction=0, keepdim=True)
    return Moments(mean, (var + EPSILON).sqrt())


def blend(styles: Sequence[Moments], weights: Sequence[float]) -> Moments:
    """Weighted mean of several styles' moments; the weights are scaled to sum to 1."""
    total = sum(weights)
    if len(styles) != len(weights) or not styles or min(weights) < 0 or total <= 0:
        raise RequestError(
            f"{len(styles)} styles with weights {list(weights)}; "
            "expected one weight a style, none negative, not all zero"
        )
    shares = [weight / total for weight in weights]
    mean = sum((style.mean * share for style, share in zip(styles, shares, strict=True)), start=torch.tensor(0.0))
    std = sum((style.std * share for style, share in zip(styles, shares, strict=True)), start=torch.tensor(0.0))
    return Moments(mean, std)


def adain(content: Tensor, style: Moments, alpha: float = 1.0) -> Tensor:
    """Content features with the style's moments.

    Args:
        content: N×C×H×W features.
        style: moments, N or 1 of them.
        alpha: share of the result; the rest is the content's own features.

    Returns:
        N×C×H×W in the type of `content`.
    """
    own = moments(content)
    # One multiply-add over the features: (content - mean) / std * style.std + style.mean, mixed with content.
    gain = style.std / own.std
    shift = style.mean - own.mean * gain
    gain = alpha * gain + (1 - alpha)
    return (content * gain.to(content.dtype)).add_((alpha * shift).to(content.dtype))
