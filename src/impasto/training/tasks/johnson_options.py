"""Settings and presets of `impasto train johnson`. Imports no torch."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from ...errors import RequestError
from ...methods.common.layer_weights import LayerWeights, equal
from ...methods.common.preset import Preset
from ...nets.architecture import JOHNSON, parse
from ...nets.transformer_spec import Chroma
from ...recipe import GRAIN, Grain, NonNegative, Positive, Size
from ...settings import setting
from ..options import ONE_RUN, Clip, Count, Enlarging, Fleck, Lattice, Rate, Steps, TrainOptions

Form = Literal["relative", "mean"]


class JohnsonTraining(TrainOptions):
    """Settings of `impasto train johnson`; the defaults are impasto's own recipe."""

    steps: Steps = 25_400
    batch: Count = setting("steps", default=2, description="Photos a step on each device.")
    styles_per_photo: Count = setting(
        "steps",
        "advanced",
        default=4,
        description="Styles that each photo of a step is painted in, at most; its own features are then found once.",
    )
    crop: Annotated[int, Field(ge=32, le=2048)] = setting(
        "data",
        default=256,
        description="Side of the crops in pixels. Each is held against the whole style: small ones, with little of a "
        "photo in them, teach a net to paint pale.",
        unit="px",
    )
    lr: Rate = 1e-3
    clip: Clip = 2.0
    even: bool = setting(
        "losses",
        "reproduction",
        default=True,
        description="Every picture's gradient has one length: styles and crops whose losses are steep do not drown "
        "the others.",
    )
    architecture: str = setting(
        "network",
        "advanced",
        default="c9s1-16,d32,d96,R96×5,u32,u16,c9s1-3",
        description="The network, block by block, as Johnson's.",
    )
    output: Literal["colour", "linear", "tanh"] = setting(
        "network",
        "advanced",
        default="colour",
        description="Last step: linear; tanh: scaled as Johnson's; colour: linear, added to the photo in "
        "colours of the style.",
    )
    norm: Literal["encoder", "everywhere"] = setting(
        "network",
        "reproduction",
        default="encoder",
        description="Where instance normalisation is: everywhere, as Dumoulin's; encoder: before the residual blocks "
        "alone, which keeps spots out of large even areas. A net to begin with that has it everywhere is changed "
        "over, unless --learn styles.",
    )
    enlarge: Enlarging = "bilinear"
    chroma: Chroma = setting(
        "network",
        "reproduction",
        default="soft",
        description="soft: what the net adds to the photo has colour at half the resolution of brightness, as JPEG "
        "and the eye have it, without lattice and fleck of colour; sharp: colour as fine as brightness.",
    )
    content_layers: LayerWeights = setting(
        "losses",
        "advanced",
        default={"relu4_1": 1.0},
        description="Layers whose features keep the photo, as LAYER[:WEIGHT],...",
    )
    content_weight: NonNegative = setting("losses", default=0.2, description="Weight of the content loss.")
    content_form: Form = setting(
        "losses",
        "reproduction",
        default="relative",
        description="relative: squared distance over the target's squared length; mean: mean squared difference.",
    )
    style_layers: LayerWeights = setting(
        "losses",
        "advanced",
        default=equal(0.25, "relu1_1", "relu2_1", "relu3_1", "relu4_1"),
        description="Layers whose Gram matrices carry the style, as LAYER[:WEIGHT],...",
    )
    style_weight: NonNegative = setting("losses", default=1.0, description="Weight of the style loss.")
    style_form: Form = setting(
        "losses", "reproduction", default="relative", description="As content_form, of Gram matrices."
    )
    gram_norm: Literal["positions", "elements"] = setting(
        "losses",
        "reproduction",
        default="positions",
        description="What Gram matrices are divided by: H·W or C·H·W.",
    )
    style_size: Size = setting(
        "data", "advanced", default=512, description="Longest side of a style picture in pixels.", unit="px"
    )
    style_scale: Positive = setting("data", default=1.0, description="Factor on it: larger, bolder strokes.")
    grain: Grain = GRAIN
    lattice: Lattice = 1.0
    fleck: Fleck = 0.0
    tv: NonNegative = setting(
        "losses",
        "reproduction",
        default=0.0,
        description="Weight of the mean squared difference of neighbouring pixels.",
    )
    range: NonNegative = setting("losses", "reproduction", default=10.0, description="Weight of leaving [0, 1].")
    learn: Literal["everything", "styles"] = setting(
        "network",
        default="everything",
        description="styles: with --net, add styles to a network by training their normalisation alone.",
    )

    @field_validator("architecture")
    @classmethod
    def _readable(cls, architecture: str) -> str:
        try:
            parse(architecture)
        except RequestError as error:
            raise ValueError(str(error)) from None
        return architecture


