"""Settings that several methods share. Imports no torch."""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import Field

from ...errors import RequestError
from ...recipe import Options, Recipe, StyleScale
from ...settings import setting

Own = TypeVar("Own", bound=Options)

Share = Annotated[float, Field(ge=0, le=1)]


class AnyStyleOptions(Options):
    """The settings of all methods for any style: how far the features change, and the size of the style picture."""

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
    """Return a recipe's options, checked to be of a method's type.

    Raises:
        RequestError: they belong to another method.
    """
    options = recipe.options
    if not isinstance(options, kind):
        raise RequestError(f"recipe holds {type(options).__name__}; expected {kind.__name__}")
    return options
