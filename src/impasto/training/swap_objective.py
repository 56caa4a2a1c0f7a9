"""What the trainers of style-swap's networks share: examples, loss terms and validation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import torch
from PIL import Image
from pydantic import Field
from torch import Tensor

from ..encoders.vgg import VGG
from ..images.contact import contact_sheet
from ..images.grain import grained
from ..matching.columns import channel_slices
from ..matching.rebuild import with_finer
from ..matching.styles import Match, prepare, tone
from ..matching.swap import Keep, swap
from ..methods.swap.options import COHERENCE, LUMINANCE_WEIGHT, Coherence, LuminanceWeight
from ..metrics.score import distances
from ..nets.decoder_spec import LAYERS, DecoderSpec
from ..nets.files import SWAP_KIND, decoder_metadata
from ..recipe import GRAIN, Grain, NonNegative
from ..settings import setting
from ..statistics.moments import Moments, moments
from .decoders import crop_to_stride
from .lattice import PaintingWaves, PhotoWaves, grid_terms
from .nearest import LAYERS as NEAREST_LAYERS
from .nearest import StyleRows, nearest_loss, style_rows
from .options import FORMS, Count, ExcessWeight, Fleck, Lattice, TrainOptions
from .run import Setting
from .terms import STYLE_LAYERS, colour_distance, excess, grams, relative, roughness

_CELL = 288  # side in pixels of a picture on the sample sheet
_BYTE_SCALE = 255.0**2  # the authors' total variation is of pixels from 0 to 255

Paint = Callable[[Mapping[str, Tensor], Mapping[str, Moments]], Tensor]
"""Features to invert, N×C×h×w, and the style's moments, both by layer -> pictures N×3×H×W in [0, 1]."""


PIXEL = "Weight of the mean absolute pixel difference between a photo or painting and its picture without a swap."
"""Description of the setting `pixel`."""


class SwapObjectiveOptions(TrainOptions):
    """Settings of the examples and of the loss.

    The network sees the features of n photos and n paintings, and all n² swaps of them.
    """

    batch: Count = setting(
        "steps",
        default=2,
        description="Photos in each step, and as many paintings. With n of each the network sees 2n + n² examples.",
    )
    patch: Annotated[int, Field(ge=1, le=15)] = setting(
        "matching", "advanced", default=3, description="Side of a patch, in positions of the layer."
    )
    stride: Count = setting(
        "matching", "advanced", default=1, description="Positions of the layer from one patch to the next."
    )
    match: Match = setting(
        "matching",
        "reproduction",
        default="normalised",
        description="How patches are compared. plain: by their features; normalised: by their features less each "
        "channel's mean, divided by its deviation.",
    )
    luminance_weight: LuminanceWeight = LUMINANCE_WEIGHT
    coherence: Coherence = COHERENCE
    restore: Keep = setting(
        "matching",
        "reproduction",
        default="style",
        description="After the swap. style: give the features the style's means and deviations; keep: leave them "
        "as they are.",
    )
    grain: Grain = 2 * GRAIN
    feature: NonNegative = setting(
        "losses",
        default=4.0,
        description="Weight of the distance between the picture's features and those that it is made of; with "
        "branches, the mean over their layers too.",
    )
    feature_form: Literal["relative", "mean"] = setting(
        "losses",
        "reproduction",
        default="relative",
        description=f"Form of the distance that --feature weighs. {FORMS}",
    )
    gram: NonNegative = setting(
        "losses",
        default=0.5,
        description="Weight of the relative distance between the Gram matrices of picture and style.",
    )
    nearest: NonNegative = setting(
        "losses",
        "advanced",
        default=0.0,
        description="Weight of the distance between a swap's features and those of the painting that suit each place "
        "best (Kolkin et al. 2022). It needs relu4_1, which takes more time.",
    )
    colour: NonNegative = setting(
        "losses",
        "advanced",
        default=3.0,
        description="Weight of the distance between the colours of picture and style.",
    )
    pixel: NonNegative = setting(
        "losses",
        "advanced",
        default=1.5,
        description=PIXEL,
    )
    tv: NonNegative = setting(
        "losses",
        "reproduction",
        default=0.0,
        description="Weight of total variation: squared differences of neighbouring pixels from 0 to 255, summed.",
    )
    lattice: Lattice = 1.0
    fleck: Fleck = 5.0
    range: ExcessWeight = 10.0


