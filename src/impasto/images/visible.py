"""The visible part of a style picture: what transparency hides decides no painting."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ..errors import ImageError
from .picture import Picture, require_size

_OPAQUE = 254.5 / 255  # half a level of 8 bits below full
_HIDDEN = 1 / 512
_SMALLEST = 2  # pixels a side


def visible(picture: Picture) -> Picture:
    """Return a picture without transparency, in which only what can be seen of it decides.

    It is cropped to the visible pixels. The others are filled with the nearest visible texture, mirrored; so they add
    no colour and no flat area to the statistics and patches of a style.

    Args:
        picture: a picture; without transparency it is returned as it is.

    Raises:
        ImageError: all of it is transparent, or nearly all.
    """
    import torch

    if picture.alpha is None or float(picture.alpha.min()) >= _OPAQUE:
        return picture
    alpha = picture.alpha[0, 0].numpy()
    if float(alpha.max()) < _HIDDEN:
        raise ImageError(
            f"{picture.source or 'the style'} is transparent all over; expected some of it to show: give another one"
        )
    filled = fill(picture.pixels[0].permute(1, 2, 0).numpy(), alpha)
    shown = dataclasses.replace(
        picture, pixels=torch.from_numpy(np.ascontiguousarray(filled.transpose(2, 0, 1)))[None], alpha=None
    )
    require_size(shown, _SMALLEST, "what can be seen of the style")
    return shown


def fill(pixels: NDArray[Any], alpha: NDArray[np.float32]) -> NDArray[Any]:
    """Crop a picture to its visible box and fill the hidden pixels in it; see `visible`.

    Args:
        pixels: H×W×3.
        alpha: H×W, with at least one value above 0. A pixel is visible from half of the largest value on.

    Returns:
        h×w×3, h and w at most H and W.
    """
    from scipy.ndimage import distance_transform_edt

    shown = alpha >= alpha.max() / 2
    rows, columns = np.flatnonzero(shown.any(1)), np.flatnonzero(shown.any(0))
    box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    pixels, shown = pixels[box], shown[box]
    height, width = shown.shape
    nearest = cast(NDArray[Any], distance_transform_edt(~shown, return_distances=False, return_indices=True))
    here = np.indices(shown.shape)
    across = 2 * nearest - here  # as far behind the border as the pixel is before it
    y, x = across[0].clip(0, height - 1), across[1].clip(0, width - 1)
    usable = shown[y, x]
    return pixels[np.where(usable, y, nearest[0]), np.where(usable, x, nearest[1])]
