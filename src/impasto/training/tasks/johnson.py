"""Trains a feed-forward network for one style or several, and adds styles to one.

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
from ...images.contact import contact_sheet, thumbnail
from ...images.grain import grained
from ...matching.columns import channel_slices
from ...methods.johnson.gallery import Credit
from ...nets.files import JOHNSON_KIND
from ...nets.transformer import Norm, Transformer
from ...nets.transformer_spec import TransformerSpec
from ...weights.layers import deepest, resolve_layer
from ...weights.load import load
from ...weights.shipped import load_net, parent_of
from ..decoders import crop_to_stride
from ..lattice import PhotoWaves, grid_terms
from ..lessons import Lessons
from ..nearest import LAYERS, nearest_loss
from ..options import check_crop
from ..progress import Progress
from ..run import Setting, run
from ..teacher import SIZE, TEACHERS, find_lessons
from ..terms import STYLE_LAYERS, encode, excess, lesson_loss, relative, roughness
from .johnson_options import JohnsonTraining
from .johnson_styles import credits_of, read_styles
from .johnson_targets import StyleTargets, active, distance, gram, halvings, mean_and_std

_CELL = 224  # side in pixels of a picture on the sample sheet
_SHEET_PHOTOS = 3  # held-out photos on the sample sheet


class JohnsonTask:
    """Learns a network whose pictures have a photo's features and a style's Gram matrices.

    Args:
        options: the settings.
        setting: what all tasks are built from.
        styles: pictures to learn, 1×3×H×W in [0, 1], by name.
        spec: of the network, with its styles in order.
        credits: of all styles of the network.
        lessons: of a teacher, for every learnt style; None without one.
        known: the styles of `setting.init`, in order.
    """

    def __init__(
        self,
        options: JohnsonTraining,
        setting: Setting,
        styles: Mapping[str, Tensor],
        spec: TransformerSpec,
        credits: Sequence[Credit],
        lessons: Lessons | None = None,
        known: Sequence[str] = (),
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
            until=deepest(
                [
                    *content,
                    *(resolve_layer(name, arch) for name in options.style_layers),
                    *(LAYERS if options.nearest_weight else ()),
                    *(STYLE_LAYERS if lessons else ()),
                ],
                arch,
            ),
        )
        self.targets = StyleTargets(self.vgg, list(styles.values()), options)
        self.style_pictures = [thumbnail(picture, _CELL) for picture in styles.values()]
        self.credits, self.lessons = list(credits), lessons
        self.net = Transformer(spec)
        self.held_out = [photo.to(self.device) for photo in setting.held_out[0]]
        if setting.init:
            begin_with(self.net, setting.init, known)
        for place, name in enumerate(spec.styles):
            if name not in known:
                self.net.begin_with_colours(place, styles[name])
        self.net.to(self.device)
        if setting.init and options.learn == "everything" and options.norm == "encoder" != spec.norm:
            self.net = self.net.normalised_in_encoder(_middle_squares(self.held_out, options.crop, spec.stride))
        self.spec = self.net.spec
        if options.learn == "styles":
            for parameter in self.net.parameters():
                parameter.requires_grad_(False)
            for parameter in style_parameters(self.net):
                parameter.requires_grad_(True)
        self.learnt = [spec.styles.index(name) for name in styles]

    def metadata(self) -> Mapping[str, Any]:
        """Return kind, encoder and description of the net, and the credits of its styles."""
        return {
            "kind": JOHNSON_KIND,
            "arch": self.vgg.spec.arch,
            "encoder": self.vgg.source,
            "encoder_sha256": self.vgg.sha256,
            "network": self.spec.to_json(),
            "credits": [dataclasses.asdict(credit) for credit in self.credits],
        }

    def loss(self, net: nn.Module, photos: Tensor, paintings: Tensor, step: int) -> dict[str, Tensor]:
        """Return the weighted loss terms; `JohnsonTraining` describes them. The styles take turns."""
        del paintings
        each = min(self.options.styles_per_photo, len(self.learnt))
        turns = self._turns(step, len(photos) * each)
        inputs = grained(photos, self.options.grain, seed=step)
        painted, waves = inputs.repeat_interleave(each, 0), PhotoWaves.of(inputs)
        indices = torch.arange(len(photos), device=self.device).repeat_interleave(each)
        lesson: Tensor | None = None
        if self.lessons is not None:
            taught = self._turns(step, self.options.teacher_pairs)
            names = [self.spec.styles[self.learnt[turn]] for turn in taught]
            pair = self.lessons.draw(names, photos.shape[2], f"{self.options.seed}/{step}")
            shown, lesson = (crops.to(self.device, non_blocking=True) for crops in pair)
            painted, turns = torch.cat([painted, grained(shown, self.options.grain, seed=step)]), turns + taught
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            picture: Tensor = net(painted, self._mix(turns))
        if self.options.even and picture.requires_grad:
            picture.register_hook(_equalise)
        free = len(indices)
        terms = self._terms(picture[:free], photos, turns[:free])
        if lesson is not None:
            terms["teacher"] = self.options.teacher_weight * lesson_loss(self.vgg, picture[free:], lesson)
        if self.options.lattice:
            sources = waves.at(indices), self.targets.painting_waves.at(self._indices(turns[:free]))
            terms |= grid_terms(picture[:free], *sources, lattice_weight=self.options.lattice)
        return terms

    def _turns(self, step: int, count: int) -> list[int]:
        """The styles of the pictures of a step, as indices of the learnt styles."""
        return [(step * count + n) % len(self.learnt) for n in range(count)]

    def _mix(self, turns: Sequence[int]) -> Tensor:
        """Shares of the network's styles, one row for each of `turns`, which are indices of the learnt styles."""
        mix = torch.zeros(len(turns), len(self.spec.styles))
        mix[range(len(turns)), [self.learnt[turn] for turn in turns]] = 1
        return mix.to(self.device, non_blocking=True)

    def _indices(self, turns: Sequence[int]) -> Tensor:
        return torch.tensor(turns).to(self.device, non_blocking=True)

    def _terms(self, picture: Tensor, photos: Tensor, turns: Sequence[int]) -> dict[str, Tensor]:
        """Loss terms without that against a lattice. Each photo was painted in several styles: those of its turns."""
        o = self.options
        nearest = LAYERS if o.nearest_weight else ()
        with torch.no_grad():
            targets = self.vgg(photos, {*self.content, *nearest})
        each, indices = len(turns) // len(photos), self._indices(turns)
        layers = [*dict.fromkeys((*self.content, *self.targets.weights, *nearest))]
        found = encode(self.vgg, picture, layers) if layers else {}
        terms: dict[str, Tensor] = {}
        for layer, weight in self.content.items():
            loss = weight * distance(found[layer], targets[layer].repeat_interleave(each, 0), o.content_form)
            terms["content"] = terms["content"] + loss if "content" in terms else loss
        for layer, weight in self.targets.weights.items():
            target = self.targets.grams[layer][indices]
            loss = weight * distance(gram(found[layer], o.gram_norm), target, o.style_form)
            terms["style"] = terms["style"] + loss if "style" in terms else loss
        for layer, target in self.targets.moments.items():
            loss = relative(mean_and_std(found[layer]), target[indices]).mean()
            loss = o.moments_weight / len(self.targets.moments) * loss
            terms["moments"] = terms["moments"] + loss if "moments" in terms else loss
        if nearest:
            terms["nearest"] = o.nearest_weight * self._nearest(picture, photos, turns, found, targets)
        if o.tv:
            terms["tv"] = o.tv * roughness(picture)
        if o.range:
            terms["range"] = o.range * excess(picture)
        return terms

    def _nearest(
        self,
        picture: Tensor,
        photos: Tensor,
        turns: Sequence[int],
        found: Mapping[str, Tensor],
        targets: Mapping[str, Tensor],
    ) -> Tensor:
        """The loss by nearest neighbours at all sizes; `found` and `targets` are features at the first."""
        each, places = len(turns) // len(photos), channel_slices(self.vgg, LAYERS)
        losses: list[Tensor] = []
        for number, (small, photo) in enumerate(zip(halvings(picture), halvings(photos), strict=True)):
            if number:
                found = encode(self.vgg, small, LAYERS)
                with torch.no_grad():
                    targets = self.vgg(photo, LAYERS)
            of_photos = {layer: targets[layer].repeat_interleave(each, 0) for layer in LAYERS}
            rows = [self.targets.rows[turn][number] for turn in turns]
            losses.append(nearest_loss(found, of_photos, rows, places))
        return torch.stack(losses).mean()

    @torch.no_grad()
    def validate(self, most: int | None = None) -> tuple[dict[str, float], Image.Image]:
        """Return mean loss terms of held-out photos, and the loss of each style; and a sheet of every style.

        The first row of the sheet has the style pictures.
        """
        names = [self.spec.styles[place] for place in self.learnt]
        figures: defaultdict[str, list[float]] = defaultdict(list)
        cells: list[Image.Image | Tensor | None] = [None, *self.style_pictures]
        for number, photo in enumerate(self.held_out[:most]):
            photo = crop_to_stride(photo, self.spec.stride)
            inputs = grained(photo, self.options.grain)
            on_sheet = number < _SHEET_PHOTOS
            cells += [photo] if on_sheet else []
            # Photos of the sheet are painted in every style, the others in one style each.
            for turn in range(len(names)) if on_sheet else [number % len(names)]:
                with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
                    picture = self.net(inputs, self._mix([turn])).clamp(0, 1)
                terms = {name: float(value) for name, value in self._terms(picture, photo, [turn]).items()}
                total = sum(terms.values())
                for name, value in {"loss": total, names[turn]: total, **terms}.items():
                    figures[name].append(value)
                cells += [picture] if on_sheet else []
        means = {name: sum(values) / len(values) for name, values in figures.items()}
        return means, contact_sheet(cells, columns=len(names) + 1, cell=_CELL, headings=["photo", *names])


