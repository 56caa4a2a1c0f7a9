"""Settings that all trainers share."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from ..errors import RequestError
from ..nets.enlarge import Enlarge
from ..recipe import NonNegative, Options, Positive, Precision
from ..settings import setting
from .times import parse_time

Count = Annotated[int, Field(ge=1)]


def _parse_names(value: Any) -> Any:
    """``"relu3_1,relu2_1"`` -> a tuple of the names; ``"none"`` -> an empty tuple."""
    if not isinstance(value, str):
        return value
    return () if value == "none" else tuple(name.strip() for name in value.split(",") if name.strip())


Names = Annotated[tuple[str, ...], BeforeValidator(_parse_names)]

Lattice = Annotated[
    NonNegative,
    setting(
        "losses",
        "advanced",
        description="Weight of the loss against a lattice: upright waves of 2 to 12 pixels, in brightness or colour, "
        "that neither photo nor style has. Networks paint such waves in even areas.",
    ),
]

Fleck = Annotated[
    NonNegative,
    setting(
        "losses",
        "advanced",
        description="Weight of the loss against fleck: colour that changes from pixel to pixel more than in photo "
        "and style.",
    ),
]

Enlarging = Annotated[
    Enlarge,
    setting(
        "network",
        "reproduction",
        description="How the network doubles the size of its features. nearest: each value four times, as in most "
        "systems; bilinear: linear interpolation.",
    ),
]

FORMS = (
    "relative: squared length of the difference, divided by the target's squared length; mean: mean squared "
    "difference."
)
"""Part of the description of settings that choose the form of a distance."""

ONE_RUN = (
    "This is one run from scratch. The shipped net was trained in several runs: the losses here are those of the "
    "last run, the steps are those of all runs. The new net will not equal the shipped one."
)
"""Part of the description of every preset called impasto."""

Steps = Annotated[Count, setting("steps", description="Steps of the optimiser in all.")]
MaxTime = Annotated[timedelta, BeforeValidator(parse_time), Field(gt=timedelta(0))]
Batch = Annotated[
    Count,
    setting(
        "steps", description="Photos in each step, and as many paintings; for each GPU, where there are several."
    ),
]
Crop = Annotated[
    int,
    Field(ge=32, le=2048),
    setting("data", description="Side in pixels of the squares that are cut from the pictures.", unit="px"),
]
Rate = Annotated[Positive, setting("steps", "advanced", description="Learning rate at its highest.")]
Warmup = Annotated[
    int,
    Field(ge=0),
    setting("steps", "reproduction", description="Steps over which the learning rate rises to --lr at the start."),
]
Clip = Annotated[
    NonNegative,
    setting(
        "steps",
        "reproduction",
        description="Largest length of the gradient: a longer one is shortened to it; 0: no limit.",
    ),
]
Ema = Annotated[
    float,
    Field(ge=0, lt=1),
    setting(
        "steps",
        "reproduction",
        description="Share of the running mean of the weights that each step keeps. The mean is what is saved; 0: "
        "the weights of the last step are saved.",
    ),
]
ExcessWeight = Annotated[
    NonNegative,
    setting(
        "losses",
        "reproduction",
        description="Weight of the mean square by which pixels leave the range from 0 to 1.",
    ),
]


class TrainOptions(Options):
    """How long to train, on which crops, how fast, and how often to validate and save."""

    steps: Steps = 8000
    max_time: MaxTime | None = setting(
        "steps",
        default=None,
        description="Longest time that training takes, as in 3h, 90m or 45s: the first steps show how many fit, at "
        "most --steps, and the learning rate falls over that number.",
    )
    batch: Batch = 8
    crop: Crop = 128
    resize: Annotated[int, Field(ge=32)] | None = setting(
        "data",
        "advanced",
        default=None,
        description="Resize each picture's short side to this before a crop is cut, as the papers do; none: crops "
        "are cut at random sizes and scaled to --crop.",
        unit="px",
    )
    squash: bool = setting(
        "data",
        "reproduction",
        default=False,
        description="With --resize: resize to a square, without keeping the picture's proportions.",
    )
    optimizer: Literal["muon", "adam"] = setting(
        "steps",
        "reproduction",
        default="muon",
        description="muon: Muon for the filters of convolutions, Adam for all other weights; adam: Adam for all.",
    )
    lr: Rate = 5e-4
    schedule: Literal["cosine", "inverse", "constant"] = setting(
        "steps",
        "reproduction",
        default="cosine",
        description="Learning rate after the warm-up. cosine: falls along a cosine to a hundredth of --lr by the "
        "last step; inverse: lr / (1 + decay · step); constant: stays at --lr.",
    )
    decay: NonNegative = setting(
        "steps",
        "reproduction",
        default=0.0,
        description="How fast the learning rate falls with --schedule inverse: lr / (1 + decay · step).",
    )
    warmup: Warmup = 50
    beta2: Annotated[float, Field(gt=0, lt=1)] = setting(
        "steps",
        "reproduction",
        default=0.99,
        description="Adam's beta 2: share of the running mean of squared gradients that each step keeps.",
    )
    clip: Clip = 5.0
    ema: Ema = 0.999
    held_out: Annotated[int, Field(ge=1)] = setting(
        "data",
        "advanced",
        default=8,
        description="Photos, and as many paintings, that are kept out of training, for validation and the sample "
        "sheet.",
    )
    validate_every: Count = setting(
        "steps",
        "advanced",
        default=500,
        description="Steps from one validation to the next. Each writes the net and a sample sheet.",
    )
    save_every: Count = setting(
        "steps", "advanced", default=250, description="Steps from one checkpoint, for --resume, to the next."
    )
    workers: Annotated[int, Field(ge=1)] = setting(
        "running", "advanced", default=2, description="Threads that read and crop pictures."
    )
    seed: Annotated[int, Field(ge=0, lt=2**63)] = setting(
        "running",
        default=0,
        description="Seed of every random draw: first weights, held-out pictures, crops, noise.",
    )
    precision: Precision = setting(
        "running",
        "advanced",
        default="auto",
        description="auto: bfloat16 where the machine computes it fast; exact: float32.",
    )


def check_crop(crop: int, stride: int) -> None:
    """Check that a network of this stride paints crops of this side at their full size.

    Raises:
        RequestError: it would paint them smaller.
    """
    if crop % stride:
        below = crop // stride * stride
        near = f"{below} or {below + stride}" if below else stride
        raise RequestError(f"crop is {crop}; expected a multiple of {stride} for this net: {near}")
