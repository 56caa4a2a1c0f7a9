"""Checks before painting that a picture is not too large for its file."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from ..images.geometry import fitted_size
from ..images.read import stated_size
from ..images.source import MAX_MEGAPIXELS, STANDARD_STREAM
from ..images.write import check_size, holds
from ..recipe import Recipe
from ..session.printing import check_print

if TYPE_CHECKING:
    from ..session.inputs import ImageLike


def check_painting_size(target: str, recipe: Recipe, photo: ImageLike) -> None:
    """Check before painting that the format of a file holds pictures of the size that is asked for.

    Args:
        target: the file.
        recipe: it has a size, or a print.
        photo: the photograph. Of a file, the header is read.

    Raises:
        RequestError: it does not; or a print is too large.
    """
    if recipe.print is not None:
        if (size := _stated_size(photo)) is not None:
            check_print(target, recipe, size)
        return
    most = MAX_MEGAPIXELS * 1_000_000
    side = recipe.size or math.isqrt(most)
    if holds(target, recipe.size or most) and holds(target, side, side):
        return
    if (size := _stated_size(photo)) is not None:
        height, width = fitted_size(size[1], size[0], recipe.size)
        check_size(target, width, height)
    elif recipe.size:
        check_size(target, recipe.size)


def _stated_size(photo: ImageLike) -> tuple[int, int] | None:
    return stated_size(photo) if isinstance(photo, str | Path) and str(photo) != STANDARD_STREAM else None
