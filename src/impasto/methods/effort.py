"""What `impasto paint` paints with: by how much time it may take, and how bold it is to be. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, Literal, NamedTuple

from pydantic import Field

from ..errors import RequestError, near_misses
from ..recipe import Frozen, Recipe, UnitInterval
from . import METHODS
from .cascade.options import Rung

Effort = Literal["draft", "quick", "fine", "best"]

DEFAULT_EFFORT: Effort = "quick"
DEFAULT_BOLDNESS = 0.5

FIRST, SMALLEST_FIRST = 512, 160
"""Pixels of the first rung's longest side at boldness 0, and at 1."""

STEEP = 180
"""Pixels of a first rung under which there is one more between it and the last."""

_FAMILIAR = "adain"  # the method named for a setting that several have

MIDDLE = 256
"""Pixels of that one, and at most of `fine`'s first."""


class Dials(Frozen):
    """The two dials of `impasto paint`."""

    effort: Effort = Field(
        default=DEFAULT_EFFORT,
        description="How much time it takes: beside draft, quick takes about 3 times as long, fine 15 and best 70.",
    )
    boldness: UnitInterval = Field(
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


def first_size(boldness: float) -> int:
    """Longest side in pixels that large forms are painted at: the smaller, the larger they are."""
    return round(FIRST + (SMALLEST_FIRST - FIRST) * boldness)


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
    """Forms by a pass of adain, then strokes by swap: the bolder, the less of the photo is mixed into them."""
    first = first_size(boldness)
    rungs = [Rung(method="adain", size=first, settings={"style_scale": 1 + 1.5 * boldness})]
    swap = Rung(method="swap", start_detail=detail(boldness), settings={"alpha": 0.5 + boldness / 2})
    if first < STEEP:
        rungs.append(swap.model_copy(update={"size": MIDDLE}))
    return _cascade(*rungs, swap)


def _fine(boldness: float) -> Way:
    """Forms by optimisation, where that is quick, then strokes by swap."""
    first = Rung(method="nnst", size=min(MIDDLE, first_size(boldness)), settings=_matched(boldness))
    return _cascade(first, Rung(method="swap", start_detail=detail(boldness)))


def _best(boldness: float) -> Way:
    """Optimisation to the end."""
    return Way("nnst", None, _matched(boldness))


def _matched(boldness: float) -> dict[str, Any]:
    """Settings of nnst: the photo weighs 0.6 to 0.0375, strokes double in size, less detail comes back."""
    return {
        "content_weight": 0.15 * math.pow(4, 1 - 2 * boldness),
        "style_scale": math.pow(2, boldness - 0.5),
        "detail": 0.6 * (1 - boldness),
    }


def _cascade(*rungs: Rung) -> Way:
    return Way("cascade", None, {"rungs": rungs})


_WAYS: dict[str, Callable[[float], Way]] = {"draft": _draft, "quick": _quick, "fine": _fine, "best": _best}

EFFORTS = tuple(_WAYS)
"""From the quickest to the best."""
