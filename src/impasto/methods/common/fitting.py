"""Photographs brought to a size, and to sides, that a network can work on."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from ...errors import RequestError
from ...images.geometry import fit, fitted_size, resize
from ...painter import Regions

_TOLERANCE = 0.01  # of a side, that proportions may differ by

SMALLEST = 16
"""Pixels a side that a picture is worked on with at least: relu4_1 has then two positions."""


def fitted_photo(content: Tensor, size: int | None, min_side: int = SMALLEST) -> tuple[Tensor, tuple[int, int]]:
    """A photograph to work on, and the height and width its picture is to have.

    A side under `min_side` pixels is worked on stretched to them: a sliver too then has features at depth.

    Raises:
        RequestError: it is a single pixel.
    """
    height, width = content.shape[2:]
    if max(height, width) < 2:
        raise RequestError(f"the photo is {width}×{height} pixels; expected at least 2 a side")
    photo = fit(content, size)
    given = photo.shape[2], photo.shape[3]
    return resize(photo, *(max(side, min_side) for side in given)), given


def check_start(start: Tensor, content: Tensor) -> Tensor:
    """A start, 1×3×h×w, if it has the proportions of the photograph, 1×3×H×W.

    Raises:
        RequestError: it has others, or is a pixel wide.
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
    """Regions of a photograph, on the larger picture that `pad_to_cover` makes of it."""
    if regions is None:
        return None
    shares, _ = pad_to_cover(regions.at(*photo.shape[2:]).to(photo.device), unit, patch, stride, margin)
    return Regions(shares, regions.coverage)


def pad_to_cover(
    photo: Tensor, unit: int, patch: int = 1, stride: int = 1, margin: int = 0
) -> tuple[Tensor, tuple[slice, slice]]:
    """The photograph mirrored beyond its border until features, and patches of them, cover it.

    Args:
        photo: 1×3×H×W, each side at least ``unit · patch``.
        unit: pixels of one position.
        patch: side of a patch in positions.
        stride: positions between patches, at most `patch`.
        margin: pixels to mirror on all four sides as well, where the photograph is large enough.

    Returns:
        The larger picture, and the rows and columns the photograph has in it.
    """

    def missing(side: int) -> int:
        positions = patch + stride * -(-max(0, -(-side // unit) - patch) // stride)
        return positions * unit - side

    height, width = photo.shape[2:]
    top, left = min(margin, height - 1), min(margin, width - 1)
    framed = F.pad(photo, (left, left, top, top), mode="reflect")
    padded = F.pad(framed, (0, missing(framed.shape[3]), 0, missing(framed.shape[2])), mode="reflect")
    return padded, (slice(top, top + height), slice(left, left + width))
