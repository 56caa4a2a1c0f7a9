"""Grain in a photograph's even areas, so that a network has something to lay strokes along."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_WINDOW = 16  # pixels a side over which contrast is measured
_WAVES = (2, 4, 8)  # pixels between the grain's knots: the sizes of strokes


def grained(photo: Tensor, contrast: float, seed: int = 0) -> Tensor:
    """A photograph whose luminance deviates by `contrast` at least everywhere.

    A feed-forward network draws strokes out of what it sees. Shown a clear sky it has only the grid of its own layers
    to make them of, which gives a weave, or nothing. So grey noise is added where the photograph has less contrast
    than asked for, as much as is missing; where it has enough, nothing is.

    Args:
        photo: N×3×H×W in [0, 1].
        contrast: least standard deviation within some 16 pixels, of the range 0 to 1; 0 gives the photograph back.
        seed: of the noise, which is the same on every device.
    """
    if contrast <= 0:
        return photo
    missing = (contrast**2 - _variance(photo.mean(1, keepdim=True))).clamp_min_(0).sqrt_()
    amount = F.interpolate(missing, scale_factor=_WINDOW // 2, mode="bilinear")[
        ..., : photo.shape[2], : photo.shape[3]
    ]
    return torch.addcmul(photo, _noise(photo, seed), amount).clamp_(0, 1)


def _variance(plane: Tensor) -> Tensor:
    """Of overlapping windows of N×1×H×W, one for every half window."""
    half = _WINDOW // 2
    height, width = plane.shape[2:]
    padded = F.pad(plane, (half // 2, _WINDOW - width % half, half // 2, _WINDOW - height % half), mode="replicate")
    mean = F.avg_pool2d(padded, _WINDOW, half)
    return F.avg_pool2d(padded.square_(), _WINDOW, half).sub_(mean.square_())


def _noise(photo: Tensor, seed: int) -> Tensor:
    """N×1×H×W of deviation 1: waves of several lengths, the longer ones stronger."""
    generator = torch.Generator().manual_seed(seed)
    count, _, height, width = photo.shape
    total = photo.new_zeros(count, 1, height, width)
    for length in _WAVES:
        knots = torch.randn(count, 1, height // length + 2, width // length + 2, generator=generator)
        knots = knots.to(photo.device, non_blocking=True)
        smooth = F.interpolate(knots, scale_factor=length, mode="bicubic")[..., :height, :width]
        total.add_(smooth, alpha=length**0.5)
    if total.numel() == 1:
        return total  # one pixel has no deviation
    return total.div_(total.std().clamp_min_(1e-6))
