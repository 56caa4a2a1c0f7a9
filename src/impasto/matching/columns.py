"""Hypercolumns: at every position of a picture the features of many layers, one below the other.

Hariharan et al. 2015, "Hypercolumns for Object Segmentation and Fine-grained Localization". Nearest-neighbour style
transfer matches by them: Kolkin et al. 2022, "Neural Neighbor Style Transfer".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..encoders.layers import pooled
from ..encoders.tiles import Part, parts
from ..encoders.vgg import VGG
from ..strips import ranges
from ..weights.canonical import layer_size
from ..weights.layers import layer_stride

STRIDE = 4
"""Pixels between the positions of hypercolumns."""

GRID_LAYER = "relu3_1"
"""A layer whose positions are those of hypercolumns."""

STORED = torch.bfloat16
"""Type that hypercolumns are kept in: large pictures have many, and their directions need no more digits."""

HELD = 2**27
"""Values of a picture's hypercolumns that are held at once."""

_TILE = 512  # pixels; most of a tile's side where hypercolumns come a band at a time
_AT_ONCE = 2**22  # values that are worked on together
_LEAST = 1e-12


class Hypercolumns:
    """A picture's features at every fourth pixel, all layers below one another, some rows at a time.

    Shallower layers are averaged, deeper ones enlarged.

    Args:
        encoder: of the features.
        picture: 1×3×H×W in [0, 1].
        layers: canonical, of blocks 1 to 4; channels are in their order.
        tile: side in pixels of the tiles that the picture is encoded in; None for the whole at once.

    Attributes:
        size: height and width of the positions.
        mean: of each channel over all positions, C float32.

    Examples:
        >>> columns = Hypercolumns(encoder, picture, ["relu1_1", "relu3_1"])
        >>> [(rows, tuple(band.shape)) for rows, band in columns.bands()]
        [(slice(0, 9, None), (1, 20, 9, 12))]
    """

    @torch.no_grad()
    def __init__(self, encoder: VGG, picture: Tensor, layers: Sequence[str], tile: int | None = None) -> None:
        self.size = layer_size(encoder.spec, GRID_LAYER, picture.shape[2], picture.shape[3])
        self._encoder, self._picture, self._tile = encoder, picture, tile
        self._places = channel_places(encoder, layers)
        self._channels = max(place.stop for place in self._places.values())
        self._deep: dict[str, Tensor] = {}
        height, width = self.size
        self._whole = self._empty(height) if height * width * self._channels <= HELD else None
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
        """Once, some rows after others: which, and 1×C×n×w of them in `STORED`, channels last, the caller's own."""
        height, width = self.size
        if self._whole is not None:
            whole, self._whole = self._whole, None
            yield slice(0, height), whole
            return
        most = max(1, HELD // (width * self._channels)) * STRIDE
        band: Tensor | None = None
        first = 0
        for found in self._parts(min(most, _TILE, self._tile or _TILE)):
            rows = found[GRID_LAYER].rows
            if band is None:
                band, first = self._empty(rows.stop - rows.start), rows.start
            for layer in self._places.keys() - self._deep.keys():
                self._put(self._averaged(layer, found[layer]), layer, band, first)
            if found[GRID_LAYER].columns.stop == width:
                self._add_deep(band, first)
                yield rows, band
                band = None

    def whole(self) -> Tensor:
        """All rows, once: 1×C×h×w in `STORED`, channels last."""
        made: Tensor | None = None
        for rows, band in self.bands():
            if band.shape[2] == self.size[0]:
                return band
            made = self._empty(self.size[0]) if made is None else made
            made[:, :, rows] = band
        assert made is not None
        return made

    def _parts(self, tile: int | None) -> Iterator[dict[str, Part]]:
        # Squares of positions are whole where tiles end on multiples of theirs.
        return parts(self._encoder, self._picture, {*self._places, GRID_LAYER}, tile)

    def _empty(self, rows: int) -> Tensor:
        shape = (1, rows, self.size[1], self._channels)
        return torch.zeros(shape, dtype=STORED, device=self._picture.device).permute(0, 3, 1, 2)

    def _averaged(self, layer: str, part: Part) -> Part:
        """A layer's part, squares of its positions averaged to those of hypercolumns."""
        side = STRIDE // layer_stride(layer)
        top, left = part.rows.start // side, part.columns.start // side
        small = pooled(part.features, side, ceil=self._encoder.spec.pool_ceil)
        # A side of fewer than four pixels has no whole square.
        small = small[:, :, : self.size[0] - top, : self.size[1] - left]
        down, along = slice(top, top + small.shape[2]), slice(left, left + small.shape[3])
        return Part(small, down, along, self.size)

    def _put(self, part: Part, layer: str, band: Tensor, first: int) -> None:
        """Fill in a part of hypercolumns, 1×C×n×w, from row `first` on."""
        rows = slice(part.rows.start - first, part.rows.stop - first)
        band[:, self._places[layer], rows, part.columns] = part.features

    def _add_deep(self, band: Tensor, first: int) -> None:
        """Fill in the deeper layers of hypercolumns, 1×C×n×w, from row `first` on."""
        for layer in self._deep:
            for row, end in ranges(band.shape[2], max(1, _AT_ONCE // (self.size[1] * self._channels))):
                band[:, self._places[layer], row:end] = self._enlarged(layer, first + row, first + end)

    def _enlarged(self, layer: str, first: int, end: int) -> Tensor:
        """Some rows of a deeper layer, enlarged to the positions of hypercolumns: 1×C×n×w float32."""
        deep = self._deep[layer]
        count = deep.shape[2]
        # Where rows lie among the layer's own, by centres.
        at = (torch.arange(first, end, device=deep.device).float() + 0.5) * (count / self.size[0]) - 0.5
        at = at.clamp(0, count - 1)
        above = at.long()
        below = (above + 1).clamp_(max=count - 1)
        rows = torch.lerp(deep[:, :, above].float(), deep[:, :, below].float(), (at - above)[:, None])
        return F.interpolate(rows, (end - first, self.size[1]), mode="bilinear", align_corners=False)


def channel_places(encoder: VGG, layers: Sequence[str]) -> dict[str, slice]:
    """Where in a hypercolumn each layer's channels are."""
    places: dict[str, slice] = {}
    first = 0
    for layer in layers:
        channels = encoder.channels(layer)
        places[layer] = slice(first, first + channels)
        first += channels
    return places


def lengths(columns: Tensor, mean: Tensor, places: Mapping[str, slice]) -> dict[str, float]:
    """Root mean square length of each layer's part of 1×C×h×w hypercolumns, less the mean."""
    rows = columns[0].permute(1, 2, 0).flatten(0, 1)
    squares = torch.zeros(rows.shape[1], device=rows.device)
    for first, end in ranges(len(rows), _AT_ONCE // rows.shape[1]):
        squares += (rows[first:end].float() - mean).square().sum(0)
    return {layer: max(float(squares[place].sum()) / len(rows), _LEAST) ** 0.5 for layer, place in places.items()}


def scaled(columns: Tensor, mean: Tensor, gains: Tensor) -> Tensor:
    """Hypercolumns less the mean, times a gain a channel, in place."""
    rows = columns[0].permute(1, 2, 0).flatten(0, 1)
    for first, end in ranges(len(rows), _AT_ONCE // rows.shape[1]):
        rows[first:end] = (rows[first:end].float() - mean) * gains
    return columns


def gains_of(
    lengths: Mapping[str, float], weights: Mapping[str, float], places: Mapping[str, slice], device: torch.device
) -> Tensor:
    """What each channel is multiplied with for layers to count by their weights in an inner product."""
    total = max(place.stop for place in places.values())
    gains = torch.ones(total, device=device)
    for layer, place in places.items():
        gains[place] = weights[layer] ** 0.5 / lengths[layer]
    return gains


@dataclass(frozen=True)
class StyleColumns:
    """A style picture's hypercolumns, ready to be matched, and features to match single layers with.

    Attributes:
        columns: 1×C×h×w in `STORED`, centred and scaled.
        mean: of each channel before, C float32.
        lengths: root mean square length of each layer's part before, centred.
        samples: by layer, some positions' features at its own resolution, less the mean and of length 1:
            P×C in `STORED`.
        moments: by layer, mean and standard deviation of each channel, C float32.
    """

    columns: Tensor
    mean: Tensor
    lengths: Mapping[str, float]
    samples: Mapping[str, Tensor]
    moments: Mapping[str, tuple[Tensor, Tensor]]


def nearest(rows: Tensor, samples: Tensor, dtype: torch.dtype, values: int = _AT_ONCE) -> Tensor:
    """For each of P×C rows the most similar of N×C samples of length 1, by inner product in `dtype`: P int64."""
    samples = samples.to(dtype)
    found = [part.to(dtype).mm(samples.T).argmax(1) for part in rows.split(max(1, values // len(samples)))]
    return torch.cat(found)


def _mean(columns: Tensor) -> Tensor:
    """Mean of each channel of 1×C×h×w over positions, C float32."""
    rows = columns[0].permute(1, 2, 0).flatten(0, 1)
    total = torch.zeros(rows.shape[1], device=rows.device)
    for first, end in ranges(len(rows), max(1, _AT_ONCE // rows.shape[1])):
        total += rows[first:end].float().sum(0)
    return total / len(rows)
