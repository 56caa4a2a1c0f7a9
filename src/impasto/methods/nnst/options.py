"""Settings of nnst. Imports no torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from ...recipe import Detail, NonNegative, Options, StyleScale, UnitInterval
from ...settings import setting
from ...weights.layers import resolve_layer
from ..common.layer_weights import LayerWeights, equal
from ..common.options import LbfgsHistory, LearningRate, MaxSeconds, Optimizer, Precondition, StepCount

LAYERS = ("relu1_1", "relu1_2", "relu2_1", "relu2_2", "relu3_1", "relu3_3", "relu4_1")

_DEEPEST = 4  # block; deeper layers have too few positions to be matched one by one


class NnstOptions(Options):
    """Kolkin et al. 2022: pixels optimised until every position's features are those of its match in the style."""

    layers: LayerWeights = setting(
        "style",
        "reproduction",
        default=equal(1.0, *LAYERS),
        description="Layers that are matched and painted like, as LAYER[:WEIGHT],...",
    )
    content_weight: NonNegative = setting(
        "photo",
        default=0.1,
        description="How much the photo's own features count beside the style's: less is bolder.",
    )
    spare: NonNegative = setting(
        "photo",
        "advanced",
        default=3.0,
        description="How much more the photo counts where it is busy and small, as faces are; 0 for alike.",
    )
    moments_weight: NonNegative = setting(
        "style",
        "advanced",
        default=0.2,
        description="How much the means and contrasts of the style's features count: more takes more of its "
        "palette, and keeps less of forms.",
    )
    style_scale: StyleScale = 1.0
    first_size: Annotated[int, Field(ge=16, le=4096)] = setting(
        "strokes",
        "advanced",
        default=64,
        description="Longest side in pixels to begin at: smaller begins with larger forms.",
        unit="px",
    )
    first_steps: StepCount = setting(
        "steps",
        "advanced",
        default=50,
        description="Steps at the first size; between it and the last, in between.",
    )
    steps: StepCount = setting(
        "steps", "advanced", default=15, description="Steps at the final size, before those that match every layer."
    )
    split_steps: StepCount = setting(
        "steps",
        "advanced",
        default=20,
        description="Steps at the final size that match every layer by itself: finer strokes.",
    )
    split_sizes: Annotated[int, Field(ge=1, le=16)] = setting(
        "steps",
        "advanced",
        default=2,
        description="Of how many of the largest sizes that is done; each has half as many steps as the next.",
    )
    split_every: Annotated[int, Field(ge=1, le=1000)] = setting(
        "steps",
        "advanced",
        default=10,
        description="Steps after which every layer is matched anew.",
    )
    so_far: UnitInterval = setting(
        "strokes",
        default=0.65,
        description="What the picture so far counts beside the photo in what is matched: more is bolder.",
    )
    detail: Detail = setting(
        "photo",
        default=0.2,
        description="How much of the photo's finer brightness comes back at each size: more keeps small things.",
    )
    rotations: bool = setting(
        "matching",
        "advanced",
        default=False,
        description="Match with the style turned by 90, 180 and 270 degrees too.",
    )
    search: Literal["auto", "exact", "patchmatch"] = setting(
        "matching",
        "advanced",
        default="auto",
        description="Compare all positions with all, or find nearly as similar ones by PatchMatch; auto: exact up to "
        "about 1200 px.",
    )
    optimizer: Optimizer = setting("steps", "reproduction", default="lbfgs")
    learning_rate: LearningRate = setting("steps", "reproduction", default=None)
    lbfgs_history: LbfgsHistory = 10
    precondition: Precondition = setting("steps", "reproduction", default=0.4)
    precondition_colours: Annotated[float, Field(ge=0, le=2)] = setting(
        "steps",
        "reproduction",
        default=0.8,
        description="The same for colour without brightness: more leaves fewer coloured specks.",
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
        """Steps at a size, `number` of `count` from 0: towards hypercolumns' matches, then towards each layer's."""
        share = number / (count - 1) if count > 1 else 1.0
        together = round(self.first_steps + (self.steps - self.first_steps) * share)
        left = count - 1 - number
        return together, self.split_steps >> left if left < self.split_sizes else 0

    def stages(self, final: int) -> tuple[tuple[int, int], ...]:
        """(longest side, steps) of each size for a picture whose longest side is `final` pixels."""
        from ...images.geometry import sizes_between

        sizes = sizes_between(self.first_size, final) if final > self.first_size else [final]
        return tuple((size, sum(self.steps_at(number, len(sizes)))) for number, size in enumerate(sizes))
