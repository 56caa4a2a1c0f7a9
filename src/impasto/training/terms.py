"""Loss terms over batches of crops: pure, differentiable, one number for the batch."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
"""Layers style is measured at, as in Huang & Belongie 2017."""

_DIRECTIONS = 12  # of colour, drawn anew each step


def relative(got: Tensor, expected: Tensor) -> Tensor:
    """``‖got − expected‖ / ‖expected‖`` of each example, N."""
    difference = (got.float() - expected.float()).flatten(1).norm(dim=1)
    return difference / expected.float().flatten(1).norm(dim=1).clamp_min(1e-6)


def grams(features: Tensor) -> Tensor:
    """Gram matrix of each example over its positions, N×C×H×W -> N×C×C float32."""
    matrix = features.float().flatten(2)
    return matrix @ matrix.transpose(1, 2) / matrix.shape[2]


def colour_distance(got: Tensor, expected: Tensor, seed: int) -> Tensor:
    """Sliced Wasserstein distance between the colours of two batches of pictures of one size.

    Colours are projected on random directions, sorted, and compared in order: 0 where both pictures hold the
    same colours in the same amounts, wherever they are.
    """
    generator = torch.Generator().manual_seed(seed)
    directions = F.normalize(torch.randn(3, _DIRECTIONS, generator=generator), dim=0).to(got.device)

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
