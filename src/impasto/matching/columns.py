"""Hypercolumns: the features of several layers, stacked at every position of a picture.

Hariharan et al. 2015, "Hypercolumns for Object Segmentation and Fine-grained Localization". Kolkin et al. 2022,
"Neural Neighbor Style Transfer", match pictures by them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..encoders.layers import square_means
from ..encoders.tiles import Part, encode_tiles
from ..encoders.vgg import VGG
from ..strips import ranges
from ..weights.canonical import layer_size
from ..weights.layers import layer_stride
from .exact import max_and_first

STRIDE = 4
"""Pixels between the positions of hypercolumns."""

GRID_LAYER = "relu3_1"
"""A layer that has the positions of hypercolumns."""

STORED = torch.bfloat16
"""Type that hypercolumns are stored in; matching needs no more precision."""

MAX_VALUES = 2**27
"""Largest number of values of a picture's hypercolumns to store at a time."""

_TILE = 512  # largest side of a tile in pixels, when hypercolumns are computed in bands
_AT_ONCE = 2**22  # values to process at a time
_MIN_LENGTH = 1e-12


class Hypercolumns:
    """The hypercolumns of a picture at every fourth pixel, computed in bands of rows.

    Shallower layers are averaged, deeper ones enlarged.

    Args:
        encoder: computes the features.
        picture: 1×3×H×W in [0, 1].
        layers: canonical layers of blocks 1 to 4; channels are in their order.
        tile: side in pixels of the tiles to encode in; None for the whole picture.
        most: number of values to store at a time; at most and by default `MAX_VALUES`.

    Attributes:
        size: numbers of rows and columns.
        mean: mean of each channel over all positions, C float32.

    Examples:
        >>> columns = Hypercolumns(encoder, picture, ["relu1_1", "relu3_1"])
        >>> [(rows, tuple(band.shape)) for rows, band in columns.bands()]
        [(slice(0, 9, None), (1, 20, 9, 12))]
    """

    @torch.no_grad()
    def __init__(
        self,
        encoder: VGG,
        picture: Tensor,
        layers: Sequence[str],
        tile: int | None = None,
        most: int | None = None,
    ) -> None:
        self.size = layer_size(encoder.spec, GRID_LAYER, picture.shape[2], picture.shape[3])
        self._encoder, self._picture, self._tile = encoder, picture, tile
        self._most = MAX_VALUES if most is None else min(MAX_VALUES, most)
        self._places = channel_slices(encoder, layers)
        self._channels = max(place.stop for place in self._places.values())
        self._deep: dict[str, Tensor] = {}
        height, width = self.size
        self._whole = self._empty(height) if height * width * self._channels <= self._most else None
        total = torch.zeros(self._channels, device=picture.device)
        for found in self._parts(tile):
            for layer, place in self._places.items():
                part = found[layer]
                if layer_stride(layer) > STRIDE:
                    shape = (1, part.features.shape[1], *part.size)
                    deep = self._deep.setdefault(layer, part.features.new_empty(shape, dtype=STORED))
                    part.of(deep).copy_(part.features)
                elif self._whole is None:
                    total[place] += self._averaged(layer, part).features.sum((0, 2, 3), dtype=torch.float32)
                else:
                    self._put(self._averaged(layer, part), layer, self._whole, 0)
        if self._whole is not None:
            self._add_deep(self._whole, 0)
            self.mean = _mean(self._whole)
            return
        for first, end in ranges(height, max(1, _AT_ONCE // (width * self._channels))):
            for layer in self._deep:
                total[self._places[layer]] += self._enlarged(layer, first, end).sum((0, 2, 3))
        self.mean = total / (height * width)

    @torch.no_grad()
    def bands(self) -> Iterator[tuple[slice, Tensor]]:
        """Yield bands of rows from the top. This works only once.

        Yields:
            The rows, and their hypercolumns, 1×C×n×w in `STORED`, channels-last. The caller may overwrite them.
        """
        height, width = self.size
        if self._whole is not None:
            whole, self._whole = self._whole, None
            yield slice(0, height), whole
            return
        most = max(1, self._most // (width * self._channels)) * STRIDE
        band: Tensor | None = None
        first = 0
        for found in self._parts(min(most, _TILE, self._tile or _TILE)):
            rows = found[GRID_LAYER].rows
            if band is None:
                band, first = self._empty(rows.stop - rows.start), rows.start
            for layer in self._places.keys() - self._deep.keys():
                self._put(self._averaged(layer, found[layer]), layer, band, first)
            last = found[GRID_LAYER].columns.stop == width
            found.clear()  # the features would be held while the band is used
            if last:
                self._add_deep(band, first)
                yield rows, band
                band = None

    def whole(self) -> Tensor:
        """Return all rows, 1×C×h×w in `STORED`, channels-last. This works only once."""
        made: Tensor | None = None
        for rows, band in self.bands():
            if band.shape[2] == self.size[0]:
                return band
            made = self._empty(self.size[0]) if made is None else made
            made[:, :, rows] = band
        assert made is not None
        return made

    def _parts(self, tile: int | None) -> Iterator[dict[str, Part]]:
        # With `GRID_LAYER` tiles end on multiples of `STRIDE`, so squares to average are complete.
        return encode_tiles(self._encoder, self._picture, {*self._places, GRID_LAYER}, tile)

    def _empty(self, rows: int) -> Tensor:
        shape = (1, rows, self.size[1], self._channels)
        return torch.zeros(shape, dtype=STORED, device=self._picture.device).permute(0, 3, 1, 2)

    def _averaged(self, layer: str, part: Part) -> Part:
        """Average a part of a shallow layer to the positions of hypercolumns."""
        side = STRIDE // layer_stride(layer)
        top, left = part.rows.start // side, part.columns.start // side
        small = square_means(part.features, side, ceil=self._encoder.spec.pool_ceil)
        # A side of fewer than four pixels has no complete square.
        small = small[:, :, : self.size[0] - top, : self.size[1] - left]
        down, along = slice(top, top + small.shape[2]), slice(left, left + small.shape[3])
        return Part(small, down, along, self.size)

    def _put(self, part: Part, layer: str, band: Tensor, first: int) -> None:
        """Write a part into a band of hypercolumns, 1×C×n×w, that begins at row `first`."""
        rows = slice(part.rows.start - first, part.rows.stop - first)
        band[:, self._places[layer], rows, part.columns] = part.features

    def _add_deep(self, band: Tensor, first: int) -> None:
        """Write the deeper layers into a band of hypercolumns, 1×C×n×w, that begins at row `first`."""
        for layer in self._deep:
            for row, end in ranges(band.shape[2], max(1, _AT_ONCE // (self.size[1] * self._channels))):
                band[:, self._places[layer], row:end] = self._enlarged(layer, first + row, first + end)

    def _enlarged(self, layer: str, first: int, end: int) -> Tensor:
        """Enlarge rows of a deeper layer to the positions of hypercolumns: 1×C×n×w float32."""
        deep = self._deep[layer]
        count = deep.shape[2]
        # The rows' centres in the coordinates of the layer.
        at = (torch.arange(first, end, device=deep.device).float() + 0.5) * (count / self.size[0]) - 0.5
        at = at.clamp(0, count - 1)
        above = at.long()
        below = (above + 1).clamp_(max=count - 1)
        rows = torch.lerp(deep[:, :, above].float(), deep[:, :, below].float(), (at - above)[:, None])
        return F.interpolate(rows, (end - first, self.size[1]), mode="bilinear", align_corners=False)


def channel_slices(encoder: VGG, layers: Sequence[str]) -> dict[str, slice]:
    """The channels of each layer in a hypercolumn."""
    places: dict[str, slice] = {}
    first = 0
    for layer in layers:
        channels = encoder.channels(layer)
        places[layer] = slice(first, first + channels)
        first += channels
    return places


def layer_lengths(columns: Tensor, mean: Tensor, places: Mapping[str, slice]) -> dict[str, float]:
    """The root mean square length of each layer's channels in 1×C×h×w hypercolumns, after subtracting the mean."""
    rows = columns[0].permute(1, 2, 0).flatten(0, 1)
    squares = torch.zeros(rows.shape[1], device=rows.device)
    for first, end in ranges(len(rows), _AT_ONCE // rows.shape[1]):
        squares += (rows[first:end].float() - mean).square().sum(0)
    return {
        layer: max(float(squares[place].sum()) / len(rows), _MIN_LENGTH) ** 0.5 for layer, place in places.items()
    }


def scale_columns(columns: Tensor, mean: Tensor, gains: Tensor) -> Tensor:
    """Subtract the mean from 1×C×h×w hypercolumns and multiply channels by gains, in place."""
    rows = columns[0].permute(1, 2, 0).flatten(0, 1)
    for first, end in ranges(len(rows), _AT_ONCE // rows.shape[1]):
        rows[first:end] = (rows[first:end].float() - mean) * gains
    return columns


def channel_gains(
    lengths: Mapping[str, float], weights: Mapping[str, float], places: Mapping[str, slice], device: torch.device
) -> Tensor:
    """Factors of channels, so that an inner product of hypercolumns weights the layers by `weights`."""
    total = max(place.stop for place in places.values())
    gains = torch.ones(total, device=device)
    for layer, place in places.items():
        gains[place] = weights[layer] ** 0.5 / lengths[layer]
    return gains


@dataclass(frozen=True)
class StyleColumns:
    """A style picture's hypercolumns, ready to be matched, and samples of single layers.

    Attributes:
        columns: hypercolumns, 1×C×h×w in `STORED`, from `scale_columns`.
        mean: mean of each channel before scaling, C float32.
        lengths: `layer_lengths` before scaling.
        samples: by layer, features of some positions at the layer's own resolution, minus the mean, scaled to length
            1: P×C in `STORED`.
        moments: by layer, mean and standard deviation of each channel, C float32.
    """

    columns: Tensor
    mean: Tensor
    lengths: Mapping[str, float]
    samples: Mapping[str, Tensor]
    moments: Mapping[str, tuple[Tensor, Tensor]]


def nearest_samples(rows: Tensor, samples: Tensor, dtype: torch.dtype, values: int = _AT_ONCE) -> Tensor:
    """Find the most similar sample for each row x: ``argmax_s ⟨x, s⟩``, the nearest by cosine (Kolkin et al. 2022).

    Args:
        rows: P×C.
        samples: N×C, of length 1.
        dtype: type of the products.
        values: number of products to compute at a time.

    Returns:
        Numbers of samples, P int64.
    """
    samples = samples.to(dtype)
    parts = rows.split(max(1, values // len(samples)))
    found = [max_and_first(part.to(dtype).mm(samples.T))[1] for part in parts]
    return torch.cat(found)


def _mean(columns: Tensor) -> Tensor:
    """The mean of each channel of 1×C×h×w over positions, C float32."""
    rows = columns[0].permute(1, 2, 0).flatten(0, 1)
    total = torch.zeros(rows.shape[1], device=rows.device)
    for first, end in ranges(len(rows), max(1, _AT_ONCE // rows.shape[1])):
        total += rows[first:end].float().sum(0)
    return total / len(rows)