def _middle_squares(photos: Sequence[Tensor], side: int, stride: int) -> Tensor:
    """Cut a square from the middle of each photo: the largest that all have, of at most `side` pixels."""
    side = min(side, *(min(photo.shape[2:]) for photo in photos)) // stride * stride
    corners = [((photo.shape[2] - side) // 2, (photo.shape[3] - side) // 2) for photo in photos]
    return torch.cat([photo[:, :, y : y + side, x : x + side] for photo, (y, x) in zip(photos, corners, strict=True)])


def _equalise(gradient: Tensor) -> Tensor:
    """Scale the gradient of each picture of a batch to the length 1 / N."""
    length = gradient.flatten(1).norm(dim=1).clamp_min(torch.finfo(gradient.dtype).tiny) * len(gradient)
    return gradient / length.view(-1, 1, 1, 1)


def style_parameters(net: Transformer) -> list[nn.Parameter]:
    """Return the parameters that each style has of its own: in every normalisation, and in the matrices of colour."""
    own = [parameter for module in net.modules() if isinstance(module, Norm) for parameter in module.parameters()]
    return own + ([net.matrix, net.offset] if net.spec.output == "colour" else [])


def begin_with(net: Transformer, weights: Mapping[str, Tensor], known: Sequence[str]) -> None:
    """Load the weights of a network with the same convolutions. Styles that it lacks begin as the mean of its styles.

    Args:
        net: takes the weights.
        weights: by name.
        known: the styles of the network that the weights are of, in order.

    Raises:
        RequestError: it is of another architecture.
    """
    own = net.state_dict()
    of_styles = {id(parameter) for parameter in style_parameters(net)}
    rows = {name for name, parameter in net.named_parameters() if id(parameter) in of_styles}
    places = [known.index(style) if style in known else None for style in net.spec.styles]
    for name in sorted(own.keys() | weights.keys()):
        given = weights.get(name)
        skip = 1 if name in rows else 0
        if name not in own or given is None or own[name].shape[skip:] != given.shape[skip:]:
            raise RequestError(f"the net to begin with is of another architecture: it differs in {name}")
        if skip:
            mean = given.mean(0)
            given = torch.stack([mean if place is None else given[place] for place in places])
        own[name] = given
    net.load_state_dict(own)


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
    teacher: str | None = None,
    resume: bool = False,
    device: str = "auto",
    report: Callable[[Progress], None] | None = None,
) -> Path:
    """Train a network for one style or several.

    Args:
        options: the recipe.
        photos: folders or ``.tar`` files, each ``PATH[:WEIGHT]``.
        styles: files of style pictures; a style has the name of its file, without the suffix.
        out: folder for the net, checkpoint, log, sample sheets and curve.
        credits: by style: title, artist and year, for the record.
        encoder: name from the catalogue, or file.
        preset: name of the preset that the options began with, for the record.
        init: net to begin with; None for random weights. If only styles are learned, it keeps its own; otherwise its
            other styles are left out. Those of `styles` that it lacks are added.
        teacher: a name of `TEACHERS`, which paints photos ahead, into ``out/teacher``; or a folder of such paintings
            (see `impasto.training.lessons`); None for none.
        resume: continue the run in `out`.
        device: auto, cpu, cuda or mps.
        report: called after every step, such as `impasto.training.progress.display` gives.

    Returns:
        The net's file.

    Raises:
        RequestError: there is no style, two styles have the same name, styles shall be added without `init` or are
            there already, pictures are missing, `crop` does not fit the net, or `out` holds another run.
        WeightsError: `encoder` or `init` cannot be used.
    """
    pictures = read_styles(styles)
    if options.learn == "styles" and init is None:
        raise RequestError("--learn styles adds to a trained network; give it with --net")
    weights = load(encoder)
    tensors, past = load_net(init, kind=JOHNSON_KIND, encoder_sha256=None) if init else ({}, {})
    known: list[str] = past["network"]["styles"] if past else []
    kept = [name for name in known if name in pictures or options.learn == "styles"]
    names = (*kept, *(name for name in pictures if name not in known))
    if options.learn == "styles" and len(names) == len(known):
        raise RequestError(f"{init} has all these styles; give one it lacks, or --learn everything")
    spec = _spec(options, names, past)
    all_credits = credits_of(names, styles, past, credits or {})
    recipe: dict[str, Any] = {
        "task": "johnson",
        "preset": preset,
        "encoder": weights.source,
        "styles": list(pictures),
        "parent": parent_of(init),
        **({} if teacher is None else {"teacher": Path(teacher).name}),
    }
    paths = {Path(style).stem: Path(style) for style in styles}

    def make(setting: Setting) -> JohnsonTask:
        lessons = None
        if teacher is not None:
            shown = setting.photos.choose(options.teacher_photos, SIZE, options.seed) if teacher in TEACHERS else []
            lessons = find_lessons(teacher, shown, paths, setting.out / "teacher", device=str(setting.device))
        return JohnsonTask(options, setting, pictures, spec, all_credits, lessons, known)

    return run(
        make,
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


def _spec(options: JohnsonTraining, names: Sequence[str], past: Mapping[str, Any]) -> TransformerSpec:
    """The network to train: that of the net to begin with, if any, with the styles of these names."""
    if not past:
        shape = options.architecture, tuple(names), options.output, options.norm, options.enlarge, options.chroma
        return TransformerSpec(*shape)
    spec = dataclasses.replace(TransformerSpec.from_json(past["network"]), styles=tuple(names))
    if options.learn == "everything":
        spec = dataclasses.replace(spec, enlarge=options.enlarge, chroma=options.chroma)
    return spec
