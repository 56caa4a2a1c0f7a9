"""Trains learned steps: from a swap decoder's picture towards the features that it was made of.

The decoder stays as it is. Each step sees the picture of the step before, and there the gradient of the distance to
the features; see `impasto.nets.learned_step`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import torch
from PIL import Image
from pydantic import Field
from torch import Tensor, nn

from ...errors import RequestError
from ...methods.common.preset import Preset
from ...nets.decoder import Decoder
from ...nets.decoder_spec import DecoderSpec
from ...nets.files import SWAP_KIND
from ...recipe import NonNegative
from ...settings import setting
from ...statistics.moments import Moments
from ...weights.load import load
from ...weights.shipped import load_net, parent_of
from ..decoders import begin_with
from ..options import ONE_RUN, Batch, Crop, Ema, Rate, Steps, Warmup
from ..progress import Progress
from ..run import Setting, run
from ..swap_objective import PIXEL, SwapObjective, SwapObjectiveOptions
from ..terms import STYLE_LAYERS, encode

KIND = SWAP_KIND


class SwapStepsTraining(SwapObjectiveOptions):
    """Settings of `impasto train swap-steps`; the defaults are impasto's own recipe."""

    steps: Steps = 4100
    batch: Batch = 1
    crop: Crop = 192
    lr: Rate = 1e-3
    warmup: Warmup = 20
    ema: Ema = 0.98
    count: Annotated[int, Field(ge=1, le=20)] = setting(
        "network", default=3, description="Number of steps to learn that refine a picture."
    )
    repeats: Annotated[int, Field(ge=0, le=20)] = setting(
        "network",
        "advanced",
        default=2,
        description="How often training repeats the last learned step, as painting with more steps does.",
    )
    keep_steps: bool = setting(
        "network",
        "advanced",
        default=False,
        description="Begin with the learned steps of --net, instead of new ones.",
    )
    pixel: NonNegative = setting(
        "losses",
        "advanced",
        default=0.0,
        description=PIXEL,
    )


PRESETS: dict[str, Preset] = {
    "impasto": Preset(f"The recipe of the steps in the shipped net. {ONE_RUN}", SwapStepsTraining())
}


class SwapStepsTask:
    """Learns steps that lessen the distance to features, from the picture of a decoder that stays as it is."""

    def __init__(self, options: SwapStepsTraining, setting: Setting, decoder: DecoderSpec) -> None:
        self.device, self.dtype = setting.device, setting.dtype
        self.objective = SwapObjective(options, decoder.layer, setting)
        self._count = options.count + options.repeats
        net = Decoder(replace(decoder, steps=options.count))
        own = net.state_dict()
        kept = {
            name: value
            for name, value in setting.init.items()
            if not name.startswith("steps.") or (options.keep_steps and name in own)
        }
        begin_with(net, {**{name: value for name, value in own.items() if name.startswith("steps.")}, **kept})
        net.requires_grad_(False)
        net.steps.requires_grad_()
        self.net = net.to(self.device)

    def metadata(self) -> Mapping[str, Any]:
        """Return kind, encoder and description of the net, and the settings of the swap."""
        return self.objective.metadata(self.net.spec)

    def loss(self, net: nn.Module, photos: Tensor, paintings: Tensor, step: int) -> dict[str, Tensor]:
        """Return the weighted loss terms summed over the learned steps; later steps weigh more."""
        if net is not self.net:  # a wrapper that shares gradients shares only those of its own forward pass
            raise RequestError("learned steps are trained in one process; start it without a launcher")
        given = self.objective.examples(photos, paintings, self.net.spec, step)
        terms: dict[str, Tensor] = {}
        for number, (picture, found) in enumerate(self.descent(given.target, given.stats, given.finer), 1):
            weight = (1 + number / self._count) / 2 / self._count
            for name, value in self.objective.terms(picture, found, given, step).items():
                terms[name] = terms.get(name, 0) + weight * value
        return terms

    def decoded(
        self, target: Tensor, stats: Mapping[str, Moments], finer: Mapping[str, Tensor] | None = None
    ) -> Tensor:
        """Return the decoder's pictures in [0, 1], with which the steps begin; `finer` are its branches' features."""
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            return self.net({self.objective.layer: target, **(finer or {})}, stats).clamp(0, 1)

    def descent(
        self, target: Tensor, stats: Mapping[str, Moments], finer: Mapping[str, Tensor] | None = None
    ) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
        """Yield the pictures after each step, not clamped, and their features by layer."""
        vgg, layer, handed_on = self.objective.vgg, self.objective.layer, None
        steps = self.net.learned_steps(self._count)
        self.net.stages.eval()  # batch normalisation by the statistics of the decoder's training
        picture = self.decoded(target, stats, finer).requires_grad_()
        found = encode(vgg, picture, (layer,))
        for number, step in enumerate(steps, 1):
            loss = (found[layer].float() - target.float()).square().sum()
            (gradient,) = torch.autograd.grad(loss, picture, retain_graph=True)  # training goes through it again
            before = picture.detach().clamp(0, 1)
            with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
                picture, handed_on = step(before, gradient, handed_on)
            found = encode(vgg, picture, self.objective.encoded, again=number < len(steps))
            yield picture, found

    def paint(self, targets: Mapping[str, Tensor], stats: Mapping[str, Moments]) -> Tensor:
        """Return the pictures after the last step, in [0, 1]."""
        finer = {layer: x for layer, x in targets.items() if layer != self.objective.layer}
        with torch.enable_grad():
            *_, (picture, _) = self.descent(targets[self.objective.layer], stats, finer)
        return picture.detach().clamp(0, 1)

    def validate(self, most: int | None = None) -> tuple[dict[str, float], Image.Image]:
        """Return figures and a sheet; see `SwapObjective.validate`."""
        return self.objective.validate(self.paint, self.net.spec, most)


def train(
    options: SwapStepsTraining,
    photos: Sequence[str],
    paintings: Sequence[str],
    out: str | Path,
    *,
    encoder: str = "vgg19",
    preset: str | None = None,
    init: str | None = "swap",
    resume: bool = False,
    device: str = "auto",
    report: Callable[[Progress], None] | None = None,
) -> Path:
    """Train learned steps. Arguments and errors are those of `impasto.training.tasks.adain.train`.

    `init` is the swap decoder with whose picture the steps begin; None stands for the shipped one. The net that is
    written is that decoder, unchanged, with the steps.
    """
    init = init or "swap"
    weights = load(encoder, until=STYLE_LAYERS[-1])
    tensors, about = load_net(init, kind=KIND, encoder_sha256=weights.sha256)
    decoder = DecoderSpec.from_json(about.get("decoder", {}))
    recipe = {"task": "swap-steps", "preset": preset, "encoder": weights.source, "parent": parent_of(init)}
    return run(
        lambda setting: SwapStepsTask(options, setting, decoder),
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
