"""The controls that mean the same in every method: where, how much, and in whose colours."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Generator, Sequence
from typing import Self

import torch
from torch import Tensor

from ...images import palette
from ...images.geometry import fit, resize
from ...painter import Checkpoint, Painter, Regions, Step

_AFTER: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "luminance": palette.luminance,
    "oklab": palette.oklab,
    "histogram": palette.histogram,
}


class Controlled(Painter):
    """A painter whose pictures keep colours, show by strength, and leave the photograph outside every mask."""

    def __init__(
        self, painter: Painter, styles: Sequence[Tensor], rebind: Callable[[Sequence[Tensor]], Painter]
    ) -> None:
        """`rebind` makes a painter like `painter` for other style pictures."""
        self.painter, self._styles, self._rebind = painter, styles, rebind
        self.recipe, self.device, self.resumable = painter.recipe, painter.device, painter.resumable

    def keeping(self, checkpoint: Checkpoint) -> Self:
        """See `Painter.keeping`."""
        painter = super().keeping(checkpoint)
        painter.painter = self.painter.keeping(checkpoint)
        return painter

    def paint(self, content: Tensor, regions: Regions | None = None) -> Generator[Step]:
        """Paint; see `Painter.paint`."""
        painter = self.painter
        if self.recipe.colour == "coral" and self.recipe.colour_strength:
            strength = self.recipe.colour_strength
            painter = self._rebind(
                [torch.lerp(style, palette.coral(style, content), strength) for style in self._styles]
            )
            if self.checkpoint is not None:
                painter = painter.keeping(self.checkpoint)
        photo = fit(content.to(self.device), self.recipe.size)
        for step in painter.paint(content, regions):
            yield dataclasses.replace(step, image=self._finished(step.image, photo, regions))

    def _finished(self, image: Tensor, photo: Tensor, regions: Regions | None) -> Tensor:
        recipe = self.recipe
        keep = _AFTER.get(recipe.colour) if recipe.colour_strength else None
        if keep is None and recipe.strength == 1 and regions is None:
            return image
        height, width = image.shape[2:]
        photo = resize(photo, height, width)  # a picture on its way may be smaller
        if keep is not None:
            image = torch.lerp(image, keep(image, photo), recipe.colour_strength)
        weight = torch.tensor(recipe.strength, device=image.device)
        if regions is not None:
            weight = weight * resize(regions.coverage.to(image.device), height, width)
        return torch.lerp(photo, image, weight)
