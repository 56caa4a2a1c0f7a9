"""Prints: how many pixels a painting for one takes, what is too large, and the part of the photograph on it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from .. import memory
from ..errors import RequestError
from ..images.geometry import fitted_size
from ..images.source import MAX_MEGAPIXELS
from ..images.write import holds
from ..prints import DPI, LEAST_DPI, Print, parse_print
from ..recipe import Recipe
from ..values import LARGEST_SIZE, LEAST_SIZE

if TYPE_CHECKING:
    from torch import Tensor, device

    from ..images.picture import Picture
    from ..painter import Painter, Regions

_SPARE, _SPARE_SHARE = 60e6, 0.03  # bytes that a print named in an error leaves, and share of the budget
_HALVINGS = 20  # of the range in which the largest print is looked for


def size_of_print(recipe: Recipe, photo: tuple[int, int]) -> tuple[int, int]:
    """Return width and height in pixels of a painting for the recipe's print.

    Args:
        recipe: it has a print.
        photo: width and height of the photograph.

    Raises:
        RequestError: it has too few pixels, or more than any painting has.
    """
    size = _size(recipe, _print_of(recipe), recipe.dpi or DPI, photo)
    if max(size) < LEAST_SIZE:
        raise RequestError(
            f"the print {recipe.print} takes {size[0]}×{size[1]} pixels at {recipe.dpi or DPI:g} dpi; expected at "
            f"least {LEAST_SIZE} on its longest side: use a larger --print or --dpi"
        )
    require_fit(
        recipe,
        photo,
        lambda width, height: max(width, height) <= LARGEST_SIZE and width * height <= MAX_MEGAPIXELS * 1_000_000,
        f"expected at most {MAX_MEGAPIXELS} megapixels, and {LARGEST_SIZE} pixels on a side",
    )
    return size


def check_print(target: str, recipe: Recipe, photo: tuple[int, int]) -> None:
    """Check before painting that a print is not too large for a painting, nor for the format of its file.

    Args:
        target: the file.
        recipe: it has a print.
        photo: width and height of the photograph.

    Raises:
        RequestError: it is.
    """
    size_of_print(recipe, photo)
    require_fit(
        recipe, photo, partial(holds, target), f"{Path(target).suffix} holds fewer", f"write {Path(target).stem}.png"
    )


def require_fit(
    recipe: Recipe, photo: tuple[int, int], fits: Callable[[int, int], bool], expected: str, repair: str = ""
) -> None:
    """Refuse a print that is too large for something, and name the largest that is not.

    Args:
        recipe: it has a print.
        photo: width and height of the photograph.
        fits: says whether a painting of this width and height can be made.
        expected: what a painting may have, for the message.
        repair: what else would do.

    Raises:
        RequestError: it does not fit.
    """
    printed, dpi = _print_of(recipe), recipe.dpi or DPI
    width, height = _size(recipe, printed, dpi, photo)
    if fits(width, height):
        return
    low, high = 0.0, 1.0  # largest factor by which the print may be scaled
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if fits(*_size(recipe, printed, dpi * middle, photo)) else (low, middle)
    repairs: list[str] = []
    if (less := math.floor(dpi * low)) >= LEAST_DPI:
        repairs.append(f"--dpi {less}")
    smaller = printed.scaled(low)
    if smaller is not None and max(_size(recipe, smaller, dpi, photo)) >= LEAST_SIZE:
        repairs.append(f"--print {_lying(smaller, printed, photo)}")
    advice = ", or ".join([*([f"use {' or '.join(repairs)}"] if repairs else []), *([repair] if repair else [])])
    raise RequestError(
        f"the print {recipe.print} takes {width}×{height} pixels at {dpi:g} dpi; {expected}: "
        f"{advice or 'use a smaller --print'}"
    )


def with_print(recipe: Recipe, photo: Picture, on: device) -> tuple[Recipe, Cut | None]:
    """Settle the size of a painting for a print, before anything is painted.

    Args:
        recipe: a recipe; one without a print is returned as it is.
        photo: the photograph.
        on: the device to paint on.

    Returns:
        The recipe with that size, which also refuses to paint with more memory than is free; and how to cut the
        pictures, if the print is to be filled.

    Raises:
        RequestError: the painting would be too large.
    """
    if recipe.print is None:
        return recipe, None
    size = size_of_print(recipe, photo.size)
    budget = recipe.memory or memory.usual_budget(on)
    recipe = recipe.model_copy(update={"size": max(size), "memory": budget})
    return recipe, Cut.of(photo.size, size) if recipe.print_crop else None


def require_memory(painter: Painter, recipe: Recipe, photo: tuple[int, int], *, regions: bool) -> None:
    """Refuse a print that takes more memory than there is, before anything is painted.

    Args:
        painter: it has the recipe's budget.
        recipe: from `with_print`; one without a print is not checked.
        photo: width and height of the photograph.
        regions: it is painted with masks.

    Raises:
        RequestError: the print is too large.
    """

    def fits(width: int, height: int) -> bool:
        try:
            painter.check_memory((height, width), regions=regions, spare=spare)
        except memory.ShortageError:
            return False
        return True

    if recipe.print is None:
        return
    spare = round(_SPARE + _SPARE_SHARE * (painter.recipe.memory or 0))
    try:
        width, height = _size(recipe, _print_of(recipe), recipe.dpi or DPI, photo)
        painter.check_memory((height, width), regions=regions)
    except memory.ShortageError as error:
        raise explain_shortage(error, recipe, photo, fits) from None


def explain_shortage(
    error: memory.ShortageError,
    recipe: Recipe,
    photo: tuple[int, int],
    fits: Callable[[int, int], bool] | None = None,
) -> RequestError:
    """Make the error for a print that takes more memory than there is.

    Args:
        error: what the painter raised.
        recipe: it has a print.
        photo: width and height of the photograph.
        fits: says whether there is memory for a painting of this width and height; None if the error alone tells.
    """
    width, height = _size(recipe, _print_of(recipe), recipe.dpi or DPI, photo)
    most = error.share * width * height
    try:
        require_fit(
            recipe,
            photo,
            fits or (lambda width, height: width * height <= most),
            f"painting them takes at least {memory.describe(error.needed)} of memory, and at most "
            f"{memory.describe(error.budget)} may be used",
            "allow more with --memory",
        )
    except RequestError as refusal:
        return refusal
    return error


@dataclass(frozen=True)
class Cut:
    """How to cut the centre out of a photograph so that it fills a print, and out of all that lies on it.

    Attributes:
        photo: height and width of the photograph.
        covering: height and width to which it is resized.
        rows: which of these rows are kept.
        columns: which of these columns are kept.
    """

    photo: tuple[int, int]
    covering: tuple[int, int]
    rows: slice
    columns: slice

    @classmethod
    def of(cls, photo: tuple[int, int], size: tuple[int, int]) -> Cut:
        """Cut a photograph for a print; both as width and height in pixels."""
        scale = max(size[0] / photo[0], size[1] / photo[1])
        width, height = (max(kept, round(side * scale)) for side, kept in zip(photo, size, strict=True))
        top, left = (height - size[1]) // 2, (width - size[0]) // 2
        kept = slice(top, top + size[1]), slice(left, left + size[0])
        return cls((photo[1], photo[0]), (height, width), *kept)

    def inputs(
        self,
        photo: Picture,
        masks: Sequence[Tensor | None],
        start: Tensor | None,
        regions: Regions | None = None,
    ) -> tuple[Picture, Sequence[Tensor | None], Tensor | None, Regions | None]:
        """Cut all that a painting is made from; what is None stays so."""
        return (
            self.picture(photo),
            self.masks(masks),
            None if start is None else self.start(start),
            None if regions is None else self.regions(regions),
        )

    def tensor(self, image: Tensor) -> Tensor:
        """Resize N×C×H×W as the photograph, and cut it."""
        from ..images.geometry import resize

        return resize(image, *self.covering)[..., self.rows, self.columns].contiguous()

    def picture(self, picture: Picture) -> Picture:
        """Cut a photograph and its alpha channel."""
        alpha = None if picture.alpha is None else self.tensor(picture.alpha)
        return replace(picture, pixels=self.tensor(picture.pixels), alpha=alpha)

    def masks(self, masks: Sequence[Tensor | None]) -> list[Tensor | None]:
        """Cut masks."""
        return [None if mask is None else self.tensor(mask) for mask in masks]

    def regions(self, regions: Regions) -> Regions:
        """Cut regions."""
        shares = regions.at(*self.covering)[..., self.rows, self.columns].contiguous()
        return replace(regions, shares=shares, coverage=self.tensor(regions.coverage))

    def start(self, start: Tensor) -> Tensor:
        """Cut a picture to continue from, unless it has other proportions than the photograph.

        It keeps its scale, since that decides which passes it replaces.
        """
        height, width = start.shape[2:]
        rows, columns = fitted_size(*self.photo, max(height, width))
        if abs(rows - height) + abs(columns - width) > 1 + 0.005 * max(height, width):
            return start
        scale = height / self.covering[0], width / self.covering[1]
        high, wide = (
            max(1, round((kept.stop - kept.start) * each))
            for kept, each in zip((self.rows, self.columns), scale, strict=True)
        )
        top, left = (height - high) // 2, (width - wide) // 2
        return start[..., top : top + high, left : left + wide].contiguous()


def _print_of(recipe: Recipe) -> Print:
    assert recipe.print is not None
    return parse_print(recipe.print)


def _size(recipe: Recipe, printed: Print, dpi: float, photo: tuple[int, int]) -> tuple[int, int]:
    width, height = photo
    across, down = _lying(printed, printed, photo).pixels(dpi)
    if recipe.print_crop:
        return max(1, round(across)), max(1, round(down))
    longest = round(max(photo) * min(across / width, down / height))
    height, width = fitted_size(height, width, max(1, longest))
    return width, height


def _lying(printed: Print, asked: Print, photo: tuple[int, int]) -> Print:
    """A print; of a sheet without an upright side, as the photograph lies."""
    if not asked.turns or (photo[0] < photo[1]) == (printed.width < printed.height):
        return printed
    return printed._replace(width=printed.height, height=printed.width)
