"""Settings that methods share. Imports no torch."""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import Field

from ...errors import RequestError
from ...recipe import Options, Recipe, StyleScale
from ...settings import setting

Own = TypeVar("Own", bound=Options)

Share = Annotated[float, Field(ge=0, le=1)]


class AnyStyleOptions(Options):
    """What any-style methods share: how much, and how large the style is seen."""

    alpha: Share = setting(
        "strokes",
        "advanced",
        default=1.0,
        description="How far features are moved before decoding: 1 wholly to the style's, 0 not at all.",
    )
    style_scale: StyleScale = 1.0
    style_upscale: bool = setting(
        "strokes", "advanced", default=True, description="Let a small style picture be enlarged."
    )
    descreen: bool = setting(
        "network",
        "advanced",
        default=True,
        description="Take what repeats in step with the net's grid, a faint lattice, out of its picture.",
    )


def options_of(recipe: Recipe, kind: type[Own]) -> Own:
    """A recipe's options.

    Raises:
        RequestError: they are another method's.
    """
    options = recipe.options
    if not isinstance(options, kind):
        raise RequestError(f"recipe holds {type(options).__name__}; expected {kind.__name__}")
    return options
