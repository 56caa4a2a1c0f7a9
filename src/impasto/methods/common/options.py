"""Settings that methods of any style share. Imports no torch."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ...recipe import Options, StyleScale

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
