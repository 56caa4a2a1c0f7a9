"""Loss terms of batches of crops: differentiable functions that give one number for a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from ..encoders.layers import Tap
from ..encoders.vgg import VGG

STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
"""Layers at which style is measured, as in Huang & Belongie 2017."""

_SQUARE = 16  # pixels
_COLOURS = 4.0  # weight of colours beside features
_DIRECTIONS = 12  # random directions in colour space, new in each step


class _Encode(torch.autograd.Function):
    """The encoder as one operation of autograd. Its own backward pass takes two thirds of the time of autograd's."""

    @staticmethod
    def forward(ctx: Any, picture: Tensor, vgg: VGG, layers: tuple[str, ...], again: bool) -> tuple[Tensor, ...]:
        """Features at `layers`."""
        features, ctx.pullback = vgg.vjp(picture, layers, again=again)
        ctx.layers = layers
        # New tensors: `pullback` holds the features, which autograd would link to it in a cycle that is never freed.
        return tuple(features[layer].detach() for layer in layers)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None, None, None]:
        """Carry the gradients of the layers back to the picture."""
        taps: dict[str, Tap] = {}
        for layer, gradient in zip(ctx.layers, grad_outputs, strict=True):
            taps[layer] = lambda deeper, own=gradient: own.clone() if deeper is None else deeper.add_(own)
        return ctx.pullback(taps), None, None, None


def encode(vgg: VGG, picture: Tensor, layers: Sequence[str], *, again: bool = False) -> dict[str, Tensor]:
    """Compute features that are differentiable with respect to the picture.

    Args:
        vgg: the encoder.
        picture: N×3×H×W.
        layers: canonical names.
        again: the gradient can be computed more than once.

    Returns:
        Features by layer, N×C×H×W.
    """
    found = cast(tuple[Tensor, ...], _Encode.apply(picture, vgg, tuple(layers), again))
    return dict(zip(layers, found, strict=True))


def relative(got: Tensor, expected: Tensor) -> Tensor:
    """Return ``‖got − expected‖ / ‖expected‖`` of each example, N float32; both are N×C×H×W or N×C×K."""
    return _length(got.float() - expected.float()) / _length(expected.float()).clamp_min(1e-6)


def _length(values: Tensor) -> Tensor:
    """Euclidean norm of each example, N. It is taken of each channel first: one long sum in float32 loses digits."""
    return values.flatten(2).norm(dim=2).norm(dim=1)


class _Grams(torch.autograd.Function):
    """Products of features with themselves. The gradient takes one matrix product; autograd's takes two."""

    @staticmethod
    def forward(ctx: Any, matrix: Tensor) -> Tensor:
        """N×C×P -> N×C×C."""
        ctx.save_for_backward(matrix)
        return matrix @ matrix.transpose(1, 2)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Tensor:
        """N×C×P."""
        (matrix,), (gradient,) = ctx.saved_tensors, grad_outputs
        return (gradient + gradient.transpose(1, 2)) @ matrix


def grams(features: Tensor) -> Tensor:
    """Return the Gram matrix of each example divided by its positions, N×C×H×W -> N×C×C float32.

    The product is computed in the type of the features. In bfloat16 its error is 0.4 % at most.
    """
    matrix = features.flatten(2)
    return cast(Tensor, _Grams.apply(matrix)).float() / matrix.shape[2]


def colour_distance(got: Tensor, expected: Tensor, seed: int) -> Tensor:
    """Return the sliced Wasserstein distance between the colours of two batches, N×3×H×W of the same size.

    Colours are projected on random directions, sorted, and compared in order. So the distance is 0 where both
    pictures have the same colours in the same amounts, wherever these are. Pictures are halved first.

    Args:
        got: pictures.
        expected: pictures.
        seed: of the directions.
    """
    generator = torch.Generator().manual_seed(seed)
    directions = F.normalize(torch.randn(3, _DIRECTIONS, generator=generator), dim=0)
    directions = directions.to(got.device, non_blocking=True)

    def sorted_projections(picture: Tensor) -> Tensor:
        projections = F.avg_pool2d(picture, 2).flatten(2).transpose(1, 2) @ directions
        return projections.sort(1).values

    return (sorted_projections(got) - sorted_projections(expected)).abs().mean()


def roughness(picture: Tensor) -> Tensor:
    """Return the mean squared difference between neighbouring pixels, down plus across, of N×3×H×W."""
    return picture.diff(dim=2).square().mean() + picture.diff(dim=3).square().mean()


def excess(picture: Tensor) -> Tensor:
    """Return the mean square by which values leave [0, 1]."""
    return (picture - picture.clamp(0, 1)).square().mean()


def lesson_loss(vgg: VGG, picture: Tensor, painting: Tensor) -> Tensor:
    """Return how far pictures are from a teacher's paintings, both N×3×H×W in [0, 1].

    It is the mean of the relative distances of Gram matrices at `STYLE_LAYERS`, plus the mean absolute difference of
    colours. A net cannot know where each stroke of the teacher lies: to compare features place by place would teach
    it the mean of all places, which is blurred. So strokes are compared by Gram matrices, and colours by means of
    squares.
    """
    with torch.no_grad():
        expected = vgg(painting, STYLE_LAYERS)
    found = encode(vgg, picture, STYLE_LAYERS)
    strokes = torch.stack([relative(grams(found[layer]), grams(expected[layer])) for layer in STYLE_LAYERS]).mean()
    colours = F.avg_pool2d(picture - painting, min(_SQUARE, *picture.shape[2:])).abs().mean()
    return strokes + _COLOURS * colours
