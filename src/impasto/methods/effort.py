"""The method and settings that `impasto paint` uses for an effort and a boldness. Imports no torch."""

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

FIRST = {"quick": 256, "fine": 320}
"""Longest side in pixels at which forms are painted, at the default boldness."""

COLOURS = 336
"""Longest side in pixels of the pass before the first optimisation."""

KEPT = 0.1
"""Content weight of nnst at the final size, at the default boldness."""

_FAMILIAR = "adain"  # the method that errors name if several methods have a setting


class Dials(Frozen):
    """The two dials of `impasto paint`."""

    effort: Effort = setting(
        "picture",
        default=DEFAULT_EFFORT,
        description="How much time painting takes: draft takes the least; quick, fine and best each take several "
        "times as long as the one before.",
    )
    boldness: UnitInterval = setting(
        "picture",
        default=DEFAULT_BOLDNESS,
        description="From 0, which keeps every detail of the photo, to 1, which keeps large forms only. It means "
        "the same at every effort.",
    )


class Way(NamedTuple):
    """How to paint: a method, one of its presets or None, and settings that override it."""

    method: str
    preset: str | None
    settings: dict[str, Any]


def way(effort: str | None = None, boldness: float | str | None = None) -> Way:
    """Return the method and settings that an effort and a boldness stand for.

    Args:
        effort: one of EFFORTS; None for the default.
        boldness: a number or its text; 0 keeps every detail of the photo, 1 large forms only. None for the
            default.

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
            f"effort is {effort!r}; expected one of {', '.join(EFFORTS)}, from the quickest to the slowest"
            f"{near_misses(str(effort), EFFORTS)}"
        )
    if not 0 <= (bold := _number(boldness)) <= 1:
        raise RequestError(
            f"boldness is {boldness!r}; expected a number from 0, every detail of the photo kept, to 1, large forms "
            "only: 0.5 is the default"
        )
    return _WAYS[effort](bold)


def owner(setting: str) -> str | None:
    """Return the method to name in an error for a setting that `impasto paint` lacks; None if no method has it."""
    having = [name for name, each in METHODS.items() if setting in each.options.model_fields or setting == "preset"]
    return _FAMILIAR if _FAMILIAR in having else having[0] if having else None


def check_shared(settings: Iterable[str]) -> None:
    """Refuse settings that belong to a method.

    Raises:
        RequestError: one of these names is no field of `Recipe`.
    """
    for name in settings:
        if name in Recipe.model_fields and name != "preset":
            continue
        if (method := owner(name)) is not None:
            raise RequestError(
                f"{name} belongs to a method, and effort chooses the method; expected method={method!r} with it"
            )
        raise RequestError(
            f"there is no setting {name!r}{near_misses(name, [*Dials.model_fields, *Recipe.model_fields])}"
        )


def first_size(effort: str, boldness: float) -> int:
    """Return the longest side in pixels at which an effort of `FIRST` paints large forms; smaller is bolder.

    Bolder settings have a smaller first size: 1.3 times `FIRST` at boldness 0, 0.7 times at 1. A `Rung` scales this
    size down with pictures under 512 px (`Rung.longest`). Forms are then painted at so few pixels that the same
    boldness looks bolder.
    """
    return round(FIRST[effort] * (1.3 - 0.6 * boldness))


def detail(boldness: float) -> float:
    """Return how much of the photo's fine brightness detail the last rung adds: from 2.6 at boldness 0 to 0 at 1."""
    return 2.6 * (1 - boldness)


def _number(value: float | str) -> float:
    try:
        return math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return math.nan


def _draft(boldness: float) -> Way:
    """One pass of adain."""
    return Way("adain", "impasto", {"style_scale": _pass_scale(boldness)})


def _quick(boldness: float) -> Way:
    """Colours by one pass, forms by a short optimisation at a small size, then strokes by one pass."""
    return _from_small("quick", boldness, first_steps=24, steps=8, split_steps=4)


def _fine(boldness: float) -> Way:
    """Colours by one pass, forms by a longer optimisation at a larger size, then strokes by one pass."""
    return _from_small("fine", boldness)


def _from_small(effort: str, boldness: float, **steps: int) -> Way:
    """Paint by adain at a small size, from that by nnst at the first size, then by swap at the final size.

    From a picture that has the style's colours already, nnst matches small things and dark areas more steadily than
    from the photo.
    """
    settings = {
        "content_weight": _content_weight(2 * KEPT, boldness),
        "style_scale": _stroke_scale(boldness),
        "so_far": 0.45 + 0.7 * (boldness - 0.5),
        "detail": 1.2 * (1 - boldness),
        **steps,
    }
    return Way(
        "cascade",
        None,
        {
            "rungs": (
                Rung(method="adain", size=COLOURS, settings={"style_scale": _pass_scale(boldness)}),
                Rung(method="nnst", size=first_size(effort, boldness), keep_tones=False, settings=settings),
                Rung(
                    method="swap",
                    start_detail=detail(boldness),
                    spread_colours=True,
                    settings={"alpha": 0.65 + 0.7 * (boldness - 0.5)},
                ),
            )
        },
    )


def _best(boldness: float) -> Way:
    """Colours by one pass, then nnst at all sizes. Its `so_far` is larger, since larger sizes refine the forms."""
    settings = {
        "content_weight": _content_weight(KEPT, boldness),
        "style_scale": _stroke_scale(boldness),
        "so_far": 0.65 + 0.7 * (boldness - 0.5),
        "detail": 0.8 * (1 - boldness),
    }
    return Way(
        "cascade",
        None,
        {
            "rungs": (
                Rung(method="adain", settings={"style_scale": _pass_scale(boldness)}),
                Rung(method="nnst", keep_tones=False, settings=settings),
            )
        },
    )


def _content_weight(default: float, boldness: float) -> float:
    """Return the content weight of nnst: from four times the default at boldness 0 to a quarter at 1."""
    return default * math.pow(4, 1 - 2 * boldness)


def _pass_scale(boldness: float) -> float:
    """Return the style scale of adain: from half its default at boldness 0 to twice at 1."""
    return math.pow(2, 2 * boldness - 1)


def _stroke_scale(boldness: float) -> float:
    """Return the style scale of nnst: it doubles from boldness 0 to 1."""
    return math.pow(2, boldness - 0.5)


_WAYS: dict[str, Callable[[float], Way]] = {"draft": _draft, "quick": _quick, "fine": _fine, "best": _best}

EFFORTS = tuple(_WAYS)
"""From the quickest to the best."""
