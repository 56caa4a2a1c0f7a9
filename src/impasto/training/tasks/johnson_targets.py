"""What the pictures of a feed-forward network are compared with, and the distances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ...encoders.vgg import VGG
from ...images.geometry import fit
from ...losses.functional import GramNorm
from ...statistics.moments import moments
from ...weights.layers import resolve_layer
from ..lattice import PaintingWaves
from ..nearest import style_rows
from ..terms import grams, relative
from .johnson_options import Form, JohnsonTraining

_HALVINGS = 2  # sizes at which nearest neighbours are compared: the picture's, and half of it


class StyleTargets:
    """What the pictures of S styles are compared with.

    Attributes:
        weights: weight of each layer in the style loss, by layer.
        grams: Gram matrices of the styles by layer, S×C×C float32.
        moments: `mean_and_std` of the styles by layer, S×2C×1 float32; empty without a loss of moments.
        painting_waves: for the loss against a lattice.
        rows: of each style, at each of its `halvings`; empty without a loss by nearest neighbours.
    """

    def __init__(self, vgg: VGG, pictures: Sequence[Tensor], options: JohnsonTraining) -> None:
        layers = {resolve_layer(name, vgg.spec.arch): weight for name, weight in options.style_layers.items()}
        self.weights = active(layers, options.style_weight)
        pictures = [resize_style(picture.to(vgg.device), options) for picture in pictures]
        self.painting_waves = PaintingWaves(
            *(torch.cat(values) for values in zip(*map(PaintingWaves.of, pictures), strict=True))
        )
        found = [vgg(picture, self.weights) for picture in pictures]
        self.moments = {
            layer: torch.cat([mean_and_std(features[layer]) for features in found])
            for layer in (self.weights if options.moments_weight else ())
        }
        self.rows = [
            [style_rows(vgg, small) for small in halvings(picture)]
            for picture in (pictures if options.nearest_weight else ())
        ]
        self.grams = {
            layer: torch.cat([gram(features[layer], options.gram_norm) for features in found])
            for layer in self.weights
        }


def active(layers: Mapping[str, float], weight: float) -> dict[str, float]:
    """Multiply the weights of layers by `weight`, and leave out layers whose weight is then 0."""
    return {layer: own * weight for layer, own in layers.items() if own * weight > 0}


def resize_style(style: Tensor, options: JohnsonTraining) -> Tensor:
    """Resize a style picture, 1×3×H×W, to the size at which it is learnt."""
    return fit(style, round(options.style_size * options.style_scale))


def gram(features: Tensor, norm: GramNorm) -> Tensor:
    """Return the Gram matrix of each example, N×C×H×W -> N×C×C, divided by positions or elements."""
    return grams(features) / (features.shape[1] if norm == "elements" else 1)


def distance(got: Tensor, target: Tensor, form: Form) -> Tensor:
    """Return the distance between two batches, averaged over the examples."""
    if form == "relative":
        return relative(got, target).square().mean()
    return (got.float() - target.float()).square().mean()


def halvings(picture: Tensor) -> list[Tensor]:
    """Return pictures, N×3×H×W, at their size and at half of it."""
    made = [picture]
    while len(made) < _HALVINGS:
        made.append(F.avg_pool2d(made[-1], 2))
    return made


def mean_and_std(features: Tensor) -> Tensor:
    """Return mean and standard deviation of each channel, N×C×H×W -> N×2C×1 float32."""
    found = moments(features)
    return torch.cat([found.mean, found.std], 1)[..., 0]
