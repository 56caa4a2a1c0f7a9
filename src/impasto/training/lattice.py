"""Artefacts of a network's grid: short upright waves (a lattice), and single pixels of another colour (fleck).

A network makes them in even areas first. An encoder's features hardly notice them, so they need losses of their own.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

_WINDOW = 64  # pixels, in which waves are distinguished
_LONGEST = 12  # pixels, of the waves that a network's grid makes
_FAINT = 0.05  # power in a window that counts as none: noise of two levels has as much
_EVEN = 0.5  # power from which on a window is full of things: noise of seven levels has as much
_CHANCE = 2.0  # by chance, a wave of one window stands out so far in the logarithm of its power
_FAR = 0.5  # in the same logarithm; beyond it a wave's loss grows linearly, not by squares
_PATCH = 16  # pixels a side over which flicker is averaged


class PhotoWaves(NamedTuple):
    """Waves and flicker that N photographs have themselves, place by place.

    Attributes:
        share: their `evenness`, N×1×h×w.
        spectrum: theirs by that share, N×3×64×33.
        flicker: N×1×h'×w'.
    """

    share: Tensor
    spectrum: Tensor
    flicker: Tensor

    @classmethod
    def of(cls, photos: Tensor) -> PhotoWaves:
        """Of N×3×H×W."""
        power = waves(photos)
        share = evenness(power)
        return cls(share, spectrum(power, share), flicker(photos))

    def at(self, places: Tensor) -> PhotoWaves:
        """Of the photographs at these places."""
        return PhotoWaves(*(value[places] for value in self))


class PaintingWaves(NamedTuple):
    """Waves and flicker that N paintings have themselves, averaged over each.

    Attributes:
        spectrum: N×3×64×33.
        flicker: N×1×1×1.
    """

    spectrum: Tensor
    flicker: Tensor

    @classmethod
    def of(cls, paintings: Tensor) -> PaintingWaves:
        """Of N×3×H×W."""
        return cls(spectrum(waves(paintings)), flicker(paintings).mean((2, 3), keepdim=True))

    def at(self, places: Tensor) -> PaintingWaves:
        """Of the paintings at these places."""
        return PaintingWaves(*(value[places] for value in self))


def grid_terms(
    pictures: Tensor, photos: PhotoWaves, paintings: PaintingWaves, *, lattice_weight: float, fleck_weight: float
) -> dict[str, Tensor]:
    """Weighted loss terms of pictures N×3×H×W, for artefacts beyond what photo and painting have."""
    terms: dict[str, Tensor] = {}
    if lattice_weight:
        terms["lattice"] = lattice_weight * lattice(pictures, photos.share, photos.spectrum, paintings.spectrum)
    if fleck_weight:
        terms["fleck"] = fleck_weight * fleck(pictures, photos.flicker, paintings.flicker)
    return terms


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


def fleck(pictures: Tensor, photos: Tensor, paintings: Tensor) -> Tensor:
    """How far pictures flicker more than what they are made of, on average.

    Args:
        pictures: N×3×H×W.
        photos: `flicker` of the photographs, of each in the same place.
        paintings: `flicker` of the paintings, averaged over each, N×1×1×1.
    """
    natural = torch.maximum(photos, paintings)
    return (flicker(pictures) - natural).relu().mean()
