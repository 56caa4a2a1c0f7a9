"""Keeps a painted film steady: the last painting, moved with the film, is blended in where it can be trusted.

After Lai et al. 2018, "Learning Blind Video Temporal Consistency", who train a network for it. Here the flow and its
consistency decide. Averages of strokes are paler than strokes, so the contrast of the frame's own painting is given
back to the blend.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .flow import Motion, warp

Painting = NDArray[np.float32]  # H×W×3 in [0, 1]

_MOST = 0.95  # share of the last painting at --steady 1; the rest lets errors of the flow die out
_STROKES = (0.8, 2.0)  # pixels: standard deviations of the blurs that part fine strokes, larger ones, and forms
_NEAR = 6.0  # pixels: standard deviation of the window in which contrast is compared
_STRONGEST = 2.0  # largest factor of contrast


def keep_steady(painted: Painting, last: Painting, motion: Motion, steady: float) -> Painting:
    """Blend a frame's painting with that of the frame before.

    Args:
        painted: the frame's own painting.
        last: the result for the frame before.
        motion: how the frame has moved.
        steady: from 0, which returns `painted`, to 1.
    """
    if steady <= 0 or motion.cut:
        return painted
    if motion.still:
        return last
    moved = warp(last, motion.back, sharp=True)
    share = (motion.trust * np.float32(_MOST * steady))[..., None]
    blend = (painted + share * (moved - painted)).astype(np.float32, copy=False)
    return np.clip(_with_strokes_of(blend, painted), 0, 1)


def _with_strokes_of(blend: Painting, painted: Painting) -> Painting:
    """Give a blend the local contrast of fine and of larger strokes that the frame's own painting has."""
    made = blend.copy()
    for width in _STROKES:
        smooth, aim = (cv2.GaussianBlur(each, (0, 0), width) for each in (blend, painted))
        fine, wanted = blend - smooth, painted - aim
        energy, enough = (cv2.GaussianBlur(np.square(each).sum(2), (0, 0), _NEAR) for each in (fine, wanted))
        gain = np.sqrt((enough + 1e-6) / (energy + 1e-6))
        made += fine * (np.clip(gain, 1, _STRONGEST) - 1)[..., None]
        blend, painted = np.asarray(smooth, np.float32), np.asarray(aim, np.float32)
    return made
