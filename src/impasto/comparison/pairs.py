"""Reads pairs of photographs and style pictures from a table. Imports no torch."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from ..errors import RequestError, near_misses
from ..untrusted import read_text

_PHOTO, _STYLE = ("photo",), ("style", "painting")  # names that the columns may have
_FOLDERS = {"photo": "photos", "style": "paintings"}


def read_pairs(path: str | Path) -> list[tuple[str, str]]:
    """Read the paths of photographs and styles from a CSV file with one pair in each line.

    The columns are `photo` and `style` (or `painting`). If the first line does not name them, there must be two, in
    this order. Semicolons or tabs may separate them. Paths are relative to the file. A name
    without a folder may also be that of a file in the folders ``photos`` or ``paintings`` beside the file.

    Args:
        path: the CSV file.

    Returns:
        The paths of photograph and style of each pair.

    Raises:
        RequestError: the file is unreadable or is no such table, a picture is missing, or a pair is given twice.
    """
    path = Path(path)
    try:
        text = read_text(path)
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter_of(text))
        lines = [(number, row) for number, row in enumerate(rows, 1) if any(map(str.strip, row))]
    except (OSError, ValueError, csv.Error) as error:
        raise RequestError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    photo, style = 0, 1
    header = [cell.strip().lower() for cell in lines[0][1]] if lines else []
    found = [next((header.index(name) for name in names if name in header), None) for names in (_PHOTO, _STYLE)]
    if found[0] is not None and found[1] is not None:
        photo, style = found[0], found[1]
        del lines[0]
    elif any(len(row) != 2 for _, row in lines):
        lines = []
    if not lines:
        raise RequestError(f"{path}: expected a table with the columns photo and style, one pair in each line")
    pairs: list[tuple[str, str]] = []
    for number, row in lines:
        cells = [row[column].strip() if column < len(row) else "" for column in (photo, style)]
        if not all(cells):
            raise RequestError(f"{path}, line {number}: {','.join(row)!r} is no pair; expected a photo and a style")
        where = f"{path}, line {number}"
        pairs.append((_find(path.parent, cells[0], "photo", where), _find(path.parent, cells[1], "style", where)))
        if pairs[-1] in pairs[:-1]:
            raise RequestError(f"{where}: the pair {' and '.join(cells)} is given twice; expected each once")
    return pairs


def delimiter_of(text: str) -> str:
    """What separates the cells of a table: a comma, or the semicolon or tab that its first line has instead."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    return next((mark for mark in ",;\t" if mark in first), ",")


def _find(folder: Path, name: str, kind: str, where: str) -> str:
    """Return the path of a picture that a table names.

    Raises:
        RequestError: it does not exist.
    """
    beside = folder / _FOLDERS[kind]
    places = [folder / name] if Path(name).parent != Path() else [folder / name, beside / name]
    for place in places:
        if place.is_file():
            return str(place)
    known = [entry.name for place in places if place.parent.is_dir() for entry in place.parent.iterdir()]
    expected = f"expected a {kind} at {' or '.join(map(str, places))}"
    raise RequestError(f"{where}: there is no file {name}; {expected}{near_misses(Path(name).name, known)}")


def unique(names: Sequence[str]) -> list[str]:
    """Return the names with a number after each that is there already, so that all differ."""
    made: list[str] = []
    for name in names:
        number, other = 1, name
        while other in made:
            number += 1
            other = f"{name}-{number}"
        made.append(other)
    return made
