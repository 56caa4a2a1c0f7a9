"""Where each style applies: masks brought to the picture's size, and what they mean together.

Styles mix by weight × mask. A style without a mask applies everywhere; where none applies, the photograph stays.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import ImpastoWarning, RequestError
from ..painter import Regions
from .geometry import resize
from .picture import Picture

if TYPE_CHECKING:
    from torch import Tensor

_TOLERANCE = 0.02  # difference of proportions that rounding does not explain
_BLACK = 1 / 512  # half of the darkest grey of 8 bits


def mask_of(picture: Picture) -> Tensor:
    """A picture as a mask, 1×1×H×W: how light it is, times how opaque."""
    grey = picture.pixels.mean(1, keepdim=True)
    return grey if picture.alpha is None else grey * picture.alpha


def warn_of_shape(mask: Picture, photo: Picture) -> None:
    """Say that a mask has other proportions than the photograph it is fitted to."""
    (width, height), (across, down) = mask.size, photo.size
    if abs(width * down - across * height) > max(width * down, across * height) * _TOLERANCE:
        warnings.warn(
            f"mask {mask.source or 'given'} is {width}×{height}, the photo {across}×{down}: it is stretched to fit",
            ImpastoWarning,
            stacklevel=2,
        )


def make_regions(
    masks: Sequence[Tensor | None],
    weights: Sequence[float],
    height: int,
    width: int,
    feather: float = 0.0,
    names: Sequence[str | None] | None = None,
) -> Regions | None:
    """What the masks of several styles mean together, on a picture of `height` × `width`.

    Args:
        masks: one a style, 1×1×H×W in [0, 1] at any size, or None for everywhere.
        weights: one a style.
        height: of the picture.
        width: of the picture.
        feather: width of the soft border, as a fraction of the longer side.
        names: of the masks, for messages.

    Returns:
        None where there is no mask at all.

    Raises:
        RequestError: a mask is black all over, or their number is not that of the styles.
    """
    import torch

    if len(masks) not in (0, len(weights)):
        raise RequestError(f"{len(masks)} masks for {len(weights)} styles; expected one each, or None for everywhere")
    found = next((mask for mask in masks if mask is not None), None)
    if found is None:
        return None
    radius = math.ceil(feather * max(height, width) / 2)
    sized: list[Tensor] = []
    for number, mask in enumerate(masks):
        if mask is None:
            sized.append(torch.ones(1, 1, height, width, device=found.device))
            continue
        fitted = resize(mask.float(), height, width)
        if float(fitted.max()) < _BLACK:
            name = (names[number] if names else None) or f"the mask of style {number + 1}"
            raise RequestError(
                f"{name} is black all over: its style would be nowhere; expected some white: paint it, or leave "
                "the style out"
            )
        sized.append(fitted)
    stacked = torch.cat(sized)
    counts = torch.tensor(list(weights), dtype=torch.float32, device=found.device).view(-1, 1, 1, 1)
    union = (stacked * (counts > 0)).sum(0, keepdim=True).clamp_(max=1)
    weighted = _blurred(stacked, radius) * counts
    total = weighted.sum(0, keepdim=True)
    inside = union >= _BLACK
    shares = torch.where(inside & (total > 0), weighted / total.clamp_min(1e-12), torch.zeros(()))
    # Worn away by the radius and then blurred by it: soft, and still nothing outside.
    return Regions(shares, _blurred(_eroded(union, radius), radius))


def _eroded(mask: Tensor, radius: int) -> Tensor:
    """The least within `radius` pixels, along rows and then columns."""
    from torch.nn import functional

    if not radius:
        return mask
    side = 2 * radius + 1
    rows = functional.max_pool2d(-mask, (1, side), 1, (0, radius))
    return -functional.max_pool2d(rows, (side, 1), 1, (radius, 0))


def _blurred(mask: Tensor, radius: int) -> Tensor:
    """The mean within `radius` pixels, along rows and then columns; beyond the border it goes on as at it."""
    from torch.nn import functional

    if not radius:
        return mask
    side = 2 * radius + 1
    for kernel, pad in (((1, side), (radius, radius, 0, 0)), ((side, 1), (0, 0, radius, radius))):
        mask = functional.avg_pool2d(functional.pad(mask, pad, mode="replicate"), kernel, 1)
    return mask
