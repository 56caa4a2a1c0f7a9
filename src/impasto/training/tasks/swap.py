"""Trains style-swap's inverse network: from swapped features to a picture in one pass.

Chen & Schmidt 2016, "Fast Patch-based Style Transfer of Arbitrary Style", section 4.2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from PIL import Image
from torch import Tensor, nn

from ...errors import RequestError
from ...methods.common.preset import Preset
from ...nets.decoder import Decoder
from ...nets.decoder_spec import DecoderSpec, mirror, tail
from ...nets.files import ADAIN_KIND, SWAP_KIND
from ...settings import setting
from ...statistics.moments import Moments
from ...weights import container
from ...weights.load import load
from ...weights.shipped import load_net, locate_net, parent_of
from ..decoders import begin_with, encoder_channels, mean_activations
from ..options import ONE_RUN, Ema, Enlarging, Fleck, Lattice, Names, Rate, Steps, Warmup
from ..progress import Progress
from ..run import Setting, run
from ..swap_objective import SwapObjective, SwapObjectiveOptions
from ..terms import STYLE_LAYERS, encode

KIND = SWAP_KIND
_SHAPE = ("norm", "padding", "inject", "skip", "enlarge")


class SwapTraining(SwapObjectiveOptions):
    """Settings of `impasto train swap`; the defaults are impasto's own recipe."""

    steps: Steps = 6500
    lr: Rate = 2e-3
    warmup: Warmup = 20
    ema: Ema = 0.99
    layer: Literal["relu2_1", "relu3_1", "relu4_1"] = setting(
        "network", "advanced", default="relu3_1", description="Layer whose features are turned into a picture."
    )
    enlarge: Enlarging = "nearest"
    lattice: Lattice = 0.0
    fleck: Fleck = 0.0
    form: Literal["mirror", "released"] = setting(
        "network",
        "reproduction",
        default="mirror",
        description="mirror: the encoder's layers in reverse order; released: the wider net that the authors "
        "released.",
    )
    norm: Literal["none", "instance", "batch"] = setting(
        "network",
        "reproduction",
        default="none",
        description="Normalisation before each ReLU of the decoder: none, instance or batch.",
    )
    padding: Literal["zeros", "reflect"] = setting(
        "network",
        "reproduction",
        default="reflect",
        description="What the decoder sees beyond the border: zeros, or the features reflected (reflect).",
    )
    inject: Names = setting(
        "network",
        "advanced",
        default=("relu2_1", "relu1_1"),
        description="Layers below --layer at which the decoder takes the style's means and deviations, as "
        "LAYER,LAYER,... or none.",
    )
    skip: Names = setting(
        "network",
        "advanced",
        default=(),
        description="Layers below --layer whose chosen patches the decoder takes too, each by a branch of its own, "
        "as LAYER,LAYER,... or none.",
    )


_PAPER: dict[str, Any] = {
    "steps": 80_000,
    "crop": 256,
    "optimizer": "adam",
    "resize": 256,
    "squash": True,
    "lr": 1e-3,
    "schedule": "inverse",
    "decay": 1e-4,
    "warmup": 0,
    "beta2": 0.999,
    "clip": 0.0,
    "ema": 0.0,
    "match": "plain",
    "luminance_weight": 0.0,
    "coherence": 0.0,
    "restore": "keep",
    "grain": 0.0,
    "inject": (),
    "enlarge": "nearest",
    "padding": "zeros",
    "feature": 1.0,
    "feature_form": "mean",
    "gram": 0.0,
    "colour": 0.0,
    "pixel": 0.0,
    "tv": 1e-6,
    "lattice": 0.0,
    "fleck": 0.0,
    "range": 0.0,
}

PRESETS: dict[str, Preset] = {
    "impasto": Preset(
        f"The recipe of the shipped net, without its learned steps (train swap-steps). {ONE_RUN}", SwapTraining()
    ),
    "style-swap": Preset(
        "The authors' train-vgg-decoder.lua (Chen & Schmidt 2016).", SwapTraining(**_PAPER, norm="batch")
    ),
    "style-swap-released": Preset(
        "The same, with the architecture of the decoder that the authors released.",
        SwapTraining(**_PAPER, norm="instance", form="released"),
    ),
}

# Channels of the net that the authors released, by layer, from deep to shallow. Their script builds a narrower one.
_RELEASED = {
    "relu2_1": ((128, 128), (64, 64, 3)),
    "relu3_1": ((128, 128), (128, 128), (64, 64, 3)),
    "relu4_1": ((256, 256), (128, 128), (128, 128), (64, 64, 3)),
}


