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

FIRST = {"quick": 160, "fine": 256}
"""Longest side in pixels of the first rung, at the default boldness."""

STEEP = 140
"""Pixels of a first rung under which there is one more between it and the last."""

MIDDLE = 256
"""Pixels of that one."""

_FAMILIAR = "adain"  # the method named for a setting that several have


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


def first_size(effort: str, boldness: float) -> int:
    """Longest side in pixels that an effort of `FIRST` paints large forms at: the smaller, the larger they are."""
    return round(FIRST[effort] * (1.4 - 0.8 * boldness))


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
    """Forms by a short optimisation, very small, then strokes by swap: bolder ones keep less of the photo."""
    short = {"first_steps": 30, "steps": 12, "split_steps": 8}
    rungs = [Rung(method="nnst", size=first_size("quick", boldness), settings={**_matched(boldness), **short})]
    swap = Rung(method="swap", start_detail=detail(boldness), settings={"alpha": 0.5 + boldness / 2})
    if first_size("quick", boldness) < STEEP:
        rungs.append(swap.model_copy(update={"size": MIDDLE}))
    return _cascade(*rungs, swap)


def _fine(boldness: float) -> Way:
    """Forms by a longer optimisation, a little larger, then strokes by swap."""
    first = Rung(method="nnst", size=first_size("fine", boldness), settings=_matched(boldness))
    return _cascade(first, Rung(method="swap", start_detail=detail(boldness)))


def _best(boldness: float) -> Way:
    """Optimisation to the end."""
    return Way("nnst", None, _matched(boldness))


def _matched(boldness: float) -> dict[str, Any]:
    """Settings of nnst: the photo weighs 0.4 to 0.025, strokes double in size, less detail comes back.

    What is matched is mostly the photo at first, and the picture so far alone at last.
    """
    return {
        "content_weight": 0.1 * math.pow(4, 1 - 2 * boldness),
        "style_scale": math.pow(2, boldness - 0.5),
        "so_far": 0.3 + 0.7 * boldness,
        "detail": 0.4 * (1 - boldness),
    }


def _cascade(*rungs: Rung) -> Way:
    return Way("cascade", None, {"rungs": rungs})


_WAYS: dict[str, Callable[[float], Way]] = {"draft": _draft, "quick": _quick, "fine": _fine, "best": _best}

EFFORTS = tuple(_WAYS)
"""From the quickest to the best."""
