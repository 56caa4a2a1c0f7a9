"""Training AdaIN's decoder: any style in one pass.

Huang & Belongie 2017, "Arbitrary Style Transfer in Real-time with Adaptive Instance Normalization".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
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
from ...methods.adain.options import COVARIANCE
from ...methods.common.options import Share
from ...methods.common.preset import Preset
from ...metrics.score import distances
from ...nets.decoder import Decoder
from ...nets.decoder_spec import mirror
from ...nets.files import ADAIN_KIND, decoder_metadata
from ...recipe import GRAIN, Grain, NonNegative
from ...settings import setting
from ...statistics.moments import Moments, adain, moments
from ...statistics.transfer import impose_correlations
from ...weights.canonical import VGGWeights
from ...weights.load import load
from ...weights.shipped import load_net, parent_of
from ..lattice import PaintingWaves, PhotoWaves, grid_terms
from ..loop import Progress
from ..options import ONE_RUN, Batch, Crop, Enlarging, Fleck, Lattice, Names, Rate, Steps, TrainOptions, check_crop
from ..run import Setting, run
from ..terms import STYLE_LAYERS, colour_distance, encode, excess, grams, relative, roughness

KIND = ADAIN_KIND
LAYER = "relu4_1"
_CELL = 288  # pixels of a picture on the sample sheet


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
        description="Shallower layers whose style moments are imposed inside the decoder.",
    )
    skip: Names = setting(
        "network",
        "advanced",
        default=("relu3_1",),
        description="Those of them where the photo's transformed features are added.",
    )
    encoder_padding: Literal["zeros", "reflect"] = setting(
        "network",
        "reproduction",
        default="zeros",
        description="What the encoder sees beyond a picture's border.",
    )
    pool_ceil: bool = setting(
        "network", "reproduction", default=False, description="The encoder's pools keep a last odd row."
    )
    content: NonNegative = setting(
        "losses", default=1.0, description="Weight of the distance to the transformed features."
    )
    content_form: Literal["relative", "mean"] = setting(
        "losses",
        "reproduction",
        default="relative",
        description="relative: squared distance over the target's squared length; mean: mean squared difference.",
    )
    detail: NonNegative = setting(
        "losses",
        "advanced",
        default=1.0,
        description="Weight of the same distance at the layers of --skip: faces, outlines.",
    )
    moments: NonNegative = setting(
        "losses", "advanced", default=0.06, description="Weight of the style's channel means and deviations."
    )
    moments_form: Literal["mean", "sum"] = setting(
        "losses",
        "reproduction",
        default="mean",
        description="Squared differences averaged, or summed, over channels; summed over layers.",
    )
    gram: NonNegative = setting(
        "losses", default=5.0, description="Weight of the relative distance between Gram matrices."
    )
    colour: NonNegative = setting(
        "losses", "advanced", default=5.0, description="Weight of the distance between the colours."
    )
    identity: NonNegative = setting(
        "losses",
        "advanced",
        default=0.5,
        description="Weight of the pixel distance where a photo is its own style.",
    )
    identity_share: Annotated[float, Field(ge=0, le=1)] = setting(
        "losses",
        "advanced",
        default=0.125,
        description="Share of the pairs whose style is the photo itself.",
    )
    covariance: Share = setting("losses", "advanced", default=0.6, description=f"{COVARIANCE}.")
    grain: Grain = GRAIN
    lattice: Lattice = 70.0
    fleck: Fleck = 5.0
    tv: NonNegative = setting(
        "losses",
        "reproduction",
        default=0.0,
        description="Weight of the mean squared difference of neighbouring pixels.",
    )
    range: NonNegative = setting("losses", "reproduction", default=10.0, description="Weight of leaving [0, 1].")


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
        "The authors' train.lua",
        AdainTraining(**_PLAIN, pool_ceil=True, moments=1e-2, moments_form="sum"),
    ),
    "adain-naoto0804": Preset(
        "naoto0804's train.py",
        AdainTraining(**_PLAIN, pool_ceil=True, squash=True, moments=10.0, moments_form="mean"),
    ),
}


class AdainTask:
    """Learns a decoder whose pictures have the transformed features and the style's statistics."""

    def __init__(self, options: AdainTraining, setting: Setting) -> None:
        self.options, self.device, self.dtype = options, setting.device, setting.dtype
        changes: dict[str, Any] = {"padding": options.encoder_padding, "pool_ceil": options.pool_ceil}
        weights = setting.weights
        self.vgg = VGG(weights, device=self.device, dtype=self.dtype, until=LAYER, **changes)
        spec = mirror(
            LAYER, encoder_channels(weights), inject=options.inject, skip=options.skip, enlarge=options.enlarge
        )
        check_crop(options.crop, spec.stride)
        self.net = Decoder(spec)
        self.scales = mean_activations(self.vgg, setting.sample, STYLE_LAYERS)
        self.net.set_scales(self.scales)
        if setting.init:
            begin_with(self.net, setting.init)
        self.net.to(self.device)
        self.held_out = [[picture.to(self.device) for picture in kind] for kind in setting.held_out]
        self._metadata = decoder_metadata(KIND, self.vgg, self.net.spec)

    def metadata(self) -> Mapping[str, Any]:
        """Kind, encoder and description of the net."""
        return self._metadata

    def loss(self, net: nn.Module, photos: Tensor, paintings: Tensor, step: int) -> dict[str, Tensor]:
        """Weighted terms, see `AdainTraining`."""
        o = self.options
        each = o.identity_share * len(photos)  # of a small batch less than one: some steps have one
        own = math.floor((step + 1) * each) - math.floor(step * each)
        photos = grained(photos, o.grain, seed=step)
        styles = torch.cat([photos[:own], paintings[own:]])
        with torch.no_grad():
            features = self.vgg(styles, STYLE_LAYERS)
            stats = self._moments(features)
            aims = {layer: grams(features[layer]) for layer in STYLE_LAYERS} if o.gram else {}
            inputs = self._inputs(photos, stats)
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            picture: Tensor = net(inputs, stats)
        found = encode(self.vgg, picture, STYLE_LAYERS)
        terms = {"content": o.content * self._content(LAYER, found, inputs)}
        if o.detail and o.skip:
            apart = [self._content(layer, found, inputs) for layer in o.skip]
            terms["detail"] = o.detail * torch.stack(apart).mean()
        if o.gram:
            apart = [relative(grams(found[layer]), aims[layer]).mean() for layer in STYLE_LAYERS]
            terms["gram"] = o.gram * torch.stack(apart).mean()
        if o.moments:
            apart = [self._moments_apart(layer, found[layer], stats[layer]) for layer in STYLE_LAYERS]
            terms["moments"] = o.moments * torch.stack(apart).sum()
        if o.colour:
            terms["colour"] = o.colour * colour_distance(picture, styles, seed=step)
        if o.identity and own:
            terms["identity"] = o.identity * (picture[:own] - photos[:own]).abs().mean()
        if o.tv:
            terms["tv"] = o.tv * roughness(picture)
        if o.lattice or o.fleck:
            made_of = PhotoWaves.of(photos), PaintingWaves.of(styles)
            terms |= grid_terms(picture, *made_of, lattice_weight=o.lattice, fleck_weight=o.fleck)
        if o.range:
            terms["range"] = o.range * excess(picture)
        return terms

    def _content(self, layer: str, found: Mapping[str, Tensor], inputs: Mapping[str, Tensor]) -> Tensor:
        """Distance of a picture's features to those it was made of."""
        scale = self.net.scale(layer)
        got, aim = found[layer] / scale, inputs[layer] / scale
        if self.options.content_form == "relative":
            return relative(got, aim).square().mean()
        return (got - aim).square().mean()

    def _moments(self, features: Mapping[str, Tensor]) -> dict[str, Moments]:
        """The style's, by layer."""
        correlated = self.net.spec.content_layers if self.options.covariance else ()
        return {layer: moments(features[layer], correlations=layer in correlated) for layer in STYLE_LAYERS}

    def _inputs(self, photos: Tensor, styles: Mapping[str, Moments]) -> dict[str, Tensor]:
        """A photo's features with the style's moments, as `transform` makes them; nothing leaves the device."""
        share, layers = self.options.covariance, self.net.spec.content_layers
        features = self.vgg(photos, layers)
        for layer, x in features.items():
            if share:
                impose_correlations(x, styles[layer], share, own=moments(x, correlations=True))
            else:
                features[layer] = adain(x, styles[layer])
        return features

    def _moments_apart(self, layer: str, features: Tensor, aim: Moments) -> Tensor:
        found = moments(features)
        scale = self.scales[layer]
        apart = ((found.mean - aim.mean) / scale).square() + ((found.std - aim.std) / scale).square()
        return apart.mean() if self.options.moments_form == "mean" else apart.sum() / len(apart)

    @torch.no_grad()
    def validate(self) -> tuple[dict[str, float], Image.Image]:
        """Style and content distance on held-out pairs, and a sheet of them."""
        figures: list[tuple[float, float]] = []
        cells: list[Tensor] = []
        for photo, painting in zip(*self.held_out, strict=True):
            photo = whole_strides(photo, self.net.spec.stride)
            features = self.vgg(painting, STYLE_LAYERS)
            stats = self._moments(features)
            inputs = self._inputs(grained(photo, self.options.grain), stats)
            with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
                picture = self.net(inputs, stats).clamp(0, 1)
            figures.append(distances(self.vgg, picture, photo, features))
            cells += [photo, painting, picture]
        style, content = (sum(column) / len(figures) for column in zip(*figures, strict=True))
        headings = ("photo", "style", "picture") * min(2, len(figures))
        sheet = contact_sheet(cells, columns=len(headings), cell=_CELL, headings=headings)
        return {"style": style, "content": content}, sheet


