"""Settings every training run shares."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from ..errors import RequestError
from ..nets.enlarge import Enlarge
from ..recipe import NonNegative, Options, Positive, Precision
from ..settings import setting

Count = Annotated[int, Field(ge=1)]


def _names(value: Any) -> Any:
    """``"relu3_1,relu2_1"`` -> a tuple; ``"none"`` -> none of them."""
    if not isinstance(value, str):
        return value
    return () if value == "none" else tuple(name.strip() for name in value.split(",") if name.strip())


Names = Annotated[tuple[str, ...], BeforeValidator(_names)]

Lattice = Annotated[
    NonNegative,
    setting(
        "losses",
        "advanced",
        description="Weight of upright waves of 2 to 12 pixels, of brightness or colour, that neither photo nor "
        "style has: where an even area has to be painted, a network makes a lattice or a weave of those before "
        "anything else.",
    ),
]

Enlarging = Annotated[
    Enlarge,
    setting(
        "network",
        "reproduction",
        description="How the network doubles its features: nearest as most systems do, or between them linearly.",
    ),
]

Fleck = Annotated[
    NonNegative,
    setting(
        "losses",
        "advanced",
        description="Weight of colour flickering from pixel to pixel more than it does in photo and style.",
    ),
]


ONE_RUN = (
    "This is one run from scratch: the losses are those of the last of its runs, the steps those of all of them. The "
    "result is not promised to equal the shipped net."
)
"""Part of the description of every preset called impasto."""

Steps = Annotated[Count, setting("steps", description="Optimiser steps.")]
Batch = Annotated[Count, setting("steps", description="Photos a step, and as many paintings, on each device.")]
Crop = Annotated[int, Field(ge=32, le=2048), setting("data", description="Side of the crops in pixels.", unit="px")]
Rate = Annotated[Positive, setting("steps", "advanced", description="Learning rate at its highest.")]
Warmup = Annotated[
    int, Field(ge=0), setting("steps", "reproduction", description="Steps over which the rate rises from nothing.")
]
Clip = Annotated[
    NonNegative, setting("steps", "reproduction", description="Longest gradient let through; 0 for any.")
]
Ema = Annotated[
    float,
    Field(ge=0, lt=1),
    setting(
        "steps",
        "reproduction",
        description="Memory of the running mean of the weights, which is what is kept; 0 keeps the last.",
    ),
]


class TrainOptions(Options):
    """How long, on what crops, how fast and how often to look."""

    steps: Steps = 8000
    batch: Batch = 8
    crop: Crop = 128
    resize: Annotated[int, Field(ge=32)] | None = setting(
        "data",
        "advanced",
        default=None,
        description="Bring each picture's short side to this before cropping, as the papers do; "
        "unset: crops at random scales.",
        unit="px",
    )
    squash: bool = setting(
        "data",
        "reproduction",
        default=False,
        description="With --resize: to a square, giving up the picture's proportions.",
    )
    optimizer: Literal["muon", "adam"] = setting(
        "steps",
        "reproduction",
        default="muon",
        description="Adam for everything; muon: Muon for the filters of convolutions.",
    )
    lr: Rate = 5e-4
    schedule: Literal["cosine", "inverse", "constant"] = setting(
        "steps",
        "reproduction",
        default="cosine",
        description="cosine: falls to a hundredth by the last step; inverse: lr / (1 + decay · step).",
    )
    decay: NonNegative = setting("steps", "reproduction", default=0.0, description="Of the inverse schedule.")
    warmup: Warmup = 50
    beta2: Annotated[float, Field(gt=0, lt=1)] = setting(
        "steps",
        "reproduction",
        default=0.99,
        description="Adam's memory of squared gradients.",
    )
    clip: Clip = 5.0
    ema: Ema = 0.999
    held_out: Annotated[int, Field(ge=1)] = setting(
        "data",
        "advanced",
        default=8,
        description="Photos and paintings never trained on, for validation and the sample sheet.",
    )
    validate_every: Count = setting(
        "steps", "advanced", default=500, description="Steps between validations, each with a sample sheet."
    )
    save_every: Count = setting("steps", "advanced", default=250, description="Steps between checkpoints.")
    workers: Annotated[int, Field(ge=1)] = setting(
        "running", "advanced", default=2, description="Threads that read and crop pictures."
    )
    seed: Annotated[int, Field(ge=0, lt=2**63)] = setting(
        "running", default=0, description="Of weights, crops and draws."
    )
    precision: Precision = setting(
        "running",
        "advanced",
        default="auto",
        description="auto: bfloat16 where the machine has it; exact: float32.",
    )


def check_crop(crop: int, stride: int) -> None:
    """See that a network of this stride can paint crops of this side.

    Raises:
        RequestError: it would paint them smaller.
    """
    if crop % stride:
        below = crop // stride * stride
        near = f"{below} or {below + stride}" if below else stride
        raise RequestError(f"crop is {crop}; expected a multiple of {stride} for this net: {near}")
