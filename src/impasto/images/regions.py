"""Masks of several styles, resized to a picture and combined to `Regions`.

Styles mix in proportion to weight × mask. A style without a mask applies everywhere. Where no style applies, the
photograph shows.
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

_TOLERANCE = 0.02  # relative difference of proportions that rounding can explain
_DARK = 12  # of 255; masks of numbered regions have such values
_BLACK = 1 / 512  # half of the darkest 8-bit grey


def mask_of(picture: Picture) -> Tensor:
    """Convert a picture to a mask, 1×1×H×W in [0, 1]: its mean over channels times its alpha.

    Where the picture is black but for what is transparent, its alpha alone is the mask, and there is a warning.
    """
    grey, alpha = picture.pixels.mean(1, keepdim=True), picture.alpha
    if alpha is None:
        return grey
    mask = grey * alpha
    if float(mask.max()) < _BLACK and float(alpha.max()) - float(alpha.min()) > _BLACK:
        warnings.warn(
            f"mask {picture.source or 'given'} is black where it can be seen; its transparency is taken for the mask",
            ImpastoWarning,
            stacklevel=2,
        )
        return alpha
    return mask


def warn_of_shape(mask: Picture, photo: Picture) -> None:
    """Warn if a mask has other proportions than the photograph."""
    (width, height), (across, down) = mask.size, photo.size
    if abs(width * down - across * height) > max(width * down, across * height) * _TOLERANCE:
        warnings.warn(
            f"mask {mask.source or 'given'} is {width}×{height}, the photo {across}×{down}: it is stretched to fit",
            ImpastoWarning,
            stacklevel=2,
        )


def warn_of_darkness(mask: Tensor, name: str) -> None:
    """Warn if a mask, 1×1×H×W, is black but for values that hardly count, such as 1 of 255."""
    lightest = round(255 * float(mask.max()))
    if 0 < lightest <= _DARK:
        warnings.warn(
            f"the lightest value of mask {name} is {lightest} of 255, so its style hardly shows; expected white, "
            "which is 255, where it applies",
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
    """Combine the masks of several styles for a picture.

    Args:
        masks: one for each style, 1×1×H×W in [0, 1] of any size; None means everywhere.
        weights: one for each style.
        height: height of the picture in pixels.
        width: width of the picture in pixels.
        feather: width of the soft border, as a fraction of the longer side.
        names: names of the masks, for messages.

    Returns:
        The regions; None if there is no mask.

    Raises:
        RequestError: a mask is entirely black, or there are not as many masks as styles.
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
                f"{name} is black all over, so its style would apply nowhere; expected some white: paint it, "
                "or leave the style out"
            )
        sized.append(fitted)
    stacked = torch.cat(sized)
    counts = torch.tensor(list(weights), dtype=torch.float32, device=found.device).view(-1, 1, 1, 1)
    union = (stacked * (counts > 0)).sum(0, keepdim=True).clamp_(max=1)
    weighted = _blurred(stacked, radius) * counts
    total = weighted.sum(0, keepdim=True)
    inside = union >= _BLACK
    shares = torch.where(inside & (total > 0), weighted / total.clamp_min(1e-12), torch.zeros(()))
    # Eroded by the radius and then blurred by it: the border is soft, and the coverage outside stays 0.
    return Regions(shares, _blurred(_eroded(union, radius), radius))


def _eroded(mask: Tensor, radius: int) -> Tensor:
    """The minimum within `radius` pixels, along rows and then columns."""
    from torch.nn import functional

    if not radius:
        return mask
    side = 2 * radius + 1
    rows = functional.max_pool2d(-mask, (1, side), 1, (0, radius))
    return -functional.max_pool2d(rows, (side, 1), 1, (radius, 0))


def _blurred(mask: Tensor, radius: int) -> Tensor:
    """The mean within `radius` pixels, along rows and then columns; the border is repeated outwards."""
    from torch.nn import functional

    if not radius:
        return mask
    side = 2 * radius + 1
    for kernel, pad in (((1, side), (radius, radius, 0, 0)), ((side, 1), (0, 0, radius, radius))):
        mask = functional.avg_pool2d(functional.pad(mask, pad, mode="replicate"), kernel, 1)
    return mask
