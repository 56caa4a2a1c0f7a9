"""Loss terms over batches of crops: pure, differentiable, one number for the batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from ..encoders.layers import Tap
from ..encoders.vgg import VGG

STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
"""Layers style is measured at, as in Huang & Belongie 2017."""

_DIRECTIONS = 12  # of colour, drawn anew each step


class _Encode(torch.autograd.Function):
    """The encoder as one step of autograd: its own backward pass takes two thirds of autograd's time."""

    @staticmethod
    def forward(ctx: Any, picture: Tensor, vgg: VGG, layers: tuple[str, ...], again: bool) -> tuple[Tensor, ...]:
        """Features at `layers`."""
        features, ctx.pullback = vgg.vjp(picture, layers, again=again)
        ctx.layers = layers
        # Other tensors than those the way back holds: autograd would tie them to it in a ring, never to be freed.
        return tuple(features[layer].detach() for layer in layers)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None, None, None]:
        """Gradients at the layers, carried back to the picture."""
        taps: dict[str, Tap] = {}
        for layer, gradient in zip(ctx.layers, grad_outputs, strict=True):
            taps[layer] = lambda deeper, own=gradient: own.clone() if deeper is None else deeper.add_(own)
        return ctx.pullback(taps), None, None, None


def encode(vgg: VGG, picture: Tensor, layers: Sequence[str], *, again: bool = False) -> dict[str, Tensor]:
    """Features of `picture` by layer, differentiable with respect to it: once, or `again`."""
    found = cast(tuple[Tensor, ...], _Encode.apply(picture, vgg, tuple(layers), again))
    return dict(zip(layers, found, strict=True))


def relative(got: Tensor, expected: Tensor) -> Tensor:
    """``‖got − expected‖ / ‖expected‖`` of each example, N; both are N×C×H×W or N×C×K."""
    return _length(got.float() - expected.float()) / _length(expected.float()).clamp_min(1e-6)


def _length(values: Tensor) -> Tensor:
    """Euclidean norm of each example, N: of each channel first, since one long `norm` in float32 loses digits."""
    return values.flatten(2).norm(dim=2).norm(dim=1)


class _Grams(torch.autograd.Function):
    """Products of features with themselves: their gradient takes one product more, where autograd's takes two."""

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
    """Gram matrix of each example over its positions, N×C×H×W -> N×C×C float32.

    The product is in the features' own arithmetic: bfloat16 rounds it by 0.4 % at most, in a third of the time.
    """
    matrix = features.flatten(2)
    return cast(Tensor, _Grams.apply(matrix)).float() / matrix.shape[2]


def colour_distance(got: Tensor, expected: Tensor, seed: int) -> Tensor:
    """Sliced Wasserstein distance between the colours of two batches of pictures of one size.

    Colours are projected on random directions, sorted, and compared in order: 0 where both pictures hold the
    same colours in the same amounts, wherever they are.
    """
    generator = torch.Generator().manual_seed(seed)
    directions = F.normalize(torch.randn(3, _DIRECTIONS, generator=generator), dim=0)
    directions = directions.to(got.device, non_blocking=True)

    def sorted_shades(picture: Tensor) -> Tensor:
        shades = F.avg_pool2d(picture, 2).flatten(2).transpose(1, 2) @ directions
        return shades.sort(1).values

    return (sorted_shades(got) - sorted_shades(expected)).abs().mean()


def roughness(picture: Tensor) -> Tensor:
    """Mean squared difference between neighbouring pixels: total variation of order 2."""
    return picture.diff(dim=2).square().mean() + picture.diff(dim=3).square().mean()


def excess(picture: Tensor) -> Tensor:
    """How far pixels leave [0, 1], squared, on average."""
    return (picture - picture.clamp(0, 1)).square().mean()