class SwapTask:
    """Learns a decoder f with Φ(f(H)) = H for features H of photos, of paintings, and of swaps; Φ is the encoder."""

    def __init__(self, options: SwapTraining, setting: Setting) -> None:
        self.options, self.device, self.dtype = options, setting.device, setting.dtype
        self.objective = SwapObjective(options, options.layer, setting)
        shape: dict[str, Any] = {name: getattr(options, name) for name in _SHAPE}
        if options.form == "released":
            shape |= {"stages": _RELEASED[options.layer], "transposed": True, "output": "sigmoid"}
        if options.skip:
            shape["branch"] = "matrix"
        net = Decoder(mirror(options.layer, encoder_channels(setting.weights), **shape))
        net.set_scales(mean_activations(self.objective.vgg, setting.sample, STYLE_LAYERS))
        if setting.init:
            begin_with(net, _with_branches(setting.init, net))
        self.net = net.to(self.device)

    def metadata(self) -> Mapping[str, Any]:
        """Return kind, encoder and description of the net, and the settings of the swap."""
        return self.objective.metadata(self.net.spec)

    def loss(self, net: nn.Module, photos: Tensor, paintings: Tensor, step: int) -> dict[str, Tensor]:
        """Return the weighted loss terms; `SwapTraining` describes them."""
        given = self.objective.examples(photos, paintings, self.net.spec, step)
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            picture: Tensor = net({self.options.layer: given.target, **given.finer}, given.stats)
        found = encode(self.objective.vgg, picture, self.objective.encoded)
        return self.objective.terms(picture, found, given, step)

    def paint(self, targets: Mapping[str, Tensor], stats: Mapping[str, Moments]) -> Tensor:
        """Turn features by layer into pictures in [0, 1]."""
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            return self.net(targets, stats).clamp(0, 1)

    def validate(self, most: int | None = None) -> tuple[dict[str, float], Image.Image]:
        """Return figures and a sheet; see `SwapObjective.validate`."""
        return self.objective.validate(self.paint, self.net.spec, most)


def _with_branches(init: Mapping[str, Tensor], net: Decoder) -> dict[str, Tensor]:
    """Complete the weights to begin with by new branches, and leave out learned steps.

    Raises:
        RequestError: the weights have branches that the net has not.
    """
    branches = {name.split(".")[1] for name in init if name.startswith("branches.")}
    if missing := branches - {*net.spec.skip}:
        raise RequestError(
            f"the net to begin with has branches at {', '.join(sorted(branches, reverse=True))}, --skip has none at "
            f"{', '.join(sorted(missing, reverse=True))}; expected --skip {','.join(sorted(branches, reverse=True))}"
        )
    fresh = [name for name in net.spec.skip if name not in branches]
    names = {f"branches.{name}.{kind}" for name in fresh for kind in ("weight", "bias")}
    names |= {f"scale_{name}" for name in fresh if name not in net.spec.inject}
    new = {name: value for name, value in net.state_dict().items() if name in names}
    return {**new, **{name: value for name, value in init.items() if not name.startswith("steps.")}}


def train(
    options: SwapTraining,
    photos: Sequence[str],
    paintings: Sequence[str],
    out: str | Path,
    *,
    encoder: str = "vgg19",
    preset: str | None = None,
    init: str | None = None,
    resume: bool = False,
    device: str = "auto",
    report: Callable[[Progress], None] | None = None,
) -> Path:
    """Train an inverse network. Arguments and errors are those of `impasto.training.tasks.adain.train`.

    `init` may also be an AdaIN decoder that takes the style's moments at the layer: the part after that layer is
    used. Learned steps of `init` are left out.
    """
    weights = load(encoder, until=STYLE_LAYERS[-1])
    tensors = _initial_weights(init, options.layer, weights.sha256) if init else {}
    recipe = {"task": "swap", "preset": preset, "encoder": weights.source, "parent": parent_of(init)}
    return run(
        lambda setting: SwapTask(options, setting),
        options,
        weights=weights,
        photos=photos,
        paintings=paintings,
        counts=(options.batch, options.batch),
        out=out,
        recipe=recipe,
        init=tensors,
        resume=resume,
        device=device,
        report=report,
    )


def _initial_weights(init: str, layer: str, encoder_sha256: str) -> dict[str, Tensor]:
    about = container.load_metadata(locate_net(init))
    if about is None or about.get("kind") != ADAIN_KIND:
        return load_net(init, kind=KIND, encoder_sha256=encoder_sha256, layer=layer)[0]
    tensors, about = load_net(init, kind=ADAIN_KIND, encoder_sha256=encoder_sha256)
    return tail(DecoderSpec.from_json(about["decoder"]), tensors, layer)[1]
