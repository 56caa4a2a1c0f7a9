"""Times of a clip as text: ``3s``, ``1.5``, ``2m``, ``1:02``, ``1:02:03.5``."""

from __future__ import annotations

import re
from fractions import Fraction

from ..errors import RequestError

_UNITS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600}
_PLAIN = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*(s|m|min|h|)")
_CLOCK = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{1,2}(?:\.\d*)?)")


def parse_time(text: str, what: str) -> Fraction:
    """Return the seconds that a text stands for.

    Args:
        text: the time.
        what: what it is, the subject of the message, such as ``--from``.

    Raises:
        RequestError: it is not a time.

    Examples:
        >>> parse_time("1:02.5", "--from")
        Fraction(125, 2)
    """
    text = text.strip()
    if found := _PLAIN.fullmatch(text):
        return Fraction(found[1].rstrip(".")) * _UNITS[found[2]]
    if found := _CLOCK.fullmatch(text):
        return Fraction(found[3].rstrip(".")) + 60 * int(found[2]) + 3600 * int(found[1] or 0)
    raise RequestError(f"{what} is {text!r}; expected a time, as 3s, 1.5s, 2m or 1:02:03.5")


def show_time(seconds: Fraction | float) -> str:
    """Write a time of a clip, as ``3.2 s`` or ``1:02``.

    Examples:
        >>> show_time(3.25), show_time(62)
        ('3.2 s', '1:02')
    """
    whole = round(float(seconds))
    if whole < 60:
        return f"{float(seconds):.1f} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
