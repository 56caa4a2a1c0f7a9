"""Keeps a painted film steady: strokes move with the film, and new ones replace them little by little.

After Lai et al. 2018, "Learning Blind Video Temporal Consistency", who train a network for it. Here the flow and its
consistency decide. Mixing paintings makes strokes pale and breaks them up, so strokes are moved and not mixed. Each
move costs some sharpness, so each painting that is moved is replaced after a while by a frame's own: one patch after
the other fades into it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .flow import Motion, warp

Painting = NDArray[np.float32]  # H×W×3 in [0, 1]

_LIFE = 1.2  # frames until the next painting begins to replace the last one, at --steady 0; see `_period`
_LONGEST = 60.0  # frames, likewise, at --steady 1: then moved strokes are no longer sharp
_FADE = 0.4  # share of that time in which a patch fades
_FORMS, _LARGE = 0.9, 15  # share of the last colours that each frame keeps, and side in pixels of their means
_PATCHES = 5  # patches along the shorter side
_STROKES = (0.8, 2.0)  # pixels: standard deviations of the blurs that part fine strokes, larger ones, and forms
_NEAR = 17  # pixels: side of the window in which contrast is compared
_NONE = np.float32(1e-6)  # contrast that counts as none
_SUM = np.ones((1, 3), np.float32)  # of three channels
_STRONGEST = 2.0  # largest factor of contrast


class MovedPaintings:
    """Two paintings that move with the film: the newer one replaces the older.

    Args:
        size: width and height.

    Attributes:
        older: the one that is being replaced; None before the first frame of a shot.
        newer: the one that replaces it.
        age: frames since the newer one was painted.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self._turns = _make_turns(size)
        self.older: Painting | None = None
        self.newer: Painting | None = None
        self.age = 0

    def begin(self) -> None:
        """Begin a shot."""
        self.older, self.newer, self.age = None, None, 0

    def add(self, painted: Painting, motion: Motion | None, steady: float) -> Painting:
        """Return the painting of the next frame.

        Args:
            painted: the frame's own painting.
            motion: how the frame has moved, if it is not the first of its shot.
            steady: from 0, which returns `painted`, to 1.
        """
        if self.older is None or self.newer is None or motion is None or motion.cut or steady <= 0:
            self.older, self.newer, self.age = painted, painted, 0
            return painted
        alone = self.older is self.newer
        strokes = _Strokes(painted)
        self.newer = _moved(self.newer, painted, strokes, motion)
        self.older = self.newer if alone else _moved(self.older, painted, strokes, motion)
        self.age += 1
        period = _period(steady)
        mixed = self.older
        if not alone:
            share = (np.float32(self.age / period) - self._turns * np.float32(1 - _FADE)) / np.float32(_FADE)
            between = self.newer - self.older
            between *= np.clip(share, 0, 1)[..., None]
            between += self.older
            mixed = strokes.given_to(between)
        if self.age >= period:
            self.older, self.newer, self.age = self.newer, painted, 0
        return mixed

    def state(self) -> tuple[dict[str, Painting | None], dict[str, Any]]:
        """Return the paintings, which are not changed later, and JSON data."""
        newer = None if self.newer is self.older else self.newer
        return {"older": self.older, "newer": newer}, {"age": self.age}

    def restore(self, arrays: Mapping[str, Painting], facts: Mapping[str, Any]) -> None:
        """Go on from a `state`."""
        self.older = arrays.get("older")
        self.newer, self.age = arrays.get("newer", self.older), facts["age"]


def _period(steady: float) -> float:
    """Frames in which a painting is replaced."""
    return min(_LONGEST, _LIFE / max(1 - steady, 1e-6))


def _moved(last: Painting, painted: Painting, strokes: _Strokes, motion: Motion) -> Painting:
    """Move a painting with the film; where that cannot be trusted, take the frame's own. Colours follow the light."""
    change: Painting = warp(last, motion.back, sharp=True)
    change -= painted
    change -= np.float32(1 - _FORMS) * cv2.blur(change, (_LARGE, _LARGE))
    change *= motion.trust[..., None]
    change += painted
    return strokes.given_to(change)


class _Strokes:
    """The local contrast of fine and of larger strokes of a painting."""

    def __init__(self, painted: Painting) -> None:
        self._energies: list[Painting] = []
        for width in _STROKES:
            smooth = _blurred(painted, width)
            self._energies.append(_energy(painted - smooth))
            painted = smooth

    def given_to(self, picture: Painting) -> Painting:
        """Give a picture this contrast where it has less, in [0, 1]."""
        made = picture.copy()
        for width, enough in zip(_STROKES, self._energies, strict=True):
            smooth = _blurred(picture, width)
            fine = picture - smooth
            gain = np.sqrt(enough / _energy(fine))
            fine *= (np.clip(gain, 1, _STRONGEST) - 1)[..., None]
            made += fine
            picture = smooth
        return np.clip(made, 0, 1, out=made)


def _blurred(picture: Painting, width: float) -> Painting:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), width), np.float32)


def _energy(fine: Painting) -> Painting:
    """The mean square of what is finer than a blur, near each pixel; never 0."""
    return np.asarray(cv2.blur(cv2.transform(np.square(fine), _SUM), (_NEAR, _NEAR)), np.float32) + _NONE


def _make_turns(size: tuple[int, int]) -> Painting:
    """When each pixel fades, H×W from 0 to 1, the same for neighbours."""
    width, height = size
    cell = max(1.0, min(size) / _PATCHES)
    coarse = np.random.default_rng(0).random((round(height / cell) + 1, round(width / cell) + 1), np.float32)
    return np.clip(cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC), 0, 1).astype(np.float32)
