"""Strokes of one size beside the picture, whatever its size: painted coarsely first, then finer and finer.

A net sees, and so paints, shapes of so many pixels and no larger. A large picture painted at once has strokes that
are fine beside it; so it begins small, and every larger one takes its strokes from the one before.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from ...images.geometry import NEGLIGIBLE_RATIO, resize, sizes_between
from ...matching.styles import luminance

_SIDE = 512
"""Longest side at which a picture whose style picture is as large as it is painted at once."""
_LEAST, _MOST = 64, 4  # pixels to begin with at least; at most times the picture's own size
_SMALL = 128  # pixels: smaller pictures have no room for finer strokes than those they would have
_TONE = 8  # pixels of the first picture: shorter waves are strokes, which later passes may go over


def scales(final: int, style_scale: float) -> tuple[int, ...]:
    """Longest sides to paint at one after the other, for a picture of `final` pixels and strokes of that scale.

    Each is at most about twice the one before. The only one is larger than `final` where strokes are to be finer than
    it could be painted with: the picture is then made smaller.
    """
    if final < _SMALL:
        return (final,)
    first = round(max(_LEAST, min(min(_SIDE, 2 * final) / style_scale, _MOST * final)))
    if first > final:
        return (first if first > final * NEGLIGIBLE_RATIO else final,)
    return tuple(sizes_between(first, final))


def finer(painting: Tensor, photo: Tensor, larger: Tensor) -> Tensor:
    """What to paint at the next size: the painting so far, with what the photograph shows only there.

    Args:
        painting: 1×3×H×W in [0, 1].
        photo: the photograph it was painted from, of its size.
        larger: the photograph at the next size.
    """
    height, width = larger.shape[2:]
    return resize(painting, height, width).add(larger).sub_(resize(photo, height, width)).clamp_(0, 1)


def restored(start: Tensor, photo: Tensor, larger: Tensor, detail: float) -> Tensor:
    """What to paint from a start: it, with the brightness that the photograph shows only at the next size.

    Colour stays the start's: only brightness comes back, the same amount in red, green and blue.

    Args:
        start: 1×3×H×W in [0, 1].
        photo: the photograph, of its size.
        larger: the photograph at the next size.
        detail: how much of that brightness, 0 to 4; more than 1 exaggerates it.

    Returns:
        1×3×h×w in [0, 1], of the size of `larger`.
    """
    height, width = larger.shape[2:]
    lost = larger - resize(photo, height, width)
    return resize(start, height, width).add(luminance(lost), alpha=detail).clamp_(0, 1)


def tones_of(picture: Tensor) -> Tensor:
    """The long waves of the picture painted first, 1×3×h×w; see `with_tones`."""
    return resize(picture, *(max(1, side // _TONE) for side in picture.shape[2:]))


def with_tones(picture: Tensor, tones: Tensor) -> Tensor:
    """A later picture, in place, with the first one's long waves.

    A network that gives a style's colours by itself gives them again in every pass, to a picture that has them: a
    woodcut's few would end as black and white.
    """
    height, width = picture.shape[2:]
    astray = tones - resize(picture, *tones.shape[2:])
    return picture.add_(F.interpolate(astray, (height, width), mode="bicubic")).clamp_(0, 1)
