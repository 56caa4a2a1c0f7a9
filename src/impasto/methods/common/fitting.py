"""Photographs resized and padded so that a network can process them."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from ...errors import RequestError
from ...images.geometry import fit, fitted_size, resize
from ...painter import Regions

_TOLERANCE = 0.01  # difference of proportions that is accepted, as a fraction of the longest side

SMALLEST = 16
"""Smallest side in pixels that is processed: relu4_1 then has two positions."""


def fitted_photo(content: Tensor, size: int | None, min_side: int = SMALLEST) -> tuple[Tensor, tuple[int, int]]:
    """Resize a photograph for processing.

    A side of less than `min_side` pixels is stretched to that, so that even a very narrow picture has deep features.

    Args:
        content: 1×3×H×W.
        size: longest side in pixels; None keeps the photograph's.
        min_side: smallest side in pixels to process.

    Returns:
        The photograph to process, and the height and width of the result.

    Raises:
        RequestError: the photograph is a single pixel.
    """
    height, width = content.shape[2:]
    if max(height, width) < 2:
        raise RequestError(f"the photo is {width}×{height} pixels; expected at least 2 a side")
    photo = fit(content, size)
    given = photo.shape[2], photo.shape[3]
    return resize(photo, *(max(side, min_side) for side in given)), given


def check_start(start: Tensor, content: Tensor) -> Tensor:
    """Check that a start, 1×3×h×w, has the proportions of the photograph, 1×3×H×W; move it to the same device.

    Raises:
        RequestError: it has other proportions, or is one pixel wide.
    """
    height, width = start.shape[2:]
    if min(height, width) < 2:
        raise RequestError(f"the start is {width}×{height} pixels; expected at least 2 a side")
    rows, columns = fitted_size(content.shape[2], content.shape[3], max(height, width))
    if max(abs(rows - height), abs(columns - width)) > 1 + _TOLERANCE * max(height, width):
        raise RequestError(
            f"the start is {width}×{height} pixels, the photo {content.shape[3]}×{content.shape[2]}; expected the "
            f"photo's proportions, as {columns}×{rows}: crop the start, or give the photo that it was painted from"
        )
    return start.to(content.device)


def pad_regions(
    regions: Regions | None, photo: Tensor, unit: int, patch: int = 1, stride: int = 1, margin: int = 0
) -> Regions | None:
    """Pad the regions of a photograph as `pad_to_cover` pads the photograph itself."""
    if regions is None:
        return None
    shares, _ = pad_to_cover(regions.at(*photo.shape[2:]).to(photo.device), unit, patch, stride, margin)
    return Regions(shares, regions.coverage)


def pad_to_cover(
    photo: Tensor, unit: int, patch: int = 1, stride: int = 1, margin: int = 0
) -> tuple[Tensor, tuple[slice, slice]]:
    """Pad a photograph by reflection until features, and patches of features, cover it.

    Args:
        photo: 1×3×H×W, each side at least ``unit · patch``.
        unit: pixels of one position of the features.
        patch: side of a patch in positions.
        stride: positions between patches, at most `patch`.
        margin: pixels to add on all four sides as well, as far as the photograph is large enough.

    Returns:
        The padded picture, and the rows and columns of the photograph in it.
    """

    def missing(side: int) -> int:
        positions = patch + stride * -(-max(0, -(-side // unit) - patch) // stride)
        return positions * unit - side

    height, width = photo.shape[2:]
    top, left = min(margin, height - 1), min(margin, width - 1)
    framed = F.pad(photo, (left, left, top, top), mode="reflect")
    padded = F.pad(framed, (0, missing(framed.shape[3]), 0, missing(framed.shape[2])), mode="reflect")
    return padded, (slice(top, top + height), slice(left, left + width))
