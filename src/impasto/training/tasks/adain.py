"""Trains AdaIN's decoder: any style in one pass.

Huang & Belongie 2017, "Arbitrary Style Transfer in Real-time with Adaptive Instance Normalization".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from ...encoders.vgg import VGG
from ...images.contact import contact_sheet
from ...images.grain import grained
from ...metrics.score import distances
from ...nets.decoder import Decoder
from ...nets.decoder_spec import mirror
from ...nets.files import ADAIN_KIND, decoder_metadata
from ...statistics.moments import Moments, adain, moments
from ...statistics.transfer import impose_correlations
from ...weights.load import load
from ...weights.shipped import load_net, parent_of
from ..decoders import begin_with, crop_to_stride, encoder_channels, mean_activations
from ..lattice import PaintingWaves, PhotoWaves, grid_terms
from ..options import check_crop
from ..progress import Progress
from ..run import Setting, run
from ..terms import STYLE_LAYERS, colour_distance, encode, excess, grams, relative
from .adain_options import AdainTraining

KIND = ADAIN_KIND
LAYER = "relu4_1"
_CELL = 288  # side in pixels of a picture on the sample sheet


class AdainTask:
    """Learns a decoder whose pictures have the photo's features, given the style's moments, and its statistics."""

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
        """Return kind, encoder and description of the net."""
        return self._metadata

    def loss(self, net: nn.Module, photos: Tensor, paintings: Tensor, step: int) -> dict[str, Tensor]:
        """Return the weighted loss terms; `AdainTraining` describes them."""
        o = self.options
        # Photos that are their own style. A small batch has less than one, so only some steps have one.
        each = o.identity_share * len(photos)
        own = math.floor((step + 1) * each) - math.floor(step * each)
        photos = grained(photos, o.grain, seed=step)
        styles = torch.cat([photos[:own], paintings[own:]])
        with torch.no_grad():
            features = self.vgg(styles, STYLE_LAYERS)
            stats = self._moments(features)
            targets = {layer: grams(features[layer]) for layer in STYLE_LAYERS} if o.gram else {}
            inputs = self._inputs(photos, stats)
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            picture: Tensor = net(inputs, stats)
        found = encode(self.vgg, picture, STYLE_LAYERS)
        terms = {"content": o.content * self._content(LAYER, found, inputs)}
        if o.detail and o.skip:
            losses = [self._content(layer, found, inputs) for layer in o.skip]
            terms["detail"] = o.detail * torch.stack(losses).mean()
        if o.gram:
            losses = [relative(grams(found[layer]), targets[layer]).mean() for layer in STYLE_LAYERS]
            terms["gram"] = o.gram * torch.stack(losses).mean()
        if o.moments:
            losses = [self._moments_loss(layer, found[layer], stats[layer]) for layer in STYLE_LAYERS]
            terms["moments"] = o.moments * torch.stack(losses).sum()
        if o.colour:
            terms["colour"] = o.colour * colour_distance(picture, styles, seed=step)
        if o.identity and own:
            terms["identity"] = o.identity * (picture[:own] - photos[:own]).abs().mean()
        if o.lattice or o.fleck:
            sources = PhotoWaves.of(photos), PaintingWaves.of(styles)
            terms |= grid_terms(picture, *sources, lattice_weight=o.lattice, fleck_weight=o.fleck)
        if o.range:
            terms["range"] = o.range * excess(picture)
        return terms

    def _content(self, layer: str, found: Mapping[str, Tensor], inputs: Mapping[str, Tensor]) -> Tensor:
        """Distance between a picture's features and those that it was made of."""
        scale = self.net.scale(layer)
        got, target = found[layer] / scale, inputs[layer] / scale
        if self.options.content_form == "relative":
            return relative(got, target).square().mean()
        return (got - target).square().mean()

    def _moments(self, features: Mapping[str, Tensor]) -> dict[str, Moments]:
        """Moments of style pictures' features, by layer."""
        correlated = self.net.spec.content_layers if self.options.covariance else ()
        return {layer: moments(features[layer], correlations=layer in correlated) for layer in STYLE_LAYERS}

    def _inputs(self, photos: Tensor, styles: Mapping[str, Moments]) -> dict[str, Tensor]:
        """Photos' features with the style's moments, as in painting, but computed on the device of the features."""
        share, layers = self.options.covariance, self.net.spec.content_layers
        features = self.vgg(photos, layers)
        for layer, x in features.items():
            if share:
                impose_correlations(x, styles[layer], share, own=moments(x, correlations=True))
            else:
                features[layer] = adain(x, styles[layer])
        return features

    def _moments_loss(self, layer: str, features: Tensor, target: Moments) -> Tensor:
        """Squared differences of the channels' moments, averaged over the batch."""
        found = moments(features)
        scale = self.scales[layer]
        losses = ((found.mean - target.mean) / scale).square() + ((found.std - target.std) / scale).square()
        return losses.mean() if self.options.moments_form == "mean" else losses.sum() / len(losses)

    @torch.no_grad()
    def validate(self, most: int | None = None) -> tuple[dict[str, float], Image.Image]:
        """Return the mean distances to style and content of held-out pairs, and a sheet of them."""
        figures: list[tuple[float, float]] = []
        cells: list[Tensor] = []
        for photo, painting in zip(*(kind[:most] for kind in self.held_out), strict=True):
            photo = crop_to_stride(photo, self.net.spec.stride)
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
        photos: folders or ``.tar`` files, each ``PATH[:WEIGHT]``.
        paintings: likewise.
        out: folder for the net, checkpoint, log, sample sheets and curve.
        encoder: name from the catalogue, or file.
        preset: name of the preset that the options began with, for the record.
        init: net to begin with: name of a shipped one, or file.
        resume: continue the run in `out`.
        device: auto, cpu, cuda or mps.
        report: called after every step, such as `impasto.training.progress.display` gives.

    Returns:
        The net's file.

    Raises:
        RequestError: pictures are missing, `crop` does not fit the net, `init` is of another architecture, or `out`
            holds another run.
        WeightsError: `encoder` or `init` cannot be used.
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
