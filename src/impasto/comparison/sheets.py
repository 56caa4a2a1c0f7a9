"""Lays out the sheets of a comparison. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import RequestError
from ..session.painting import Painting
from .table import Row, Table
from .ways import Way

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

    from ..images.picture import Picture

STRENGTHS = (0.4, 0.7, 1.0)
_LARGEST = 512  # pixels of a picture's longest side on the sheet
_SMALLEST = 16
_SIDE = 8000  # pixels of a sheet's longest side; cells are made smaller so that it fits
_TEXT = 40  # pixels of the text between a picture and the next one below, at most if the cells are small


@dataclass(frozen=True, slots=True)
class Trial:
    """One painting of a comparison.

    Attributes:
        label: label of its way.
        painting: the painting at full strength.
    """

    label: str
    painting: Painting


def check_strengths(strengths: Sequence[float], ways: Sequence[Way]) -> None:
    """Check the strengths of a sheet's columns.

    Args:
        strengths: one for each column.
        ways: what is painted.

    Raises:
        RequestError: a strength is not from 0 to 1, there is none, or a way has a strength of its own.
    """
    if not strengths or not all(0 <= strength <= 1 for strength in strengths):
        shown = ", ".join(f"{strength:g}" for strength in strengths) or "none"
        raise RequestError(f"strengths are {shown}; expected at least one, each from 0 to 1")
    for way in ways:
        if way.recipe.strength != 1:
            raise RequestError(
                f"{way.label}: strength is {way.recipe.strength:g}, but each column has its own strength; expected "
                "it among the strengths of the columns"
            )


def cell_size(ways: Sequence[Way], pairs: int, cell: int | None = None) -> int:
    """Return the longest side of each picture on a sheet in pixels.

    Args:
        ways: what is painted.
        pairs: number of rows.
        cell: the size that is asked for; None for that of the paintings, or less if the sheet would be too large.

    Raises:
        RequestError: `cell` is not from 16 to 4096.
    """
    if cell is not None:
        if not _SMALLEST <= cell <= 4096:
            raise RequestError(f"the cell is {cell} pixels; expected {_SMALLEST} to 4096")
        return cell
    largest = max(way.recipe.size or _LARGEST for way in ways)
    count = max(pairs, len(ways) + 2)
    return max(_SMALLEST, min(largest, _LARGEST, _SIDE // count - _TEXT))


def check_sheet(ways: int, pairs: int, cell: int, longest: int) -> None:
    """Check that the format of a file can hold a sheet of pairs.

    Args:
        ways: number of ways.
        pairs: number of pairs.
        cell: longest side of each picture on the sheet in pixels.
        longest: longest side that the format can hold in pixels.

    Raises:
        RequestError: a side may be longer.
    """
    side = max(pairs * (cell + _TEXT + cell // 12), (ways + 2) * (cell + _TEXT))
    if side > longest:
        raise RequestError(
            f"a sheet of {pairs} pairs in {ways} ways is about {side} pixels a side; expected at most {longest} in "
            "its file: make --cell smaller, or write .png"
        )


def strength_sheet(
    content: Picture,
    styles: Sequence[Picture],
    trials: Sequence[Trial],
    strengths: Sequence[float],
    cell: int | None = None,
) -> Image.Image:
    """Lay out one photograph painted in several ways, with the seconds that each took.

    The first column has the photograph and the styles. Then each row is a painting, and each column a strength.

    Args:
        content: the photograph.
        styles: the style pictures.
        trials: the paintings.
        strengths: one for each column.
        cell: longest side of each picture on the sheet in pixels; None for that of the paintings, at most 512.

    Returns:
        An RGB image.
    """
    from ..images.contact import contact_sheet, framed

    width, height = trials[0].painting.size
    inputs = [("the photo", content), *((Path(style.source).stem, style) for style in styles)]
    cells: list[Image.Image | Tensor | None] = []
    labels: list[str] = []
    for row in range(max(len(trials), len(inputs))):
        label, picture = inputs[row] if row < len(inputs) else ("", None)
        labels.append(label)
        # All are as large as the paintings, since a tall style beside wide paintings would make its row taller.
        cells.append(picture and framed(picture.to_pil(), (width, height)))
        if row < len(trials):
            painting = trials[row].painting
            cells += [painting.finished(strength=strength).image.cpu() for strength in strengths]
            labels += [f"{trials[row].label}, {_seconds(painting.seconds)}"] * len(strengths)
        else:
            cells += [None] * len(strengths)
            labels += [""] * len(strengths)
    return contact_sheet(
        cells,
        columns=1 + len(strengths),
        cell=cell or min(max(height, width), _LARGEST),
        labels=labels,
        headings=["", *(f"strength {strength:g}" for strength in strengths)],
    )


def pair_sheet(table: Table, letters: Sequence[str] = ()) -> Image.Image:
    """Lay out pairs, one in each row: the photograph, the style, then a column for each way.

    Args:
        table: the paintings, at least one. A row without any is left out.
        letters: names of the columns, to hide their ways. Then no seconds are shown.

    Returns:
        An RGB image.
    """
    from PIL import Image

    from ..images.contact import PAPER, contact_sheet

    cells: list[Image.Image | Tensor | None] = []
    labels: list[str] = []
    for row in table.rows:
        if row.painted and row.content is not None:
            empty = Image.new("RGB", row.content.size, PAPER)
            cells += [row.content, row.example, *(attempt.picture or empty for attempt in row.attempts)]
            labels += [_stem(row.photo), _stem(row.style), *_notes(row, blind=bool(letters))]
    return contact_sheet(
        cells,
        columns=2 + len(table.ways),
        cell=table.cell,
        labels=labels,
        headings=["", "", *(letters or [way.label for way in table.ways])],
    )


def _notes(row: Row, *, blind: bool) -> list[str]:
    """The texts under the paintings of a row."""
    if blind:
        return [""] * len(row.attempts)
    return [
        _seconds(attempt.seconds) if attempt.picture else "left out" if attempt.error else ""
        for attempt in row.attempts
    ]


def _stem(name: str) -> str:
    return "the photo" if name == "-" else Path(name).stem


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
