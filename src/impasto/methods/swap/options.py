"""Settings of swap. Imports no torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ...recipe import GRAIN, Grain, NonNegative, Positive
from ...settings import FileName, setting
from ..common.options import AnyStyleOptions

REFINED = 2048
"""Longest side in pixels of a picture that is refined unless told otherwise."""

LUMINANCE_WEIGHT = 0.3
LuminanceWeight = Annotated[
    NonNegative,
    setting(
        "matching",
        "advanced",
        description="What a patch's brightness counts in the comparison: 1 for as much as all its features, 0 for "
        "nothing, as in the paper, where even areas come out in blots.",
    ),
]
COHERENCE = 0.1
Coherence = Annotated[
    NonNegative,
    setting(
        "matching",
        "advanced",
        description="What it counts that patches side by side are neighbours in the style too, beside their "
        "similarity, -1 to 1: more keeps larger pieces of the painting whole; 0 as in the paper.",
    ),
]


class SwapOptions(AnyStyleOptions):
    """Chen & Schmidt 2016: the photo's features are rebuilt out of patches of the style's."""

    layer: Literal["relu2_1", "relu3_1", "relu4_1"] = setting(
        "matching",
        "advanced",
        default="relu3_1",
        description="Layer whose features are swapped.",
    )
    patch_size: Annotated[int, Field(ge=1, le=15)] = setting(
        "matching",
        "advanced",
        default=3,
        description="Side of a patch, in positions of the layer.",
    )
    stride: Annotated[int, Field(ge=1, le=15)] = setting(
        "matching",
        "advanced",
        default=1,
        description="Positions between patches, at most the patch size.",
    )
    match: Literal["plain", "normalised"] = setting(
        "matching",
        "reproduction",
        default="normalised",
        description="Compare features as they are, or with every channel's mean and deviation taken out.",
    )
    luminance_weight: LuminanceWeight = LUMINANCE_WEIGHT
    coherence: Coherence = COHERENCE
    moments: Literal["keep", "style"] = setting(
        "matching",
        "reproduction",
        default="style",
        description="After the swap, keep the averaged features, or give them the style's means and deviations.",
    )
    search: Literal["auto", "exact", "patchmatch"] = setting(
        "matching",
        "advanced",
        default="auto",
        description="Compare all patches with all, or find nearly as similar ones by PatchMatch; auto: exact up to "
        "about 1200 px, where that takes a minute.",
    )
    grain: Grain = 2 * GRAIN
    inverse: Literal["auto", "network", "optimise", "refine"] = setting(
        "steps",
        "advanced",
        default="auto",
        description="From features to a picture: one pass of the net, by optimisation, or both in turn, to refine; "
        "auto: refine up to 2048 px, network beyond, where memory is scarce.",
    )
    net: FileName = setting(
        "network", "advanced", default="swap", description="Inverse net: the name of a shipped net, or a file."
    )
    steps: Annotated[int, Field(ge=1, le=1_000_000)] | None = setting(
        "steps",
        "advanced",
        default=None,
        description="Steps of the optimisation; unset: 100, or 3 to refine.",
    )
    optimizer: Literal["auto", "lbfgs", "adam"] = setting(
        "steps",
        "reproduction",
        default="auto",
        description="L-BFGS, or Adam kept within [0, 1] at every step; auto: to refine, the steps that the net has "
        "learned, the last of them again and again; L-BFGS where it has none.",
    )
    learning_rate: Positive | None = setting(
        "steps",
        "reproduction",
        default=None,
        description="L-BFGS: fraction of its step (1); Adam: a step, of the range 0 to 1 (0.05).",
    )
    tv_weight: NonNegative = setting(
        "steps",
        "reproduction",
        default=10.0,
        description="Weight of the summed squared differences of neighbouring pixels, in levels of 255.",
    )
    normalize_gradients: bool = setting(
        "steps",
        "reproduction",
        default=False,
        description="Scale the feature loss's gradient at its layer to an L1 norm of 1.",
    )

    def descent(self, longest: int) -> int:
        """Steps of the optimisation of a picture so long; none where the net's own is the result."""
        if self.inverse == "network" or (self.inverse == "auto" and longest > REFINED):
            return 0
        return self.steps or (100 if self.inverse == "optimise" else 3)
