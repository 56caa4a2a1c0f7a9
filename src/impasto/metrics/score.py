"""How near a painting is to its style and to its photograph, and how true an inverse is to its features.

Measured on VGG-19 (Oxford's, max pooling), pictures 512 px on their longest side:

* style: mean over relu1_1 … relu4_1 of ``‖G(x)−G(s)‖ / ‖G(s)‖``, G the Gram matrix divided by the positions;
* content: ``‖F(x)−F(c)‖ / ‖F(c)‖`` at relu4_1.

`texture` is a third, of pixels alone: `metrics.texture` defines it.

Smaller is nearer; 0 is the style's statistics, the photograph's features. An untouched photograph has content 0.
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
class Inverts(Protocol):
    """A painter that turns features back into a picture."""

    def feature_errors(self, content: Tensor) -> dict[str, float]:
        """``‖Φ(f(H))−H‖ / ‖H‖`` by kind of features: of the photograph, of the painting, and transformed."""
        ...


def distances(encoder: VGG, picture: Tensor, photo: Tensor, style: Mapping[str, Tensor]) -> Distances:
    """Distances on a given encoder, at the pictures' own size.

    Args:
        encoder: reaching relu4_1.
        picture: 1×3×H×W.
        photo: of the same size.
        style: the style's features at `LAYERS`, at any size.
    """
    found = encoder(picture, LAYERS)
    apart = [relative_distance(gram(found[layer].float()), gram(style[layer].float())) for layer in LAYERS]
    own = encoder(photo, LAYERS[-1:])[LAYERS[-1]]
    return Distances(sum(apart) / len(apart), relative_distance(found[LAYERS[-1]], own))


class Ruler:
    """The one way pictures are compared here: see the module's definition. Float32, whatever the device."""

    def __init__(self, device: torch.device) -> None:
        self.encoder = VGG(load("vgg19", until=LAYERS[-1]), device=device, until=LAYERS[-1])

    @torch.no_grad()
    def measure(self, picture: Tensor, photo: Tensor, style: Tensor) -> Score:
        """Distances of pictures of any sizes, 1×3×H×W in [0, 1] each; the painting takes the photo's shape."""
        photo = fit(photo.to(self.encoder.device), SIZE)
        picture = resize(picture.to(self.encoder.device), *photo.shape[2:])
        style = fit(style.to(self.encoder.device), SIZE)
        found = distances(self.encoder, picture, photo, self.encoder(style, LAYERS))
        return Score(*found, texture_distance(picture, style, size=SIZE))
