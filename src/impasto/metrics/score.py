"""Distances of a painting x to its style s and to its photograph c.

They are measured by VGG-19 (Oxford's, max pooling) on pictures with a longest side of 512 px:

* style: the mean over relu1_1, relu2_1, relu3_1 and relu4_1 of ``‖G(x) − G(s)‖ / ‖G(s)‖``, with G the Gram matrix
  divided by the number of positions;
* content: ``‖F(x) − F(c)‖ / ‖F(c)‖`` at relu4_1, with F the features.

A third distance, texture, is of pixels alone; see `metrics.texture`. Smaller is nearer. The photograph itself has
content 0, the style picture itself has style 0 and texture 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from ..encoders.vgg import VGG
from ..images.geometry import fit, resize
from ..losses.functional import gram, relative_distance
from ..weights.load import load
from .texture import texture_distance

LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
SIZE = 512


class Distances(NamedTuple):
    """Relative distances to the style and to the photograph."""

    style: float
    content: float


class Score(NamedTuple):
    """`Distances`, and the distance of textures to the style."""

    style: float
    content: float
    texture: float


@runtime_checkable
class FeatureInverter(Protocol):
    """A painter whose network inverts features to a picture."""

    def feature_errors(self, content: Tensor) -> dict[str, float]:
        """Return ``‖Φ(f(H)) − H‖ / ‖H‖`` of features H by their kind, with Φ the encoder and f the network."""
        ...


def distances(encoder: VGG, picture: Tensor, photo: Tensor, style: Mapping[str, Tensor]) -> Distances:
    """Style and content distances by a given encoder, at the pictures' photo_features size.

    Args:
        encoder: an encoder that has relu4_1.
        picture: 1×3×H×W in [0, 1].
        photo: 1×3×H×W in [0, 1].
        style: the style's features at `LAYERS`, of any size.
    """
    found = encoder(picture, LAYERS)
    by_layer = [relative_distance(gram(found[layer].float()), gram(style[layer].float())) for layer in LAYERS]
    photo_features = encoder(photo, LAYERS[-1:])[LAYERS[-1]]
    return Distances(sum(by_layer) / len(by_layer), relative_distance(found[LAYERS[-1]], photo_features))


class Scorer:
    """Measures pictures as the module says, in float32.

    Args:
        device: device to run on.

    Raises:
        WeightsError: VGG-19 is not on this machine.
    """

    def __init__(self, device: torch.device) -> None:
        self.encoder = VGG(load("vgg19", until=LAYERS[-1]), device=device, until=LAYERS[-1])

    @torch.no_grad()
    def measure(self, picture: Tensor, photo: Tensor, style: Tensor) -> Score:
        """Return the distances of pictures of any sizes, 1×3×H×W in [0, 1] each.

        The painting is resized to the proportions of the photo.
        """
        photo = fit(photo.to(self.encoder.device), SIZE)
        picture = resize(picture.to(self.encoder.device), *photo.shape[2:])
        style = fit(style.to(self.encoder.device), SIZE)
        found = distances(self.encoder, picture, photo, self.encoder(style, LAYERS))
        return Score(*found, texture_distance(picture, style, size=SIZE))
