"""`bind` and `paint`: the library's two verbs. Imports no torch until one is used."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import ImpastoError, RequestError
from .methods import DEFAULT, make_recipe, method
from .painter import Step
from .recipe import ALPHA, Recipe, Style

_SMALLEST = 2  # pixels a side

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image
    from torch import Tensor

    from .images.picture import Picture
    from .methods.common.finish import Controlled
    from .painter import Regions

    ImageLike = str | Path | bytes | Image.Image | NDArray[np.generic] | Tensor


def bind(recipe: Recipe, *, device: str = "auto", styles: Sequence[ImageLike] | None = None) -> Controlled:
    """Load a recipe's networks and styles onto a device, ready for any number of photographs.

    Args:
        recipe: what to paint with; see `make_recipe`.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        styles: pictures to use in place of reading the recipe's style paths, in the same order.

    Raises:
        RequestError: something asked for does not exist or does not fit together.
    """
    from .images.read import read
    from .methods.common.finish import Controlled
    from .runtime import pick_device

    sources: Sequence[Any] = [style.path for style in recipe.styles] if styles is None else styles
    pictures = [read(source).pixels for source in sources]
    chosen, place = method(recipe.method), pick_device(device)
    return Controlled(
        chosen.bind(recipe, pictures, place), pictures, lambda others: chosen.bind(recipe, others, place)
    )


def read_regions(recipe: Recipe, photo: Picture, masks: Sequence[ImageLike | None] | None = None) -> Regions | None:
    """Where each of a recipe's styles applies on a photograph; None where it has no masks.

    A mask of another size is fitted to the photograph, with a warning where it has other proportions.

    Args:
        recipe: its styles name the masks.
        photo: may itself be a mask, by its alpha channel.
        masks: pictures to use in place of the recipe's, one a style, None for everywhere.

    Raises:
        RequestError: a mask is unreadable, black all over, or the alpha channel of a photograph that has none.
    """
    from .images.geometry import fitted_size
    from .images.read import read
    from .images.regions import make_regions, mask_of, warn_of_shape

    sources = [part.mask for part in recipe.parts] if masks is None else list(masks)
    names = [source if isinstance(source, str) else None for source in sources]
    found: list[Tensor | None] = []
    for source in sources:
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
            found.append(mask_of(picture))
    width, height = photo.size
    height, width = fitted_size(height, width, recipe.size)
    weights = [part.weight for part in recipe.parts]
    return make_regions(found, weights, height, width, recipe.feather, names)


def name_styles(styles: Sequence[ImageLike]) -> tuple[list[Style], list[ImageLike]]:
    """Styles as a recipe knows them, and where to read each from."""
    named = [
        Style.parse(str(s)) if isinstance(s, str | Path) else Style(path=f"style {n}")
        for n, s in enumerate(styles, 1)
    ]
    pairs = zip(named, styles, strict=True)
    return named, [name.path if isinstance(style, str | Path) else style for name, style in pairs]


def open_pictures(photo: ImageLike, styles: Sequence[ImageLike]) -> tuple[Picture, list[Picture]]:
    """Read a photograph and its styles, and refuse what nothing can be painted from.

    Raises:
        RequestError: a picture is unreadable or a pixel wide, or a style is the photograph itself.
    """
    import torch

    from .images.picture import require_size
    from .images.read import read

    content = read(photo)
    require_size(content, _SMALLEST, "the photo")
    pictures: list[Picture] = []
    for source in styles:
        picture = read(source)
        require_size(picture, _SMALLEST, "the style")
        if torch.equal(picture.pixels, content.pixels):
            raise RequestError(
                f"photo and style are the same picture ({picture.source}); expected two: give another style"
            )
        pictures.append(picture)
    return content, pictures


def last(steps: Iterable[Step]) -> Step:
    """The answer of a painting: its last step."""
    tail = deque(steps, maxlen=1)
    if not tail:
        raise ImpastoError("the painting has no steps; expected at least one")
    return tail[0]


def paint(
    photo: ImageLike,
    *styles: ImageLike,
    method: str | None = None,
    preset: str | None = None,
    masks: Sequence[ImageLike | None] | None = None,
    device: str = "auto",
    **settings: Any,
) -> Image.Image:
    """Paint a photograph in the manner of one or more pictures.

    Args:
        photo: a path, bytes, PIL image, array (H×W×3) or tensor (1×3×H×W in [0, 1]).
        styles: the same kinds; a path may carry a weight and a mask, as in ``"scream.jpg:0.3@sky.png"``.
        method: one of `METHODS`; by default the one that `impasto paint` uses.
        preset: one of the method's named settings.
        masks: where each style applies, white for wholly, in place of masks that paths carry; None for everywhere.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        **settings: fields of the method's options or of `Recipe` (`size`, `seed`, `steps`, ...).

    Returns:
        The painting, RGB, or RGBA where the photograph has alpha.

    Raises:
        RequestError: an unreadable picture, an unknown name, a value out of range.
    """
    from .images.geometry import resize
    from .images.picture import to_pil

    if method is None:
        method, default_preset = DEFAULT
        preset = preset or default_preset
    named, sources = name_styles(styles)
    recipe = make_recipe(method, named, preset=preset, settings=settings)
    content, pictures = open_pictures(photo, sources)
    regions = read_regions(recipe, content, masks)
    step = last(bind(recipe, device=device, styles=[p.pixels for p in pictures]).paint(content.pixels, regions))
    alpha = content.alpha
    if alpha is not None:
        alpha = resize(alpha, *step.image.shape[2:])
    return to_pil(step.image, alpha)
