"""Convolutions of pictures mirrored beyond their borders."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..strips import Edges

_MANY = 2**16  # positions from which on a copy of all of them takes longer than to work out the border once more


def mirrored(x: Tensor, weight: Tensor, bias: Tensor | None, edges: Edges = (1, 1)) -> Tensor:
    """A 3×3 convolution, N×I×H×W to N×O×H×W, mirrored where `x` reaches the picture's upper and lower border.

    On a side where it does not, a row less comes out. A side of one position, which has no mirror, is repeated.
    """
    top, bottom = edges
    height, width = x.shape[2:]
    if height * width < _MANY or min(height, width) < 4 or torch.is_grad_enabled() or torch.compiler.is_exporting():
        mode = "reflect" if min(height, width) > 1 else "replicate"
        return F.conv2d(F.pad(x, (1, 1, top, bottom), mode=mode), weight, bias)

    def line(part: Tensor, *pad: int) -> Tensor:
        return F.conv2d(F.pad(part, pad, mode="reflect"), weight, bias)

    made = F.conv2d(x, weight, bias, padding=1)[:, :, 1 - top : height - 1 + bottom]
    if top:
        made[:, :, :1] = line(x[:, :, :2], 1, 1, 1, 0)
    if bottom:
        made[:, :, -1:] = line(x[:, :, -2:], 1, 1, 0, 1)
    made[:, :, :, :1] = line(x[..., :2], 1, 0, top, bottom)
    made[:, :, :, -1:] = line(x[..., -2:], 0, 1, top, bottom)
    return made
