"""Reads the paintings that a net learns from: photographs, and what a slower method made of each of them.

The folder of a teacher holds ``photos/NAME.png`` and, for each style, ``STYLE/NAME.png``.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..errors import RequestError
from .data import MIN_SIDE, SUFFIXES, first_names

PHOTOS = "photos"
"""The folder of the photos in that of a teacher."""

_PAINTINGS = "paintings"  # where the paintings of a single style may lie
_ODD = 0.02  # largest difference of the proportions of a photo and its painting


@dataclass(frozen=True)
class Lesson:
    """A photograph and its painting, H×W×3 uint8 each, of the same size."""

    photo: np.ndarray
    painting: np.ndarray


@dataclass(frozen=True)
class Lessons:
    """The lessons of each style, by its name.

    Attributes:
        by_style: at least one lesson for each style.
    """

    by_style: Mapping[str, Sequence[Lesson]]

    def draw(self, styles: Sequence[str], side: int, seed: str) -> tuple[Tensor, Tensor]:
        """Draw a crop of a random lesson for each of `styles`.

        Args:
            styles: names of styles, N of them.
            side: side of the crops in pixels. A lesson with a shorter side is enlarged.
            seed: of the draws.

        Returns:
            Photos and their paintings, N×3×side×side float32 in [0, 1].
        """
        rng = random.Random(seed)
        drawn = [_crop(rng.choice(self.by_style[style]), side, rng) for style in styles]
        photos, paintings = (torch.from_numpy(np.stack(each)) for each in zip(*drawn, strict=True))
        return _to_float(photos), _to_float(paintings)


def _to_float(pictures: Tensor) -> Tensor:
    return pictures.permute(0, 3, 1, 2).float().div_(255).contiguous(memory_format=torch.channels_last)


def _crop(lesson: Lesson, side: int, rng: random.Random) -> tuple[np.ndarray, np.ndarray]:
    """Cut the same square from photo and painting; every second one, on average, is mirrored."""
    photo, painting = lesson.photo, lesson.painting
    shortest = min(photo.shape[:2])
    if shortest < side:
        height, width = (max(side, round(length * side / shortest)) for length in photo.shape[:2])
        photo, painting = (_resized(each, width, height) for each in (photo, painting))
    top, left = (rng.randint(0, length - side) for length in photo.shape[:2])
    step = -1 if rng.random() < 0.5 else 1
    photo, painting = (each[top : top + side, left : left + side][:, ::step] for each in (photo, painting))
    return photo, painting


def _resized(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC))


class _UnfitError(Exception):
    """A painting that cannot be learned from; says why, and which file it is about."""

    def __init__(self, reason: str, path: Path) -> None:
        super().__init__(reason)
        self.reason, self.path = reason, path


def read_lessons(folder: Path, styles: Sequence[str], say: Callable[[str], None]) -> Lessons:
    """Read the lessons in a folder. Paintings without their photo, and odd pairs, are left out.

    Args:
        folder: of a teacher; see the module. With one style its paintings may lie in ``paintings`` too.
        styles: names of the styles to learn.
        say: called with a line about what is left out.

    Raises:
        RequestError: the folder is missing, or a style has no lesson.
    """
    photos = _pictures(folder / PHOTOS)
    if not photos:
        raise RequestError(
            f"no photos in {folder / PHOTOS}; expected the photos there, and in {folder / styles[0]} their "
            "paintings, each with the name of its photo"
        )
    left_out: defaultdict[str, list[str]] = defaultdict(list)
    found = {style: _read_style(folder, style, photos, left_out, alone=len(styles) == 1) for style in styles}
    if left_out:
        say(f"teacher: left out: {_reasons(left_out)}")
    if others := _other_styles(folder, styles):
        say(f"teacher: not learned, without a --style of the name: {first_names(others)}")
    return Lessons(found)


def _read_style(
    folder: Path, style: str, photos: Mapping[str, Path], left_out: defaultdict[str, list[str]], *, alone: bool
) -> list[Lesson]:
    """Read the lessons of a style; `left_out` gets the names of other files by the reason."""
    place = folder / style
    if alone and not place.is_dir() and (folder / _PAINTINGS).is_dir():
        place = folder / _PAINTINGS
    paintings = _pictures(place)
    if not paintings:
        others = _other_styles(folder, [style])
        there = f"; there are paintings of {first_names(others)}" if others else ""
        raise RequestError(
            f"no paintings in {place}; expected those of the style {style}, each with the name of its photo in "
            f"{folder / PHOTOS}{there}: rename their folder or the style's picture, so that both have one name"
        )
    lessons: list[Lesson] = []
    unfit: defaultdict[str, list[str]] = defaultdict(list)
    for name, painting in paintings.items():
        try:
            lessons.append(_read_lesson(photos.get(name), painting))
        except _UnfitError as error:
            unfit[error.reason].append(str(error.path))
    if not lessons:
        raise RequestError(
            f"no painting in {place} suits a photo in {folder / PHOTOS}: {_reasons(unfit)}; expected at least one "
            f"for the style {style}, with the name and proportions of its photo"
        )
    for reason, names in unfit.items():
        left_out[reason] += [name for name in names if name not in left_out[reason]]
    return lessons


def _reasons(left_out: Mapping[str, Sequence[str]]) -> str:
    return "; ".join(f"{len(names)} {reason}: {first_names(names)}" for reason, names in left_out.items())


def _other_styles(folder: Path, styles: Sequence[str]) -> list[str]:
    """The folders of paintings of which no style is learned."""
    known = {PHOTOS, _PAINTINGS, *styles}
    return sorted(each.name for each in folder.iterdir() if each.name not in known and _pictures(each))


def _pictures(folder: Path) -> dict[str, Path]:
    """The picture files of a folder, by name without the ending."""
    if not folder.is_dir():
        return {}
    return {path.stem: path for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES}


def _read_lesson(photo: Path | None, painting: Path) -> Lesson:
    """Read a pair, the larger reduced to the smaller.

    Raises:
        _UnfitError: there is no photo, one is unreadable or small, or their proportions differ.
    """
    if photo is None:
        raise _UnfitError("without a photo of the name", painting)
    pictures = [_read(photo), _read(painting)]
    ratios = [picture.width / picture.height for picture in pictures]
    if abs(ratios[0] / ratios[1] - 1) > _ODD + 2 / min(min(picture.size) for picture in pictures):
        raise _UnfitError("of other proportions than the photo", painting)
    size = min((picture.size for picture in pictures), key=lambda size: size[0] * size[1])
    small = [picture.resize(size, Image.Resampling.LANCZOS) for picture in pictures]
    return Lesson(*(np.asarray(picture) for picture in small))


def _read(path: Path) -> Image.Image:
    try:
        with Image.open(path) as image:
            picture = image.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise _UnfitError("unreadable", path) from None
    if min(picture.size) < MIN_SIDE:
        raise _UnfitError(f"of less than {MIN_SIDE} pixels a side", path)
    return picture
