"""Settings of gatys. Imports no torch."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from ...recipe import NonNegative, Options, Positive, SidesUsed
from ...settings import NamesFile, setting
from ..common.layer_weights import LayerWeights
from ..common.options import LbfgsHistory, LearningRate, MaxSeconds, Optimizer, Precondition, StepCount


def _schedule(value: Any) -> Any:
    """Read ``"256:500,512:200"`` or ``"0.5:60,1:200"`` as ((size, steps), ...); leave other values as they are."""
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

# pastiche's weights: 10/C² on Gram matrices of 0-255 activations makes the losses of the layers about equal.
BY_CHANNELS = {
    layer: 10 / channels**2 for layer, channels in zip(STYLE_LAYERS, (64, 128, 256, 512, 512), strict=True)
}

_FIRST_SIZE = 256  # pixels: the longest side at which a larger painting begins


class GatysOptions(Options):
    """Gatys, Ecker & Bethge 2015 and later variants: pixels optimised by the losses of a fixed VGG."""

    content_layers: LayerWeights = setting(
        "photo",
        "advanced",
        default={"relu4_2": 1.0},
        description="Layers whose features are compared with the photo's, as LAYER[:WEIGHT],...",
    )
    content_weight: NonNegative = setting("photo", default=0.3, description="Weight of the content loss.")
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
        description="Layers whose statistics are compared with the style's, as LAYER[:WEIGHT],...",
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
        description="What Gram matrices are divided by. positions: H·W; elements: C·H·W; none: nothing.",
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
        description="Scale the gradient of each layer so that its L1 norm is the layer's weight (neural-style).",
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
        description="How pixels are normalised for the encoder. standard: as it was trained; unnormalised: not at "
        "all; minus-128: 128 of 255 is subtracted from each channel.",
    )
    init: Annotated[str, NamesFile(words=("content", "style", "random"))] = setting(
        "photo",
        "advanced",
        default="content",
        description="Picture to begin with: content (the photo), style, random, or a file. --start begins with a "
        "painting.",
    )
    init_noise: NonNegative = setting(
        "photo",
        "reproduction",
        default=25.0,
        description="Standard deviation of the noise of a random beginning, in levels of 255; its mean is the "
        "encoder's mean colour.",
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
        description="Clamp pixels to [0, 1] after every step, not only at the end.",
    )
    average: Annotated[float, Field(ge=0, lt=1)] = setting(
        "steps",
        "reproduction",
        default=0.0,
        description="Decay of a running mean of the pictures, which becomes the result; 0 for none.",
    )
    steps: StepCount = setting(
        "steps",
        default=300,
        description="Steps at the final size. With --min-size auto: steps at the smallest size; each later size has "
        "half as many as the one before.",
    )
    min_size: Annotated[int, Field(ge=16)] | Literal["auto"] | None = setting(
        "strokes",
        "advanced",
        default="auto",
        description="Longest side of the first size; painting then goes on at larger sizes up to the final one, so "
        "that strokes keep their share of the picture. auto: 256 px, each size about twice the one before; none: "
        "the final size only.",
        unit="px",
    )
    scale_step: Annotated[float, Field(gt=1, le=8)] = setting(
        "strokes",
        "advanced",
        default=math.sqrt(2),
        description="Ratio between one size and the next, if --min-size is a number.",
    )
    first_steps: StepCount | None = setting(
        "steps",
        "advanced",
        default=None,
        description="Steps at the smallest of several sizes; unset: as many as `steps`.",
    )
    schedule: Annotated[tuple[Stage, ...], BeforeValidator(_schedule)] = setting(
        "steps",
        "advanced",
        default=(),
        description="All sizes and their steps, as SIZE:STEPS,..., instead of steps and min_size. Sizes up to 1 are "
        "fractions of the final one.",
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
        description="Factor on the side of the style picture: more makes larger, bolder strokes.",
    )
    style_upscale: bool = setting(
        "strokes",
        "reproduction",
        default=True,
        description="Enlarge a style picture that is smaller than the size it is used at.",
    )
    max_seconds: MaxSeconds = None
    plateau: NonNegative = setting(
        "steps",
        "advanced",
        default=0.0,
        description="Stop at the final size when the lowest loss falls by less than this fraction in 50 steps; 0: "
        "never.",
    )
    keep_best: bool = setting(
        "steps",
        "advanced",
        default=False,
        description="The result is the picture with the lowest loss, not the last one.",
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

    def sides_used(self, size: int) -> SidesUsed:
        """See `Options.sides_used`. A style that fits otherwise than by its longest side is read whole."""
        largest = max(size, *(side for side, _ in self.stages(size)))
        fitted = self.style_fit == "longest" and self.init != "style"
        return SidesUsed(largest, math.ceil(largest * self.style_scale) if fitted else None)

    def rescaled(self, standard: float, bare: float) -> Self:
        """Return the settings with weights that keep the balance of the losses; see `Options.rescaled`."""
        gain = standard if self.preprocess == "standard" else bare
        changes: dict[str, float] = {}
        if not self.normalize_gradients:
            changes["content_weight"] = self.content_weight / gain**2
            changes["style_weight"] = self.style_weight / gain ** (4 if self.style_loss == "gram" else 2)
            # The total variation is that of the bare values.
            changes["tv_weight"] = self.tv_weight / bare ** (1 if self.tv_kind.startswith("absolute") else 2)
        return self.model_copy(update=changes)

    def continued(self) -> Self:
        """Return the settings with a sixth of the steps, at the final size alone; see `Options.continued`."""
        steps = self.schedule[-1][1] if self.schedule else self.steps
        return self.model_copy(update={"schedule": ((1.0, math.ceil(steps / 6)),), "plateau": 0.0})

    def stages(self, final: int) -> tuple[tuple[int, int], ...]:
        """Return the longest side in pixels and the steps of each stage, for a result of longest side `final`."""
        from ...images.geometry import scale_ladder, sizes_between

        if self.schedule:
            sizes = [(round(size * final) if size <= 1 else round(size), steps) for size, steps in self.schedule]
            return tuple((max(size, 1), steps) for size, steps in sizes)
        if self.min_size is None:
            return ((final, self.steps),)
        first = self.steps if self.first_steps is None else self.first_steps
        if self.min_size == "auto":
            sizes = sizes_between(_FIRST_SIZE, final)
            halved = [math.ceil(self.steps / 2**number) for number in range(len(sizes))]
            return tuple(zip(sizes, [first, *halved[1:]] if len(sizes) > 1 else halved, strict=True))
        sizes = scale_ladder(final, self.min_size, self.scale_step)
        return tuple((size, first if i == 0 and len(sizes) > 1 else self.steps) for i, size in enumerate(sizes))
