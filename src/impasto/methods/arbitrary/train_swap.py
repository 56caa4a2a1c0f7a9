"""Training style-swap's inverse network: from swapped features to a picture in one pass.

Chen & Schmidt 2016, "Fast Patch-based Style Transfer of Arbitrary Style", section 4.2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from PIL import Image
from pydantic import Field
from torch import Tensor, nn

from ...encoders.vgg import VGG
from ...errors import RequestError
from ...images.contact import contact_sheet
from ...images.grain import grained
from ...metrics.score import distances
from ...nets.decoder import LAYERS, Decoder, DecoderSpec, mirror, tail
from ...recipe import GRAIN, Grain, NonNegative
from ...training.lattice import Manner, Outlines, grid_terms
from ...training.loop import Progress
from ...training.options import Count, Fleck, Lattice, Names, TrainOptions
from ...training.run import Setting, run
from ...training.terms import (
    STYLE_LAYERS,
    colour_distance,
    encode,
    excess,
    grams,
    relative,
    roughness,
)
from ...transforms.adain import Moments, moments
from ...transforms.swap import Keep, Match, prepare, swap, tone
from ...weights import container
from ...weights.load import load
from ...weights.shipped import load_net, locate_net
from ..preset import Preset
from .inverse import ADAIN_KIND, SWAP_KIND, net_metadata
from .options import COHERENCE, LUMINANCE_WEIGHT, Coherence, LuminanceWeight
from .train_adain import begin_with, encoder_channels, mean_activations, whole_strides

KIND = SWAP_KIND
_SHAPE = ("norm", "padding", "inject", "enlarge")
_CELL = 288
_BYTE_SCALE = 255.0**2  # the original's roughness is of 0-255 pixels


class SwapTraining(TrainOptions):
    """Settings of `impasto train swap`; the defaults are impasto's own recipe.

    Of n photos and n paintings the net sees their own features and all n² swaps: for n = 2 the paper's
    8 examples a step.
    """

    batch: Count = Field(
        default=2, description="Photos a step, and as many paintings; the net sees 2n + n² examples."
    )
    layer: Literal["relu2_1", "relu3_1", "relu4_1"] = Field(default="relu3_1", description="Layer to invert.")
    patch: Annotated[int, Field(ge=1, le=15)] = Field(default=3, description="Side of a patch, in positions.")
    stride: Count = Field(default=1, description="Positions between patches.")
    match: Match = Field(default="normalised", description="What patches are compared by.")
    luminance_weight: LuminanceWeight = LUMINANCE_WEIGHT
    coherence: Coherence = COHERENCE
    restore: Keep = Field(
        default="style", description="Give the swapped features the style's moments back, or keep theirs."
    )
    grain: Grain = 2 * GRAIN
    learned_steps: Annotated[int, Field(ge=0, le=20)] = Field(
        default=0,
        description="Leave the network of --init as it is, and learn so many steps from its picture down the "
        "distance to the features.",
    )
    repeats: Annotated[int, Field(ge=0, le=20)] = Field(
        default=2, description="Times the last of them is made once more, as it is where --steps asks for more."
    )
    form: Literal["mirror", "released"] = Field(
        default="mirror", description="mirror: the encoder turned round; released: the authors' wider net."
    )
    norm: Literal["none", "instance", "batch"] = Field(default="none", description="Normalisation before each ReLU.")
    padding: Literal["zeros", "reflect"] = Field(default="reflect", description="Beyond the border, in the decoder.")
    inject: Names = Field(
        default=("relu2_1", "relu1_1"), description="Shallower layers whose moments are imposed inside the decoder."
    )
    feature: NonNegative = Field(default=2.0, description="Weight of the distance to the features to be inverted.")
    feature_form: Literal["relative", "mean"] = Field(
        default="relative",
        description="relative: squared distance over the target's squared length; mean: mean squared difference.",
    )
    gram: NonNegative = Field(default=0.5, description="Weight of the relative distance between Gram matrices.")
    colour: NonNegative = Field(default=3.0, description="Weight of the distance between the colours.")
    pixel: NonNegative = Field(
        default=1.5, description="Weight of the mean absolute pixel difference of the unswapped."
    )
    tv: NonNegative = Field(default=0.0, description="Weight of the summed squared neighbour differences, 0-255.")
    lattice: Lattice = 1.0
    fleck: Fleck = 5.0
    range: NonNegative = Field(default=10.0, description="Weight of leaving [0, 1].")


_PAPER: dict[str, Any] = {
    "steps": 80_000,
    "crop": 256,
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
    "impasto": Preset("What impasto ships", SwapTraining()),
    "style-swap": Preset("The authors' train-vgg-decoder.lua", SwapTraining(**_PAPER, norm="batch")),
    "style-swap-released": Preset(
        "The architecture of the decoder the authors released",
        SwapTraining(**_PAPER, norm="instance", form="released"),
    ),
}

# Widths of the released net, which is wider than the script builds: deep to shallow, relu3_1.
_RELEASED = {
    "relu2_1": ((128, 128), (64, 64, 3)),
    "relu3_1": ((128, 128), (128, 128), (64, 64, 3)),
    "relu4_1": ((256, 256), (128, 128), (128, 128), (64, 64, 3)),
}


@dataclass(frozen=True)
class Examples:
    """Features to be turned into pictures, a step's: of n photos, of as many paintings, and of all their swaps.

    Attributes:
        plain: the photos and the paintings, 2n×3×H×W.
        target: the features.
        outlines: of `plain`, what each example shows: itself, or a swap's photo.
        manner: of `plain`, whose manner each has: its own, or a swap's painting's.
        stats: moments of that, by layer.
        grams: Gram matrices of that, by layer.
    """

    plain: Tensor
    target: Tensor
    outlines: Tensor
    manner: Tensor
    stats: Mapping[str, Moments]
    grams: Mapping[str, Tensor]


class SwapTask:
    """Learns a decoder f with Φ(f(H)) = H, for features of photos, of paintings, and swapped."""

    def __init__(self, options: SwapTraining, setting: Setting) -> None:
        self.options, self.device, self.dtype = options, setting.device, setting.dtype
        weights = setting.weights
        self.vgg = VGG(weights, device=self.device, dtype=self.dtype, until=STYLE_LAYERS[-1])
        self.net = self._network(setting).to(self.device)
        self.held_out = [[picture.to(self.device) for picture in kind] for kind in setting.held_out]
        self._metadata = {
            **net_metadata(KIND, self.vgg, self.net.spec),
            "swap": {
                "patch": options.patch,
                "stride": options.stride,
                "match": options.match,
                "luminance_weight": options.luminance_weight,
                "coherence": options.coherence,
                "restore": options.restore,
            },
        }
        # The layers that are looked at: the inverted one, and the ones style is measured at, up to it.
        deepest = LAYERS.index(options.layer) + 2
        self.layers = STYLE_LAYERS[:deepest]

    def _network(self, setting: Setting) -> Decoder:
        """What is trained, as it begins."""
        options = self.options
        shape: dict[str, Any] = {name: getattr(options, name) for name in _SHAPE}
        if options.form == "released":
            shape |= {"stages": _RELEASED[options.layer], "transposed": True, "output": "sigmoid"}
        net = Decoder(mirror(options.layer, encoder_channels(setting.weights), **shape))
        net.set_scales(mean_activations(self.vgg, setting.sample, STYLE_LAYERS))
        if setting.init:
            begin_with(net, {name: value for name, value in setting.init.items() if not name.startswith("steps.")})
        return net

    def metadata(self) -> Mapping[str, Any]:
        """Kind, encoder, description of the net, and the swap it was trained with."""
        return self._metadata

    def _swap(self, photos: tuple[Tensor, Tensor], painting: tuple[Tensor, Tensor]) -> Tensor:
        """Pictures' features and tones, and a painting's -> the features swapped."""
        o = self.options
        ready = prepare(
            [painting[0]],
            patch=o.patch,
            stride=o.stride,
            match=o.match,
            tones=[painting[1]],
            luminance_weight=o.luminance_weight,
            coherence=o.coherence,
        )
        return swap(photos[0], ready, tones=photos[1], restore=o.restore)

    def loss(self, net: nn.Module, photos: Tensor, paintings: Tensor, step: int) -> dict[str, Tensor]:
        """Weighted terms, see `SwapTraining`."""
        given = self._examples(photos, paintings, step)
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            picture: Tensor = net({self.options.layer: given.target}, given.stats)
        return self._terms(picture, encode(self.vgg, picture, self.layers), given, step)

    @torch.no_grad()
    def _examples(self, photos: Tensor, paintings: Tensor, step: int) -> Examples:
        o = self.options
        plain = torch.cat([grained(photos, o.grain, seed=step), paintings])
        n = len(photos)
        seen = self.vgg(plain, self.layers)
        latents = seen[o.layer]
        tones = tone(plain, *latents.shape[2:])
        styles = zip(latents[n:].split(1), tones[n:].split(1), strict=True)
        swapped = torch.cat([self._swap((latents[:n], tones[:n]), style) for style in styles])
        # The swap may be a few positions smaller; the same corner is cut from the rest.
        target = torch.cat([latents[:, :, : swapped.shape[2], : swapped.shape[3]], swapped])
        several = [[*range(2 * n), *(k for _ in paintings for k in range(n))]]
        several += [[*range(2 * n), *(n + k for k in range(len(paintings)) for _ in range(n))]]
        outlines, manner = torch.tensor(several).to(self.device, non_blocking=True)
        stats = {layer: moments(seen[layer]) for layer in self.net.spec.style_layers}
        return Examples(
            plain=plain,
            target=target,
            outlines=outlines,
            manner=manner,
            stats={layer: Moments(stat.mean[manner], stat.std[manner]) for layer, stat in stats.items()},
            grams={layer: grams(seen[layer])[manner] for layer in self.layers} if o.gram else {},
        )

    def _terms(self, picture: Tensor, found: Mapping[str, Tensor], given: Examples, step: int) -> dict[str, Tensor]:
        """Weighted terms of pictures with these features."""
        o, n = self.options, len(given.plain)
        got, aim = found[o.layer].float(), given.target.float()
        apart = relative(got, aim).square() if o.feature_form == "relative" else (got - aim).square()
        terms = {"feature": o.feature * apart.mean()}
        if o.gram:
            apart = [relative(grams(found[layer]), given.grams[layer]).mean() for layer in self.layers]
            terms["gram"] = o.gram * torch.stack(apart).mean()
        height, width = picture.shape[2:]
        plain = given.plain[:, :, :height, :width]
        if o.colour:
            terms["colour"] = o.colour * colour_distance(picture, plain[given.manner], seed=step)
        if o.pixel:
            terms["pixel"] = o.pixel * (picture[:n] - plain).abs().mean()
        if o.tv:
            terms["tv"] = o.tv * _BYTE_SCALE * roughness(picture) * picture[0].numel()
        if o.lattice or o.fleck:
            made_of = Outlines.of(plain).at(given.outlines), Manner.of(plain).at(given.manner)
            terms |= grid_terms(picture, *made_of, lattice_weight=o.lattice, fleck_weight=o.fleck)
        if o.range:
            terms["range"] = o.range * excess(picture)
        return terms

    def _picture(self, target: Tensor, stats: Mapping[str, Moments]) -> Tensor:
        """What the net as it is makes of features."""
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            return self.net({self.options.layer: target}, stats).clamp(0, 1)

    @torch.no_grad()
    def validate(self) -> tuple[dict[str, float], Image.Image]:
        """Relative feature error of photos, paintings and swaps; style and content distance; a sheet."""
        o, spec = self.options, self.net.spec
        rows: list[dict[str, float]] = []
        cells: list[Tensor] = []
        for photo, painting in zip(*self.held_out, strict=True):
            photo, painting = whole_strides(photo, spec.stride), whole_strides(painting, spec.stride)
            pair = grained(photo, o.grain), painting
            of_photo, of_painting = (self.vgg(x, STYLE_LAYERS) for x in pair)
            latents = (of_photo[o.layer], of_painting[o.layer])
            shades = (tone(x, *seen.shape[2:]) for x, seen in zip(pair, latents, strict=True))
            swapped = self._swap(*zip(latents, shades, strict=True))
            row: dict[str, float] = {}
            examples = {"photo": (of_photo[o.layer], of_photo), "painting": (of_painting[o.layer], of_painting)}
            picture = photo
            for name, (target, manner) in {**examples, "swapped": (swapped, of_painting)}.items():
                stats = {layer: moments(manner[layer]) for layer in spec.style_layers}
                picture = self._picture(target, stats)
                row[name] = float(relative(self.vgg(picture, (o.layer,))[o.layer], target))
                cells += [photo] if name == "photo" else [painting] if name == "painting" else []
                cells.append(picture)
            same = photo[:, :, : picture.shape[2], : picture.shape[3]]
            row["style"], row["content"] = distances(self.vgg, picture, same, of_painting)
            rows.append(row)
        figures = {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}
        headings = ("photo", "inverted", "style", "inverted", "swapped")
        return figures, contact_sheet(cells, columns=5, cell=_CELL, headings=headings)


class StepsTask(SwapTask):
    """Learns steps down the distance to features, from the picture of an inverse that stays as it is."""

    def __init__(self, options: SwapTraining, setting: Setting, inverse: DecoderSpec) -> None:
        self._spec = replace(inverse, steps=options.learned_steps)
        self._count = options.learned_steps + options.repeats
        super().__init__(options, setting)

    def _network(self, setting: Setting) -> Decoder:
        net = Decoder(self._spec)
        begin_with(net, {**net.state_dict(), **{k: v for k, v in setting.init.items() if k in net.state_dict()}})
        net.requires_grad_(False)
        net.steps.requires_grad_()
        return net

    def loss(self, net: nn.Module, photos: Tensor, paintings: Tensor, step: int) -> dict[str, Tensor]:
        """The losses after each step, which weigh the more the later it is."""
        if net is not self.net:  # a wrapper that shares gradients would share those of its forward pass
            raise RequestError("learned steps are trained in one process; start it without a launcher")
        given = self._examples(photos, paintings, step)
        terms: dict[str, Tensor] = {}
        for number, (picture, found) in enumerate(self._descent(given.target, given.stats), 1):
            weight = (1 + number / self._count) / 2 / self._count
            for name, value in self._terms(picture, found, given, step).items():
                terms[name] = terms.get(name, 0) + weight * value
        return terms

    def _descent(self, target: Tensor, stats: Mapping[str, Moments]) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
        """Pictures after each step, not clamped, and their features."""
        layer, handed_on = self.options.layer, None
        steps = self.net.learned_steps(self._count)
        self.net.stages.eval()  # a batch's own statistics are none of what the inverse was trained to
        picture = super()._picture(target, stats).requires_grad_()
        found = encode(self.vgg, picture, (layer,))
        for number, step in enumerate(steps, 1):
            loss = (found[layer].float() - target.float()).square().sum()
            (gradient,) = torch.autograd.grad(loss, picture, retain_graph=True)  # the loop goes back that way too
            begun = picture.detach().clamp(0, 1)
            with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
                picture, handed_on = step(begun, gradient, handed_on)
            found = encode(self.vgg, picture, self.layers, again=number < len(steps))
            yield picture, found

    def _picture(self, target: Tensor, stats: Mapping[str, Moments]) -> Tensor:
        with torch.enable_grad():
            *_, (picture, _) = self._descent(target, stats)
        return picture.detach().clamp(0, 1)


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
    """Train an inverse network; for the arguments see `train_adain.train`.

    `init` may also be an AdaIN decoder that imposes the style's moments at the layer: its tail is taken.

    Raises:
        RequestError: steps are to be learned, and there is no network to begin with, or it is to be another; or none
            are to be, and yet repeated.
    """
    if not options.learned_steps and "repeats" in options.model_fields_set:
        raise RequestError("--repeats is of learned steps; ask for some with --learned-steps")
    if options.learned_steps and (stated := [name for name in (*_SHAPE, "form") if name in options.model_fields_set]):
        raise RequestError(
            f"learned steps leave the network of --init as it is, yet --{stated[0]} is given: leave it out, and a "
            "preset that says it"
        )
    weights = load(encoder, until=STYLE_LAYERS[-1])
    past: dict[str, Any] = {}
    tensors: dict[str, Tensor] = {}
    make: Callable[[Setting], SwapTask] = partial(SwapTask, options)
    if init:
        spec, tensors, past = _begin(init, options.layer, weights.sha256)
        if options.learned_steps:
            make = partial(StepsTask, options, inverse=spec)
    elif options.learned_steps:
        raise RequestError(
            "learned steps begin with an inverse net's picture: give the net with --init, the shipped one is swap"
        )
    recipe = {"task": "swap", "preset": preset, "encoder": weights.source, "began_with": past}
    return run(
        make,
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


def _begin(init: str, layer: str, encoder_sha256: str) -> tuple[DecoderSpec, dict[str, Tensor], dict[str, Any]]:
    """A network to begin with: its description, its weights, and what its file says of itself."""
    _, about = container.load(locate_net(init))
    if about is None or about.get("kind") != ADAIN_KIND:
        tensors, about = load_net(init, kind=KIND, encoder_sha256=encoder_sha256, layer=layer)
        return DecoderSpec.from_json(about.get("decoder", {})), tensors, about
    tensors, about = load_net(init, kind=ADAIN_KIND, encoder_sha256=encoder_sha256)
    return *tail(DecoderSpec.from_json(about["decoder"]), tensors, layer), about
