"""A loss by nearest neighbours: features of a picture approach those features of the style that suit the photo best.

Kolkin et al. 2022, "Neural Neighbor Style Transfer". A position of a picture is compared with the position of the
style whose hypercolumn is most like that of the photo and of the picture so far.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..encoders.vgg import VGG
from ..matching.columns import STRIDE, Hypercolumns, channel_gains, channel_slices, layer_lengths, nearest_samples
from ..weights.layers import layer_stride

LAYERS = ("relu2_1", "relu3_1", "relu4_1")
"""Layers of the hypercolumns."""

SO_FAR = 0.25
"""Share of the picture so far in what is matched, beside the photo."""

_CANDIDATES = 4096  # most positions of a style that are matched
_MARGIN = 2  # positions at the border of a style that are left out: their features have seen the padding


@dataclass(frozen=True)
class StyleRows:
    """Positions of a style that pictures are matched with.

    Attributes:
        rows: hypercolumns minus the style's mean, times `gains`, of length 1: K×C in the type of the products.
        gains: factor of each channel, so that all layers count alike: C float32.
        means: mean of each channel, C float32.
    """

    rows: Tensor
    gains: Tensor
    means: Tensor


@torch.no_grad()
def style_rows(vgg: VGG, picture: Tensor, seed: int = 0) -> StyleRows:
    """Encode a style picture, 1×3×H×W in [0, 1], and draw `_CANDIDATES` of its positions at most."""
    columns = Hypercolumns(vgg, picture.to(vgg.device), LAYERS)
    means, places = columns.mean, channel_slices(vgg, LAYERS)
    found = columns.whole()
    gains = channel_gains(layer_lengths(found, means, places), dict.fromkeys(LAYERS, 1.0), places, vgg.device)
    height, width = found.shape[2:]
    inner = found[0, :, _MARGIN : max(height - _MARGIN, _MARGIN + 1), _MARGIN : max(width - _MARGIN, _MARGIN + 1)]
    rows = inner.flatten(1).T
    drawn = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))[:_CANDIDATES].to(rows.device)
    rows = F.normalize((rows[drawn].float() - means) * gains, dim=1)
    return StyleRows(rows.to(vgg.dtype), gains, means)


def grid_features(features: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Bring the features of `LAYERS`, N×C×H×W, to every fourth pixel: N×C×h×w float32."""
    size = features["relu3_1"].shape[2:]
    made: dict[str, Tensor] = {}
    for layer in LAYERS:
        values = features[layer].float()
        side = STRIDE // layer_stride(layer)
        if side > 1:
            values = F.avg_pool2d(values, side)
        elif side < 1:
            values = F.interpolate(values, size, mode="bilinear", align_corners=False)
        made[layer] = values[:, :, : size[0], : size[1]]
    return made


def nearest_loss(
    found: Mapping[str, Tensor],
    photos: Mapping[str, Tensor],
    styles: Sequence[StyleRows],
    places: Mapping[str, slice],
) -> Tensor:
    """Return the mean over layers and positions of 1 − cosine between features and those of their matches.

    Args:
        found: features of the pictures by layer, N×C×H×W. The gradient is with respect to these.
        photos: features of the photos that the pictures were painted from, of the same shapes.
        styles: the style of each picture, N of them.
        places: the channels of each layer in a hypercolumn; see `channel_slices`.
    """
    own, of_photos = grid_features(found), grid_features(photos)
    losses: list[Tensor] = []
    for n, style in enumerate(styles):
        with torch.no_grad():
            mixed = torch.cat(
                [torch.lerp(_centred(of_photos[layer][n]), _centred(own[layer][n]), SO_FAR) for layer in LAYERS], 1
            )
            match = nearest_samples(mixed * style.gains, style.rows, style.rows.dtype)
        for layer in LAYERS:
            place = places[layer]
            x = own[layer][n].flatten(1).T - style.means[place]
            target = style.rows[:, place][match].float()
            losses.append(1 - F.cosine_similarity(x, target, dim=1).mean())
    return torch.stack(losses).mean()


def _centred(features: Tensor) -> Tensor:
    """Positions of C×h×w features, minus their mean: P×C."""
    rows = features.detach().flatten(1).T
    return rows - rows.mean(0)
