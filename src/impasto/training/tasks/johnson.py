"""Training a feed-forward network for one style or several, and adding styles to one.

Johnson, Alahi & Fei-Fei 2016, "Perceptual Losses for Real-Time Style Transfer and Super-Resolution";
Dumoulin, Shlens & Kudlur 2017, "A Learned Representation for Artistic Style".
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from ...encoders.vgg import VGG
from ...errors import RequestError
from ...images.contact import contact_sheet
from ...images.geometry import fit
from ...images.grain import grained
from ...images.read import read
from ...losses.functional import GramNorm
from ...methods.johnson.gallery import Credit
from ...nets.files import JOHNSON_KIND
from ...nets.transformer import Norm, Transformer
from ...nets.transformer_spec import TransformerSpec
from ...weights.files import sha256_of
from ...weights.layers import deepest, resolve_layer
from ...weights.load import load
from ...weights.shipped import load_net, parent_of
from ..lattice import PaintingWaves, PhotoWaves, grid_terms
from ..loop import Progress
from ..options import check_crop
from ..run import Setting, run
from ..terms import encode, excess, grams, relative, roughness
from .johnson_options import Form, JohnsonTraining

_CELL = 224  # pixels of a picture on the sample sheet
_SHEET_PHOTOS = 3


class StyleTargets:
    """Gram matrices of the styles by layer, S×C×C float32, what scales their losses; what else they are held to."""

    def __init__(self, vgg: VGG, pictures: Sequence[Tensor], options: JohnsonTraining) -> None:
        layers = {resolve_layer(name, vgg.spec.arch): weight for name, weight in options.style_layers.items()}
        self.weights = active(layers, options.style_weight)
        pictures = [sized(picture.to(vgg.device), options) for picture in pictures]
        self.painting_waves = PaintingWaves(
            *(torch.cat(values) for values in zip(*map(PaintingWaves.of, pictures), strict=True))
        )
        found = [vgg(picture, self.weights) for picture in pictures]
        self.grams = {
            layer: torch.cat([gram_of(features[layer], options.gram_norm) for features in found])
            for layer in self.weights
        }


def active(layers: Mapping[str, float], weight: float) -> dict[str, float]:
    """Weights of the layers that count."""
    return {layer: own * weight for layer, own in layers.items() if own * weight > 0}


def sized(style: Tensor, options: JohnsonTraining) -> Tensor:
    """A style picture as large as it is learnt."""
    return fit(style, round(options.style_size * options.style_scale))


def gram_of(features: Tensor, norm: GramNorm) -> Tensor:
    """Gram matrix of each example, N×C×C, divided by positions or elements."""
    return grams(features) / (features.shape[1] if norm == "elements" else 1)


def apart(got: Tensor, aim: Tensor, form: Form) -> Tensor:
    """Distance of two batches, averaged over it."""
    return relative(got, aim).square().mean() if form == "relative" else (got.float() - aim.float()).square().mean()


class JohnsonTask:
    """Learns a network whose pictures have a photograph's features and a style's Gram matrices."""

    def __init__(
        self,
        options: JohnsonTraining,
        setting: Setting,
        styles: Mapping[str, Tensor],
        spec: TransformerSpec,
        credits: Sequence[Credit],
    ) -> None:
        check_crop(options.crop, spec.stride)
        self.options, self.device, self.dtype = options, setting.device, setting.dtype
        arch = setting.weights.spec.arch
        content = {resolve_layer(name, arch): weight for name, weight in options.content_layers.items()}
        self.content = active(content, options.content_weight)
        self.vgg = VGG(
            setting.weights,
            device=self.device,
            dtype=self.dtype,
            until=deepest([*content, *(resolve_layer(name, arch) for name in options.style_layers)], arch),
        )
        self.targets = StyleTargets(self.vgg, list(styles.values()), options)
        self.credits = list(credits)
        self.net = Transformer(spec)
        self.held_out = [photo.to(self.device) for photo in setting.held_out[0]]
        known = begin_with(self.net, setting.init) if setting.init else 0
        for place, name in list(enumerate(spec.styles))[known:]:
            self.net.begin_with_colours(place, styles[name])
        self.net.to(self.device)
        if setting.init and options.learn == "everything" and options.norm == "encoder" != spec.norm:
            self.net = self.net.normalised_in_encoder(_squares(self.held_out, options.crop, self.net.spec.stride))
        self.spec = self.net.spec
        if options.learn == "styles":
            for parameter in self.net.parameters():
                parameter.requires_grad_(False)
            for parameter in style_parameters(self.net):
                parameter.requires_grad_(True)
        self.learnt = [spec.styles.index(name) for name in styles]

    def metadata(self) -> Mapping[str, Any]:
        """Kind, encoder and description of the net, and whose pictures its styles are."""
        return {
            "kind": JOHNSON_KIND,
            "arch": self.vgg.spec.arch,
            "encoder": self.vgg.source,
            "encoder_sha256": self.vgg.sha256,
            "network": self.spec.to_json(),
            "credits": [dataclasses.asdict(credit) for credit in self.credits],
        }

    def loss(self, net: nn.Module, photos: Tensor, paintings: Tensor, step: int) -> dict[str, Tensor]:
        """Weighted terms, see `JohnsonTraining`. The styles take turns."""
        del paintings
        each = min(self.options.styles_per_photo, len(self.learnt))
        count = len(photos) * each
        turns = [(step * count + n) % len(self.learnt) for n in range(count)]
        seen = grained(photos, self.options.grain, seed=step)
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            picture: Tensor = net(seen.repeat_interleave(each, 0), self._mix(turns))
        if self.options.even and picture.requires_grad:
            picture.register_hook(_evened)
        terms = self._terms(picture, photos, turns)
        o = self.options
        if o.lattice or o.fleck:
            shown = torch.arange(len(photos), device=self.device).repeat_interleave(each)
            made_of = PhotoWaves.of(seen).at(shown), self.targets.painting_waves.at(self._places(turns))
            terms |= grid_terms(picture, *made_of, lattice_weight=o.lattice, fleck_weight=o.fleck)
        return terms

    def _mix(self, turns: Sequence[int]) -> Tensor:
        mix = torch.zeros(len(turns), len(self.spec.styles))
        mix[range(len(turns)), [self.learnt[turn] for turn in turns]] = 1
        return mix.to(self.device, non_blocking=True)

    def _places(self, turns: Sequence[int]) -> Tensor:
        return torch.tensor(turns).to(self.device, non_blocking=True)

    def _terms(self, picture: Tensor, photos: Tensor, turns: Sequence[int]) -> dict[str, Tensor]:
        o = self.options
        with torch.no_grad():
            aims = self.vgg(photos, self.content)
        each, places = len(turns) // len(photos), self._places(turns)
        layers = [*{**self.content, **self.targets.weights}]
        found = encode(self.vgg, picture, layers) if layers else {}
        terms: dict[str, Tensor] = {}
        for layer, weight in self.content.items():
            loss = weight * apart(found[layer], aims[layer].repeat_interleave(each, 0), o.content_form)
            terms["content"] = terms["content"] + loss if "content" in terms else loss
        for layer, weight in self.targets.weights.items():
            aim = self.targets.grams[layer][places]
            loss = weight * apart(gram_of(found[layer], o.gram_norm), aim, o.style_form)
            terms["style"] = terms["style"] + loss if "style" in terms else loss
        if o.tv:
            terms["tv"] = o.tv * roughness(picture)
        if o.range:
            terms["range"] = o.range * excess(picture)
        return terms

    @torch.no_grad()
    def validate(self) -> tuple[dict[str, float], Image.Image]:
        """The loss on held-out photographs by style, and a sheet of every style."""
        names = [self.spec.styles[place] for place in self.learnt]
        figures: defaultdict[str, list[float]] = defaultdict(list)
        cells: list[Tensor] = []
        for number, photo in enumerate(self.held_out):
            photo = photo[:, :, : photo.shape[2] // self.spec.stride * self.spec.stride]
            photo = photo[:, :, :, : photo.shape[3] // self.spec.stride * self.spec.stride]
            seen = grained(photo, self.options.grain)
            shown = number < _SHEET_PHOTOS
            cells += [photo] if shown else []
            # Each style on the sheet's photographs, and on every one where there are few styles.
            for turn in range(len(names)) if shown else [number % len(names)]:
                with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
                    picture = self.net(seen, self._mix([turn])).clamp(0, 1)
                terms = {name: float(value) for name, value in self._terms(picture, photo, [turn]).items()}
                total = sum(terms.values())
                for name, value in {"loss": total, names[turn]: total, **terms}.items():
                    figures[name].append(value)
                cells += [picture] if shown else []
        means = {name: sum(values) / len(values) for name, values in figures.items()}
        return means, contact_sheet(cells, columns=len(names) + 1, cell=_CELL, headings=["photo", *names])


def _squares(photos: Sequence[Tensor], side: int, stride: int) -> Tensor:
    """The middle of each photo, as large a square as all have, `side` at most."""
    side = min(side, *(min(photo.shape[2:]) for photo in photos)) // stride * stride
    corners = [((photo.shape[2] - side) // 2, (photo.shape[3] - side) // 2) for photo in photos]
    return torch.cat([photo[:, :, y : y + side, x : x + side] for photo, (y, x) in zip(photos, corners, strict=True)])


def _evened(gradient: Tensor) -> Tensor:
    """The gradient of a batch of pictures, each scaled to the length of one over their number."""
    length = gradient.flatten(1).norm(dim=1).clamp_min(torch.finfo(gradient.dtype).tiny) * len(gradient)
    return gradient / length.view(-1, 1, 1, 1)


def style_parameters(net: Transformer) -> list[nn.Parameter]:
    """What belongs to the styles: the rows of every normalisation, and of the colour matrices."""
    own = [parameter for module in net.modules() if isinstance(module, Norm) for parameter in module.parameters()]
    return own + ([net.matrix, net.offset] if net.spec.output == "colour" else [])


def begin_with(net: Transformer, weights: Mapping[str, Tensor]) -> int:
    """Take over a network of the same convolutions; styles it has not begin as the mean of its own.

    Returns:
        How many styles it has.

    Raises:
        RequestError: it is another architecture.
    """
    own = net.state_dict()
    of_styles = {id(parameter) for parameter in style_parameters(net)}
    rows = {name for name, parameter in net.named_parameters() if id(parameter) in of_styles}
    known = len(net.spec.styles)
    for name in sorted(own.keys() | weights.keys()):
        there = weights.get(name)
        skip = 1 if name in rows else 0
        if name not in own or there is None or own[name].shape[skip:] != there.shape[skip:]:
            raise RequestError(f"the net to begin with is of another architecture: it differs in {name}")
        if skip and len(there) < len(own[name]):
            known, mean = len(there), there.mean(0, keepdim=True)
            weights = {**weights, name: torch.cat([there, mean.expand(len(own[name]) - len(there), *mean.shape[1:])])}
    net.load_state_dict(dict(weights))
    return known


def train(
    options: JohnsonTraining,
    photos: Sequence[str],
    styles: Sequence[str],
    out: str | Path,
    *,
    credits: Mapping[str, Mapping[str, Any]] | None = None,
    encoder: str = "vgg19",
    preset: str | None = None,
    init: str | None = None,
    resume: bool = False,
    device: str = "auto",
    report: Callable[[Progress], None] | None = None,
) -> Path:
    """Train a network for one style or several.

    Args:
        options: the recipe.
        photos: folders or tar shards, each ``PATH[:WEIGHT]``.
        styles: style pictures; a style is called as its file, without the extension.
        out: folder for the net, checkpoint, log and sheets.
        credits: by style: title, artist, year, for the record.
        encoder: catalogue name or file.
        preset: the name the options began from, for the record.
        init: a net to begin with: its styles stay, and those of `styles` that it lacks are added.
        resume: continue the run in `out`.
        device: auto, cpu, cuda or mps.
        report: called after every step; see `impasto.training.loop.progress_bar`.

    Returns:
        The net's file.

    Raises:
        RequestError: no style, a style twice, or new normalisation asked for without a net to add it to.
    """
    if not styles:
        raise RequestError("no style to learn; give --style with at least one picture")
    pictures = {Path(style).stem: read(style).pixels for style in styles}
    if len(pictures) < len(styles):
        raise RequestError("two styles have the same name; expected each once: rename a file")
    if options.learn == "styles" and init is None:
        raise RequestError("--learn styles adds to a trained network; give it with --net")
    weights = load(encoder)
    tensors, past = load_net(init, kind=JOHNSON_KIND, encoder_sha256=None) if init else ({}, {})
    known: list[str] = past["network"]["styles"] if past else []
    names = (*known, *(name for name in pictures if name not in known))
    if options.learn == "styles" and len(names) == len(known):
        raise RequestError(f"{init} has all these styles; give one it lacks, or --learn everything")
    spec = TransformerSpec(options.architecture, names, options.output, options.norm, options.enlarge, options.chroma)
    if past:
        spec = dataclasses.replace(TransformerSpec.from_json(past["network"]), styles=names)
        if options.learn == "everything":
            spec = dataclasses.replace(spec, enlarge=options.enlarge, chroma=options.chroma)
    earlier = {credit["name"]: credit for credit in past.get("credits", [])}
    all_credits = [
        Credit(
            **{
                **earlier.get(name, {"name": name}),
                **({"sha256": sha256_of(path)} if (path := _path_of(name, styles)) else {}),
                **dict((credits or {}).get(name, {})),
            }
        )
        for name in names
    ]
    recipe: dict[str, Any] = {
        "task": "johnson",
        "preset": preset,
        "encoder": weights.source,
        "styles": list(pictures),
        "parent": parent_of(init),
    }
    return run(
        lambda setting: JohnsonTask(options, setting, pictures, spec, all_credits),
        options,
        weights=weights,
        photos=photos,
        paintings=(),
        counts=(options.batch, 0),
        out=out,
        recipe=recipe,
        init=tensors,
        resume=resume,
        device=device,
        report=report,
    )


def _path_of(name: str, styles: Sequence[str]) -> Path | None:
    return next((Path(style) for style in styles if Path(style).stem == name), None)
