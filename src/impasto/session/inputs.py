"""The inputs of a painting: photograph, styles and masks, read and checked."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from ..errors import RequestError
from ..painter import Regions
from ..recipe import ALPHA, Recipe, Style, is_picture

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image
    from torch import Tensor

    from ..images.picture import Picture

    ImageLike = str | Path | bytes | IO[bytes] | Image.Image | NDArray[np.generic] | Tensor | Picture
    Masks = ImageLike | Sequence[ImageLike | None]
    Read = Callable[[ImageLike], Picture]

IN_MEMORY = "in memory"
"""End of the name that a recipe has for a picture without a file."""

_SMALLEST = 2  # pixels a side


def name_styles(styles: Sequence[ImageLike]) -> tuple[list[Style], list[ImageLike]]:
    """Return styles for a recipe, and what to read each from.

    Raises:
        RequestError: see `parse_style`.
    """
    named = [
        parse_style(str(s)) if isinstance(s, str | Path) else Style(path=f"style {n} {IN_MEMORY}")
        for n, s in enumerate(styles, 1)
    ]
    pairs = zip(named, styles, strict=True)
    return named, [name.path if isinstance(style, str | Path) else style for name, style in pairs]


def parse_style(text: str) -> Style:
    """Read a style from text as `Style.parse` does, and refuse a weight that is not a number.

    Where a file has a part of the text as its name that `Style.parse` would split or strip, the file's name wins.

    Args:
        text: the style, ``PATH[:WEIGHT][@MASK]``.

    Raises:
        RequestError: the weight is not a positive number; or there is no file of that path, but there is one of the
            path before a colon in it.
    """
    if (named := _named_file(text)) is not None:
        return named
    style = Style.parse(text)
    path, colon, weight = style.path.rpartition(":")
    if colon and Path(path).is_file() and not Path(style.path).exists():
        raise RequestError(
            f"style weight is {weight.partition('@')[0]!r} in {text!r}; expected a positive number, as in {path}:0.3"
        )
    return style


def _named_file(text: str) -> Style | None:
    """The style whose file exists, if the text is read with as much of it as possible as the file's name."""
    if _is_file(text):
        return Style(path=text)
    ats = [at for at, letter in enumerate(text) if letter == "@"]
    for head, mask in ((text, None), *((text[:at], text[at + 1 :]) for at in reversed(ats))):
        if mask is not None and not (mask.strip() == ALPHA or is_picture(mask.strip()) or _is_file(mask)):
            continue
        path, colon, weight = head.rpartition(":")
        for name, share in ((head, "1"), (path, weight)) if colon else ((head, "1"),):
            if _is_file(name) and (number := _positive(share)):
                kept = mask if mask is None or _is_file(mask) else mask.strip()
                return Style(path=name, weight=number, mask=kept)
    return None


def _is_file(name: str) -> bool:
    try:
        return bool(name) and Path(name).is_file()
    except (OSError, ValueError):  # a name that is too long, or has a NUL
        return False


def _positive(text: str) -> float | None:
    """The positive number that a text is; None if it is none."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 < number < math.inf else None


def name_of(picture: ImageLike) -> str:
    """Return the name of a picture in a recipe: its path, or a note that it has no file."""
    return str(picture) if isinstance(picture, str | Path) else f"a picture {IN_MEMORY}"


def open_pictures(photo: ImageLike, styles: Sequence[ImageLike], read: Read) -> tuple[Picture, list[Picture]]:
    """Read and check a photograph and its styles.

    Args:
        photo: the photograph.
        styles: the style pictures.
        read: reads a picture.

    Raises:
        RequestError: a picture is unreadable or one pixel wide, or a style is the photograph itself.
    """
    import torch

    from ..images.picture import require_size

    content = read(photo)
    require_size(content, _SMALLEST, "the photo")
    pictures: list[Picture] = []
    for source in styles:
        picture = read(source)
        require_size(picture, _SMALLEST, "the style")
        same_file = picture.sha256 is not None and picture.sha256 == content.sha256
        if same_file or torch.equal(picture.pixels, content.pixels):
            raise RequestError(
                f"photo and style are the same picture ({picture.source}); expected two: give another style"
            )
        pictures.append(picture)
    return content, pictures


def mask_list(masks: Masks | None) -> Sequence[ImageLike | None] | None:
    """Return masks as a list: of a single one, a list with that.

    Raises:
        RequestError: they are neither a picture nor a list of pictures.
    """
    if masks is None or isinstance(masks, list | tuple):
        return cast("Sequence[ImageLike | None] | None", masks)
    if isinstance(masks, dict | set):
        raise RequestError(f"masks are a {type(masks).__name__}; expected a list with one for each style, or None")
    return [cast("ImageLike", masks)]


def read_masks(recipe: Recipe, photo: Picture, masks: Masks | None, read: Read) -> list[Tensor | None]:
    """Read the masks of a recipe's styles.

    Args:
        recipe: its styles name the masks.
        photo: the photograph. Its alpha channel is the mask that a recipe calls ``alpha``.
        masks: pictures to use instead of the recipe's masks, one for each style; None in the list means everywhere.
        read: reads a picture.

    Returns:
        One mask for each style, 1×1×H×W in [0, 1] of its own size; None means everywhere.

    Raises:
        RequestError: a mask is unreadable, or is the alpha channel of a photograph that has none.
    """
    from ..images.regions import mask_of, warn_of_darkness, warn_of_shape

    masks = mask_list(masks)
    found: list[Tensor | None] = []
    for source in [part.mask for part in recipe.parts] if masks is None else masks:
        if source is None:
            found.append(None)
        elif isinstance(source, str) and source == ALPHA:
            if photo.alpha is None:
                raise RequestError(
                    f"the mask is the photo's alpha channel, but {photo.source or 'the photo'} has none; expected a "
                    "picture with transparency: give the mask as a file"
                )
            found.append(photo.alpha)
        else:
            picture = read(source)
            warn_of_shape(picture, photo)
            found.append(mask := mask_of(picture))
            warn_of_darkness(mask, picture.source or "given")
    return found


def regions_of(recipe: Recipe, photo: Picture, masks: Sequence[Tensor | None]) -> Regions | None:
    """Combine the masks of a recipe's styles, at the size that the photograph is painted; None without masks.

    Raises:
        RequestError: a mask is entirely black, or there are not as many masks as styles.
    """
    from ..images.geometry import fitted_size
    from ..images.regions import make_regions
    from ..runtime import isolated

    names = [part.mask for part in recipe.parts]
    width, height = photo.size
    height, width = fitted_size(height, width, recipe.size)
    weights = [part.weight for part in recipe.parts]
    with isolated():
        return make_regions(
            masks, weights, height, width, recipe.feather, names if len(names) == len(masks) else None
        )
