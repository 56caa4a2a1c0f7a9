"""Losses against two artefacts of networks: lattice, short upright waves, and fleck, single pixels of other colour.

Networks paint them mostly in even areas. An encoder's features hardly show them, so they need losses of their own.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

_WINDOW = 64  # side in pixels of the windows whose spectra are taken
_LONGEST = 12  # pixels; longest waves that a network's grid makes
_FAINT = 0.05  # power added to each wave before the logarithm: that of noise of two levels of 255
_EVEN = 0.5  # power at which a window counts half as even: that of noise of seven levels
_CHANCE = 2.0  # prominence that a wave of a single window has by chance, in the logarithm of its power
_FAR = 0.5  # prominence, in the same logarithm, from which a wave's loss grows linearly instead of quadratically
_PATCH = 16  # side in pixels of the patches over which flicker is averaged


class PhotoWaves(NamedTuple):
    """Waves and flicker of N photographs.

    Attributes:
        share: `evenness` of their windows, N×1×h×w.
        spectrum: their `spectrum`, weighted by that, N×3×64×33.
        flicker: their `flicker`, N×1×h'×w'.
    """

    share: Tensor
    spectrum: Tensor
    flicker: Tensor

    @classmethod
    def of(cls, photos: Tensor) -> PhotoWaves:
        """Measure photographs, N×3×H×W in [0, 1]."""
        power = waves(photos)
        share = evenness(power)
        return cls(share, spectrum(power, share), flicker(photos))

    def at(self, places: Tensor) -> PhotoWaves:
        """Select photographs by their indices; an index may come several times."""
        return PhotoWaves(*(value[places] for value in self))


class PaintingWaves(NamedTuple):
    """Waves and flicker of N paintings, averaged over each.

    Attributes:
        spectrum: their `spectrum`, N×3×64×33.
        flicker: mean of their `flicker`, N×1×1×1.
    """

    spectrum: Tensor
    flicker: Tensor

    @classmethod
    def of(cls, paintings: Tensor) -> PaintingWaves:
        """Measure paintings, N×3×H×W in [0, 1]."""
        return cls(spectrum(waves(paintings)), flicker(paintings).mean((2, 3), keepdim=True))

    def at(self, places: Tensor) -> PaintingWaves:
        """Select paintings by their indices; an index may come several times."""
        return PaintingWaves(*(value[places] for value in self))


def grid_terms(
    pictures: Tensor,
    photos: PhotoWaves,
    paintings: PaintingWaves,
    *,
    lattice_weight: float,
    fleck_weight: float = 0.0,
) -> dict[str, Tensor]:
    """Return the weighted losses of pictures against lattice and fleck that neither photo nor painting has.

    Args:
        pictures: N×3×H×W.
        photos: of the photograph of each picture.
        paintings: of the painting of each picture.
        lattice_weight: weight of `lattice`; 0 leaves it out.
        fleck_weight: weight of `fleck`; 0 leaves it out.
    """
    terms: dict[str, Tensor] = {}
    if lattice_weight:
        terms["lattice"] = lattice_weight * lattice(pictures, photos.share, photos.spectrum, paintings.spectrum)
    if fleck_weight:
        terms["fleck"] = fleck_weight * fleck(pictures, photos.flicker, paintings.flicker)
    return terms


def waves(pictures: Tensor) -> Tensor:
    """Return the power spectra of the windows of pictures, N×3×H×W -> N×3×h×w×64×33.

    Windows of 64 pixels overlap by half. The channels are brightness, red against blue, and green against both: the
    eye sees stripes of colour that are weak beside the brushwork in brightness.
    """
    height, width = pictures.shape[2:]
    padded = F.pad(pictures.float(), (0, max(0, _WINDOW - width), 0, max(0, _WINDOW - height)), mode="replicate")
    channels = torch.einsum("dc,nchw->ndhw", _opponent_colours(padded.device), padded)
    hann = torch.hann_window(_WINDOW, device=pictures.device)
    windows = channels.unfold(2, _WINDOW, _WINDOW // 2).unfold(3, _WINDOW, _WINDOW // 2)
    transformed = torch.fft.rfft2((windows - windows.mean((-2, -1), keepdim=True)) * hann * hann[:, None])
    return torch.view_as_real(transformed).square().sum(-1)


@functools.cache
def _opponent_colours(device: torch.device) -> Tensor:
    """Matrix from red, green, blue to brightness, red against blue, green against both: 3×3, orthonormal."""
    return F.normalize(torch.tensor([[1.0, 1, 1], [1, 0, -1], [1, -2, 1]]), dim=1).to(device)


def evenness(power: Tensor) -> Tensor:
    """Return how even each window of photographs is: above 0, and 1 where it has no short waves.

    In even areas a network has nothing to follow but its own grid, and a lattice is visible there.

    Args:
        power: their `waves`.

    Returns:
        N×1×h×w.
    """
    short = _short(power).float()
    return 1 / (1 + (power * short).sum((1, -2, -1)).unsqueeze(1) / (3 * short.sum() * _EVEN))


def spectrum(power: Tensor, share: Tensor | None = None) -> Tensor:
    """Average the logarithm of the power of waves over the windows.

    Args:
        power: from `waves`.
        share: weights of the windows, N×1×h×w; None weighs all alike.

    Returns:
        N×3×64×33.
    """
    logarithm = (power + _FAINT).log()
    if share is None:
        return logarithm.mean((2, 3))
    share = (share / share.sum((2, 3), keepdim=True))[..., None, None]
    return (logarithm * share).sum((2, 3))


def prominence(spectra: Tensor) -> Tensor:
    """Return how far each wave exceeds the mean of the waves of its length in all directions.

    A network's grid is upright, so the waves that it makes are prominent among those of their length.

    Args:
        spectra: from `spectrum`, N×3×64×33.

    Returns:
        Differences of the logarithm of the power, N×3×64×33; 0 for waves longer than 12 pixels.
    """
    frequency, count = _rings(*spectra.shape[-2:], spectra.device)
    ring, flat = frequency.flatten(), spectra.flatten(-2)
    mean = flat.new_zeros(*flat.shape[:-1], len(count)).index_add(-1, ring, flat) / count
    return (flat - mean[..., ring]).view_as(spectra) * _short(spectra)


def _short(spectra: Tensor) -> Tensor:
    """Mask of the waves of 12 pixels or less, 64×33."""
    side = spectra.shape[-2]
    return _rings(side, spectra.shape[-1], spectra.device)[0] >= side // _LONGEST


@functools.cache
def _rings(side: int, across: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Frequency of each wave of a spectrum in periods a window, side×across; number of waves of each frequency."""
    down = torch.fft.fftfreq(side, 1 / side)[:, None]
    frequency = torch.hypot(down, torch.arange(across).float()).round().long()
    return frequency.to(device), torch.bincount(frequency.flatten()).to(device)


