"""Settings and presets of `impasto train adain`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from ...methods.adain.options import COVARIANCE
from ...methods.common.options import Share
from ...methods.common.preset import Preset
from ...recipe import GRAIN, Grain, NonNegative
from ...settings import setting
from ..options import (
    FORMS,
    ONE_RUN,
    Batch,
    Crop,
    Enlarging,
    ExcessWeight,
    Fleck,
    Lattice,
    Names,
    Rate,
    Steps,
    TrainOptions,
)


class AdainTraining(TrainOptions):
    """Settings of `impasto train adain`; the defaults are impasto's own recipe."""

    steps: Steps = 22_000
    batch: Batch = 4
    crop: Crop = 256
    lr: Rate = 3.5e-4
    enlarge: Enlarging = "bilinear"
    inject: Names = setting(
        "network",
        "advanced",
        default=("relu3_1", "relu2_1", "relu1_1"),
        description="Layers below relu4_1 at which the decoder takes the style's means and deviations, as "
        "LAYER,LAYER,... or none.",
    )
    skip: Names = setting(
        "network",
        "advanced",
        default=("relu3_1",),
        description="Layers of --inject at which the photo's features, with the style's moments, are added to the "
        "decoder's; as LAYER,LAYER,... or none.",
    )
    encoder_padding: Literal["zeros", "reflect"] = setting(
        "network",
        "reproduction",
        default="zeros",
        description="What the encoder sees beyond a picture's border: zeros, or the picture reflected (reflect).",
    )
    pool_ceil: bool = setting(
        "network",
        "reproduction",
        default=False,
        description="The encoder's pooling keeps a last odd row and column.",
    )
    content: NonNegative = setting(
        "losses",
        default=1.0,
        description="Weight of the distance between the picture's features and the photo's features with the style's "
        "moments, at relu4_1: more keeps more of the photo.",
    )
    content_form: Literal["relative", "mean"] = setting(
        "losses",
        "reproduction",
        default="relative",
        description=f"Form of the distance that --content weighs. {FORMS}",
    )
    detail: NonNegative = setting(
        "losses",
        "advanced",
        default=1.0,
        description="Weight of the distance of --content at the layers of --skip: it keeps faces and outlines.",
    )
    moments: NonNegative = setting(
        "losses",
        "advanced",
        default=0.06,
        description="Weight of the squared differences between the channels' means and deviations in picture and "
        "style.",
    )
    moments_form: Literal["mean", "sum"] = setting(
        "losses",
        "reproduction",
        default="mean",
        description="Whether --moments takes the mean or the sum of differences over channels; layers are summed.",
    )
    gram: NonNegative = setting(
        "losses",
        default=5.0,
        description="Weight of the relative distance between the Gram matrices of picture and style: more gives more "
        "of the style's texture.",
    )
    colour: NonNegative = setting(
        "losses",
        "advanced",
        default=5.0,
        description="Weight of the distance between the colours of picture and style.",
    )
    identity: NonNegative = setting(
        "losses",
        "advanced",
        default=0.5,
        description="Weight of the pixel distance between picture and photo, where the photo is its own style.",
    )
    identity_share: Annotated[float, Field(ge=0, le=1)] = setting(
        "losses",
        "advanced",
        default=0.125,
        description="Share of the pairs in which the photo is its own style.",
    )
    covariance: Share = setting("losses", "advanced", default=0.6, description=f"{COVARIANCE}.")
    grain: Grain = GRAIN
    lattice: Lattice = 70.0
    fleck: Fleck = 5.0
    range: ExcessWeight = 10.0


_PLAIN: dict[str, Any] = {
    "inject": (),
    "skip": (),
    "covariance": 0.0,
    "grain": 0.0,
    "lattice": 0.0,
    "fleck": 0.0,
    "enlarge": "nearest",
    "encoder_padding": "reflect",
    "steps": 160_000,
    "batch": 8,
    "crop": 256,
    "optimizer": "adam",
    "resize": 512,
    "lr": 1e-4,
    "schedule": "inverse",
    "decay": 5e-5,
    "warmup": 0,
    "beta2": 0.999,
    "clip": 0.0,
    "ema": 0.0,
    "content_form": "mean",
    "detail": 0.0,
    "gram": 0.0,
    "colour": 0.0,
    "identity": 0.0,
    "identity_share": 0.0,
    "range": 0.0,
}

PRESETS: dict[str, Preset] = {
    "impasto": Preset(f"The recipe of the shipped net. {ONE_RUN}", AdainTraining()),
    "adain": Preset(
        "The authors' train.lua (Huang & Belongie 2017).",
        AdainTraining(**_PLAIN, pool_ceil=True, moments=1e-2, moments_form="sum"),
    ),
    "adain-naoto0804": Preset(
        "train.py of naoto0804/pytorch-AdaIN.",
        AdainTraining(**_PLAIN, pool_ceil=True, squash=True, moments=10.0, moments_form="mean"),
    ),
}
