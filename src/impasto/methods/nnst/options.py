"""Settings of nnst. Imports no torch."""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator

from ...recipe import Detail, NonNegative, Options, SidesUsed, StyleScale, UnitInterval
from ...settings import setting
from ...weights.layers import resolve_layer
from ..common.layer_weights import LayerWeights, equal
from ..common.options import LbfgsHistory, LearningRate, MaxSeconds, Optimizer, Precondition, StepCount

LAYERS = ("relu1_1", "relu1_2", "relu2_1", "relu2_2", "relu3_1", "relu3_3", "relu4_1")

_DEEPEST = 4  # block of the encoder; deeper layers have too few positions to match
_LARGEST = 4096  # pixels that `first_size` may have: then no size comes before the final one


class NnstOptions(Options):
    """Kolkin et al. 2022: pixels are optimised until each position has the features of its match in the style."""

    layers: LayerWeights = setting(
        "style",
        "reproduction",
        default=equal(1.0, *LAYERS),
        description="Layers whose features are matched with the style's and take their values, as LAYER[:WEIGHT],...",
    )
    content_weight: NonNegative = setting(
        "photo",
        default=0.1,
        description="Weight of the loss that keeps the photo's features: less is bolder.",
    )
    spare: NonNegative = setting(
        "photo",
        "advanced",
        default=3.0,
        description="How much more the photo counts where it has small, busy detail, such as faces; 0: everywhere "
        "alike.",
    )
    moments_weight: NonNegative = setting(
        "style",
        "advanced",
        default=0.2,
        description="Weight of the means and deviations of the style's features: more takes more of the style's "
        "palette, and keeps less of the photo's forms.",
    )
    style_scale: StyleScale = 1.0
    first_size: Annotated[int, Field(ge=16, le=_LARGEST)] = setting(
        "strokes",
        "advanced",
        default=64,
        description="Longest side in pixels of the first size: a smaller one begins with larger forms.",
        unit="px",
    )
    first_steps: StepCount = setting(
        "steps",
        "advanced",
        default=50,
        description="Steps at the first size. Sizes between the first and the last have numbers of steps in between.",
    )
    steps: StepCount = setting(
        "steps", "advanced", default=15, description="Steps at the final size, before split_steps."
    )
    split_steps: StepCount = setting(
        "steps",
        "advanced",
        default=20,
        description="More steps at the final size, in which each layer is matched by itself: finer strokes.",
    )
    split_sizes: Annotated[int, Field(ge=1, le=16)] = setting(
        "steps",
        "advanced",
        default=2,
        description="Number of the largest sizes that have split_steps; each has half as many as the next larger "
        "one.",
    )
    split_every: Annotated[int, Field(ge=1, le=1000)] = setting(
        "steps",
        "advanced",
        default=10,
        description="In split_steps, the number of steps after which layers are matched again.",
    )
    so_far: UnitInterval = setting(
        "strokes",
        default=0.65,
        description="What is matched with the style: 0 the photo, 1 the picture so far; more is bolder.",
    )
    detail: Detail = setting(
        "photo",
        default=0.2,
        description="Brightness detail of the photo added at each larger size: more keeps small things.",
    )
    rotations: bool = setting(
        "matching",
        "advanced",
        default=False,
        description="Also match with the style turned by 90, 180 and 270 degrees.",
    )
    search: Literal["auto", "exact", "patchmatch"] = setting(
        "matching",
        "advanced",
        default="auto",
        description="How matches are found. exact: each position is compared with all of the style's; patchmatch: "
        "nearly as good ones, faster; auto: exact up to 256 px.",
    )
    optimizer: Optimizer = setting("steps", "reproduction", default="lbfgs")
    learning_rate: LearningRate = setting("steps", "reproduction", default=None)
    lbfgs_history: LbfgsHistory = 10
    precondition: Precondition = setting("steps", "reproduction", default=0.4)
    precondition_colours: Annotated[float, Field(ge=0, le=2)] = setting(
        "steps",
        "reproduction",
        default=0.8,
        description="The same exponent for colour differences: more leaves fewer coloured specks.",
    )
    max_seconds: MaxSeconds = None

    @field_validator("layers")
    @classmethod
    def _shallow(cls, layers: dict[str, float]) -> dict[str, float]:
        for name in layers:
            canonical = resolve_layer(name)
            if not canonical.startswith("relu") or int(canonical[4]) > _DEEPEST:
                raise ValueError(f"layer {name}: expected ReLUs of blocks 1 to {_DEEPEST}, as in relu3_1")
        if not any(layers.values()):
            raise ValueError("every layer weighs 0; expected a positive weight for one at least")
        return layers

    def steps_at(self, number: int, count: int) -> tuple[int, int]:
        """Return the steps of size `number` of `count`, from 0: with layers matched together, and each by itself."""
        share = number / (count - 1) if count > 1 else 1.0
        together = round(self.first_steps + (self.steps - self.first_steps) * share)
        larger = count - 1 - number
        return together, self.split_steps >> larger if larger < self.split_sizes else 0

    def sides_used(self, size: int) -> SidesUsed:
        """See `Options.sides_used`."""
        return SidesUsed(size, math.ceil(size * self.style_scale))

    def continued(self) -> Self:
        """Return the settings with a third of the steps, at the final size alone; see `Options.continued`."""
        steps, split = math.ceil(self.steps / 3), math.ceil(self.split_steps / 3)
        return self.model_copy(update={"first_size": _LARGEST, "steps": steps, "split_steps": split})

    def stages(self, final: int) -> tuple[tuple[int, int], ...]:
        """Return the longest side in pixels and the steps of each size, for a result of longest side `final`."""
        from ...images.geometry import sizes_between

        sizes = sizes_between(self.first_size, final) if final > self.first_size else [final]
        return tuple((size, sum(self.steps_at(number, len(sizes)))) for number, size in enumerate(sizes))