def lattice(pictures: Tensor, share: Tensor, *natural: Tensor) -> Tensor:
    """Return the loss of pictures for waves that are more prominent than in their photographs and paintings.

    Args:
        pictures: N×3×H×W.
        share: weights of their windows, N×1×h×w: the photographs' `evenness`.
        natural: `spectrum` of the photographs, weighted by the same share, and of the paintings; N×3×64×33 each.

    Returns:
        Mean over pictures and waves of the prominence that exceeds theirs and chance. Small values are squared; large
        ones count linearly, so that a few pictures full of stripes do not dominate.
    """
    sources = torch.stack(natural).logsumexp(0)
    beyond = prominence(spectrum(waves(pictures), share)) - prominence(sources)
    windows = share.sum((2, 3), keepdim=True).square() / share.square().sum((2, 3), keepdim=True)  # effective number
    beyond = (beyond - _CHANCE / windows.sqrt()).relu()
    return (beyond.square() / (beyond + _FAR)).mean()


def flicker(pictures: Tensor) -> Tensor:
    """Return how much colour, without brightness, changes from pixel to pixel and back: N×3×H×W -> N×1×h×w.

    It is the mean absolute second difference, down and across, of each channel less the mean of the three, averaged
    over patches of 16 pixels. Photographs and paintings have little of it. An encoder's features hardly change with
    what a network adds, but the eye sees it as fleck.
    """
    colour = pictures.float() - pictures.float().mean(1, keepdim=True)
    down, across = colour.diff(n=2, dim=2)[..., 1:-1].abs(), colour.diff(n=2, dim=3)[:, :, 1:-1].abs()
    return F.avg_pool2d((down + across).mean(1, keepdim=True), min(_PATCH, *down.shape[2:]))


def fleck(pictures: Tensor, photos: Tensor, paintings: Tensor) -> Tensor:
    """Return the mean `flicker` of pictures beyond that of their photographs and paintings.

    Args:
        pictures: N×3×H×W.
        photos: `flicker` of the photographs, patch by patch, N×1×h×w.
        paintings: mean `flicker` of the paintings, N×1×1×1.
    """
    return (flicker(pictures) - torch.maximum(photos, paintings)).relu().mean()
