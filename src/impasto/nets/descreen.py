"""Removes the lattice that a network leaves in its pictures."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..strips import VALUES, ranges

_REACH = 10.0  # pixels: standard deviation of the window in which the lattice is measured
_MAX_AMPLITUDE = 0.1  # largest amplitude of a lattice, in the range 0 to 1; larger differences are edges


def remove_lattice(picture: Tensor, period: int) -> Tensor:
    """Remove a faint pattern that repeats every `period` pixels, aligned to the upper left corner.

    A network that enlarges features leaves such a lattice all over its pictures (Odena et al. 2016, "Deconvolution
    and Checkerboard Artifacts"). Its phase is the same everywhere, unlike that of painted textures. So the local mean
    over pixels at the same place of the grid is the lattice, and it is subtracted. Edges and waves of a slightly
    different length stay.

    Args:
        picture: N×3×H×W in [0, 1].
        period: period in pixels, 2 or more.

    Returns:
        N×3×H×W, not clamped. Pictures of only a few periods are returned unchanged.
    """
    height, width = picture.shape[2:]
    reach = round(3 * _REACH / period)  # in cells of the grid
    halo = (reach + 1) * period
    if height <= halo or width <= halo:
        return picture  # too small to distinguish a lattice from a stroke
    if torch.compiler.is_exporting():  # in one piece
        return picture - _lattice(picture, period, reach)
    made = torch.empty_like(picture)
    for first, end in ranges(height, VALUES // (picture.shape[1] * width * 8), period):
        top, bottom = max(0, first - halo), min(height, end + halo)
        strip = picture[:, :, top:bottom]
        lattice = _lattice(strip, period, reach)
        made[:, :, first:end] = (strip - lattice)[:, :, first - top : end - top]
    return made


def _lattice(picture: Tensor, period: int, reach: int) -> Tensor:
    """The lattice of a picture, N×3×H×W, from windows of `reach` periods on each side."""
    blur = period - torch.arange(1 - period, period, device=picture.device).abs()  # removes all waves of this period
    residue = (picture - _smooth(picture, blur / period**2)).clamp_(-_MAX_AMPLITUDE, _MAX_AMPLITUDE)
    height, width = picture.shape[2:]
    padded = F.pad(residue, (0, -width % period, 0, -height % period), mode="replicate")
    places = F.pixel_unshuffle(padded, period)  # N×3·period²×…, a plane for each place of the grid
    steps = torch.arange(-reach, reach + 1, device=picture.device) * period / _REACH
    window = torch.exp(-steps.square() / 2)
    means = _smooth(places, window / window.sum()).unflatten(1, (-1, period**2))
    means = (means - means.mean(2, keepdim=True)).flatten(1, 2)
    return F.pixel_shuffle(means, period)[:, :, :height, :width]


def _smooth(x: Tensor, window: Tensor) -> Tensor:
    """Average each plane along both sides, weighted by a window."""
    planes, reach = x.shape[1], len(window) // 2
    for shape, pad in (((1, -1), (reach, reach, 0, 0)), ((-1, 1), (0, 0, reach, reach))):
        weight = window.view(1, 1, *shape).expand(planes, 1, -1, -1)
        x = F.conv2d(F.pad(x, pad, mode="reflect"), weight, groups=planes)
    return x
