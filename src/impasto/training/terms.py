"""Loss terms over batches of crops: pure, differentiable, one number for the batch."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from ..encoders.vgg import VGG, Tap

STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
"""Layers style is measured at, as in Huang & Belongie 2017."""

_DIRECTIONS = 12  # of colour, drawn anew each step
_WINDOW = 64  # pixels, in which waves are told apart
_LONGEST = 12  # pixels, of the waves that a network's grid makes
_FAINT = 0.05  # power in a window that counts as none: noise of two levels has as much
_EVEN = 0.5  # power from which on a window is full of things: noise of seven levels has as much
_CHANCE = 2.0  # in the logarithm of a single window's power, how far a wave stands out of others for no reason
_FAR = 0.5  # likewise, from where on a wave that stands out twice as far counts twice, and no more
_PATCH = 16  # pixels a side over which flicker is averaged
_CELL = 8  # pixels a side over which tones are averaged


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
    """``‖got − expected‖ / ‖expected‖`` of each example, N."""
    difference = (got.float() - expected.float()).flatten(1).norm(dim=1)
    return difference / expected.float().flatten(1).norm(dim=1).clamp_min(1e-6)


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


def waves(pictures: Tensor) -> Tensor:
    """Power of the waves in small windows of pictures, N×3×h×w×64×33, in three channels apart.

    Of brightness, of red against blue, and of green against both: stripes of colour are plain to the eye where they
    are little beside the brushwork in brightness.
    """
    height, width = pictures.shape[2:]
    seen = F.pad(pictures.float(), (0, max(0, _WINDOW - width), 0, max(0, _WINDOW - height)), mode="replicate")
    seen = torch.einsum("dc,nchw->ndhw", _opponent(seen.device), seen)
    hann = torch.hann_window(_WINDOW, device=pictures.device)
    windows = seen.unfold(2, _WINDOW, _WINDOW // 2).unfold(3, _WINDOW, _WINDOW // 2)
    turning = torch.fft.rfft2((windows - windows.mean((-2, -1), keepdim=True)) * hann * hann[:, None])
    return torch.view_as_real(turning).square().sum(-1)


@functools.cache
def _opponent(device: torch.device) -> Tensor:
    """From red, green and blue to brightness, red against blue, and green against both, 3×3, orthonormal."""
    return F.normalize(torch.tensor([[1.0, 1, 1], [1, 0, -1], [1, -2, 1]]), dim=1).to(device)


def evenness(power: Tensor) -> Tensor:
    """How much of each window of photographs is even, N×1×h×w above 0, at most 1, by their `waves`.

    There a network has nothing to follow but its own grid, and there a lattice shows.
    """
    short = _short(power).float()
    return 1 / (1 + (power * short).sum((1, -2, -1)).unsqueeze(1) / (3 * short.sum() * _EVEN))


def spectrum(power: Tensor, share: Tensor | None = None) -> Tensor:
    """Logarithm of the power of `waves`, averaged over the windows, N×3×64×33: of all alike, or each by its share."""
    logarithm = (power + _FAINT).log()
    if share is None:
        return logarithm.mean((2, 3))
    share = (share / share.sum((2, 3), keepdim=True))[..., None, None]
    return (logarithm * share).sum((2, 3))


def standing_out(spectra: Tensor) -> Tensor:
    """How far each wave of 12 pixels or less stands out of those as long in other directions, of `spectrum`'s.

    A network's grid is upright, and so is what it makes of it: a lattice, or a weave of whatever length of wave.

    Returns:
        In the shape of `spectra`; 0 for longer waves.
    """
    turns, count = _rings(*spectra.shape[-2:], spectra.device)
    ring, flat = turns.flatten(), spectra.flatten(-2)
    mean = flat.new_zeros(*flat.shape[:-1], len(count)).index_add(-1, ring, flat) / count
    return (flat - mean[..., ring]).view_as(spectra) * _short(spectra)


def _short(spectra: Tensor) -> Tensor:
    """Which waves are no longer than a network's grid makes them."""
    side = spectra.shape[-2]
    return _rings(side, spectra.shape[-1], spectra.device)[0] >= side // _LONGEST


@functools.cache
def _rings(side: int, across: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """How often each wave of a spectrum turns in a window, side×across, and how many waves turn so often."""
    down = torch.fft.fftfreq(side, 1 / side)[:, None]
    turns = torch.hypot(down, torch.arange(across).float()).round().long()
    return turns.to(device), torch.bincount(turns.flatten()).to(device)


def lattice(pictures: Tensor, share: Tensor, *natural: Tensor) -> Tensor:
    """How far waves stand out in pictures, beyond what they do in what each is made of.

    Args:
        pictures: N×3×H×W.
        share: how much each of their windows counts, N×1×h×w: the photographs' `evenness`.
        natural: from `spectrum`, N each: of the photographs, by the same share, and of the paintings.

    Returns:
        Mean over the waves, in the logarithm of the power: squared where it is little, as it is where it is much, or
        the few pictures full of stripes would be all that counts.
    """
    made_of = torch.stack(natural).logsumexp(0)
    beyond = standing_out(spectrum(waves(pictures), share)) - standing_out(made_of)
    count = share.sum((2, 3), keepdim=True).square() / share.square().sum((2, 3), keepdim=True)  # of those that count
    beyond = (beyond - _CHANCE / count.sqrt()).relu()
    return (beyond.square() / (beyond + _FAR)).mean()


def flicker(pictures: Tensor) -> Tensor:
    """How colour, apart from brightness, turns from a pixel to the next and back, N×1×h×w for patches of 16 pixels.

    Mean absolute second difference of each channel less the mean of all three, down and across. Photographs and
    paintings have little of it; what a network adds there hardly moves an encoder's features, and the eye sees fleck.
    """
    colour = pictures.float() - pictures.float().mean(1, keepdim=True)
    down, across = colour.diff(n=2, dim=2)[..., 1:-1].abs(), colour.diff(n=2, dim=3)[:, :, 1:-1].abs()
    return F.avg_pool2d((down + across).mean(1, keepdim=True), min(_PATCH, *down.shape[2:]))


def fleck(pictures: Tensor, outlines: Tensor, manner: Tensor) -> Tensor:
    """How far pictures flicker more than what they are made of, on average.

    Args:
        pictures: N×3×H×W.
        outlines: `flicker` of the photographs, of each in the same place.
        manner: `flicker` of the paintings, of each as much everywhere as it has on average.
    """
    natural = torch.maximum(outlines, manner.mean((2, 3), keepdim=True))
    return (flicker(pictures) - natural).relu().mean()


def excess(picture: Tensor) -> Tensor:
    """How far pixels leave [0, 1], squared, on average."""
    return (picture - picture.clamp(0, 1)).square().mean()


def departure(
    pictures: Tensor, found: Mapping[str, Tensor], others: Tensor, features: Mapping[str, Tensor]
) -> Tensor:
    """How far pictures are from others, N×3×H×W, squared and relative: in features, and in tones of 8 by 8 pixels.

    Args:
        pictures: N×3×H×W.
        found: their features, by layer.
        others: as large.
        features: of the others, at the layers that are looked at.
    """
    apart = [relative(found[layer], aim).square().mean() for layer, aim in features.items()]
    tones, aims = (F.avg_pool2d(batch.float(), min(_CELL, *batch.shape[2:])) for batch in (pictures, others))
    return torch.stack([*apart, relative(tones, aims).square().mean()]).mean()
