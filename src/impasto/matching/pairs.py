"""Scores of chosen pairs of patches, for searches that do not compare all pairs."""

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
    """The patches of an h×w×C tensor, numbered row by row.

    Attributes:
        positions: the vectors, h×w×C, contiguous.
        patch: side of a patch.
        stride: positions between patches.
    """

    positions: Tensor
    patch: int
    stride: int

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns of patches."""
        height, width = self.positions.shape[:2]
        return (height - self.patch) // self.stride + 1, (width - self.patch) // self.stride + 1

    def rows(self, numbers: Tensor, dy: int) -> Tensor:
        """Return row `dy` of some patches: n × patch·C."""
        width, channels = self.positions.shape[1:]
        flat = self.positions.flatten(0, 1)
        # The positions of a row are adjacent in memory, so they are read in one piece.
        windows = flat.as_strided((len(flat) - self.patch + 1, self.patch * channels), (channels, 1))
        columns = self.shape[1]
        corners = numbers.div(columns, rounding_mode="floor") * width + numbers.remainder(columns)
        return windows.index_select(0, corners * self.stride + dy * width)

    def patches(self, numbers: Tensor) -> Tensor:
        """Return some patches: n × patch²·C."""
        return torch.cat([self.rows(numbers, dy) for dy in range(self.patch)], 1)


class PairScores:
    """Scores of pairs of patches, ``⟨P, S⟩ / ‖S‖`` as in the exact search.

    Style patches are not normalised every time they are read. With mean m and deviation s of the style,
    ``⟨P, (S − m)/s⟩ = ⟨P/s, S⟩ − ⟨P/s, m⟩``, and the last product is computed once for each patch of the photo.

    Args:
        photo: patches of the photo; with a tone, it is their last channel.
        source: the style.
        budget: working memory in bytes.
    """

    def __init__(self, photo: Grid, source: Source, budget: float) -> None:
        self.photo, self.style = photo, Grid(source.features, photo.patch, photo.stride)
        self.dtype, self.lengths = source.dtype, source.inverse.flatten()
        vectors, patch = photo.positions, photo.patch
        self.channels = source.features.shape[2]
        self.tone = None
        if source.tone is not None:
            self.tone = Grid(source.tone.to(source.dtype)[..., None].contiguous(), photo.patch, photo.stride)
        values = patch * vectors.shape[2]
        self.at_once = max(1, min(AT_ONCE // values, int(budget / 2 / (3 * values * source.dtype.itemsize + 64))))
        self.scale = self.mean_products = None
        if source.stat is None:
            return
        scale, mean = source.stat.std.flatten().reciprocal().to(self.dtype), source.stat.mean.flatten()
        mean_products = torch.empty(vectors.shape[:2], device=vectors.device)
        for first, end in ranges(len(vectors), AT_ONCE // vectors[0].numel()):
            mean_products[first:end] = (vectors[first:end, :, : self.channels] * scale).float() @ mean
        self.mean_products = F.avg_pool2d(mean_products[None], patch, photo.stride, divisor_override=1).flatten()
        self.scale = scale.repeat(patch)

    def __call__(self, where: Tensor, place: Tensor) -> Tensor:
        """Return the scores of the photo's patches `where` with the style's patches `place`: n and n -> n float32."""
        parts = zip(where.split(self.at_once), place.split(self.at_once), strict=True)
        return torch.cat([self._scores(*part) for part in parts])

    def _scores(self, where: Tensor, place: Tensor) -> Tensor:
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
        if self.mean_products is not None:
            total -= self.mean_products[where]
        return total.mul_(self.lengths[place])