def encoder_channels(weights: VGGWeights) -> tuple[int, ...]:
    """Channels by block, of those blocks the weights reach."""
    return tuple(pair[0].shape[0] for name, pair in weights.tensors.items() if name.endswith("_1"))


def mean_activations(vgg: VGG, sample: Sequence[Tensor], layers: Sequence[str]) -> dict[str, Tensor]:
    """Mean of each channel over photographs, 1×C×1×1 by layer."""
    total: dict[str, Tensor] = {}
    for photos in sample:
        for layer, features in vgg(photos.to(vgg.device), layers).items():
            mean = features.float().mean((0, 2, 3)).view(1, -1, 1, 1) / len(sample)
            total[layer] = total[layer] + mean if layer in total else mean
    # A channel that photographs hardly wake must not be blown up.
    return {layer: mean.clamp_min(0.01 * float(mean.mean())) for layer, mean in total.items()}


def whole_strides(photo: Tensor, stride: int) -> Tensor:
    """Cropped, lower right, to sides that are multiples of `stride`."""
    height, width = (side // stride * stride for side in photo.shape[2:])
    return photo[:, :, :height, :width]


def begin_with(net: Decoder, weights: Mapping[str, Tensor]) -> None:
    """Take over another net's weights.

    Raises:
        RequestError: it is another architecture.
    """
    own = net.state_dict()
    unlike = [
        name
        for name in own.keys() | weights.keys()
        if name not in own or name not in weights or own[name].shape != weights[name].shape
    ]
    if unlike:
        raise RequestError(f"the net to begin with is of another architecture: it differs in {sorted(unlike)[0]}")
    net.load_state_dict(dict(weights))


def train(
    options: AdainTraining,
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
    """Train a decoder.

    Args:
        options: the recipe.
        photos: folders or tar shards, each ``PATH[:WEIGHT]``.
        paintings: likewise.
        out: folder for the net, checkpoint, log and sheets.
        encoder: catalogue name or file.
        preset: the name the options began from, for the record.
        init: a net to begin with: a shipped one's name or a file.
        resume: continue the run in `out`.
        device: auto, cpu, cuda or mps.
        report: called after every step; see `impasto.training.loop.progress_bar`.

    Returns:
        The net's file.
    """
    weights = load(encoder, until=LAYER)
    tensors = load_net(init, kind=KIND, encoder_sha256=weights.sha256, layer=LAYER)[0] if init else {}
    recipe = {"task": "adain", "preset": preset, "encoder": weights.source, "parent": parent_of(init)}
    return run(
        lambda setting: AdainTask(options, setting),
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
