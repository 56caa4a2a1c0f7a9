"""Colour at half the resolution of brightness, as JPEG and video keep it and as much as the eye sees."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..strips import Edges

REACH = 2
"""Pixels all round that a pixel is averaged over."""

_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as JPEG's


def softened(picture: Tensor) -> Tensor:
    """A picture whose chroma is averaged along rows and columns by 1 2 2 2 1, and whose luma is as it was.

    That window leaves nothing of waves of 2 and of 4 pixels, which are those of the grids of two enlargings, and
    little of single pixels. What networks learn from has hardly any such colour: most photographs and scans are JPEG.

    Args:
        picture: N×3×H×W RGB; its edges are reflected, those of one of 1 or 2 pixels repeated.

    Returns:
        N×3×H×W.
    """
    mode = "reflect" if min(picture.shape[2:]) > REACH else "replicate"
    smooth = _averaged(_averaged(F.pad(picture, (REACH,) * 4, mode=mode), 2), 3)
    weights = torch.tensor(_LUMA).to(picture, non_blocking=True).view(1, 3, 1, 1)
    return smooth + ((picture - smooth) * weights).sum(1, keepdim=True)


def softened_inside(part: Tensor, edges: Edges) -> Tensor:
    """Rows of a softened picture, of a strip that reaches `REACH` rows beyond them but for the picture's edges."""
    above, below = edges
    return softened(part)[:, :, REACH - above : part.shape[2] - REACH + below]


def _averaged(x: Tensor, side: int) -> Tensor:
    # 1 2 2 2 1 is 1 1 of 1 0 1 of 1 1.
    for step in (1, 2, 1):
        count = x.shape[side] - step
        x = x.narrow(side, 0, count) + x.narrow(side, step, count)
    return x / 8
