"""Lengths of time as text."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

_PARTS = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m(?:in)?)?(?:(\d+(?:\.\d+)?)s)?", re.IGNORECASE)


def parse_time(value: Any) -> Any:
    """Read a length of time, such as ``3h``, ``90m``, ``45s`` or ``1h30m``; what is no text is returned as it is.

    Raises:
        ValueError: the text is none.
    """
    if not isinstance(value, str) or value.startswith("P"):  # the form of JSON
        return value
    found = _PARTS.fullmatch("".join(value.split()))
    if found is None or not any(found.groups()):
        raise ValueError("expected a time with its unit, as in 3h, 90m or 45s")
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    try:
        return timedelta(hours=hours, minutes=minutes, seconds=seconds)
    except OverflowError:
        raise ValueError("expected a shorter time, as in 3h, 90m or 45s") from None


def describe_time(seconds: float) -> str:
    """Write a time for people: ``45 s``, ``12 min``, ``2 h 10 min``."""
    if seconds < 59.5:
        return f"{max(1, round(seconds))} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    parts = [f"{hours} h"] * bool(hours) + [f"{minutes} min"] * bool(minutes)
    return " ".join(parts)
