"""How the pixels of a frame have moved since the last one, where that can be trusted, and where a new shot begins.

Dense inverse search (Kroeger et al. 2016, "Fast Optical Flow using Dense Inverse Search") gives the flow in both
directions. Where the two contradict each other, a pixel was hidden (Ruder, Dosovitskiy & Brox 2016, "Artistic Style
Transfer for Videos", section 4.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .frames import Pixels

Field = NDArray[np.float32]

SHARP = cv2.INTER_LANCZOS4
QUICK = cv2.INTER_CUBIC
"""Interpolations that keep what is fine. The quick one takes a fifth of the time, but turns strokes into waves when
it is repeated."""

_SIDE = 512  # longest side in pixels at which the flow is found
_SMALLEST = 32  # shortest side that DIS takes
_STILL = 0.05  # pixels; shorter ways are errors of the search
_NOISE, _DIFFERENT = 0.012, 0.05  # difference of colour: what noise explains, and what halves the trust
_TOLERANT = 2.0  # factor of the gap between the two flows that makes a pixel count as hidden: there trust is half
_CUT_VISIBLE, _CUT_ALIKE = 0.35, 0.75  # a new shot has less than this share of visible pixels, and less alike colours
_SOFT = 0.6  # pixels: standard deviation of the blur of the trust
_NOTHING_LEFT = 0.1  # mean trust under which a new shot begins whatever its colours are
_BINS = 8  # of each channel of a histogram


@dataclass(frozen=True, eq=False)
class Motion:
    """How a frame has moved since the last one.

    Attributes:
        back: H×W×2 float32, from each pixel to where it was in the last frame, in pixels.
        visible: H×W float32, 1 where the pixel was visible in the last frame, 0 where it was hidden, and at the edges
            of what moves.
        trust: H×W float32 in [0, 1], how far the last frame's painting can be kept.
        cut: a new shot begins with the frame.
        still: the two frames are equal.
    """

    back: Field
    visible: Field
    trust: Field
    cut: bool = False
    still: bool = False


def find_motion(last: Pixels, now: Pixels) -> Motion:
    """Find how a frame has moved since the last one; both H×W×3."""
    height, width = now.shape[:2]
    if np.array_equal(last, now):
        nothing = np.zeros((height, width, 2), np.float32)
        one = np.ones((height, width), np.float32)
        return Motion(nothing, one, one, still=True)
    scale = min(1.0, _SIDE / max(height, width))
    size = (max(_SMALLEST, round(width * scale)), max(_SMALLEST, round(height * scale)))
    before, after = (_resized(each, size) for each in (last, now))
    grey = [cv2.cvtColor(each, cv2.COLOR_RGB2GRAY) for each in (before, after)]
    search: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    back: Field = search.calc(grey[1], grey[0], None)
    forth: Field = search.calc(grey[0], grey[1], None)
    gap = _gap(back, forth)
    seen = gap < 1
    visible = _as_field(seen * _inner(back))
    change = np.maximum(colour_change(warp(before, back), after) - _NOISE, 0)
    trust = np.exp2(-np.square(gap / _TOLERANT) - np.square(change / _DIFFERENT))
    trust = _as_field(cv2.GaussianBlur(_as_field(trust), (0, 0), _SOFT))
    share = float(seen.mean())
    cut = float(trust.mean()) < _NOTHING_LEFT or (share < _CUT_VISIBLE and _alike(before, after) < _CUT_ALIKE)
    back[_squares(back) < _STILL**2] = 0
    if size != (width, height):
        back = _as_field(cv2.resize(back, (width, height), interpolation=cv2.INTER_LINEAR))
        back *= np.array([width / size[0], height / size[1]], np.float32)
        visible, trust = (_as_field(cv2.resize(each, (width, height))) for each in (visible, trust))
    return Motion(back, visible, trust, cut)


def warp(picture: NDArray[Any], back: Field, how: int = cv2.INTER_LINEAR) -> NDArray[Any]:
    """Move a picture of the last frame, H×W×C, to the present one.

    Args:
        picture: the picture.
        back: see `Motion`.
        how: interpolation of OpenCV. `SHARP` keeps fine strokes when done repeatedly.
    """
    rows, columns = _grid(back.shape[0], back.shape[1])
    x, y = cv2.split(back)
    return cv2.remap(picture, x + columns, y + rows, how, borderMode=cv2.BORDER_REPLICATE)


def _grid(height: int, width: int) -> tuple[Field, Field]:
    rows = np.arange(height, dtype=np.float32)[:, None]
    return rows, np.arange(width, dtype=np.float32)[None]


def _gap(back: Field, forth: Field) -> Field:
    """How far the flow back and the flow forth from there are from cancelling out (Ruder et al. 2016, equation 5).

    From 1 on a pixel counts as hidden. It is infinite for what came in at the border.
    """
    there = warp(forth, back)
    gap, length = _squares(back + there), _squares(back) + _squares(there)
    height, width = back.shape[:2]
    rows, columns = _grid(height, width)
    x, y = cv2.split(back)
    x, y = x + columns, y + rows
    inside = (x > -0.5) & (x < width - 0.5) & (y > -0.5) & (y < height - 0.5)
    return np.where(inside, gap / (0.01 * length + 0.5), np.float32(np.inf))


def colour_change(moved: Pixels, now: Pixels) -> Field:
    """Return how far a frame's colours lie outside those within half a pixel in an earlier one, moved: 0 to 1.

    At the edges of things a small error of the flow changes colours much, and does no harm.
    """
    around = np.ones((3, 3), np.uint8)
    most, least = (cv2.addWeighted(moved, 0.5, each(moved, around), 0.5, 0) for each in (cv2.dilate, cv2.erode))
    outside = cv2.max(cv2.subtract(now, most), cv2.subtract(least, now))
    red, green, blue = cv2.split(cv2.blur(outside, (5, 5)))
    return cv2.max(cv2.max(red, green), blue).astype(np.float32) / np.float32(255)


def _inner(back: Field) -> Field:
    """0 at the edges of what moves (Ruder et al. 2016, equation 6), otherwise 1."""
    slopes = [cv2.Sobel(back, cv2.CV_32F, *order, ksize=1, scale=0.5) for order in ((1, 0), (0, 1))]
    steep = _squares(slopes[0]) + _squares(slopes[1])
    return (steep < 0.01 * _squares(back) + 0.002).astype(np.float32)


def _squares(field: Any) -> Field:
    """The square of the length of each vector."""
    x, y = cv2.split(field)
    return np.asarray(x * x + y * y, np.float32)


def _alike(one: Pixels, other: Pixels) -> float:
    """How much of the histograms of colour of two frames is the same, from 0 to 1."""
    counts = [
        cv2.calcHist([each], [0, 1, 2], None, [_BINS] * 3, [0, 256] * 3).ravel() / each[..., 0].size
        for each in (one, other)
    ]
    return float(np.minimum(*counts).sum())


def _resized(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    if pixels.shape[1::-1] == size:
        return pixels
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _as_field(values: Any) -> Field:
    return np.asarray(values, np.float32)
