"""Keeps a painted film steady: strokes move with the film, and new ones replace them little by little.

After Lai et al. 2018, "Learning Blind Video Temporal Consistency", who train a network for it. Here the flow and its
consistency decide. Mixing paintings makes strokes pale and breaks them up, so strokes are moved and not mixed. Each
move costs some sharpness, so each painting that is moved is replaced after a while by a frame's own: one patch after
the other fades into it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .flow import QUICK, SHARP, Motion, colour_change, warp
from .frames import Pixels

Painting = NDArray[np.float32]  # H×W×3 in [0, 1]

_LIFE = 2.0  # frames until a painting is replaced, at --steady 0; see `_period`
_LONGEST = 80.0  # frames, likewise, at --steady 1: then moved strokes are no longer sharp
_REPLACED = 0.5  # share of that time in which there are two paintings
_FADE = 0.5  # share of it in which a patch fades
_FORMS, _LARGE = 0.9, 15  # share of the last colours that each frame keeps, and side in pixels of their means
_DRIFT, _DRIFTED = 0.04, 0.06  # change of colour since a painting was made: allowed, and halving the trust
_AROUND = 32  # parts of the longer side: standard deviation of the window of the colours around
_PATCHES = 5  # patches along the shorter side
_STROKES = (0.8, 2.0)  # pixels: standard deviations of the blurs that part fine strokes, larger ones, and forms
_FEWER, _NEAR = 4, 3  # side of a cell in pixels, and of each of two means in cells, by which contrast is compared
_NONE = np.float32(1e-6)  # contrast that counts as none
_SUM = np.ones((1, 3), np.float32)  # of three channels
_STRONGEST = 2.0  # largest factor of contrast
_TOO_STRONG = np.float32(1.15)  # more than this factor of a frame's own contrast is too much


@dataclass(frozen=True, eq=False)
class Moved:
    """A painting that moves with the film, and with it the frame that it was painted from.

    Attributes:
        painting: the painting.
        film: H×W×3 of 8 bits. Where it no longer looks as the film does, small errors of the flow have added up.
    """

    painting: Painting
    film: Pixels

    def by(self, motion: Motion, new: Moved, strokes: _Strokes) -> Moved:
        """Move it; where that cannot be trusted, take the new one. Colours follow the light."""
        film = warp(self.film, motion.back, QUICK)
        drift = np.maximum(colour_change(film, new.film) - _DRIFT, 0) / _DRIFTED
        trust = motion.trust * np.exp2(-np.square(drift))
        film = np.asarray(cv2.copyTo(new.film, (trust < 0.5).astype(np.uint8), film), np.uint8)
        change: Any = cv2.subtract(warp(self.painting, motion.back, SHARP), new.painting)
        change = cv2.addWeighted(change, 1, cv2.blur(change, (_LARGE, _LARGE)), _FORMS - 1, 0)
        kept: Any = cv2.add(_times(change, trust), new.painting)
        return Moved(strokes.given_to(kept), film)


class MovedPaintings:
    """A painting that moves with the film, and for half of the time a newer one that replaces it.

    Args:
        size: width and height.

    Attributes:
        older: the painting; None before the first frame of a shot.
        newer: the one that replaces it; None if there is none now.
        age: frames since the older one was whole.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self._turns = _make_turns(size)
        self.older: Moved | None = None
        self.newer: Moved | None = None
        self.age = 0

    def begin(self) -> None:
        """Begin a shot."""
        self.older, self.newer, self.age = None, None, 0

    def add(self, painted: Painting, film: Pixels, motion: Motion | None, steady: float) -> Painting:
        """Return the painting of the next frame.

        Args:
            painted: the frame's own painting.
            film: the frame.
            motion: how the frame has moved, if it is not the first of its shot.
            steady: from 0, which returns `painted`, to 1.
        """
        new = Moved(painted, film)
        if self.older is None or motion is None or motion.cut or steady <= 0:
            self.older, self.newer, self.age = new, None, 0
            return painted
        strokes, period = _Strokes(painted), _period(steady)
        self.age += 1
        self.older = self.older.by(motion, new, strokes)
        if self.newer is not None:
            self.newer = self.newer.by(motion, new, strokes)
        elif self.age >= period * (1 - _REPLACED):
            self.newer = new
        if self.newer is None:
            return self.older.painting
        mixed = strokes.given_to(self._between(self.older.painting, self.newer.painting, period))
        if self.age >= period:
            self.older, self.newer, self.age = self.newer, None, 0
        return mixed

    def _between(self, older: Painting, newer: Painting, period: float) -> Painting:
        """Mix two paintings: each patch fades from one to the other in its turn."""
        done = np.float32(1 - (1 - self.age / period) / _REPLACED)
        share = (done - self._turns * np.float32(1 - _FADE)) / np.float32(_FADE)
        change = _times(cv2.subtract(newer, older), np.clip(share, 0, 1))
        return np.asarray(cv2.add(older, change), np.float32)

    def state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Return arrays, which are not changed later, and JSON data."""
        found: dict[str, NDArray[Any]] = {}
        for name, each in (("older", self.older), ("newer", self.newer)):
            if each is not None:
                found |= {name: each.painting, f"{name} film": each.film}
        return found, {"age": self.age}

    def restore(self, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> None:
        """Go on from a `state`."""
        self.older, self.newer = (
            Moved(arrays[name], arrays[f"{name} film"]) if name in arrays else None for name in ("older", "newer")
        )
        self.age = facts["age"]


def begun_from(last: Painting, film: Pixels, motion: Motion) -> Painting:
    """Return what a frame's painting begins from: the last painting, moved.

    What it does not show has the frame's light and dark, and the colours of the painting around.

    Args:
        last: the last painting.
        film: the frame.
        motion: how it has moved.
    """
    moved = np.clip(warp(last, motion.back, SHARP), 0, 1)
    wide = max(film.shape[:2]) / _AROUND
    light = cv2.cvtColor(film, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    trust = motion.trust[..., None]
    around = cv2.GaussianBlur(np.dstack([moved * trust, trust]), (0, 0), wide)
    colours = (around[..., :3] + _NONE * moved.mean((0, 1))) / (around[..., 3:] + _NONE)
    unseen = np.clip(colours + (light - cv2.GaussianBlur(light, (0, 0), wide))[..., None], 0, 1)
    return np.asarray(unseen + trust * (moved - unseen), np.float32)


def _period(steady: float) -> float:
    """Frames in which a painting is replaced."""
    return min(_LONGEST, _LIFE / max(1 - steady, 1e-6))


class _Strokes:
    """The local contrast of fine and of larger strokes of a painting."""

    def __init__(self, painted: Painting) -> None:
        self._energies: list[Painting] = []
        for width in _STROKES:
            smooth = _blurred(painted, width)
            self._energies.append(_energy(cv2.subtract(painted, smooth)))
            painted = smooth

    def given_to(self, picture: Painting) -> Painting:
        """Give a picture, in [0, 1], this contrast where it has less, or too much more."""
        made: Any = picture
        size = picture.shape[1::-1]
        for width, enough in zip(_STROKES, self._energies, strict=True):
            smooth = _blurred(picture, width)
            fine = cv2.subtract(picture, smooth)
            least = np.minimum(np.sqrt(enough / _energy(fine)), _STRONGEST)
            gain: Any = np.clip(np.float32(1), least, least * _TOO_STRONG) - 1
            made = cv2.add(made, _times(fine, cv2.resize(gain, size, interpolation=cv2.INTER_LINEAR)))
            picture = smooth
        return np.clip(made, 0, 1, out=made)


def _blurred(picture: Painting, width: float) -> Painting:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), width), np.float32)


def _energy(fine: Any) -> Painting:
    """The mean square of what is finer than a blur, near each of fewer pixels; never 0."""
    squares = cv2.multiply(fine, fine)
    size = tuple(max(1, side // _FEWER) for side in fine.shape[1::-1])
    fewer = cv2.transform(cv2.resize(squares, size, interpolation=cv2.INTER_AREA), _SUM)
    near = (_NEAR, _NEAR)
    return np.asarray(cv2.blur(cv2.blur(fewer, near), near), np.float32) + _NONE


def _times(picture: Any, share: Any) -> Any:
    """Multiply a picture by a field."""
    return cv2.multiply(picture, cv2.merge([share] * 3))


def _make_turns(size: tuple[int, int]) -> Painting:
    """When each pixel fades, H×W from 0 to 1, the same for neighbours."""
    width, height = size
    cell = max(1.0, min(size) / _PATCHES)
    coarse = np.random.default_rng(0).random((round(height / cell) + 1, round(width / cell) + 1), np.float32)
    return np.clip(cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC), 0, 1).astype(np.float32)
