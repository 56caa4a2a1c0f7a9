"""A slower method that paints ahead what a net learns from, into a folder that `lessons` reads.

Paintings that are there already are not painted again.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..api import bind
from ..errors import RequestError
from ..images.atomic import make_folder, write_atomically
from ..methods import make_recipe
from ..methods.effort import way
from ..recipe import Recipe, Style
from ..weights.files import sha256_of
from .lessons import PHOTOS, Lessons, read_lessons
from .times import describe_time

TEACHERS = {"cascade": "quick", "nnst": "best"}
"""Efforts of `impasto paint` by the name of the method that does most of the work."""

SIZE = 256
"""Longest side in pixels at which a teacher paints."""

BOLDNESS = 0.7
"""Boldness of a teacher. A net draws strokes of so many pixels at any size; these are seen at 512 px."""

_PLAN = "teacher.json"


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
    lessons = read_lessons(folder, list(styles), say)
    if teacher not in TEACHERS:
        counts = ", ".join(f"{len(pairs)} of {style}" for style, pairs in lessons.by_style.items())
        say(f"teacher: {counts} to learn from, with their photos")
    return lessons


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
    try:
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
    except KeyboardInterrupt:
        say(f"teacher: {done} of {total} paintings are made and kept in {folder}; the same command paints the others")
        raise


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
