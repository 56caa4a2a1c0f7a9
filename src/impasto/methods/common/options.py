"""Settings that several methods share. Imports no torch."""

from __future__ import annotations

import math
from typing import Annotated, Literal, TypeVar

from pydantic import Field

from ...errors import RequestError
from ...recipe import Options, Positive, Recipe, SidesUsed, StyleScale
from ...settings import setting

Own = TypeVar("Own", bound=Options)

Share = Annotated[float, Field(ge=0, le=1)]

StepCount = Annotated[int, Field(ge=0, le=1_000_000)]

# The settings of methods that optimise pixels. Each method has its own defaults.
Optimizer = Annotated[Literal["lbfgs", "adam"], setting("steps", "advanced", description="L-BFGS, or Adam.")]
LearningRate = Annotated[
    Positive | None,
    setting(
        "steps",
        "advanced",
        description="For L-BFGS: the fraction of its step that is taken (default 1). For Adam: levels of 255 a step "
        "(default 5).",
    ),
]
LbfgsHistory = Annotated[
    int,
    Field(ge=1, le=1000),
    setting(
        "steps",
        "advanced",
        description="Pairs of steps and gradients that L-BFGS remembers; each holds two images in memory.",
    ),
]
Precondition = Annotated[
    float,
    Field(ge=0, le=1),
    setting(
        "steps",
        "advanced",
        description="L-BFGS scales frequency f by f^-PRECONDITION; 0 optimises plain pixels, as other systems do.",
    ),
]
MaxSeconds = Annotated[
    Positive | None,
    setting("steps", "advanced", description="Stop after this time and keep what is there.", unit="s"),
]


class AnyStyleOptions(Options):
    """The settings of methods that paint any style in one pass: strength in features, size of the style picture."""

    alpha: Share = setting(
        "strokes",
        "advanced",
        default=1.0,
        description="How far the features move towards the style's before they are decoded: 1 all the way, 0 not at "
        "all.",
    )
    style_scale: StyleScale = 1.0
    style_upscale: bool = setting(
        "strokes",
        "advanced",
        default=True,
        description="Enlarge a style picture that is smaller than the size it is used at.",
    )
    descreen: bool = setting(
        "network",
        "advanced",
        default=True,
        description="Remove the faint lattice that the net leaves, which repeats every 2 or 4 pixels.",
    )

    def sides_used(self, size: int) -> SidesUsed:
        """See `Options.sides_used`."""
        from .scales import scales

        largest = max(size, *scales(size, self.style_scale))
        return SidesUsed(largest, math.ceil(largest * self.style_scale))


def options_of(recipe: Recipe, kind: type[Own]) -> Own:
    """Return a recipe's options, checked to be of a method's type.

    Raises:
        RequestError: they belong to another method.
    """
    options = recipe.options
    if not isinstance(options, kind):
        raise RequestError(f"recipe holds {type(options).__name__}; expected {kind.__name__}")
    return options
