"""A picture's features worked out tile by tile, each position exactly as in the whole picture.

A feature depends on the pixels within its receptive field alone. A tile is therefore encoded with a halo as
wide as that field, and answers only for positions that do not feel the halo's edge. Where a tile ends at the
picture's own border it has no halo: there the network pads, as it does for the whole picture.
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
"""Least side of a tile in pixels: four positions of the deepest convolutions."""


@dataclass(frozen=True)
class Part:
    """Some positions of a layer: their features, and where they are in the whole.

    Attributes:
        features: 1×C×h×w.
        rows: of the whole layer.
        columns: of the whole layer.
        size: height and width of the whole layer.
    """

    features: Tensor
    rows: slice
    columns: slice
    size: tuple[int, int]

    @classmethod
    def whole(cls, features: Tensor) -> Part:
        """All positions of a layer."""
        height, width = features.shape[2:]
        return cls(features, slice(0, height), slice(0, width), (height, width))

    def of(self, whole: Tensor) -> Tensor:
        """The same positions of another map of the whole layer."""
        return whole[:, :, self.rows, self.columns]


@dataclass(frozen=True)
class Tile:
    """The pixels a tile is encoded from, and those whose features it answers for.

    Attributes:
        crop: rows and columns of the picture, halo included.
        core: rows and columns of the picture.
        picture: height and width of the picture.
    """

    crop: tuple[slice, slice]
    core: tuple[slice, slice]
    picture: tuple[int, int]

    def pixels(self, picture: Tensor) -> Tensor:
        """The crop of a picture, a view."""
        return picture[:, :, *self.crop]

    def inside(self, layer: str, features: Tensor) -> Tensor:
        """Of the crop's features at `layer`, those the tile answers for, a view."""
        stride = layer_stride(layer)
        return features[
            :, :, *(_inner(*axis, stride) for axis in zip(self.crop, self.core, self.picture, strict=True))
        ]

    def part(self, layer: str, features: Tensor, spec: EncoderSpec) -> Part:
        """`inside`, with its place in the whole layer."""
        inner = self.inside(layer, features)
        stride = layer_stride(layer)
        top, left = (core.start // stride for core in self.core)
        height, width = inner.shape[2:]
        return Part(
            inner, slice(top, top + height), slice(left, left + width), layer_size(spec, layer, *self.picture)
        )


def _inner(crop: slice, core: slice, side: int, stride: int) -> slice:
    # The last tile goes to the end, where the side need not be a multiple of the stride.
    stop = None if core.stop == side else (core.stop - crop.start) // stride
    return slice((core.start - crop.start) // stride, stop)


def halo(spec: EncoderSpec, layers: Collection[str]) -> int:
    """Pixels around a tile that its features at canonical `layers` depend on, a multiple of the deepest stride."""
    last = deepest(layers, spec.arch)
    # A convolution reaches one position further to each side; pooling windows do not overlap.
    reach = sum(layer_stride(conv) for conv in convs_until(spec.arch, last))
    unit = layer_stride(last)
    return -(-reach // unit) * unit


def cut(spec: EncoderSpec, layers: Collection[str], height: int, width: int, side: int | None) -> list[Tile]:
    """Tiles of about `side` pixels that cover a picture; a single one for None, or where it is small.

    Their borders lie on multiples of the deepest layer's stride, so that pooling windows are the whole picture's.
    """
    rows, columns = (_along(spec, layers, length, min(height, width), side) for length in (height, width))
    return [
        Tile((crop_rows, crop_columns), (core_rows, core_columns), (height, width))
        for crop_rows, core_rows in rows
        for crop_columns, core_columns in columns
    ]


def largest(
    spec: EncoderSpec, layers: Collection[str], height: int, width: int, side: int | None
) -> tuple[int, int, int]:
    """Pixels of the largest crop and of the largest core that `cut` makes, and how many tiles."""
    rows, columns = (_along(spec, layers, length, min(height, width), side) for length in (height, width))
    crop, core = (
        math.prod(max(axis[which].stop - axis[which].start for axis in axes) for axes in (rows, columns))
        for which in (0, 1)
    )
    return crop, core, len(rows) * len(columns)


def _along(
    spec: EncoderSpec, layers: Collection[str], length: int, shorter: int, side: int | None
) -> list[tuple[slice, slice]]:
    """Crops and cores along a picture's side of `length` pixels; `shorter` is its shorter side."""
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


def parts(encoder: VGG, picture: Tensor, layers: Collection[str], side: int | None) -> Iterator[dict[str, Part]]:
    """Features of a picture at canonical `layers`, tile by tile; together they are the whole picture's."""
    for tile in cut(encoder.spec, layers, picture.shape[2], picture.shape[3], side):
        found = encoder(tile.pixels(picture), layers)
        yield {layer: tile.part(layer, features, encoder.spec) for layer, features in found.items()}
