"""Resize-convolutions: enlarge by 2, then convolve with 3×3 weights (Odena, Dumoulin & Olah 2016).

The four new positions in place of each old one depend only on the old 3×3 positions around it. So both steps are one
convolution of the small picture to four times the channels, and the enlarged picture is never stored.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Enlarge = Literal["nearest", "bilinear"]
"""How to enlarge: by repeating positions, or by linear interpolation."""

# Weights of rows -1, 0, 1 of the small picture in rows -1, 0, 1, 2 of the enlarged one.
_ROWS: dict[Enlarge, list[list[float]]] = {
    "nearest": [[1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1]],
    "bilinear": [[0.75, 0.25, 0], [0.25, 0.75, 0], [0, 0.75, 0.25], [0, 0.25, 0.75]],
}
FORMS: tuple[Enlarge, ...] = tuple(_ROWS)


def enlarge_and_convolve(x: Tensor, weight: Tensor, enlarge: Enlarge, bias: Tensor | None = None) -> Tensor:
    """Enlarge by 2, then convolve.

    Args:
        x: N×I×(H+2)×(W+2), padded as `fold_weights` says.
        weight: O×I×3×3.
        enlarge: how to enlarge.
        bias: O, or None.

    Returns:
        N×O×2H×2W.
    """
    if torch.compiler.is_exporting():  # two plain operations, which other libraries know and round less
        return F.conv2d(F.interpolate(x, scale_factor=2, mode=enlarge)[:, :, 1:-1, 1:-1], weight, bias)
    return interleave(F.conv2d(x, fold_weights(weight, enlarge), None if bias is None else bias.repeat(4)))


def fold_weights(weight: Tensor, enlarge: Enlarge) -> Tensor:
    """Combine enlargement and convolution in one weight: O×I×3×3 -> 4O×I×3×3, whose outputs `interleave` arranges.

    The small picture has to be padded by one position: repeated if the enlarged one is to be reflected, otherwise
    with zeros.
    """
    rows = torch.tensor(_ROWS[enlarge], dtype=torch.float32).to(weight.device, non_blocking=True)
    taps = torch.stack([rows[:3], rows[1:]])  # for the upper and the lower of two new rows: tap × old row
    both = torch.einsum("pau,qbv,oiab->pqoiuv", taps, taps, weight.float())
    return both.flatten(0, 2).to(weight.dtype, memory_format=torch.channels_last)


def interleave(x: Tensor) -> Tensor:
    """Arrange N×4O×H×W (upper left, upper right, lower left, lower right) as N×O×2H×2W, channels-last."""
    count, channels, height, width = x.shape
    parts = x.permute(0, 2, 3, 1).reshape(count, height, width, 2, 2, channels // 4)
    whole = parts.permute(0, 1, 3, 2, 4, 5).reshape(count, 2 * height, 2 * width, channels // 4)
    return whole.permute(0, 3, 1, 2)
