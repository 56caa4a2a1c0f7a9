"""Settings and presets of `impasto train johnson`."""

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
from ..options import (
    FORMS,
    ONE_RUN,
    Clip,
    Count,
    Enlarging,
    ExcessWeight,
    Lattice,
    Rate,
    Steps,
    TrainOptions,
    Warmup,
)

Form = Literal["relative", "mean"]


class JohnsonTraining(TrainOptions):
    """Settings of `impasto train johnson`; the defaults are impasto's own recipe."""

    steps: Steps = 28_700
    batch: Count = setting(
        "steps", default=1, description="Photos in each step; for each GPU, where there are several."
    )
    styles_per_photo: Count = setting(
        "steps",
        "advanced",
        default=1,
        description="Number of styles in which each photo of a step is painted, at most.",
    )
    crop: Annotated[int, Field(ge=32, le=2048)] = setting(
        "data",
        default=224,
        description="Side in pixels of the squares that are cut from the photos. Each is compared with the whole "
        "style, so a net that learns from small squares paints pale pictures.",
        unit="px",
    )
    lr: Rate = 5e-4
    warmup: Warmup = 20
    clip: Clip = 2.0
    even: bool = setting(
        "losses",
        "reproduction",
        default=True,
        description="Scale the gradient of each picture to one length, so that all styles and photos count alike.",
    )
    architecture: str = setting(
        "network",
        "advanced",
        default="c9s1-16,d32,d96,R96×5,u32,u16,c9s1-3",
        description="Blocks of the network, as Johnson et al. write them. cKs1-N: a K×K convolution with N filters; "
        "dN, uN: one that halves or doubles the size; RN×M: M residual blocks.",
    )
    output: Literal["colour", "linear", "tanh"] = setting(
        "network",
        "advanced",
        default="colour",
        description="What becomes of the last convolution's result. linear: it is the picture; tanh: the picture is "
        "its tanh, scaled as by Johnson et al.; colour: it is added to the photo in the style's colours.",
    )
    norm: Literal["encoder", "everywhere"] = setting(
        "network",
        "reproduction",
        default="encoder",
        description="Where instance normalisation is. everywhere: after every convolution, as in Dumoulin et al.; "
        "encoder: only before the residual blocks, which keeps spots out of large even areas. A --net that has it "
        "everywhere is converted, unless --learn styles is given.",
    )
    enlarge: Enlarging = "bilinear"
    chroma: Chroma = setting(
        "network",
        "reproduction",
        default="soft",
        description="Resolution of the colour that the net paints. soft: half that of brightness, as in JPEG, which "
        "avoids lattice and fleck of colour; sharp: that of brightness.",
    )
    content_layers: LayerWeights = setting(
        "losses",
        "advanced",
        default={"relu4_1": 1.0},
        description="Layers at which features are compared with the photo's, as LAYER[:WEIGHT],...",
    )
    content_weight: NonNegative = setting(
        "losses", default=0.12, description="How much of the photo is kept: the weight of the content loss."
    )
    content_form: Form = setting(
        "losses",
        "reproduction",
        default="relative",
        description=f"Form of the content loss. {FORMS}",
    )
    style_layers: LayerWeights = setting(
        "losses",
        "advanced",
        default=equal(0.25, "relu1_1", "relu2_1", "relu3_1", "relu4_1"),
        description="Layers at which Gram matrices are compared with the style's, as LAYER[:WEIGHT],...",
    )
    style_weight: NonNegative = setting(
        "losses", default=2.0, description="How much of the style is taken: the weight of the style loss."
    )
    style_form: Form = setting(
        "losses",
        "reproduction",
        default="relative",
        description=f"Form of the style loss, which compares Gram matrices. {FORMS}",
    )
    gram_norm: Literal["positions", "elements"] = setting(
        "losses",
        "reproduction",
        default="positions",
        description="What Gram matrices are divided by. positions: H·W; elements: C·H·W.",
    )
    style_size: Size = setting(
        "data",
        "advanced",
        default=512,
        description="Longest side in pixels to which a style picture is resized, times --style-scale.",
        unit="px",
    )
    style_scale: Positive = setting(
        "data",
        default=1.0,
        description="Size of the strokes. The style picture is resized to --style-size times this: 2 gives strokes "
        "twice as large, 0.5 half as large.",
    )
    moments_weight: NonNegative = setting(
        "losses",
        "advanced",
        default=0.0,
        description="Weight of the loss of moments, which compares mean and deviation of each channel with the "
        "style's, at the layers of --style-layers.",
    )
    nearest_weight: NonNegative = setting(
        "losses",
        default=0.0,
        description="Weight of the loss by nearest neighbours: each position's features approach those features of "
        "the style that suit the photo best.",
    )
    teacher_weight: NonNegative = setting(
        "losses", default=0.6, description="With --teacher: how much is learned from the teacher's paintings."
    )
    teacher_pairs: Count = setting(
        "steps",
        "advanced",
        default=1,
        description="With --teacher: paintings of the teacher in each step, beside the photos.",
    )
    teacher_photos: Count = setting(
        "data", "advanced", default=100, description="With --teacher: photos that the teacher paints in each style."
    )
    grain: Grain = GRAIN
    lattice: Lattice = 1.0
    tv: NonNegative = setting(
        "losses",
        "reproduction",
        default=0.0,
        description="Weight of total variation: mean squared difference of neighbouring pixels.",
    )
    range: ExcessWeight = 10.0
    learn: Literal["everything", "styles"] = setting(
        "network",
        default="everything",
        description="everything: train all weights; styles: add the styles of --style to the net of --net, and keep "
        "those that it has as they are.",
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
    "moments_weight": 0.0,
    "nearest_weight": 0.0,
}
_DUMOULIN: dict[str, Any] = {**_PAPERS, "batch": 16}
_VGG16_STYLE = ("relu1_2", "relu2_2", "relu3_3", "relu4_3")
_LEVELS = 255**2  # the systems take total variation of pixels from 0 to 255

PRESETS: dict[str, Preset] = {
    "impasto": Preset(f"The recipe of the shipped gallery. {ONE_RUN}", JohnsonTraining()),
    "johnson-2016": Preset(
        "The authors' fast-neural-style (Johnson et al. 2016). Deviations: reflection padding before every "
        "convolution instead of 40 px at the start, and resize-convolutions instead of transposed ones.",
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
            # theirs: ½ Σ of squared differences over a batch of 4, with weight 1e-6
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
