"""Resize-convolutions: a picture enlarged by 2, then a 3×3 convolution (Odena, Dumoulin & Olah 2016).

The four positions that come of one each see but the 3×3 around it. So both steps are one convolution of the small
picture, to four times the channels, and the large one in between is never made.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Enlarge = Literal["nearest", "bilinear"]
"""How a picture is enlarged: every position four times, or linearly between them."""

# Row u of an enlarged picture, for u = -1, 0, 1, 2, of rows -1, 0, 1 of the small one.
_ROWS: dict[Enlarge, list[list[float]]] = {
    "nearest": [[1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1]],
    "bilinear": [[0.75, 0.25, 0], [0.25, 0.75, 0], [0, 0.75, 0.25], [0, 0.25, 0.75]],
}
FORMS: tuple[Enlarge, ...] = tuple(_ROWS)


def enlarged_and_convolved(x: Tensor, weight: Tensor, enlarge: Enlarge, bias: Tensor | None = None) -> Tensor:
    """Both steps: N×I×(H+2)×(W+2), padded as `folded` says, to N×O×2H×2W."""
    if torch.compiler.is_exporting():  # other libraries have an operation for each, and round less that way
        return F.conv2d(F.interpolate(x, scale_factor=2, mode=enlarge)[:, :, 1:-1, 1:-1], weight, bias)
    return interleaved(F.conv2d(x, folded(weight, enlarge), None if bias is None else bias.repeat(4)))


def folded(weight: Tensor, enlarge: Enlarge) -> Tensor:
    """The weights of both steps, 4O×I×3×3, of those of the second, O×I×3×3; for what `interleaved` puts in order.

    The small picture is padded by one position: repeated where the large one is to be mirrored, else with zeros.
    """
    rows = torch.tensor(_ROWS[enlarge], dtype=torch.float32).to(weight.device, non_blocking=True)
    taps = torch.stack([rows[:3], rows[1:]])  # of the upper and of the lower one: tap × row
    both = torch.einsum("pau,qbv,oiab->pqoiuv", taps, taps, weight.float())
    return both.flatten(0, 2).to(weight.dtype, memory_format=torch.channels_last)


def interleaved(x: Tensor) -> Tensor:
    """N×4O×H×W, upper left, upper right, lower left and lower right, as N×O×2H×2W, channels last."""
    count, channels, height, width = x.shape
    parts = x.permute(0, 2, 3, 1).reshape(count, height, width, 2, 2, channels // 4)
    whole = parts.permute(0, 1, 3, 2, 4, 5).reshape(count, 2 * height, 2 * width, channels // 4)
    return whole.permute(0, 3, 1, 2)