@dataclass(frozen=True)
class Examples:
    """The features of a step that are turned into pictures: of n photos, of n paintings, and of their n² swaps.

    Attributes:
        plain: the photos, then the paintings, 2n×3×H×W.
        target: features of the N = 2n + n² examples, N×C×h×w.
        photo_index: row of `plain` that an example shows: itself, or a swap's photo. N.
        painting_index: row of `plain` that an example is painted like: itself, or a swap's painting. N.
        stats: moments of the features of the rows `painting_index`, by layer.
        grams: Gram matrices of the same features, by layer.
        finer: features of the examples at the layers of the net's branches, N×C×h×w.
        features: features of `plain` by layer, for `nearest_loss`; empty if that has no weight.
        rows: of each painting, what `nearest_loss` matches with; empty if that has no weight.
    """

    plain: Tensor
    target: Tensor
    photo_index: Tensor
    painting_index: Tensor
    stats: Mapping[str, Moments]
    grams: Mapping[str, Tensor]
    finer: Mapping[str, Tensor] = field(default_factory=dict[str, Tensor])
    features: Mapping[str, Tensor] = field(default_factory=dict[str, Tensor])
    rows: Sequence[StyleRows] = ()


class SwapObjective:
    """Examples, loss terms and validation of a network that turns the features of one layer into pictures.

    Attributes:
        vgg: the encoder.
        layer: the layer whose features are inverted.
        layers: layers of the Gram matrices: the style layers up to `layer`.
        encoded: layers at which the loss needs a picture's features.
    """

    def __init__(self, options: SwapObjectiveOptions, layer: str, setting: Setting) -> None:
        self.options, self.layer = options, layer
        self.device, self.dtype = setting.device, setting.dtype
        self.vgg = VGG(setting.weights, device=self.device, dtype=self.dtype, until=STYLE_LAYERS[-1])
        self.layers = STYLE_LAYERS[: LAYERS.index(layer) + 2]
        nearest = NEAREST_LAYERS if options.nearest else ()
        self.encoded = tuple(name for name in STYLE_LAYERS if name in (*self.layers, *nearest))
        self.held_out = [[picture.to(self.device) for picture in kind] for kind in setting.held_out]

    def metadata(self, spec: DecoderSpec) -> dict[str, Any]:
        """Return kind, encoder and description of the network, and the settings of the swap."""
        swapped = ("patch", "stride", "match", "luminance_weight", "coherence", "restore")
        return {
            **decoder_metadata(SWAP_KIND, self.vgg, spec),
            "swap": {name: getattr(self.options, name) for name in swapped},
        }

    @torch.no_grad()
    def examples(self, photos: Tensor, paintings: Tensor, spec: DecoderSpec, step: int) -> Examples:
        """Make the examples of a step.

        Args:
            photos: n×3×H×W.
            paintings: n×3×H×W.
            spec: of the network, which says at which layers it needs features, and the style's moments.
            step: seeds the grain.
        """
        o = self.options
        plain = torch.cat([grained(photos, o.grain, seed=step), paintings])
        n = len(photos)
        features = self.vgg(plain, self.encoded)
        inputs = {layer: features[layer] for layer in spec.content_layers}
        tones = tone(plain, *inputs[self.layer].shape[2:])
        swapped: list[dict[str, Tensor]] = []
        for k in range(n, len(plain)):
            painting = {layer: x[k : k + 1] for layer, x in inputs.items()}
            swapped.append(self._swap((inputs[self.layer][:n], tones[:n]), (painting, tones[k : k + 1])))
        targets: dict[str, Tensor] = {}
        for layer, x in inputs.items():
            height, width = swapped[0][layer].shape[2:]
            # Swapped features may be a few positions smaller: the others are cropped to their size.
            targets[layer] = torch.cat([x[:, :, :height, :width], *(each[layer] for each in swapped)])
        indices = [[*range(2 * n), *(k for _ in paintings for k in range(n))]]
        indices += [[*range(2 * n), *(n + k for k in range(len(paintings)) for _ in range(n))]]
        photo_index, painting_index = torch.tensor(indices).to(self.device, non_blocking=True)
        stats = {layer: moments(features[layer]) for layer in spec.style_layers}
        return Examples(
            plain=plain,
            target=targets.pop(self.layer),
            photo_index=photo_index,
            painting_index=painting_index,
            stats={
                layer: Moments(stat.mean[painting_index], stat.std[painting_index]) for layer, stat in stats.items()
            },
            grams={layer: grams(features[layer])[painting_index] for layer in self.layers} if o.gram else {},
            finer=targets,
            features=features if o.nearest else {},
            rows=[style_rows(self.vgg, each) for each in paintings.split(1)] if o.nearest else (),
        )

    def terms(self, picture: Tensor, found: Mapping[str, Tensor], given: Examples, step: int) -> dict[str, Tensor]:
        """Return the weighted loss terms of the pictures of a step.

        Args:
            picture: what the network made of the examples, N×3×H×W, not clamped.
            found: their features at `encoded`.
            given: the examples.
            step: seeds the loss of colour.
        """
        o, n = self.options, len(given.plain)
        losses: list[Tensor] = []
        for layer, target in {self.layer: given.target, **given.finer}.items():
            got, target = found[layer].float(), target.float()
            away = relative(got, target).square() if o.feature_form == "relative" else (got - target).square()
            losses.append(away.mean())
        terms = {"feature": o.feature * (torch.stack(losses).mean() if given.finer else losses[0])}
        if o.gram:
            per_layer = [relative(grams(found[layer]), given.grams[layer]).mean() for layer in self.layers]
            terms["gram"] = o.gram * torch.stack(per_layer).mean()
        if o.nearest:
            terms["nearest"] = o.nearest * self._nearest(found, given)
        height, width = picture.shape[2:]
        plain = given.plain[:, :, :height, :width]
        if o.colour:
            terms["colour"] = o.colour * colour_distance(picture, plain[given.painting_index], seed=step)
        if o.pixel:
            terms["pixel"] = o.pixel * (picture[:n] - plain).abs().mean()
        if o.tv:
            terms["tv"] = o.tv * _BYTE_SCALE * roughness(picture) * picture[0].numel()
        if o.lattice or o.fleck:
            sources = PhotoWaves.of(plain).at(given.photo_index), PaintingWaves.of(plain).at(given.painting_index)
            terms |= grid_terms(picture, *sources, lattice_weight=o.lattice, fleck_weight=o.fleck)
        if o.range:
            terms["range"] = o.range * excess(picture)
        return terms

    def _nearest(self, found: Mapping[str, Tensor], given: Examples) -> Tensor:
        """Return the distance of the swaps' features to the nearest ones of their paintings."""
        n = len(given.plain)
        swaps = {layer: found[layer][n:] for layer in NEAREST_LAYERS}
        photos: dict[str, Tensor] = {}
        for layer, x in swaps.items():
            photos[layer] = given.features[layer][given.photo_index[n:], :, : x.shape[2], : x.shape[3]]
        rows = [each for each in given.rows for _ in given.rows]
        return nearest_loss(swaps, photos, rows, channel_slices(self.vgg, NEAREST_LAYERS))

    @torch.no_grad()
    def validate(
        self, paint: Paint, spec: DecoderSpec, most: int | None = None
    ) -> tuple[dict[str, float], Image.Image]:
        """Paint the held-out pairs, at most so many, with and without a swap.

        Returns:
            Means over the pairs: relative errors of features of photo, painting and swapped, at `layer` alone, so
            that nets with and without branches compare; distances to style and content of the swapped. And a sheet of
            the pictures.
        """
        o = self.options
        rows: list[dict[str, float]] = []
        cells: list[Tensor] = []
        for photo, painting in zip(*(kind[:most] for kind in self.held_out), strict=True):
            photo, painting = crop_to_stride(photo, spec.stride), crop_to_stride(painting, spec.stride)
            pair = grained(photo, o.grain), painting
            of_photo, of_painting = (self.vgg(x, STYLE_LAYERS) for x in pair)
            tones = [tone(x, *of[self.layer].shape[2:]) for x, of in zip(pair, (of_photo, of_painting), strict=True)]
            inputs = [{layer: of[layer] for layer in spec.content_layers} for of in (of_photo, of_painting)]
            swapped = self._swap((of_photo[self.layer], tones[0]), (inputs[1], tones[1]))
            row: dict[str, float] = {}
            examples = {"photo": (inputs[0], of_photo), "painting": (inputs[1], of_painting)}
            picture = photo
            for name, (targets, style) in {**examples, "swapped": (swapped, of_painting)}.items():
                stats = {layer: moments(style[layer]) for layer in spec.style_layers}
                picture = paint(targets, stats)
                row[name] = float(relative(self.vgg(picture, (self.layer,))[self.layer], targets[self.layer]))
                cells += [photo] if name == "photo" else [painting] if name == "painting" else []
                cells.append(picture)
            same = photo[:, :, : picture.shape[2], : picture.shape[3]]
            row["style"], row["content"] = distances(self.vgg, picture, same, of_painting)
            rows.append(row)
        figures = {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}
        headings = ("photo", "inverted", "style", "inverted", "swapped")
        return figures, contact_sheet(cells, columns=5, cell=_CELL, headings=headings)

    def _swap(
        self, photos: tuple[Tensor, Tensor], painting: tuple[Mapping[str, Tensor], Tensor]
    ) -> dict[str, Tensor]:
        """Rebuild photos' features out of a painting's by layer; both are given with their tones."""
        o, finer = self.options, {layer: x for layer, x in painting[0].items() if layer != self.layer}
        ready = prepare(
            [painting[0][self.layer]],
            patch=o.patch,
            stride=o.stride,
            match=o.match,
            tones=[painting[1]],
            luminance_weight=o.luminance_weight,
            coherence=o.coherence,
        )
        made: dict[str, Tensor] = {}
        ready = with_finer(ready, [finer], self.layer) if finer else ready
        made[self.layer] = swap(photos[0], ready, tones=photos[1], restore=o.restore, finer=made)
        return made
