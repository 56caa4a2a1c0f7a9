"""Grain that moves with things: see `images.grain`. Grain that stays would look like a dirty window."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from ..images.grain import make_noise
from .flow import Field, Motion, warp

_TILE = 512  # side in pixels of the noise, which is repeated in mirror image
_SOME = 4  # pixels from one to the next of those that tell how far the view has moved
_STRETCHED = 0.6  # change of the spacing of grain after which it is made anew


class CarriedGrain:
    """Noise whose places follow the flow from the beginning of a shot.

    Args:
        height: of the frames.
        width: of the frames.
        seed: of the noise.

    Attributes:
        places: H×W×2, where in the noise each pixel lies, in pixels of the frame; None at the beginning of a shot.
        way: how far the view has moved since the beginning of the shot, which gives new pixels their places.
    """

    def __init__(self, height: int, width: int, seed: int) -> None:
        self._size, self._seed = (height, width), seed
        self._tile: np.ndarray | None = None
        self.places: Field | None = None
        self.way = np.zeros(2, np.float32)

    def begin(self) -> None:
        """Begin a shot."""
        self.places, self.way = None, np.zeros(2, np.float32)

    def follow(self, motion: Motion) -> None:
        """Move the grain with a frame."""
        if motion.still:
            return
        own = self._own()
        before = own if self.places is None else self.places
        some = motion.back[::_SOME, ::_SOME][motion.visible[::_SOME, ::_SOME] > 0.5]
        if some.size:
            self.way = self.way + np.median(some, axis=0)
        moved = warp(before, motion.back)
        x, y = cv2.split(moved)
        apart = np.abs(np.diff(x, axis=1, prepend=x[:, :1] - 1) - 1)
        apart += np.abs(np.diff(y, axis=0, prepend=y[:1] - 1) - 1)
        lost = ((motion.visible <= 0.5) | (apart >= _STRETCHED)).astype(np.uint8)
        self.places = np.asarray(cv2.copyTo(own + self.way, lost, moved), np.float32)

    def noise(self, height: int, width: int) -> Tensor:
        """Return the noise for a pass of this size, 1×1×`height`×`width`, with standard deviation 1."""
        places = self._own() if self.places is None else self.places
        scale = np.array([width / self._size[1], height / self._size[0]], np.float32)
        if places.shape[:2] != (height, width):
            places = cv2.resize(places, (width, height), interpolation=cv2.INTER_LINEAR)
        if self._tile is None:
            self._tile = make_noise((1, 3, _TILE, _TILE), self._seed)[0, 0].numpy()
        x, y = (_folded(each * factor) for each, factor in zip(cv2.split(places), scale, strict=True))
        found = cv2.remap(self._tile, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
        noise = torch.from_numpy(found)[None, None]
        return noise / noise.std().clamp_min(1e-6)

    def _own(self) -> Field:
        height, width = self._size
        rows, columns = np.meshgrid(np.arange(height), np.arange(width), indexing="ij")
        return np.stack([columns, rows], axis=2).astype(np.float32)


def _folded(at: Field) -> Field:
    """Places along one side of the noise, which is repeated in mirror image."""
    whole = np.float32(2 * _TILE)
    at = at - whole * np.floor(at / whole)
    return np.minimum(np.abs(at - np.float32(_TILE)), np.float32(_TILE - 1))
