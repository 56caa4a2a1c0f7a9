"""Sizes of prints as text, such as ``60x40cm`` or ``A4``. Imports no torch."""

from __future__ import annotations

import re
from typing import Annotated, NamedTuple

from pydantic import AfterValidator, Field

DPI = 300.0
"""Pixels per inch of a print, unless others are asked for."""

FIELDS = ("print", "dpi", "print_crop")
"""The settings of a print in a recipe."""

_INCH = {"mm": 25.4, "cm": 2.54, "m": 0.0254, "in": 1.0}
"""Of each unit, how many are an inch."""

_DECIMALS = {"mm": 0, "cm": 1, "m": 3, "in": 2}

_PAPERS = {
    "A0": (841, 1189),
    "A1": (594, 841),
    "A2": (420, 594),
    "A3": (297, 420),
    "A4": (210, 297),
    "A5": (148, 210),
    "A6": (105, 148),
}
"""Sides in millimetres."""

_NUMBER, _UNIT = r"(\d+(?:[.,]\d*)?|[.,]\d+)", r"(mm|cm|m|in)"
_SIZE = re.compile(rf"{_NUMBER}\s*{_UNIT}?\s*[x×*]\s*{_NUMBER}\s*{_UNIT}?", re.IGNORECASE)
_EXPECTED = f"expected width and height with a unit (mm, cm, m or in), as in 60x40cm, or one of {', '.join(_PAPERS)}"


class Print(NamedTuple):
    """The size of a print.

    Attributes:
        width: in `unit`.
        height: in `unit`.
        unit: mm, cm, m or in.
        turns: it is a sheet without an upright side, which lies as the photograph does.
    """

    width: float
    height: float
    unit: str
    turns: bool = False

    def pixels(self, dpi: float) -> tuple[float, float]:
        """Return width and height in pixels, not rounded."""
        scale = dpi / _INCH[self.unit]
        return self.width * scale, self.height * scale

    def scaled(self, factor: float) -> Print | None:
        """Return a print that is smaller, rounded down so that it can be written; None if nothing is left."""
        step = 10 ** _DECIMALS[self.unit]
        width, height = (int(side * factor * step) / step for side in (self.width, self.height))
        return Print(width, height, self.unit) if width and height else None

    def __str__(self) -> str:
        return f"{self.width:.6g}x{self.height:.6g}{self.unit}"


def parse_print(text: str) -> Print:
    """Read the size of a print.

    Raises:
        ValueError: it has no unit or two, a side is 0, or it is something else.
    """
    if text.strip().upper() in _PAPERS:
        across, down = _PAPERS[text.strip().upper()]
        return Print(across / 10, down / 10, "cm", turns=True)
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(_EXPECTED)
    first, last = match[2], match[4]
    if first and last and first.lower() != last.lower():
        raise ValueError(f"it has two units; {_EXPECTED}")
    if not (unit := (last or first or "").lower()):
        raise ValueError(f"it has no unit; {_EXPECTED}")
    found = Print(float(match[1].replace(",", ".")), float(match[3].replace(",", ".")), unit)
    if not min(found.width, found.height) > 0:
        raise ValueError(f"a side is 0; {_EXPECTED}")
    return found


def _written(text: str) -> str:
    found = parse_print(text)
    return text.strip().upper() if found.turns else str(found)


PrintSize = Annotated[str, AfterValidator(_written)]
LEAST_DPI, MOST_DPI = 10, 10_000
Dpi = Annotated[float, Field(ge=LEAST_DPI, le=MOST_DPI)]
