"""What trainers of style-swap's networks share: examples of features and swaps, loss terms, and validation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
from PIL import Image
from pydantic import Field
from torch import Tensor

from ..encoders.vgg import VGG
from ..images.contact import contact_sheet
from ..images.grain import grained
from ..matching.styles import Match, prepare, tone
from ..matching.swap import Keep, swap
from ..methods.swap.options import COHERENCE, LUMINANCE_WEIGHT, Coherence, LuminanceWeight
from ..metrics.score import distances
from ..nets.decoder_spec import LAYERS, DecoderSpec
from ..nets.files import SWAP_KIND, decoder_metadata
from ..recipe import GRAIN, Grain, NonNegative
from ..settings import setting
from ..statistics.moments import Moments, moments
from .lattice import PaintingWaves, PhotoWaves, grid_terms
from .options import Count, Fleck, Lattice, TrainOptions
from .run import Setting
from .tasks.adain import whole_strides
from .terms import STYLE_LAYERS, colour_distance, excess, grams, relative, roughness

_CELL = 288  # pixels of a picture on the sample sheet
_BYTE_SCALE = 255.0**2  # the original's roughness is of 0-255 pixels

Painting = Callable[[Tensor, Mapping[str, Moments]], Tensor]
"""Features to be inverted and the style's moments by layer -> pictures in [0, 1]."""


class SwapObjectiveOptions(TrainOptions):
    """Settings of the examples and of the loss.

    Of n photos and n paintings the network sees their own features and all n² swaps.
    """

    batch: Count = setting(
        "steps",
        default=2,
        description="Photos a step, and as many paintings; the network sees 2n + n² examples.",
    )
    patch: Annotated[int, Field(ge=1, le=15)] = setting(
        "matching", "advanced", default=3, description="Side of a patch, in positions."
    )
    stride: Count = setting("matching", "advanced", default=1, description="Positions between patches.")
    match: Match = setting(
        "matching", "reproduction", default="normalised", description="What patches are compared by."
    )
    luminance_weight: LuminanceWeight = LUMINANCE_WEIGHT
    coherence: Coherence = COHERENCE
    restore: Keep = setting(
        "matching",
        "reproduction",
        default="style",
        description="Give the swapped features the style's moments back, or keep theirs.",
    )
    grain: Grain = 2 * GRAIN
    feature: NonNegative = setting(
        "losses", default=4.0, description="Weight of the distance to the features to be inverted."
    )
    feature_form: Literal["relative", "mean"] = setting(
        "losses",
        "reproduction",
        default="relative",
        description="relative: squared distance over the target's squared length; mean: mean squared difference.",
    )
    gram: NonNegative = setting(
        "losses", default=0.5, description="Weight of the relative distance between Gram matrices."
    )
    colour: NonNegative = setting(
        "losses", "advanced", default=3.0, description="Weight of the distance between the colours."
    )
    pixel: NonNegative = setting(
        "losses",
        "advanced",
        default=1.5,
        description="Weight of the mean absolute pixel difference of the unswapped.",
    )
    tv: NonNegative = setting(
        "losses",
        "reproduction",
        default=0.0,
        description="Weight of the summed squared neighbour differences, 0-255.",
    )
    lattice: Lattice = 1.0
    fleck: Fleck = 5.0
    range: NonNegative = setting("losses", "reproduction", default=10.0, description="Weight of leaving [0, 1].")


@dataclass(frozen=True)
class Examples:
    """Features to be turned into pictures, a step's: of n photos, of as many paintings, and of all their swaps.

    Attributes:
        plain: the photos and the paintings, 2n×3×H×W.
        target: the features.
        photo_index: row of `plain` that each example shows: itself, or a swap's photo.
        painting_index: row of `plain` that each example is painted like: itself, or a swap's painting.
        stats: moments of the features of those rows, by layer.
        grams: Gram matrices of the same, by layer.
    """

    plain: Tensor
    target: Tensor
    photo_index: Tensor
    painting_index: Tensor
    stats: Mapping[str, Moments]
    grams: Mapping[str, Tensor]


