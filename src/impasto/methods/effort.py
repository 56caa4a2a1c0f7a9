"""What `impasto paint` paints with: by how much time it may take, and how bold it is to be. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from ..errors import RequestError, near_misses
from .cascade.options import Rung

Effort = Literal["draft", "quick", "fine", "best"]

DEFAULT_EFFORT: Effort = "quick"
DEFAULT_BOLDNESS = 0.5

FIRST = 384
"""Pixels of the first rung's longest side at boldness 0; at 1 it is a third of that."""

STEEP = 180
"""Pixels of a first rung under which there is one more between it and the last."""

MIDDLE = 256
"""Pixels of that one, and at most of `fine`'s first."""


class Way(NamedTuple):
    """How to paint: a method, one of its presets or None, and settings that override it."""

    method: str
    preset: str | None
    settings: dict[str, Any]


def way(effort: str | None = None, boldness: float | None = None) -> Way:
    """What an effort and a boldness stand for.

    Args:
        effort: one of EFFORTS; None for the default.
        boldness: 0 keeps every detail of the photo, 1 large forms only; None for the default.

    Raises:
        RequestError: there is no such effort, or the boldness is out of range.

    Example:
        >>> name, preset, settings = way("quick", 0.8)
        >>> recipe = make_recipe(name, styles, preset=preset, settings=settings)
    """
    effort = DEFAULT_EFFORT if effort is None else effort
    boldness = DEFAULT_BOLDNESS if boldness is None else boldness
    if effort not in _WAYS:
        raise RequestError(
            f"effort is {effort!r}; expected one of {', '.join(EFFORTS)}, from the quickest to the best"
            f"{near_misses(str(effort), EFFORTS)}"
        )
    if isinstance(boldness, bool) or not isinstance(boldness, int | float) or not 0 <= boldness <= 1:
        raise RequestError(
            f"boldness is {boldness!r}; expected a number from 0, every detail of the photo kept, to 1, large forms "
            "only: 0.5 is the default"
        )
    return _WAYS[effort](float(boldness))


def first_size(boldness: float) -> int:
    """Longest side in pixels that large forms are painted at: the smaller, the larger they are."""
    return round(FIRST * 3**-boldness)


def detail(boldness: float) -> float:
    """How much of the photo's finer brightness later rungs get back: 2 to 0."""
    return 2 * (1 - boldness)


def _draft(boldness: float) -> Way:
    """The single pass."""
    return Way("adain", "impasto", {"style_scale": 2 ** (2 * boldness - 1)})


def _quick(boldness: float) -> Way:
    """Forms by a pass of adain, then strokes by swap."""
    first = first_size(boldness)
    rungs = [Rung(method="adain", size=first, settings={"style_scale": 1.2 + 1.6 * boldness})]
    if first < STEEP:
        rungs.append(Rung(method="swap", size=MIDDLE, start_detail=detail(boldness)))
    return _cascade(*rungs, Rung(method="swap", start_detail=detail(boldness)))


def _fine(boldness: float) -> Way:
    """Forms by optimisation, where that is quick, then strokes by swap."""
    first = Rung(
        method="nnst", size=min(MIDDLE, first_size(boldness)), settings={"content_weight": _content(boldness)}
    )
    return _cascade(first, Rung(method="swap", start_detail=detail(boldness)))


def _best(boldness: float) -> Way:
    """Optimisation to the end."""
    return Way("nnst", None, {"content_weight": _content(boldness)})


def _content(boldness: float) -> float:
    """Weight of the photo in nnst: 0.8 to 0.05."""
    return 0.2 * math.pow(4, 1 - 2 * boldness)


def _cascade(*rungs: Rung) -> Way:
    return Way("cascade", None, {"rungs": rungs})


_WAYS: dict[str, Callable[[float], Way]] = {"draft": _draft, "quick": _quick, "fine": _fine, "best": _best}

EFFORTS = tuple(_WAYS)
"""From the quickest to the best."""
