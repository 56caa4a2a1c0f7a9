"""The controls that work the same way with every method: masks, strength and colour."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ...images import palette
from ...images.geometry import fit, resize
from ...painter import Regions
from ...recipe import Recipe

_AFTER: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "luminance": palette.luminance,
    "oklab": palette.oklab,
    "histogram": palette.histogram,
}


def recolour_styles(styles: Sequence[Tensor], content: Tensor, recipe: Recipe) -> Sequence[Tensor] | None:
    """Give style pictures the photograph's colours if the recipe's colour is ``coral``; otherwise return None."""
    if recipe.colour != "coral" or not recipe.colour_strength:
        return None
    return [torch.lerp(style, palette.coral(style, content), recipe.colour_strength) for style in styles]


def finish(image: Tensor, content: Tensor, recipe: Recipe, regions: Regions | None = None) -> Tensor:
    """Apply colour, strength and masks to what a method painted.

    Args:
        image: 1×3×h×w in [0, 1]; a step before the last may be smaller than the result.
        content: the photograph, 1×3×H×W in [0, 1].
        recipe: has the controls.
        regions: where each style applies; outside them the photograph shows.

    Returns:
        1×3×h×w in [0, 1]; `image` itself if there is nothing to do.
    """
    keep = _AFTER.get(recipe.colour) if recipe.colour_strength else None
    if keep is None and recipe.strength == 1 and regions is None:
        return image
    height, width = image.shape[2:]
    photo = resize(fit(content.to(image.device), recipe.size), height, width)
    if keep is not None:
        image = torch.lerp(image, keep(image, photo), recipe.colour_strength)
    weight = torch.tensor(recipe.strength, device=image.device)
    if regions is not None:
        weight = weight * resize(regions.coverage.to(image.device), height, width)
    return torch.lerp(photo, image, weight)
