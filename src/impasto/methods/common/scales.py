"""Strokes of the same size relative to the picture, whatever its size: painted small first, then larger.

A net sees only a limited number of pixels at once, so the shapes it paints have a largest size in pixels. A large
picture painted at once would have fine strokes. So painting begins at a small size, and each larger pass keeps the
strokes of the last.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from ...images.geometry import NEGLIGIBLE_RATIO, resize, sizes_between
from ...matching.styles import luminance

_SIDE = 512
"""Longest side at which painting begins if the style picture is as large as the painting."""
_MIN_FIRST = 64  # smallest first size in pixels
_MAX_ENLARGED = 4  # largest first size, in multiples of the picture's own
_SMALL = 128  # pixels; a smaller picture is painted at its own size only
_TONE = 8  # pixels of the first picture; smaller shapes are strokes, which later passes may change


def scales(final: int, style_scale: float) -> tuple[int, ...]:
    """Choose the longest sides to paint at, in order.

    Args:
        final: longest side of the result in pixels.
        style_scale: see `AnyStyleOptions.style_scale`.

    Returns:
        Sizes, each at most about twice the last. If the strokes have to be finer than the result has pixels for,
        there is a single size larger than `final`, and the result is reduced.
    """
    if final < _SMALL:
        return (final,)
    first = round(max(_MIN_FIRST, min(min(_SIDE, 2 * final) / style_scale, _MAX_ENLARGED * final)))
    if first > final:
        return (first if first > final * NEGLIGIBLE_RATIO else final,)
    return tuple(sizes_between(first, final))


def finer(painting: Tensor, photo: Tensor, larger: Tensor) -> Tensor:
    """Enlarge the painting so far and add the photograph's detail that only the next size shows.

    Args:
        painting: the painting so far, 1×3×h×w in [0, 1].
        photo: the photograph at the same size, 1×3×h×w.
        larger: the photograph at the next size, 1×3×H×W.

    Returns:
        What to paint at the next size, 1×3×H×W in [0, 1].
    """
    height, width = larger.shape[2:]
    return resize(painting, height, width).add(larger).sub_(resize(photo, height, width)).clamp_(0, 1)


def restored(start: Tensor, photo: Tensor, larger: Tensor, detail: float) -> Tensor:
    """Enlarge a start and add the photograph's brightness detail that only the next size shows.

    The same amount is added to red, green and blue, so the start keeps its colours.

    Args:
        start: 1×3×h×w in [0, 1].
        photo: the photograph at the same size, 1×3×h×w.
        larger: the photograph at the next size, 1×3×H×W.
        detail: how much of the brightness detail to add, 0 to 4; more than 1 exaggerates it.

    Returns:
        What to paint at the next size, 1×3×H×W in [0, 1].
    """
    height, width = larger.shape[2:]
    lost = larger - resize(photo, height, width)
    return resize(start, height, width).add(luminance(lost), alpha=detail).clamp_(0, 1)


def tones_of(picture: Tensor) -> Tensor:
    """Return the large areas of light and colour of the first picture, 1×3×h×w; see `with_tones`."""
    return resize(picture, *(max(1, side // _TONE) for side in picture.shape[2:]))


def with_tones(picture: Tensor, tones: Tensor) -> Tensor:
    """Give a later picture the large areas of light and colour of the first one. It is changed in place.

    A network that applies a style's colours would apply them again in every pass: the few colours of a woodcut would
    end as black and white.
    """
    height, width = picture.shape[2:]
    difference = tones - resize(picture, *tones.shape[2:])
    return picture.add_(F.interpolate(difference, (height, width), mode="bicubic")).clamp_(0, 1)
