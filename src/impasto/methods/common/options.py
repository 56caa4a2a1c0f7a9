"""Settings that methods share. Imports no torch."""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import Field

from ...errors import RequestError
from ...recipe import Options, Recipe, StyleScale

Own = TypeVar("Own", bound=Options)

Share = Annotated[float, Field(ge=0, le=1)]


class AnyStyleOptions(Options):
    """What any-style methods share: how much, and how large the style is seen."""

    alpha: Share = Field(default=1.0, description="Strength: 1 for the style's features, 0 for the photo's own.")
    style_scale: StyleScale = Field(
        default=1.0, description="Style's longest side as a factor of the result's: larger, bolder strokes."
    )
    style_upscale: bool = Field(default=True, description="Let a small style picture be enlarged.")
    descreen: bool = Field(
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
