"""Paintings that a net learns from: photographs, and what a slower method makes of each of them.

The folder of a teacher holds ``photos/NAME.png`` and, for each style, ``STYLE/NAME.png``. A trainer paints such a
folder ahead; paintings that are there already are not painted again.
"""

from __future__ import annotations

import hashlib
import io
import json
import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..api import bind
from ..errors import RequestError
from ..images.atomic import make_folder, write_atomically
from ..methods import make_recipe
from ..methods.effort import way
from ..recipe import Recipe, Style
from ..weights.files import sha256_of
from .data import SUFFIXES, first_names
from .times import describe_time

TEACHERS = {"cascade": "quick", "nnst": "best"}
"""Efforts of `impasto paint` by the name of the method that does most of the work."""

SIZE = 256
"""Longest side in pixels at which a teacher paints."""

BOLDNESS = 0.7
"""Boldness of a teacher. A net draws strokes of so many pixels at any size; these are seen at 512 px."""

PHOTOS = "photos"
_PLAN = "teacher.json"
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


def find_lessons(
    teacher: str, photos: Sequence[np.ndarray], styles: Mapping[str, Path], ahead: Path, *, device: str = "auto"
) -> Lessons:
    """Read the lessons of a teacher. What is left out, and how far painting is, goes to standard error.

    Args:
        teacher: a name of `TEACHERS`, which paints `photos` first; or a folder of paintings, see the module.
        photos: see `paint_ahead`.
        styles: the file of each style.
        ahead: folder that is painted ahead.
        device: see `bind`.

    Raises:
        RequestError: there is no such folder, or it has no lesson for a style.
    """

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    folder = Path(teacher).expanduser()
    if teacher in TEACHERS:
        folder = ahead
        paint_ahead(folder, teacher, photos, styles, say, device=device)
    elif not folder.is_dir():
        raise RequestError(
            f"teacher is {teacher!r}; expected {' or '.join(TEACHERS)}, or a folder of photos and their paintings"
        )
    return read_lessons(folder, list(styles), say)


def read_lessons(folder: Path, styles: Sequence[str], say: Callable[[str], None]) -> Lessons:
    """Read the lessons in a folder. Pictures without their pair, and pairs of other proportions, are left out.

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
    found: dict[str, list[Lesson]] = {}
    left_out: list[str] = []
    for style in styles:
        place = folder / style
        if not place.is_dir() and len(styles) == 1:
            place = folder / "paintings"
        paintings = _pictures(place)
        left_out += [str(path) for name, path in paintings.items() if name not in photos]
        pairs: list[Lesson] = []
        for name in sorted(photos.keys() & paintings.keys()):
            lesson = _read_lesson(photos[name], paintings[name])
            if lesson is None:
                left_out.append(str(paintings[name]))
            else:
                pairs.append(lesson)
        if not pairs:
            raise RequestError(
                f"no painting in {place} has the name and proportions of a photo in {folder / PHOTOS}; expected at "
                f"least one for the style {style}"
            )
        found[style] = pairs
    if left_out:
        say(f"teacher: left out, without a photo of its name and proportions: {first_names(left_out)}")
    return Lessons(found)


def _pictures(folder: Path) -> dict[str, Path]:
    """The picture files of a folder, by name without the ending."""
    if not folder.is_dir():
        return {}
    return {path.stem: path for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES}


def _read_lesson(photo: Path, painting: Path) -> Lesson | None:
    """Read a pair, the larger reduced to the smaller; None if one is unreadable or their proportions differ."""
    try:
        pictures = [_read(photo), _read(painting)]
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    ratios = [picture.width / picture.height for picture in pictures]
    if abs(ratios[0] / ratios[1] - 1) > _ODD + 2 / min(min(picture.size) for picture in pictures):
        return None
    size = min((picture.size for picture in pictures), key=lambda size: size[0] * size[1])
    small = [picture.resize(size, Image.Resampling.LANCZOS) for picture in pictures]
    return Lesson(*(np.asarray(picture) for picture in small))


def _read(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB")


def paint_ahead(
    folder: Path,
    teacher: str,
    photos: Sequence[np.ndarray],
    styles: Mapping[str, Path],
    say: Callable[[str], None],
    device: str = "auto",
) -> None:
    """Paint photographs in every style, into a folder that `read_lessons` reads. Finished paintings are kept.

    Args:
        folder: of the teacher; it is made.
        teacher: a name of TEACHERS.
        photos: H×W×3 uint8. They are the same in every call, or the folder is another.
        styles: the file of each style.
        say: called with a line now and then.
        device: see `bind`.

    Raises:
        OutputError: the folder cannot be written.
    """
    _check_plan(folder, teacher, photos, styles)
    places = _save_photos(folder, photos)
    done, started = 0, time.monotonic()
    missing = {style: [path for path in places if not (folder / style / path.name).exists()] for style in styles}
    total = sum(map(len, missing.values()))
    for style, own in missing.items():
        if not own:
            continue
        make_folder(folder / style)
        painter = bind(teacher_recipe(teacher, styles[style]), device=device)
        for path in own:
            painter.paint(path).done().save(folder / style / path.name, overwrite=True)
            done += 1
            left = (time.monotonic() - started) / done * (total - done)
            say(f"teacher: {style}, {done} of {total} paintings, about {describe_time(max(left, 0))} left")


def teacher_recipe(teacher: str, style: Path) -> Recipe:
    """Return the recipe by which a teacher paints a style."""
    method, preset, settings = way(TEACHERS[teacher], BOLDNESS)
    return make_recipe(method, [Style(path=str(style))], preset=preset, settings={**settings, "size": SIZE})


def _check_plan(folder: Path, teacher: str, photos: Sequence[np.ndarray], styles: Mapping[str, Path]) -> None:
    """Check that the paintings in the folder were made from the same photos, in the same styles and way.

    Raises:
        RequestError: they were not.
    """
    pixels = hashlib.sha256()
    for photo in photos:
        pixels.update(np.ascontiguousarray(photo).data)
    recipes = {
        name: {
            "recipe": teacher_recipe(teacher, path).model_dump(mode="json", exclude={"styles"}),
            "sha256": sha256_of(path),
        }
        for name, path in styles.items()
    }
    plan = {"photos": pixels.hexdigest(), **recipes}
    file = folder / _PLAN
    known: dict[str, Any] = {}
    if file.exists():
        try:
            known = json.loads(file.read_text())
        except (OSError, ValueError):
            raise RequestError(f"{file} cannot be read; remove {folder} to paint it anew") from None
    differing = [name for name in plan if name in known and known[name] != plan[name]]
    if differing:
        raise RequestError(
            f"{folder} holds the paintings of other {', '.join(differing)} or of another teacher; remove it to paint "
            "it anew, or give another --out"
        )
    make_folder(folder)
    write_atomically(file, json.dumps({**known, **plan}, indent=1).encode(), overwrite=True)


def _save_photos(folder: Path, photos: Sequence[np.ndarray]) -> list[Path]:
    """Save the photos that are not there yet, and return the file of each."""
    make_folder(folder / PHOTOS)
    places: list[Path] = []
    for number, pixels in enumerate(photos):
        path = folder / PHOTOS / f"{number:04d}.png"
        if not path.exists():
            data = io.BytesIO()
            Image.fromarray(pixels).save(data, "PNG")
            write_atomically(path, data.getvalue(), overwrite=True)
        places.append(path)
    return places
