"""Masks of a film: pictures, other films, or the film's own transparency."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..images.read import read
from ..images.regions import make_regions, mask_of, warn_of_shape
from ..recipe import ALPHA, Recipe
from .coding import ANIMATIONS, CONTAINERS, is_numbered
from .frames import Film, Frame

if TYPE_CHECKING:
    from ..painter import Regions

_DARKEST = 1 / 255


class Masks:
    """The regions of the styles on each frame of a film.

    Args:
        recipe: its styles name the masks.
        size: width and height of the frames.

    Raises:
        ImageError: a mask cannot be read.
    """

    def __init__(self, recipe: Recipe, size: tuple[int, int]) -> None:
        self._names = {part.mask for part in recipe.parts if part.mask is not None}
        self._feather, self._size = recipe.feather, size
        self._films: dict[str, _MovingMask] = {}
        self._still: dict[str, Tensor] = {}
        for name in self._names - {ALPHA}:
            if is_moving(name):
                self._films[name] = _MovingMask(name, size)
            else:
                picture = read(name)
                width, height = size
                shown = read(torch.zeros(1, 3, height, width))
                warn_of_shape(picture, shown)
                self._still[name] = mask_of(picture)
        self._kept: tuple[tuple[object, ...], Regions | None] | None = None

    def regions(self, recipe: Recipe, frame: Frame) -> Regions | None:
        """Return the regions of a recipe's styles on a frame; None without masks.

        Raises:
            RequestError: a mask that is a picture is entirely black.
        """
        parts = recipe.parts
        if not self._names or all(part.mask is None for part in parts):
            return None
        moving = bool(self._films) or ALPHA in self._names
        key = tuple((part.mask, part.weight) for part in parts)
        if not moving and self._kept is not None and self._kept[0] == key:
            return self._kept[1]
        width, height = self._size
        masks = [self._mask(part.mask, frame) for part in parts]
        names = None if moving else [part.mask for part in parts]
        made = make_regions(masks, [part.weight for part in parts], height, width, self._feather, names)
        self._kept = key, made
        return made

    def _mask(self, name: str | None, frame: Frame) -> Tensor | None:
        if name is None:
            return None
        if name == ALPHA:
            return _seen(_of_pixels(frame.alpha)) if frame.alpha is not None else torch.ones(1, 1, 2, 2)
        return self._still[name] if name in self._still else _seen(self._films[name].at(frame.time))

    def close(self) -> None:
        """Close the masks that are films."""
        for mask in self._films.values():
            mask.close()


def is_moving(name: str) -> bool:
    """Say whether a mask is a film, by its name."""
    return name.lower().endswith((*CONTAINERS, *ANIMATIONS)) or is_numbered(name)


class _MovingMask:
    """A film that is a mask: white where its style applies."""

    def __init__(self, path: str, size: tuple[int, int]) -> None:
        from .sources import open_film

        self._film: Film = open_film(path)
        self._size = size
        self._frames: Iterator[Frame] | None = None
        self._now: Frame | None = None
        self._next: Frame | None = None

    def at(self, time: Fraction) -> Tensor:
        """Return the mask at a time, 1×1×H×W; after its end, the last one."""
        if self._frames is None:
            self._frames = self._film.frames(self._size, max(Fraction(0), time - 1))
            self._now = next(self._frames, None)
            self._next = next(self._frames, None)
        while self._next is not None and self._next.time <= time:
            self._now, self._next = self._next, next(self._frames, None)
        if self._now is None:
            return torch.ones(1, 1, 2, 2)
        return _of_pixels(self._now.pixels.mean(axis=2))

    def close(self) -> None:
        self._frames = None


def _seen(mask: Tensor) -> Tensor:
    """Lighten a mask that is black all over: in a film, a thing may be out of sight for a while."""
    return mask if float(mask.max()) > _DARKEST else mask.clamp_min(_DARKEST)


def _of_pixels(values: Sequence[Sequence[float]] | object) -> Tensor:
    return torch.as_tensor(values, dtype=torch.float32).div(255)[None, None]
