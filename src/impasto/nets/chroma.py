"""Colour at half the resolution of brightness, as in JPEG and video; the eye sees no more."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..strips import Edges

REACH = 2
"""Number of pixels on each side that a pixel is averaged with."""

_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as in JPEG


def soften_chroma(picture: Tensor) -> Tensor:
    """Average the chroma of a picture with weights 1 2 2 2 1 along rows and columns, and keep its luma.

    The weights remove waves of 2 and 4 pixels, the periods of the lattice that two enlargements leave. The pictures
    that networks learn from have hardly any such fine colour, since most are JPEG files.

    Args:
        picture: N×3×H×W RGB. Edges are reflected; if a side has 1 or 2 pixels, they are repeated.

    Returns:
        N×3×H×W.
    """
    mode = "reflect" if min(picture.shape[2:]) > REACH else "replicate"
    smooth = _averaged(_averaged(F.pad(picture, (REACH,) * 4, mode=mode), 2), 3)
    weights = torch.tensor(_LUMA).to(picture, non_blocking=True).view(1, 3, 1, 1)
    return smooth + ((picture - smooth) * weights).sum(1, keepdim=True)


def soften_chroma_of_rows(part: Tensor, edges: Edges) -> Tensor:
    """`soften_chroma` for a strip of rows.

    Args:
        part: the rows, and up to `REACH` more above and below, where the picture has them.
        edges: see `impasto.strips.Edges`.
    """
    above, below = edges
    return soften_chroma(part)[:, :, REACH - above : part.shape[2] - REACH + below]


def _averaged(x: Tensor, side: int) -> Tensor:
    # 1 2 2 2 1 is the convolution of 1 1, 1 0 1 and 1 1.
    for step in (1, 2, 1):
        count = x.shape[side] - step
        x = x.narrow(side, 0, count) + x.narrow(side, step, count)
    return x / 8
