"""Painting by optimisation: Gatys, Ecker & Bethge 2015, "A Neural Algorithm of Artistic Style"."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...encoders.vgg import VGG
from ...errors import RequestError
from ...images.geometry import fitted_size, resize
from ...images.read import read
from ...losses.cost import Optimisation
from ...losses.objective import NormalisedGradient, Term, TVTerm
from ...losses.targets import Statistics, content_terms, measure_style, terms_towards
from ...losses.tiled import TiledObjective
from ...memory import keep_freed_memory
from ...painter import Regions
from ...recipe import Recipe
from ...strips import Size
from ...weights.layers import deepest, resolve_layer
from ..common.loader import Loader, Nets
from ..common.optimise import OptimiserSettings
from ..common.options import options_of
from ..common.resume import digest
from ..common.stages import SMALLEST, StagedPainter, Stages, origin_of
from .options import GatysOptions

# Settings that may differ when a painting is resumed: they do not change a step, only how many there are.
_MAY_CHANGE = {"steps", "schedule", "min_size", "scale_step", "first_steps", "max_seconds", "plateau"}


@dataclass(frozen=True)
class GatysNets(Nets):
    """The encoder, and the weights of the losses by canonical layer."""

    encoder: VGG
    content_layers: Mapping[str, float]
    style_layers: Mapping[str, float]


def load(recipe: Recipe, loader: Loader) -> GatysNets:
    """Load the encoder that the recipe names, up to the deepest layer of the losses."""
    options = options_of(recipe, GatysOptions)
    weights = loader.weights(recipe.encoder)
    arch = weights.spec.arch
    content = {resolve_layer(k, arch): w for k, w in options.content_layers.items()}
    style = {resolve_layer(k, arch): w for k, w in options.style_layers.items()}
    encoder = loader.encoder(
        weights, deepest([*content, *style], arch), **_encoder_changes(options, weights.spec.scale)
    )
    return GatysNets(loader.device, loader.dtype, {recipe.encoder: weights.sha256}, encoder, content, style)


KeptStatistics = MutableMapping[Hashable, Statistics]
"""Statistics of style pictures, by (number of the style, size, tile)."""


class GatysPainter(StagedPainter):
    """Optimises pixels: their features approach those of the photo, their Gram matrices those of the style."""

    def __init__(
        self, recipe: Recipe, nets: GatysNets, styles: Sequence[Tensor], kept: KeptStatistics | None = None
    ) -> None:
        self.options = options = options_of(recipe, GatysOptions)
        if not styles and options.style_weight > 0:
            raise RequestError("no style picture; give at least one, or style_weight 0")
        self.recipe = recipe.model_copy(update={"nets": {**recipe.nets, **nets.sha256}})
        self.device, self.encoder = nets.device, nets.encoder
        self._content_layers, self._style_layers = nets.content_layers, nets.style_layers
        self.settings = optimiser_settings(options)
        self._styles = [style.to(nets.device) for style in styles]
        self._kept = kept
        keep_freed_memory()

    def stages(self, final: int) -> Stages:
        """See `StagedPainter.stages`."""
        return self.options.stages(final)

    def objective(
        self,
        photo: Tensor,
        regions: Regions | None = None,
        tile: int | None = None,
        stage: tuple[int, int] = (0, 1),  # noqa: ARG002 (the same at every stage)
    ) -> TiledObjective:
        """Return the style and content losses; see `StagedPainter.objective`."""
        options = self.options
        size = (photo.shape[2], photo.shape[3])
        terms: list[Term] = []
        terms += terms_towards(
            (self.encode(number, size, tile) for number in range(len(self._styles))),
            self.recipe.style_shares(),
            {layer: weight * options.style_weight for layer, weight in self._style_layers.items()},
            kind=options.style_loss,
            norm=options.gram_norm,
            regions=regions,
        )
        terms += content_terms(
            self.encoder,
            photo,
            {layer: weight * options.content_weight for layer, weight in self._content_layers.items()},
            options.content_reduction,
            tile=tile,
        )
        if options.normalize_gradients:
            terms = [NormalisedGradient(term) for term in terms]
        tv = TVTerm(options.tv_weight, options.tv_kind, self.encoder.spec.scale) if options.tv_weight else None
        return TiledObjective(self.encoder, terms, tv, options.range_weight, tile=tile)

    def encode(self, number: int, photo: Size, tile: int | None = None) -> Statistics:
        """Measure the statistics of a style, or take them from the cache.

        Args:
            number: number of the style in the recipe, from 0.
            photo: height and width of the photograph.
            tile: side in pixels of the tiles to encode in; None for the whole picture.
        """
        options, style = self.options, self._styles[number]
        size = self.style_size(style, photo)
        key = (number, size, tile)
        found = None if self._kept is None else self._kept.get(key)
        if found is None:
            weights = {layer: weight * options.style_weight for layer, weight in self._style_layers.items()}
            picture, kind, norm = resize(style, *size), options.style_loss, options.gram_norm
            found = measure_style(self.encoder, picture, weights, kind=kind, norm=norm, tile=tile)
            if self._kept is not None:
                self._kept[key] = found
        return found

    def style_size(self, style: Tensor, photo: Size) -> Size:
        """Return height and width to resize a style to, for a photograph of height and width `photo`."""
        options = self.options
        height, width = photo
        own_height, own_width = style.shape[2:]
        if options.style_fit == "native":
            longest = float(max(own_height, own_width))
        elif options.style_fit == "longest":
            longest = float(max(height, width))
        else:
            longest = (height * width / (own_height * own_width)) ** 0.5 * max(own_height, own_width)
        longest *= options.style_scale
        if not options.style_upscale:
            longest = min(longest, max(own_height, own_width))
        return fitted_size(own_height, own_width, max(SMALLEST, round(longest)))

    def beginning(self, photo: Tensor) -> Tensor:
        """Return the photo, noise, the style or a file; see `StagedPainter.beginning`."""
        init = self.options.init
        height, width = photo.shape[2:]
        if init == "content":
            return photo.clone()
        if init == "random":
            generator = torch.Generator().manual_seed(self.recipe.seed)
            noise = torch.randn(photo.shape, generator=generator).to(self.device) * self.options.init_noise / 255
            spec = self.encoder.spec
            mean = torch.tensor(spec.mean, device=self.device) / spec.scale
            if spec.channels == "bgr":
                mean = mean.flip(0)
            return noise + mean.view(1, 3, 1, 1)
        if init == "style" and self._styles:
            picture = self._styles[0]
        elif init == "style":
            raise RequestError("init is style, but there is no style picture; expected one, or another init")
        else:
            picture = read(init).pixels.to(self.device)
        return resize(_crop_middle(picture, height, width), height, width)

    def needs(self, photo: Size, steps: int) -> Optimisation:
        """See `StagedPainter.needs`."""
        return optimisation(
            self.options,
            self.encoder,
            photo,
            content=_layers_in_use(self._content_layers, self.options.content_weight),
            layers=_layers_in_use({**self._content_layers, **self._style_layers}, 1),
            steps=steps,
            styles=[self.style_size(style, photo) for style in self._styles],
        )

    def origin(self, content: Tensor, regions: Regions | None, start: Tensor | None) -> dict[str, Any]:
        """Return settings and the sha256 of networks and pixels; see `StagedPainter.origin`."""
        data = origin_of(self.recipe, self._styles, content, regions, start)
        data |= self.options.model_dump(mode="json", exclude=_MAY_CHANGE)
        if self.options.init not in ("content", "style", "random"):
            data["init"] = digest(self.beginning(content))
        return data


def optimiser_settings(options: GatysOptions) -> OptimiserSettings:
    """Return how pixels are optimised, by the method's settings."""
    return OptimiserSettings(
        optimizer=options.optimizer,
        learning_rate=options.learning_rate,
        history=options.lbfgs_history,
        betas=(options.adam_beta1, options.adam_beta2),
        precondition=options.precondition,
        clamp=options.clamp,
        average=options.average,
        keep_best=options.keep_best,
        plateau=options.plateau,
        max_seconds=options.max_seconds,
    )