class SwapObjective:
    """Examples, loss terms and validation of a network that turns the features of one layer into pictures.

    Attributes:
        vgg: the encoder.
        layer: whose features are inverted.
        layers: that the loss looks at: `layer`, and those style is measured at, up to it.
    """

    def __init__(self, options: SwapObjectiveOptions, layer: str, setting: Setting) -> None:
        self.options, self.layer = options, layer
        self.device, self.dtype = setting.device, setting.dtype
        self.vgg = VGG(setting.weights, device=self.device, dtype=self.dtype, until=STYLE_LAYERS[-1])
        self.layers = STYLE_LAYERS[: LAYERS.index(layer) + 2]
        self.held_out = [[picture.to(self.device) for picture in kind] for kind in setting.held_out]

    def metadata(self, spec: DecoderSpec) -> dict[str, Any]:
        """Kind, encoder, description of the network, and the swap it is trained with."""
        swapped = ("patch", "stride", "match", "luminance_weight", "coherence", "restore")
        return {
            **decoder_metadata(SWAP_KIND, self.vgg, spec),
            "swap": {name: getattr(self.options, name) for name in swapped},
        }

    @torch.no_grad()
    def examples(self, photos: Tensor, paintings: Tensor, spec: DecoderSpec, step: int) -> Examples:
        """Of n photos and n paintings, for a network of this description."""
        o = self.options
        plain = torch.cat([grained(photos, o.grain, seed=step), paintings])
        n = len(photos)
        seen = self.vgg(plain, self.layers)
        latents = seen[self.layer]
        tones = tone(plain, *latents.shape[2:])
        styles = zip(latents[n:].split(1), tones[n:].split(1), strict=True)
        swapped = torch.cat([self._swap((latents[:n], tones[:n]), style) for style in styles])
        # The swap may be a few positions smaller; the same corner is cut from the rest.
        target = torch.cat([latents[:, :, : swapped.shape[2], : swapped.shape[3]], swapped])
        several = [[*range(2 * n), *(k for _ in paintings for k in range(n))]]
        several += [[*range(2 * n), *(n + k for k in range(len(paintings)) for _ in range(n))]]
        photo_index, painting_index = torch.tensor(several).to(self.device, non_blocking=True)
        stats = {layer: moments(seen[layer]) for layer in spec.style_layers}
        return Examples(
            plain=plain,
            target=target,
            photo_index=photo_index,
            painting_index=painting_index,
            stats={
                layer: Moments(stat.mean[painting_index], stat.std[painting_index]) for layer, stat in stats.items()
            },
            grams={layer: grams(seen[layer])[painting_index] for layer in self.layers} if o.gram else {},
        )

    def terms(self, picture: Tensor, found: Mapping[str, Tensor], given: Examples, step: int) -> dict[str, Tensor]:
        """Weighted terms of pictures made of examples; `found` are the pictures' features at `layers`."""
        o, n = self.options, len(given.plain)
        got, aim = found[self.layer].float(), given.target.float()
        apart = relative(got, aim).square() if o.feature_form == "relative" else (got - aim).square()
        terms = {"feature": o.feature * apart.mean()}
        if o.gram:
            apart = [relative(grams(found[layer]), given.grams[layer]).mean() for layer in self.layers]
            terms["gram"] = o.gram * torch.stack(apart).mean()
        height, width = picture.shape[2:]
        plain = given.plain[:, :, :height, :width]
        if o.colour:
            terms["colour"] = o.colour * colour_distance(picture, plain[given.painting_index], seed=step)
        if o.pixel:
            terms["pixel"] = o.pixel * (picture[:n] - plain).abs().mean()
        if o.tv:
            terms["tv"] = o.tv * _BYTE_SCALE * roughness(picture) * picture[0].numel()
        if o.lattice or o.fleck:
            made_of = PhotoWaves.of(plain).at(given.photo_index), PaintingWaves.of(plain).at(given.painting_index)
            terms |= grid_terms(picture, *made_of, lattice_weight=o.lattice, fleck_weight=o.fleck)
        if o.range:
            terms["range"] = o.range * excess(picture)
        return terms

    @torch.no_grad()
    def validate(self, paint: Painting, spec: DecoderSpec) -> tuple[dict[str, float], Image.Image]:
        """Relative feature error of photos, paintings and swaps; style and content distance; a sheet."""
        o = self.options
        rows: list[dict[str, float]] = []
        cells: list[Tensor] = []
        for photo, painting in zip(*self.held_out, strict=True):
            photo, painting = whole_strides(photo, spec.stride), whole_strides(painting, spec.stride)
            pair = grained(photo, o.grain), painting
            of_photo, of_painting = (self.vgg(x, STYLE_LAYERS) for x in pair)
            latents = (of_photo[self.layer], of_painting[self.layer])
            shades = (tone(x, *seen.shape[2:]) for x, seen in zip(pair, latents, strict=True))
            swapped = self._swap(*zip(latents, shades, strict=True))
            row: dict[str, float] = {}
            examples = {"photo": (of_photo[self.layer], of_photo), "painting": (of_painting[self.layer], of_painting)}
            picture = photo
            for name, (target, like) in {**examples, "swapped": (swapped, of_painting)}.items():
                stats = {layer: moments(like[layer]) for layer in spec.style_layers}
                picture = paint(target, stats)
                row[name] = float(relative(self.vgg(picture, (self.layer,))[self.layer], target))
                cells += [photo] if name == "photo" else [painting] if name == "painting" else []
                cells.append(picture)
            same = photo[:, :, : picture.shape[2], : picture.shape[3]]
            row["style"], row["content"] = distances(self.vgg, picture, same, of_painting)
            rows.append(row)
        figures = {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}
        headings = ("photo", "inverted", "style", "inverted", "swapped")
        return figures, contact_sheet(cells, columns=5, cell=_CELL, headings=headings)

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
