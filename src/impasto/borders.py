"""Convolutions with reflected or repeated borders, and their gradients; large inputs are not copied to be padded."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from .strips import Edges

PaddingMode = Literal["reflect", "replicate"]

_MANY = 2**14  # positions from which copying all of them takes longer than computing the border separately


def convolve(
    x: Tensor, weight: Tensor, bias: Tensor | None, edges: Edges = (1, 1), mode: PaddingMode = "reflect"
) -> Tensor:
    """A 3×3 convolution, N×I×H×W to N×O×H×W, padded at the borders of the picture.

    Columns are always padded. A side of one position cannot be reflected and is repeated.

    Args:
        x: N×I×H×W, all rows of the picture or a strip of them.
        weight: O×I×3×3.
        bias: O, or None.
        edges: 1 if `x` reaches the upper and the lower border of the picture, else 0; then the output has a row less.
        mode: how to pad.
    """
    top, bottom = edges
    height, width = x.shape[2:]
    if not _separately(x, height, width) or torch.is_grad_enabled() or torch.compiler.is_exporting():
        padded = F.pad(x, (1, 1, top, bottom), mode=mode if min(height, width) > 1 else "replicate")
        return F.conv2d(padded, weight, bias)

    def line(part: Tensor, *pad: int) -> Tensor:
        return F.conv2d(F.pad(part, pad, mode=mode), weight, bias)

    made = F.conv2d(x, weight, bias, padding=1)[:, :, 1 - top : height - 1 + bottom]
    if top:
        made[:, :, :1] = line(x[:, :, :2], 1, 1, 1, 0)
    if bottom:
        made[:, :, -1:] = line(x[:, :, -2:], 1, 1, 0, 1)
    made[:, :, :, :1] = line(x[..., :2], 1, 0, top, bottom)
    made[:, :, :, -1:] = line(x[..., -2:], 0, 1, top, bottom)
    return made


def undo_convolve(gradient: Tensor, kernel: Tensor, size: tuple[int, int], mode: PaddingMode = "reflect") -> Tensor:
    """Compute the gradient of the input of `convolve`, padded at both edges, from the gradient of its output.

    Args:
        gradient: gradient of the output, N×O×H×W.
        kernel: the weight with input and output exchanged and rotated by 180 degrees, I×O×3×3.
        size: height and width of the input.
        mode: see `convolve`.
    """
    if min(size) < 2:
        mode = "replicate"
    first = 1 if mode == "reflect" else 0  # row and column that the padding repeats
    if not _separately(gradient, *size):
        made = F.conv2d(gradient, kernel, padding=2)
        back = torch.ops.aten.reflection_pad2d_backward if first else torch.ops.aten.replication_pad2d_backward
        return back(made, made.new_empty(*made.shape[:2], *size), [1, 1, 1, 1])
    made, last = F.conv2d(gradient, kernel, padding=1), -1 - first
    for at, there, part in ((first, slice(0, 1), kernel[:, :, 2:]), (last, slice(-1, None), kernel[:, :, :1])):
        outside = F.conv2d(gradient[:, :, there], part, padding=(0, 2))[:, :, 0]
        made[:, :, at] += outside[..., 1:-1]
        made[:, :, at, first] += outside[..., 0]
        made[:, :, at, last] += outside[..., -1]
    for at, there, part in ((first, slice(0, 1), kernel[..., 2:]), (last, slice(-1, None), kernel[..., :1])):
        made[..., at] += F.conv2d(gradient[..., there], part, padding=(1, 0))[..., 0]
    return made


def _separately(x: Tensor, height: int, width: int) -> bool:
    """Whether to compute borders separately; not on a GPU, where small operations take as long as large ones."""
    return height * width >= _MANY and min(height, width) >= 4 and x.device.type == "cpu"
