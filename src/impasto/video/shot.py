"""What is fixed within a shot, and what is carried from frame to frame; it can be saved and restored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .frames import Frame, Pixels
from .grain import CarriedGrain
from .steady import MovedPaintings, Painting

_LEVELS = 256


class Shot:
    """The state of a shot.

    Args:
        size: width and height.
        seed: of the grain.

    Attributes:
        grain: the grain, which follows the film.
        anchor: the first frame of the shot, whose colours are the target of all.
        curves: 3×256, the colours of the painting that become the target's; None if they are not asked for.
        moved: what moves with the film.
        source: the last frame of the film.
        painting: its painting, before colours and strength are applied; None before the first.
        number: how many shots have begun.
    """

    def __init__(self, size: tuple[int, int], seed: int) -> None:
        self.grain, self.moved = CarriedGrain(size[1], size[0], seed), MovedPaintings(size)
        self.anchor: Pixels | None = None
        self.curves: NDArray[np.float32] | None = None
        self.source: Pixels | None = None
        self.painting: Painting | None = None
        self.number = 0

    def begin(self, frame: Frame) -> None:
        """Begin with a frame."""
        self.grain.begin()
        self.moved.begin()
        self.anchor, self.curves, self.painting = frame.pixels, None, None
        self.number += 1

    def state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Return what later frames depend on: arrays, which are not changed later, and JSON data."""
        moved, facts = self.moved.state()
        found = {
            **moved,
            "places": self.grain.places,
            "way": self.grain.way,
            "anchor": self.anchor,
            "curves": self.curves,
            "source": self.source,
            "painting": self.painting,
        }
        return {name: array for name, array in found.items() if array is not None}, {**facts, "shot": self.number}

    def restore(self, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> None:
        """Go on from a `state`."""
        self.grain.places, self.grain.way = arrays.get("places"), arrays["way"]
        self.anchor, self.curves = arrays.get("anchor"), arrays.get("curves")
        self.source, self.painting = arrays.get("source"), arrays.get("painting")
        self.moved.restore(arrays, facts)
        self.number = facts["shot"]


def matching_curves(painting: Painting, target: Pixels) -> NDArray[np.float32]:
    """Return for each channel the curve that gives a painting the histogram of a frame, 3×256 in [0, 1].

    Args:
        painting: H×W×3 in [0, 1].
        target: H×W×3 of 8 bits.
    """
    levels = (painting * 255 + 0.5).astype(np.uint8)
    curves = np.empty((3, _LEVELS), np.float32)
    for channel in range(3):
        own, aim = (
            np.cumsum(np.bincount(each[..., channel].ravel(), minlength=_LEVELS)) / each[..., channel].size
            for each in (levels, target)
        )
        curves[channel] = np.interp(own, aim, np.arange(_LEVELS)) / 255
    return curves


def with_curves(painting: Painting, curves: NDArray[np.float32]) -> Painting:
    """Apply `matching_curves` to a painting."""
    at = np.arange(_LEVELS) / 255
    return np.stack([np.interp(painting[..., c], at, curves[c]) for c in range(3)], axis=2).astype(np.float32)