def optimisation(
    options: GatysOptions,
    encoder: VGG,
    photo: Size,
    *,
    content: Sequence[str],
    layers: Sequence[str],
    steps: int,
    styles: Sequence[Size],
) -> Optimisation:
    """Return what memory and work of a stage depend on; for the arguments see `losses.cost.Optimisation`."""
    return Optimisation(
        encoder,
        photo,
        content,
        layers,
        steps,
        styles,
        optimizer=options.optimizer,
        history=options.lbfgs_history,
        loss_copies="gaussian" if options.style_loss == "wasserstein" else "gram",
        kept_pictures=1
        + bool(options.average)
        + options.keep_best,  # the resized photograph, the running mean, the best picture
        tv=bool(options.tv_weight),
    )


def _encoder_changes(options: GatysOptions, scale: float) -> dict[str, Any]:
    """Return the fields of the encoder's spec that the settings change; `scale` is the encoder's own."""
    changes: dict[str, Any] = {"pooling": options.pooling, "pool_gain": options.pool_gain}
    if options.padding is not None:
        changes["padding"] = options.padding
    if options.preprocess == "unnormalised":
        changes |= {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
    elif options.preprocess == "minus-128":
        level = 128 / 255 * scale
        changes |= {"mean": (level, level, level), "std": (1.0, 1.0, 1.0)}
    return changes


def _layers_in_use(layers: Mapping[str, float], weight: float) -> list[str]:
    """Return the layers whose weight, times `weight`, is positive."""
    return [layer for layer, own in layers.items() if own * weight > 0]


def _crop_middle(picture: Tensor, height: int, width: int) -> Tensor:
    """Crop the middle of a picture to the proportions height:width."""
    own_height, own_width = picture.shape[2:]
    scale = min(own_height / height, own_width / width)
    crop_height, crop_width = max(1, round(height * scale)), max(1, round(width * scale))
    top, left = (own_height - crop_height) // 2, (own_width - crop_width) // 2
    return picture[:, :, top : top + crop_height, left : left + crop_width]
