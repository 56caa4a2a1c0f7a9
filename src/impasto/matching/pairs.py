"""Patches of a photo and of a style, two by two: what a search that does not compare all with all is made of."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..control import worked
from ..strips import ranges
from .exact import AT_ONCE, Source


@dataclass(frozen=True)
class Grid:
    """The patches of h×w×C positions, numbered row by row."""

    positions: Tensor
    patch: int
    stride: int

    @property
    def shape(self) -> tuple[int, int]:
        """Patches down and along."""
        height, width = self.positions.shape[:2]
        return (height - self.patch) // self.stride + 1, (width - self.patch) // self.stride + 1

    def rows(self, which: Tensor, dy: int) -> Tensor:
        """Row `dy` of some patches: n × patch·C."""
        width, channels = self.positions.shape[1:]
        flat = self.positions.flatten(0, 1)
        # Positions of a row are neighbours in memory, so they are fetched in one piece.
        windows = flat.as_strided((len(flat) - self.patch + 1, self.patch * channels), (channels, 1))
        columns = self.shape[1]
        corners = which.div(columns, rounding_mode="floor") * width + which.remainder(columns)
        return windows.index_select(0, corners * self.stride + dy * width)

    def patches(self, which: Tensor) -> Tensor:
        """Some patches whole: n × patch²·C."""
        return torch.cat([self.rows(which, dy) for dy in range(self.patch)], 1)


class PairScores:
    """Scores of pairs of patches, of the photo and of the style, as the exact search defines them.

    A normalised style is ``(S − m)/s``: the photo's features are divided by s, and m is taken out of the sums, or
    every patch of the style would have to be normalised each time that it is fetched. A tone is the photo's last
    channel, and a grid of its own of the style.
    """

    def __init__(self, photo: Grid, source: Source, budget: float) -> None:
        self.photo, self.style = photo, Grid(source.features, photo.patch, photo.stride)
        self.dtype, self.lengths = source.dtype, source.inverse.flatten()
        pixels, patch = photo.positions, photo.patch
        self.channels = source.features.shape[2]
        self.tone = None
        if source.tone is not None:
            self.tone = Grid(source.tone.to(source.dtype)[..., None].contiguous(), photo.patch, photo.stride)
        values = patch * pixels.shape[2]
        self.at_once = max(1, min(AT_ONCE // values, int(budget / 2 / (3 * values * source.dtype.itemsize + 64))))
        self.scale = self.taken = None
        if source.stat is None:
            return
        scale, mean = source.stat.std.flatten().reciprocal().to(self.dtype), source.stat.mean.flatten()
        taken = torch.empty(pixels.shape[:2], device=pixels.device)
        for first, end in ranges(len(pixels), AT_ONCE // pixels[0].numel()):
            taken[first:end] = (pixels[first:end, :, : self.channels] * scale).float() @ mean
        self.taken = F.avg_pool2d(taken[None], patch, photo.stride, divisor_override=1).flatten()
        self.scale = scale.repeat(patch)

    def __call__(self, where: Tensor, place: Tensor) -> Tensor:
        """Of the photo's patches `where` with the style's `place`: n and n -> n float32."""
        parts = zip(where.split(self.at_once), place.split(self.at_once), strict=True)
        return torch.cat([self._of(*part) for part in parts])

    def _of(self, where: Tensor, place: Tensor) -> Tensor:
        worked()
        total = self.lengths.new_zeros(len(where))
        for dy in range(self.photo.patch):
            product = self.photo.rows(where, dy).to(self.dtype)
            if self.tone is not None:
                every = product.unflatten(1, (self.photo.patch, -1))
                product = every[:, :, : self.channels].flatten(1)
                tone = every[:, :, self.channels].mul_(self.tone.rows(place, dy))
                total += tone.sum(1, dtype=torch.float32)
            if self.scale is not None:
                product.mul_(self.scale)
            product.mul_(self.style.rows(place, dy).to(self.dtype))
            total += product.sum(1, dtype=torch.float32)
        if self.taken is not None:
            total -= self.taken[where]
        return total.mul_(self.lengths[place])
