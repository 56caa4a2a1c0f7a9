"""Settings of swap. Imports no torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ...recipe import GRAIN, Grain, NonNegative, Positive
from ...settings import FileName, setting
from ..common.options import AnyStyleOptions

REFINED = 2048
"""Largest longest side in pixels of a picture that `inverse` auto refines."""

LUMINANCE_WEIGHT = 0.3
LuminanceWeight = Annotated[
    NonNegative,
    setting(
        "matching",
        "advanced",
        description="Weight of a patch's brightness when patches are compared: 1 counts as much as all its "
        "features. 0 as in the paper, but even areas get blots.",
    ),
]
COHERENCE = 0.1
Coherence = Annotated[
    NonNegative,
    setting(
        "matching",
        "advanced",
        description="Bonus for a patch that continues in the style what a neighbour took, in units of similarity, "
        "which is -1 to 1. More keeps larger pieces of the painting whole; 0 as in the paper.",
    ),
]


class SwapOptions(AnyStyleOptions):
    """Chen & Schmidt 2016: the photo's features are replaced by patches of the style's."""

    layer: Literal["relu2_1", "relu3_1", "relu4_1"] = setting(
        "matching",
        "advanced",
        default="relu3_1",
        description="Layer whose features are replaced.",
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
        description="Positions from one patch to the next, at most the patch size.",
    )
    match: Literal["plain", "normalised"] = setting(
        "matching",
        "reproduction",
        default="normalised",
        description="Compare features as they are (plain), or with the mean and deviation of each channel removed.",
    )
    luminance_weight: LuminanceWeight = LUMINANCE_WEIGHT
    coherence: Coherence = COHERENCE
    moments: Literal["keep", "style"] = setting(
        "matching",
        "reproduction",
        default="style",
        description="After patches are replaced, keep the averaged features, or give them the style's means and "
        "deviations.",
    )
    search: Literal["auto", "exact", "patchmatch"] = setting(
        "matching",
        "advanced",
        default="auto",
        description="How patches are found. exact: each patch is compared with all of the style's; patchmatch: "
        "nearly as good ones, faster; auto: exact up to 256 px.",
    )
    grain: Grain = 2 * GRAIN
    inverse: Literal["auto", "network", "optimise", "refine"] = setting(
        "steps",
        "advanced",
        default="auto",
        description="How features become a picture. network: by one pass of the net; optimise: by moving pixels "
        "from the photo; refine: by moving pixels from the net's picture; auto: refine up to 2048 px, network "
        "beyond, where memory is scarce, and with a net that has branches but no learned steps.",
    )
    net: FileName = setting(
        "network",
        "advanced",
        default="swap",
        description="Net that turns features into a picture: the name of a shipped net, or a file.",
    )
    steps: Annotated[int, Field(ge=1, le=1_000_000)] | None = setting(
        "steps",
        "advanced",
        default=None,
        description="Steps that move pixels; unset: 100 to optimise, 2 to refine.",
    )
    optimizer: Literal["auto", "lbfgs", "adam"] = setting(
        "steps",
        "reproduction",
        default="auto",
        description="How pixels are moved. lbfgs; adam: with pixels clamped to [0, 1] at every step; auto: to "
        "refine, by the steps that the net has learned, the last of them repeated; L-BFGS if it has none.",
    )
    learning_rate: Positive | None = setting(
        "steps",
        "reproduction",
        default=None,
        description="For L-BFGS: the fraction of its step that is taken (default 1). For Adam: the change a step of "
        "pixels in [0, 1] (default 0.05).",
    )
    tv_weight: NonNegative = setting(
        "steps",
        "reproduction",
        default=10.0,
        description="Weight of the sum of squared differences between neighbouring pixels, in levels of 255.",
    )
    normalize_gradients: bool = setting(
        "steps",
        "reproduction",
        default=False,
        description="Scale the gradient of the feature loss so that its L1 norm at the layer is 1.",
    )

    def without_steps(self) -> SwapOptions:
        """Return the settings for a net whose picture is the result, unless steps are asked for."""
        given = self.inverse != "auto" or self.steps is not None
        return self if given else self.model_copy(update={"inverse": "network"})

    def count_steps(self, longest: int) -> int:
        """Return how many steps move the pixels of a picture; 0 if the net's picture is the result.

        Args:
            longest: its longest side in pixels.
        """
        if self.inverse == "network" or (self.inverse == "auto" and longest > REFINED):
            return 0
        return self.steps or (100 if self.inverse == "optimise" else 2)