_PAPERS: dict[str, Any] = {
    "architecture": JOHNSON,
    "content_form": "mean",
    "style_form": "mean",
    "range": 0.0,
    "batch": 4,
    "styles_per_photo": 1,
    "crop": 256,
    "resize": 256,
    "optimizer": "adam",
    "lr": 1e-3,
    "schedule": "constant",
    "warmup": 0,
    "beta2": 0.999,
    "clip": 0.0,
    "ema": 0.0,
    "even": False,
    "norm": "everywhere",
    "enlarge": "nearest",
    "chroma": "sharp",
    "grain": 0.0,
    "lattice": 0.0,
    "fleck": 0.0,
}
_DUMOULIN: dict[str, Any] = {**_PAPERS, "batch": 16}
_VGG16_STYLE = ("relu1_2", "relu2_2", "relu3_3", "relu4_3")
_LEVELS = 255**2  # total variation in levels of 255

PRESETS: dict[str, Preset] = {
    "impasto": Preset(f"The recipe of the shipped gallery. {ONE_RUN}", JohnsonTraining()),
    "johnson-2016": Preset(
        "The authors' fast-neural-style. Deviations: reflection padding before every convolution instead of 40 px "
        "at the start, and resize-convolutions instead of transposed ones.",
        JohnsonTraining(
            **_PAPERS,
            output="tanh",
            squash=True,
            steps=40_000,
            content_layers={"relu3_3": 1.0},
            content_weight=1.0,
            style_layers=equal(1.0, *_VGG16_STYLE),
            style_weight=5.0,
            gram_norm="elements",
            style_size=256,
            # ½ Σ of squared differences over a batch of 4, weight 1e-6
            tv=0.5e-6 * _LEVELS * 4 * 3 * 256**2,
        ),
        encoder="vgg16",
    ),
    "pytorch-examples": Preset(
        "pytorch/examples' fast_neural_style: two epochs of COCO.",
        JohnsonTraining(
            **_PAPERS,
            output="linear",
            steps=41_392,
            content_layers={"relu2_2": 1.0},
            content_weight=1e5,
            style_layers=equal(1.0, *_VGG16_STYLE),
            style_weight=1e10,
            gram_norm="elements",
        ),
        encoder="vgg16-torchvision",
    ),
    "lengstrom": Preset(
        "lengstrom/fast-style-transfer: two epochs of COCO. Deviation: resize-convolutions, random crops.",
        JohnsonTraining(
            **_PAPERS,
            output="tanh",
            squash=True,
            steps=41_392,
            content_layers={"relu4_2": 1.0},
            content_weight=7.5,
            style_layers=equal(1.0, "relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"),
            style_weight=100.0,
            gram_norm="elements",
            tv=200.0 * _LEVELS,
        ),
    ),
    "dumoulin": Preset(
        "Dumoulin et al. 2017 as in Magenta's image_stylization: many styles, normalisation conditional on them. "
        "Deviation: a linear output in place of the sigmoid.",
        JohnsonTraining(
            **_DUMOULIN,
            output="linear",
            steps=40_000,
            content_layers={"relu3_3": 1.0},
            content_weight=1.0,
            style_layers=equal(1.0, *_VGG16_STYLE),
            style_weight=1e-4,
        ),
        encoder="vgg16",
    ),
}
