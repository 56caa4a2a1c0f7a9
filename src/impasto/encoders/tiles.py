"""A picture's features computed tile by tile; each is exactly that of the whole picture.

A feature depends only on the pixels in its receptive field. So a tile is encoded with a halo as wide as that field,
and only the features of its core are used, which do not depend on the halo's edge. At the border of the picture a
tile has no halo: there the network pads, as it does for the whole picture.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor

from ..weights.canonical import EncoderSpec, layer_size
from ..weights.layers import convs_until, deepest, layer_stride
from .vgg import VGG

SMALLEST = 64
"""Smallest side of a tile in pixels: four positions of the deepest convolutions."""


@dataclass(frozen=True)
class Part:
    """A rectangular part of a layer.

    Attributes:
        features: its features, 1×C×h×w.
        rows: its rows in the whole layer.
        columns: its columns in the whole layer.
        size: height and width of the whole layer.
    """

    features: Tensor
    rows: slice
    columns: slice
    size: tuple[int, int]

    @classmethod
    def whole(cls, features: Tensor) -> Part:
        """Make a part of all positions of a layer."""
        height, width = features.shape[2:]
        return cls(features, slice(0, height), slice(0, width), (height, width))

    def of(self, whole: Tensor) -> Tensor:
        """Return the same positions of another tensor of the whole layer, sharing its memory."""
        return whole[:, :, self.rows, self.columns]


@dataclass(frozen=True)
class Tile:
    """A tile of a picture.

    Attributes:
        crop: rows and columns of the picture that are encoded: the core and its halo.
        core: rows and columns whose features are used.
        picture: height and width of the picture.
    """

    crop: tuple[slice, slice]
    core: tuple[slice, slice]
    picture: tuple[int, int]

    def pixels(self, picture: Tensor) -> Tensor:
        """Return the crop of a picture, sharing its memory."""
        return picture[:, :, *self.crop]

    def inside(self, layer: str, features: Tensor) -> Tensor:
        """Return the core's features from the crop's features at `layer`, sharing their memory."""
        stride = layer_stride(layer)
        return features[
            :, :, *(_inner(*axis, stride) for axis in zip(self.crop, self.core, self.picture, strict=True))
        ]

    def part(self, layer: str, features: Tensor, spec: EncoderSpec) -> Part:
        """Return the core's features at `layer` as a part of the whole layer."""
        inner = self.inside(layer, features)
        stride = layer_stride(layer)
        top, left = (core.start // stride for core in self.core)
        height, width = inner.shape[2:]
        return Part(
            inner, slice(top, top + height), slice(left, left + width), layer_size(spec, layer, *self.picture)
        )


def _inner(crop: slice, core: slice, side: int, stride: int) -> slice:
    # The last tile includes the end, since the side need not be a multiple of the stride.
    stop = None if core.stop == side else (core.stop - crop.start) // stride
    return slice((core.start - crop.start) // stride, stop)


def halo(spec: EncoderSpec, layers: Collection[str]) -> int:
    """The width of a tile's halo in pixels for features at canonical `layers`, a multiple of the deepest stride."""
    last = deepest(layers, spec.arch)
    # A convolution reaches one position further on each side; pooling windows do not overlap.
    reach = sum(layer_stride(conv) for conv in convs_until(spec.arch, last))
    unit = layer_stride(last)
    return -(-reach // unit) * unit


def cut_tiles(spec: EncoderSpec, layers: Collection[str], height: int, width: int, side: int | None) -> list[Tile]:
    """Cut a picture into tiles whose cores cover it.

    Borders are on multiples of the deepest layer's stride, so pooling windows are those of the whole picture.

    Args:
        spec: the encoder.
        layers: canonical layers to encode.
        height: height of the picture.
        width: width of the picture.
        side: approximate side of a core in pixels; None for one tile. Small pictures have one tile, too.
    """
    rows, columns = (_split_side(spec, layers, length, min(height, width), side) for length in (height, width))
    return [
        Tile((crop_rows, crop_columns), (core_rows, core_columns), (height, width))
        for crop_rows, core_rows in rows
        for crop_columns, core_columns in columns
    ]


def largest_tile(
    spec: EncoderSpec, layers: Collection[str], height: int, width: int, side: int | None
) -> tuple[int, int, int]:
    """Return the pixels of the largest crop and the largest core of `cut_tiles`, and the number of tiles."""
    rows, columns = (_split_side(spec, layers, length, min(height, width), side) for length in (height, width))
    crop, core = (
        math.prod(max(axis[which].stop - axis[which].start for axis in axes) for axes in (rows, columns))
        for which in (0, 1)
    )
    return crop, core, len(rows) * len(columns)


def _split_side(
    spec: EncoderSpec, layers: Collection[str], length: int, shorter: int, side: int | None
) -> list[tuple[slice, slice]]:
    """Crops and cores along a side of `length` pixels; `shorter` is the picture's shorter side."""
    unit = layer_stride(deepest(layers, spec.arch)) if layers else 1
    if side is None or not layers or shorter < 2 * unit:
        return [(slice(0, length), slice(0, length))]
    reach = halo(spec, layers)
    count = max(1, min(-(-length // max(side, SMALLEST)), length // (2 * unit)))
    bounds = [*(round(i * length / count / unit) * unit for i in range(count)), length]
    return [
        (slice(max(0, start - reach), min(length, stop + reach)), slice(start, stop))
        for start, stop in pairwise(bounds)
    ]


def encode_tiles(
    encoder: VGG, picture: Tensor, layers: Collection[str], side: int | None
) -> Iterator[dict[str, Part]]:
    """Encode a picture tile by tile.

    Args:
        encoder: computes the features.
        picture: 1×3×H×W in [0, 1].
        layers: canonical layers.
        side: approximate side of a tile in pixels; None for the whole picture.

    Yields:
        The core's features by layer. Together, they are the features of the whole picture.
    """
    for tile in cut_tiles(encoder.spec, layers, picture.shape[2], picture.shape[3], side):
        found = encoder(tile.pixels(picture), layers)
        yield {layer: tile.part(layer, features, encoder.spec) for layer, features in found.items()}
