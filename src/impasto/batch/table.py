"""Reads a table of photos with their styles and settings."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..comparison.pairs import delimiter_of
from ..errors import RequestError, near_misses
from ..untrusted import read_text
from .problems import Problem

PHOTO, STYLE = "photo", "style"
_MOST = 256_000_000  # bytes


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table: its number, the photo, the style or None, and settings as they are written."""

    line: int
    photo: str
    style: str | None
    settings: tuple[tuple[str, str], ...]


def read_table(path: str | Path, settings: Iterable[str]) -> tuple[list[Row], list[Problem]]:
    """Read a CSV file with the columns ``photo``, ``style`` and any settings.

    Commas, semicolons or tabs separate the cells. Paths are relative to the file. An empty cell leaves its setting as
    the others have it.

    Args:
        path: the file.
        settings: names of settings that columns may have.

    Returns:
        The rows, and what is wrong with the others.

    Raises:
        RequestError: the file is unreadable or has no photos, or a column is unknown.
    """
    path = Path(path)
    try:
        text = read_text(path, _MOST)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter_of(text), strict=True)
        lines = [(reader.line_num, row) for row in reader if any(map(str.strip, row))]
    except (OSError, ValueError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise RequestError(f"the table {path} cannot be read: {reason}; expected CSV in UTF-8") from None
    if not lines:
        raise RequestError(
            f"the table {path} is empty; expected the columns photo and style, and a photo in each line"
        )
    columns = [cell.strip().lower().replace("-", "_") for cell in lines[0][1]]
    _check_columns(path, columns, [PHOTO, STYLE, *settings])
    rows: list[Row] = []
    problems: list[Problem] = []
    for line, cells in lines[1:]:
        try:
            rows.append(_row(path, line, columns, cells))
        except RequestError as error:
            problems.append(Problem(f"{path}, line {line}", str(error)))
    if not rows and not problems:
        raise RequestError(
            f"the table {path} has no photos; expected one in each line below the names of the columns"
        )
    return rows, problems


def _check_columns(path: Path, columns: list[str], known: list[str]) -> None:
    for column in columns:
        if column not in known:
            hint = near_misses(column, known) or "; expected photo, style, or the name of a setting"
            raise RequestError(
                f"the table {path} has the column {column or '(without a name)'!r}, which is unknown{hint}"
            )
        if columns.count(column) > 1:
            raise RequestError(f"the table {path} has the column {column!r} twice; expected it once")
    if PHOTO not in columns:
        raise RequestError(
            f"the table {path} has no column photo; expected photo, style and settings in its first line"
        )


def _row(path: Path, line: int, columns: list[str], cells: list[str]) -> Row:
    where = f"{path}, line {line}"
    if len(cells) > len(columns):
        raise RequestError(
            f"{where} has {len(cells)} cells for {len(columns)} columns; expected one for each: quote it"
        )
    values = dict(zip(columns, map(str.strip, cells), strict=False))
    photo, style = values.pop(PHOTO), values.pop(STYLE, "")
    if not photo:
        raise RequestError(f"{where} names no photo; expected one in the column photo")
    found = path.parent / photo
    if not found.is_file():
        raise RequestError(f"{where}: there is no file {found}; expected a photo: paths are relative to the table")
    if style and not Path(style).is_absolute() and (path.parent / style.partition(":")[0].partition("@")[0]).exists():
        style = str(path.parent / style)
    return Row(line, str(found), style or None, tuple((name, value) for name, value in values.items() if value))
