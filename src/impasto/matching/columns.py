"""Hypercolumns: at every position of a picture the features of many layers, one below the other.

Hariharan et al. 2015, "Hypercolumns for Object Segmentation and Fine-grained Localization". Nearest-neighbour style
transfer matches by them: Kolkin et al. 2022, "Neural Neighbor Style Transfer".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..encoders.layers import pooled
from ..encoders.tiles import parts
from ..encoders.vgg import VGG
from ..strips import Size, ranges
from ..weights.canonical import layer_size
from ..weights.layers import layer_stride

STRIDE = 4
"""Pixels between the positions of hypercolumns."""

GRID_LAYER = "relu3_1"
"""A layer whose positions are those of hypercolumns."""

_AT_ONCE = 2**22  # values that are worked on together
_CHANNELS_AT_ONCE = 64  # that are enlarged together
_LEAST = 1e-12


def grid_size(encoder: VGG, picture: Size) -> Size:
    """Height and width of the hypercolumns of a picture of height and width `picture`."""
    return layer_size(encoder.spec, GRID_LAYER, *picture)


@torch.no_grad()
def hypercolumns(encoder: VGG, picture: Tensor, layers: Sequence[str], tile: int | None = None) -> Tensor:
    """The layers' features at every fourth pixel, in the order of `layers`.

    Shallower layers are averaged, deeper ones enlarged.

    Args:
        encoder: its arithmetic is the result's.
        picture: 1×3×H×W in [0, 1].
        layers: canonical, of blocks 1 to 4.
        tile: side in pixels of the tiles that the picture is encoded in; None for the whole at once.

    Returns:
        1×C×h×w, channels last.
    """
    size = (picture.shape[2], picture.shape[3])
    height, width = grid_size(encoder, size)
    places = channel_places(encoder, layers)
    total = sum(place.stop - place.start for place in places.values())
    made = torch.zeros(1, height, width, total, dtype=encoder.dtype, device=picture.device).permute(0, 3, 1, 2)
    deep: dict[str, Tensor] = {}
    # Squares of positions are whole where tiles end on multiples of theirs.
    for found in parts(encoder, picture, {*layers, GRID_LAYER}, tile):
        for layer, part in ((layer, found[layer]) for layer in layers):
            stride = layer_stride(layer)
            if stride <= STRIDE:
                side = STRIDE // stride
                small = pooled(part.features, side, ceil=encoder.spec.pool_ceil)
                top, left = part.rows.start // side, part.columns.start // side
                # A side of fewer than four pixels has no whole square.
                rows, columns = min(small.shape[2], height - top), min(small.shape[3], width - left)
                made[:, places[layer], top : top + rows, left : left + columns] = small[:, :, :rows, :columns]
            else:
                shape = (1, part.features.shape[1], *part.size)
                whole = deep.setdefault(layer, part.features.new_empty(shape))
                part.of(whole).copy_(part.features)
    for layer, whole in deep.items():
        first = places[layer].start
        for start, stop in ranges(whole.shape[1], _CHANNELS_AT_ONCE):
            larger = F.interpolate(whole[:, start:stop], (height, width), mode="bilinear", align_corners=False)
            made[:, first + start : first + stop] = larger
    return made


def channel_places(encoder: VGG, layers: Sequence[str]) -> dict[str, slice]:
    """Where in a hypercolumn each layer's channels are."""
    places: dict[str, slice] = {}
    first = 0
    for layer in layers:
        channels = encoder.channels(layer)
        places[layer] = slice(first, first + channels)
        first += channels
    return places


def centre(columns: Tensor) -> Tensor:
    """Mean of each channel over positions, C float32."""
    rows = columns[0].permute(1, 2, 0).flatten(0, 1)
    total = torch.zeros(rows.shape[1], device=rows.device)
    for first, end in ranges(len(rows), _AT_ONCE // rows.shape[1]):
        total += rows[first:end].float().sum(0)
    return total / len(rows)


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
        columns: 1×C×h×w, centred and scaled.
        mean: of each channel before, C float32.
        lengths: root mean square length of each layer's part before, centred.
        samples: by layer, some positions' features at its own resolution, less the mean and of length 1:
            P×C in the encoder's arithmetic.
        moments: by layer, mean and standard deviation of each channel, C float32.
    """

    columns: Tensor
    mean: Tensor
    lengths: Mapping[str, float]
    samples: Mapping[str, Tensor]
    moments: Mapping[str, tuple[Tensor, Tensor]]


def nearest(rows: Tensor, samples: Tensor, values: int = _AT_ONCE) -> Tensor:
    """For each of P×C rows the most similar of N×C samples of length 1, by inner product: P int64."""
    found = [part.to(samples.dtype).mm(samples.T).argmax(1) for part in rows.split(max(1, values // len(samples)))]
    return torch.cat(found)
