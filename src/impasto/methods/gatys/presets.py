"""Named settings of gatys: those of the systems that it reproduces, and our own. Imports no torch."""

from __future__ import annotations

from ..common.layer_weights import equal
from ..common.preset import Preset
from .options import BY_CHANNELS, STYLE_LAYERS, GatysOptions

_CONVS = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")
_NEURAL_STYLE = GatysOptions(
    content_layers={"relu4_2": 1.0},
    content_weight=5,
    style_layers=equal(1.0, *STYLE_LAYERS),
    style_weight=100,
    gram_norm="elements",
    tv_weight=1e-3,
    tv_kind="squared",
    init="random",
    init_noise=0.001,
    lbfgs_history=100,
    precondition=0,
    steps=1000,
    min_size=None,
)

PRESETS: dict[str, Preset] = {
    "quick": Preset(
        "A good picture in under a minute on a laptop: most of the steps at half the size.",
        GatysOptions(schedule=((0.5, 75), (1, 45)), min_size=None, range_weight=100),
    ),
    "gatys-2015": Preset(
        "Gatys, Ecker & Bethge 2015; what the paper leaves open is: conv4_2, conv1_1-conv5_1 each 1/5, "
        "content to style 1:1000, average pooling, from noise. The paper's 1/(4N²M²) on sums is a quarter of "
        "our mean over N² entries of Gram matrices divided by M.",
        GatysOptions(
            content_layers={"conv4_2": 1.0},
            content_weight=1,
            content_reduction="half-sum",
            style_layers=equal(0.2 / 4, *_CONVS),
            style_weight=1000,
            pooling="avg",
            init="random",
            lbfgs_history=100,
            precondition=0,
            steps=5000,
            min_size=None,
        ),
    ),
    "vgg16-relu3_3": Preset(
        "VGG-16, content relu3_3, equal style weights from shallow to deep, from noise.",
        GatysOptions(
            content_layers={"relu3_3": 1.0},
            content_weight=1,
            content_reduction="half-sum",
            style_layers=equal(1 / 4, "relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3"),
            style_weight=1000,
            init="random",
            lbfgs_history=100,
            precondition=0,
            steps=1000,
            min_size=None,
        ),
        encoder="vgg16",
    ),
    "tensorflow-mat": Preset(
        "The TensorFlow tutorial with VGG-19 from a .mat file: RGB - 128, content relu4_1 × 7, style × 400, N(0, 1) "
        "noise, Adam 10, lowest loss kept, nothing resized. Grams are compared per position, which is the same "
        "when photo and style have one size.",
        GatysOptions(
            content_layers={"relu4_1": 1.0},
            content_weight=7,
            content_reduction="half-sum",
            style_layers=equal(1 / 4 / 5, *STYLE_LAYERS),
            style_weight=400,
            preprocess="minus-128",
            init="random",
            init_noise=1,
            optimizer="adam",
            learning_rate=10,
            steps=1000,
            min_size=None,
            style_fit="native",
            keep_best=True,
        ),
        size=None,
    ),
    "pytorch-tutorial": Preset(
        "The PyTorch tutorial: conv_4 and conv_1-conv_5, Gram / (C·H·W), torchvision's VGG-19 without "
        "normalisation. Its weights multiply features before the square, so 1000 acts as a million.",
        GatysOptions(
            content_layers={"conv_4": 1.0},
            content_weight=1,
            style_layers=equal(1.0, "conv_1", "conv_2", "conv_3", "conv_4", "conv_5"),
            style_weight=1e6,
            gram_norm="elements",
            preprocess="unnormalised",
            lbfgs_history=100,
            precondition=0,
            clamp=True,
            steps=300,
            min_size=None,
        ),
        encoder="vgg19-torchvision",
    ),
    "neural-style": Preset("jcjohnson/neural-style.", _NEURAL_STYLE),
    "neural-style-pt": Preset(
        "ProGamerGov/neural-style-pt: neural-style with the absolute total variation.",
        _NEURAL_STYLE.model_copy(update={"tv_kind": "absolute"}),
    ),
    "crowsonkb": Preset(
        "crowsonkb/style-transfer-pytorch: Wasserstein loss, Adam at growing sizes, averaged pictures. "
        "Adam starts anew at each size.",
        GatysOptions(
            content_layers={"relu4_2": 1.0},
            content_weight=0.015,
            style_layers={
                layer: weight / 341 for layer, weight in zip(STYLE_LAYERS, (256, 64, 16, 4, 1), strict=True)
            },
            style_loss="wasserstein",
            tv_weight=2,
            tv_kind="nine-point",
            padding="replicate-first",
            optimizer="adam",
            learning_rate=0.02 * 255,
            adam_beta2=0.99,
            clamp=True,
            average=0.99,
            min_size=128,
            first_steps=1000,
            steps=500,
            style_upscale=False,
        ),
        encoder="vgg19-torchvision",
    ),
    "pystiche": Preset(
        "pystiche's command line; its 500 px are the shorter side, ours the longer.",
        GatysOptions(
            content_layers={"relu4_2": 1.0},
            content_weight=1,
            style_layers=equal(1 / 5, *STYLE_LAYERS),
            style_weight=1e3,
            lbfgs_history=100,
            precondition=0,
            steps=500,
            min_size=None,
        ),
        encoder="vgg19-torchvision",
        size=500,
    ),
    "pastiche": Preset(
        "pastiche 1.6: the same losses and weights; its size is an area of 500² pixels, ours a longest side.",
        GatysOptions(
            content_layers={"relu4_2": 0.01},
            content_weight=1,
            style_layers=BY_CHANNELS,
            style_weight=1,
            tv_kind="absolute-mean",
            lbfgs_history=100,
            precondition=0,
            steps=1000,
            min_size=None,
            style_fit="area",
        ),
    ),
}
