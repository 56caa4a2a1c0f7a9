"""Sizes: a longest side, an area, or a series of growing sizes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

NEGLIGIBLE_RATIO = 1.25
"""An enlargement up to this ratio is not worth another pass."""


def resize(image: Tensor, height: int, width: int) -> Tensor:
    """Resample N×C×H×W in [0, 1]: bicubic and antialiased as in Pillow, clipped to [0, 1].

    An image that already has that size is returned as it is.
    """
    from torch.nn import functional

    if image.shape[-2:] == (height, width):
        return image
    return functional.interpolate(image, (height, width), mode="bicubic", antialias=True).clamp_(0, 1)


def fitted_size(height: int, width: int, longest: int | None) -> tuple[int, int]:
    """Scale height and width so that the longer is `longest`; each is at least 1. None keeps them."""
    if longest is None:
        return height, width
    scale = longest / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def fit(image: Tensor, longest: int | None) -> Tensor:
    """Resize N×C×H×W so that its longer side is `longest` pixels; None keeps its size."""
    height, width = image.shape[-2:]
    return resize(image, *fitted_size(height, width, longest))


def fit_area(image: Tensor, pixels: int) -> Tensor:
    """Resize N×C×H×W to about `pixels` pixels in total, with its proportions kept."""
    height, width = image.shape[-2:]
    scale = (pixels / (height * width)) ** 0.5
    return resize(image, max(1, round(height * scale)), max(1, round(width * scale)))


def sizes_between(first: int, final: int) -> list[int]:
    """Longest sides from `first` to `final` with an equal ratio, each at most about twice the last.

    Only `final` if it is hardly larger than `first`.
    """
    passes = max(0, math.ceil(math.log2(final / first / NEGLIGIBLE_RATIO)))
    return [*(round(first * (final / first) ** (number / passes)) for number in range(passes)), final]


def scale_ladder(final: int, minimum: int, step: float = 2**0.5) -> list[int]:
    """Longest sides from about `minimum` to `final`, each `step` times the last.

    As in Katherine Crowson's style-transfer-pytorch: round(final / step^i) while that is at least `minimum`. `final`
    is always included, even if it is less than `minimum`.

    Raises:
        ValueError: `step` is not more than 1.
    """
    if step <= 1:
        raise ValueError(f"step is {step}; expected more than 1")
    sizes = {final}
    rung = 1
    while (size := round(final / step**rung)) >= max(1, minimum):
        sizes.add(size)
        rung += 1
    return sorted(sizes)
