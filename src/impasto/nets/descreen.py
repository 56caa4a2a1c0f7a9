"""Taking a network's own grid out of its pictures, as a scanner takes out the screen of a print."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..strips import VALUES, ranges

_REACH = 10.0  # pixels, the deviation of the window in which what repeats is looked for
_FAINT = 0.1  # at most, of the range 0 to 1: what differs more from its surroundings is an edge


def descreened(picture: Tensor, period: int) -> Tensor:
    """A picture without what repeats every `period` pixels, in step with its upper left corner.

    A network that enlarges features leaves a lattice in its pictures, faint, but over all of them (Odena et al. 2016,
    "Deconvolution and Checkerboard Artifacts"). It keeps its phase, which nothing painted does: so the mean of what
    lies at the same place of the grid all round is the lattice, and is subtracted. Waves a little longer or shorter,
    and edges, stay.

    Args:
        picture: N×3×H×W in [0, 1].
        period: of the grid, 2 or more.

    Returns:
        N×3×H×W, not clamped, in the memory of a strip beside it.
    """
    height, width = picture.shape[2:]
    reach = round(3 * _REACH / period)  # in cells of the grid
    halo = (reach + 1) * period
    if min(height, width) <= halo:
        return picture  # too small to tell a lattice from a stroke
    made = torch.empty_like(picture)
    for first, end in ranges(height, VALUES // (picture.shape[1] * width * 8), period):
        top, bottom = max(0, first - halo), min(height, end + halo)
        strip = picture[:, :, top:bottom]
        lattice = _lattice(strip, period, reach)
        made[:, :, first:end] = (strip - lattice)[:, :, first - top : end - top]
    return made


def _lattice(picture: Tensor, period: int, reach: int) -> Tensor:
    blur = period - torch.arange(1 - period, period, device=picture.device).abs()  # takes all of the lattice
    faint = (picture - _smoothed(picture, blur / period**2)).clamp_(-_FAINT, _FAINT)
    height, width = picture.shape[2:]
    padded = F.pad(faint, (0, -width % period, 0, -height % period), mode="replicate")
    places = F.pixel_unshuffle(padded, period)  # N×3·period²×…, a plane for each place in the grid
    steps = torch.arange(-reach, reach + 1, device=picture.device) * period / _REACH
    window = torch.exp(-steps.square() / 2)
    means = _smoothed(places, window / window.sum()).unflatten(1, (-1, period**2))
    means = (means - means.mean(2, keepdim=True)).flatten(1, 2)
    return F.pixel_shuffle(means, period)[:, :, :height, :width]


def _smoothed(x: Tensor, window: Tensor) -> Tensor:
    """Each plane averaged along both sides."""
    planes, reach = x.shape[1], len(window) // 2
    for shape, pad in (((1, -1), (reach, reach, 0, 0)), ((-1, 1), (0, 0, reach, reach))):
        weight = window.view(1, 1, *shape).expand(planes, 1, -1, -1)
        x = F.conv2d(F.pad(x, pad, mode="reflect"), weight, groups=planes)
    return x
