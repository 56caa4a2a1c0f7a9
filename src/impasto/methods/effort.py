"""What `impasto paint` paints with: by how much time it may take, and how bold it is to be. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, Literal, NamedTuple

from ..errors import RequestError, near_misses
from ..recipe import Frozen, Recipe, UnitInterval
from ..settings import setting
from . import METHODS
from .cascade.options import Rung

Effort = Literal["draft", "quick", "fine", "best"]

DEFAULT_EFFORT: Effort = "quick"
DEFAULT_BOLDNESS = 0.5

FIRST = {"quick": 224, "fine": 320}
"""Longest side in pixels of the first rung, at the default boldness."""

KEPT = 0.1
"""What the photo weighs in nnst to the end, at the default boldness."""

_FAMILIAR = "adain"  # the method named for a setting that several have


class Dials(Frozen):
    """The two dials of `impasto paint`."""

    effort: Effort = setting(
        "picture",
        default=DEFAULT_EFFORT,
        description="How much time it takes: draft the least, then quick, fine and best, each several times as long.",
    )
    boldness: UnitInterval = setting(
        "picture",
        default=DEFAULT_BOLDNESS,
        description="From 0, every detail of the photo kept, to 1, large forms only. It means the same at every "
        "effort.",
    )


class Way(NamedTuple):
    """How to paint: a method, one of its presets or None, and settings that override it."""

    method: str
    preset: str | None
    settings: dict[str, Any]


def way(effort: str | None = None, boldness: float | str | None = None) -> Way:
    """What an effort and a boldness stand for.

    Args:
        effort: one of EFFORTS; None for the default.
        boldness: 0 keeps every detail of the photo, 1 large forms only; a number, or as it is typed.

    Raises:
        RequestError: there is no such effort, or the boldness is out of range.

    Examples:
        >>> method, preset, settings = way("draft", 1)
        >>> impasto.make_recipe(method, preset=preset, settings=settings).options.style_scale
        2.0
    """
    effort = DEFAULT_EFFORT if effort is None else effort
    boldness = DEFAULT_BOLDNESS if boldness is None else boldness
    if effort not in _WAYS:
        raise RequestError(
            f"effort is {effort!r}; expected one of {', '.join(EFFORTS)}, from the quickest to the best"
            f"{near_misses(str(effort), EFFORTS)}"
        )
    if not 0 <= (bold := _number(boldness)) <= 1:
        raise RequestError(
            f"boldness is {boldness!r}; expected a number from 0, every detail of the photo kept, to 1, large forms "
            "only: 0.5 is the default"
        )
    return _WAYS[effort](bold)


def owner(setting: str) -> str | None:
    """The method to name for a setting that `impasto paint` has not; None where no method has it either."""
    having = [name for name, each in METHODS.items() if setting in each.options.model_fields or setting == "preset"]
    return _FAMILIAR if _FAMILIAR in having else having[0] if having else None


def check_shared(settings: Iterable[str]) -> None:
    """Refuse settings, by name, that belong to a method.

    Raises:
        RequestError: one is no field of `Recipe`.
    """
    for name in settings:
        if name in Recipe.model_fields and name != "preset":
            continue
        if (method := owner(name)) is not None:
            raise RequestError(
                f"{name} belongs to a method, and effort chooses that itself; expected method={method!r} beside it"
            )
        raise RequestError(
            f"there is no setting {name!r}{near_misses(name, [*Dials.model_fields, *Recipe.model_fields])}"
        )


def first_size(effort: str, boldness: float) -> int:
    """Longest side in pixels that an effort of `FIRST` paints large forms at: the smaller, the larger they are."""
    return round(FIRST[effort] * (1.3 - 0.6 * boldness))


def detail(boldness: float) -> float:
    """How much of the photo's finer brightness later rungs get back: 2 to 0."""
    return 2 * (1 - boldness)


def _number(value: float | str) -> float:
    try:
        return math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return math.nan


def _draft(boldness: float) -> Way:
    """The single pass."""
    return Way("adain", "impasto", {"style_scale": 2 ** (2 * boldness - 1)})


def _quick(boldness: float) -> Way:
    """Forms by a short optimisation, small, then strokes by a pass."""
    return _from_small("quick", boldness, first_steps=30, steps=10, split_steps=6)


def _fine(boldness: float) -> Way:
    """Forms by a longer optimisation, less small, then strokes by a pass."""
    return _from_small("fine", boldness)


def _from_small(effort: str, boldness: float, **steps: int) -> Way:
    """By nnst at a first size, then by swap: bolder strokes keep less of the photo."""
    settings = {
        "content_weight": _content_weight(2 * KEPT, boldness),
        "style_scale": _stroke_scale(boldness),
        "so_far": 0.45 + 0.7 * (boldness - 0.5),
        "detail": 0.8 * (1 - boldness),
        **steps,
    }
    return Way(
        "cascade",
        None,
        {
            "rungs": (
                Rung(method="nnst", size=first_size(effort, boldness), settings=settings),
                Rung(method="swap", start_detail=detail(boldness), settings={"alpha": 0.5 + boldness / 2}),
            )
        },
    )


def _best(boldness: float) -> Way:
    """Optimisation to the end: every size paints anew what was small, and may be bolder than a first rung."""
    return Way(
        "nnst",
        None,
        {
            "content_weight": _content_weight(KEPT, boldness),
            "style_scale": _stroke_scale(boldness),
            "so_far": 0.65 + 0.7 * (boldness - 0.5),
            "detail": 0.4 * (1 - boldness),
        },
    )


def _content_weight(default: float, boldness: float) -> float:
    """What the photo weighs in nnst: from four times the default to a quarter."""
    return default * math.pow(4, 1 - 2 * boldness)


def _stroke_scale(boldness: float) -> float:
    """The style's size beside the picture in nnst: it doubles along the dial."""
    return math.pow(2, boldness - 0.5)


_WAYS: dict[str, Callable[[float], Way]] = {"draft": _draft, "quick": _quick, "fine": _fine, "best": _best}

EFFORTS = tuple(_WAYS)
"""From the quickest to the best."""
