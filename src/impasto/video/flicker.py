"""How much a film flickers: the warping error outside of hidden parts (Lai et al. 2018, section 4.2).

It is the root mean square of the difference between a frame and the last one moved by the flow, in levels of 255. The
flow is that of the film that was painted, for all. The frame is moved by Lanczos's kernel: linear interpolation
blurs strokes, and would count the blur as flicker.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .flow import SHARP, Motion, warp


def warping_error(last: NDArray[Any], now: NDArray[Any], motion: Motion, *, sharp: bool = True) -> float | None:
    """Return the warping error of two frames, H×W×3 of 8 bits; None where nothing was visible before.

    Args:
        last: the last frame.
        now: the frame.
        motion: how it has moved.
        sharp: move the last frame by a sharp interpolation, otherwise linearly.
    """
    visible = motion.visible > 0.5
    if motion.cut or not visible.any():
        return None
    moved = warp(last.astype(np.float32), motion.back, SHARP if sharp else cv2.INTER_LINEAR)
    return float(np.sqrt(np.square(now - moved)[visible].mean()))


class Meter:
    """Means of the warping errors of several films.

    Args:
        sums: sums so far by name, from `state`.
        sharp: move the last frame by a sharp interpolation, otherwise linearly.
    """

    def __init__(self, sums: Mapping[str, tuple[float, int]] | None = None, *, sharp: bool = True) -> None:
        self._sums, self._sharp = dict(sums or {}), sharp

    def add(self, name: str, last: NDArray[Any], now: NDArray[Any], motion: Motion) -> None:
        """Measure two frames of a film."""
        if (error := warping_error(last, now, motion, sharp=self._sharp)) is not None:
            total, count = self._sums.get(name, (0.0, 0))
            self._sums[name] = (total + error, count + 1)

    def state(self) -> dict[str, tuple[float, int]]:
        """Return the sums so far, as JSON data."""
        return dict(self._sums)

    def means(self) -> dict[str, float]:
        """Return the mean error of each film, in levels of 255."""
        return {name: total / count for name, (total, count) in self._sums.items()}
