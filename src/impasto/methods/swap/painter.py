"""Painting by style-swap: Chen & Schmidt 2016, "Fast Patch-based Style Transfer of Arbitrary Style".

A net with branches takes the chosen patches of shallower layers too, as the decoder of Kolkin et al. 2022 does.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

import torch
from torch import Tensor

from ...encoders.vgg import VGG
from ...errors import RequestError, WeightsError
from ...images.geometry import fit, fitted_size
from ...losses.cost import Tiling
from ...losses.functional import relative_distance
from ...matching.rebuild import with_finer
from ...matching.styles import SwapStyle, match_budget, match_cost, match_work, prepare, tone
from ...matching.swap import swap
from ...memory import Cost, Plan
from ...nets.decoder import Decoder
from ...nets.files import SWAP_KIND
from ...painter import Regions
from ...recipe import Recipe
from ...statistics.moments import Moments, stack_rows
from ...statistics.transfer import impose_moments, mix_moments, stack_moments
from ...strips import VALUES, Size
from ...weights.layers import layer_stride
from ..common.any_style import MARGIN, fitted_style, moments_inside, style_size
from ..common.loader import Loader, Nets
from ..common.one_pass import Frame, KeptStats, OnePassPainter, Painted, Pass
from ..common.options import options_of
from .options import SwapOptions
from .refine import Refiner


@dataclass(frozen=True)
class SwapNets(Nets):
    """The encoder, and the inverse net, or None if none is used."""

    encoder: VGG
    decoder: Decoder | None


def load(recipe: Recipe, loader: Loader) -> SwapNets:
    """Load the encoder, and the inverse net unless pixels are optimised from the photo."""
    options = options_of(recipe, SwapOptions)
    weights = loader.weights(recipe.encoder, options.layer)
    sha256 = {recipe.encoder: weights.sha256}
    if options.inverse == "optimise":
        return SwapNets(loader.device, loader.dtype, sha256, loader.encoder(weights, options.layer), None)
    try:
        net = loader.decoder(options.net, kind=SWAP_KIND, weights=weights, layer=options.layer)
    except WeightsError as error:
        raise WeightsError(f"{error}; or use --inverse optimise, which needs no net") from None
    encoder = loader.encoder(weights, options.layer, **net.encoder)
    return SwapNets(loader.device, loader.dtype, {**sha256, options.net: net.sha256}, encoder, net.decoder)


@dataclass(frozen=True)
class StyleStats:
    """Statistics of the styles, for a painting of one size.

    Attributes:
        apart: moments of each style, by layer.
        mixed: their mean, weighted by the recipe's shares.
        patches: patches of all styles together; for a painting with regions, those of each style.
    """

    apart: Sequence[Mapping[str, Moments]]
    mixed: Mapping[str, Moments]
    patches: Sequence[SwapStyle]


class _Prepared(NamedTuple):
    """What a pass needs of the photograph.

    Attributes:
        plan: how the net's picture is refined within the memory; None if it is not.
        tones: brightness of each position; None if it does not count.
    """

    plan: Plan[Tiling] | None
    tones: Tensor | None


class SwapPainter(OnePassPainter[StyleStats]):
    """Encodes the photo, replaces its features by patches of the styles, and inverts them to a picture."""

    bulky = True

    def __init__(
        self, recipe: Recipe, nets: SwapNets, styles: Sequence[Tensor], kept: KeptStats[StyleStats] | None = None
    ) -> None:
        options = options_of(recipe, SwapOptions)
        if not styles:
            raise RequestError("no style picture; give at least one")
        super().__init__(recipe, nets, styles, kept)
        self.encoder, self.decoder = nets.encoder, nets.decoder
        self._finer = self.decoder.spec.skip if self.decoder else ()
        if self._finer and self.decoder and not self.decoder.spec.steps:
            options = options.without_steps()
        self.options = options
        if self.decoder is not None:
            self.grain = options.grain * options.alpha
            self.grid = self.decoder.spec.grid if options.descreen else 0
        unit = layer_stride(options.layer)
        self.frame = Frame(unit, options.patch_size, options.stride, MARGIN if self.decoder else 0)
        self.min_side = max(self.min_side, unit * options.patch_size)
        self.refiner = Refiner(options, self.encoder, self.decoder, recipe.memory)

    def sizes(self, final: int) -> tuple[int, ...]:
        """See `OnePassPainter.sizes`. Without a net there is only the final size."""
        return super().sizes(final) if self.decoder else (final,)

    def steps(self, size: int) -> int:
        """See `OnePassPainter.steps`."""
        return self.options.count_steps(size) or 1

    def prepare(self, content: Tensor, size: int, final: int) -> _Prepared:
        """See `OnePassPainter.prepare`. Coarse pictures are refined if the last one is."""
        refined = self.options.count_steps(final) > 0
        plan = self.refiner.plan(fitted_size(content.shape[2], content.shape[3], size), size) if refined else None
        if not self.options.luminance_weight:
            return _Prepared(plan, None)
        photo, _ = self.framed(self.fitted(content, size))
        return _Prepared(plan, tone(photo, *self._positions(photo.shape)))

    def work(self, size: Size) -> float:
        """See `OnePassPainter.work`."""
        options, encoder = self.options, self.encoder
        matching = match_work(
            self._positions((1, 3, *size)),
            [self._positions((1, 3, *style_size(style, max(size), options))) for style in self.styles],
            encoder.channels(options.layer),
            patch=options.patch_size,
            stride=options.stride,
            search=options.search,
        )
        decoding = self.decoder.work(size) if self.decoder else 0.0
        refining = self.refiner.work(size, max(size))
        return encoder.work((options.layer,)) * size[0] * size[1] + matching + decoding + refining

    def encode_work(self, size: int) -> float:
        """See `OnePassPainter.encode_work`."""
        pixels = sum(math.prod(style_size(style, size, self.options)) for style in self.styles)
        return self.encoder.work((self.options.layer,)) * pixels

    def cost(self, size: Size, stats: StyleStats | None, *, apart: bool) -> Cost:
        """See `OnePassPainter.cost`."""
        made = self.encoder.features_cost(self._layers)
        # The photo's features and their replacement; with regions also the sum of the replacements.
        own, replaced = self.encoder.features_cost(self._photo_layers), (2 if apart else 1) * made
        busiest = self.encoder.encode_cost(self._photo_layers) | own + replaced
        if self.decoder is not None:  # the photo is freed before the picture is made
            busiest |= replaced + self.decoder.cost
        positions = self._positions((1, 3, *size))
        return busiest + match_cost(stats.patches if stats else (), *positions, self.recipe.memory)

    def encode_styles(self, sizes: Sequence[int], *, apart: bool) -> Mapping[int, StyleStats]:
        """See `OnePassPainter.encode_styles`."""
        self._largest = sizes[-1]
        return super().encode_styles(sizes, apart=apart)

    def encode(self, size: int, *, apart: bool) -> StyleStats:
        """Take patches of the styles' features and measure their moments; see `OnePassPainter.encode`."""
        found = [self._encode_style(style, size, apart=apart) for style in self.styles]
        moments, shares = [each for _, _, each in found], self.recipe.style_shares()
        features, tones = [each for each, _, _ in found], [each for _, each, _ in found]
        del found
        if apart:  # features are freed one by one
            patches = [self._patches([features.pop(0)], [tones.pop(0)], [1.0]) for _ in moments]
        else:
            patches = [self._patches(features, tones, shares)]
        return StyleStats(moments, mix_moments(moments, shares, self._inject), patches)

    def pictures(self, pass_: Pass[StyleStats]) -> Iterator[Painted]:
        """See `OnePassPainter.pictures`."""
        options, stats = self.options, pass_.stats
        # 1. Encode the photo. 2. Replace its features by patches of the styles.
        targets = pass_.strips.run(lambda values: self._swap_features(pass_, values))
        styles = stats.mixed if pass_.regions is None else stack_moments(stats.apart)
        inside = moments_inside(styles, self.encoder, pass_.photo, self._inject, options.alpha, pass_.strips.way)
        if self.decoder is not None:
            pass_.free_photo()
        # 3. Invert them to a picture, and refine it.
        yield from self._invert(targets, inside, pass_)

    @torch.no_grad()
    def _swap_features(self, pass_: Pass[StyleStats], values: int) -> dict[str, Tensor]:
        """Encode the photo; replace its features by patches of the styles, in each region by those of its style."""
        options, layer = self.options, self.options.layer
        features = self.encoder.encode(pass_.photo, self._photo_layers, values)
        if pass_.regions is not None:
            return self._swap_in_regions(features, pass_)
        made = swap(
            features.pop(layer),  # no name holds these features, so they are freed after the match
            pass_.stats.patches[0],
            tones=pass_.prepared.tones,
            alpha=options.alpha,
            restore=options.moments,
            budget_mb=match_budget(self.recipe.memory),
            finer=features,
        )
        return {layer: made, **features}

    def _swap_in_regions(self, features: Mapping[str, Tensor], pass_: Pass[StyleStats]) -> dict[str, Tensor]:
        """Replace features by a sum of all styles' patches, weighted by their regions."""
        options, layer, patches = self.options, self.options.layer, pass_.stats.patches
        tones, budget = pass_.prepared.tones, match_budget(self.recipe.memory)
        regions = cast(Regions, pass_.regions)
        made: dict[str, Tensor] = {}
        for number, each in enumerate(patches):
            parts: dict[str, Tensor] = {}
            parts[layer] = swap(features[layer], each, tones=tones, budget_mb=budget, finer=parts)
            for name in self._layers:
                part = parts.pop(name)
                part.mul_(regions.everywhere(*part.shape[2:])[number].to(part.dtype))
                made[name] = made[name].add_(part) if name in made else part
        for name, x in made.items():
            if options.moments == "style":
                of_styles = [each.moments if name == layer else each.finer[name].moments for each in patches]
                impose_moments(x, stack_rows(of_styles), regions=regions)
            if name in features:
                made[name] = features[name].lerp_(x, options.alpha)
        return made

    def _invert(
        self, targets: dict[str, Tensor], inside: Mapping[str, Moments], pass_: Pass[StyleStats]
    ) -> Iterator[Painted]:
        """Yield the picture after each step of refinement; without refinement the picture of the net.

        Args:
            targets: features to invert, 1×C×h×w by layer. Those of shallower layers are removed when they are used.
            inside: moments to impose inside the decoder, by layer.
            pass_: the pass.
        """
        decoder, plan = self.decoder, pass_.prepared.plan
        if decoder is None:
            picture = pass_.photo.clone()  # it is changed in place, and the photo may belong to the caller
        else:
            made = pass_.strips.run(lambda n: decoder.paint({**targets}, inside, pass_.regions, values=n))
            picture = made.clamp_(0, 1).contiguous()
            for layer in self._finer:
                del targets[layer]
        if plan is None:
            yield Painted(picture)
        else:
            target = targets[self.options.layer]
            yield from self.refiner.steps(target, picture, plan, self.options.count_steps(pass_.size))

    def feature_errors(self, content: Tensor) -> dict[str, float]:
        """Measure how well the inverse f inverts the encoder Φ: ``‖Φ(f(H)) − H‖ / ‖H‖`` for three features H.

        Optimisation begins from mid-grey if the features are those of a picture. Otherwise it would begin at the
        solution.

        Args:
            content: the photograph, 1×3×H×W.

        Returns:
            The error for the features of the ``photo``, of the first style (``painting``), and for the ``swapped``
            ones.
        """
        layer, layers, size = self.options.layer, self._layers, self.recipe.size or max(content.shape[2:])
        stats, plan = self.encode_styles([size], apart=False)[size], self.refiner.plan((size, size), size)
        own, style = self.fitted(content.to(self.device), size), self._fitted_style(self.styles[0], size)
        errors: dict[str, float] = {}
        for kind, picture in {"photo": own, "painting": style, "swapped": own}.items():
            pass_ = self.unframed(picture, size, stats)
            pass_.prepared = _Prepared(plan, tone(pass_.photo, *self._positions(pass_.photo.shape)))
            if kind == "swapped":
                targets, alpha = self._swap_features(pass_, VALUES), self.options.alpha
            else:
                targets, alpha = self.encoder(pass_.photo, layers), 0.0
            inside = moments_inside(stats.mixed, self.encoder, pass_.photo, self._inject, alpha)
            if kind != "swapped":
                pass_.photo = torch.full_like(pass_.photo, 0.5)
            (made,) = deque(self._invert(targets, inside, pass_), maxlen=1)
            errors[kind] = relative_distance(self.encoder(made.picture, (layer,))[layer], targets[layer])
        return errors

    def _encode_style(
        self, style: Tensor, size: int, *, apart: bool
    ) -> tuple[dict[str, Tensor], Tensor, dict[str, Moments]]:
        """Return the features of a style, the brightness of their positions, and moments by layer, at a size."""
        layer, layers = self.options.layer, self._layers
        fitted = self._fitted_style(style, size)
        # The patches of every style stay in memory, at this size and at smaller ones, which take a third more.
        kept = len(self.styles) * 4 / 3 * self.encoder.features_cost(layers)
        refined = self.refiner.cost((fitted.shape[2], fitted.shape[3]), size) if size == self._largest else Cost()
        encoding = self.encoder.encode_cost(layers) + self.encoder.features_cost(self._finer)  # a table of these too
        strips = self.plan_style(fitted, encoding, kept, refined, apart=apart)
        features, moments = strips.run(lambda values: self.encoder.measure(fitted, layers, self._inject, values))
        return features, tone(fitted, *features[layer].shape[2:]), moments

    def _fitted_style(self, style: Tensor, size: int) -> Tensor:
        """Resize a style picture. One that may be enlarged gets at least the smallest side that has a patch."""
        fitted = fitted_style(style, size, self.options)
        if not self.options.style_upscale or min(fitted.shape[2:]) >= self.min_side:
            return fitted
        return fit(style, math.ceil(self.min_side * max(style.shape[2:]) / min(style.shape[2:])))

    def _patches(
        self, features: Sequence[dict[str, Tensor]], tones: Sequence[Tensor], shares: Sequence[float]
    ) -> SwapStyle:
        """Make a table of patches of one or more styles."""
        options = self.options
        ready = prepare(
            [each.pop(options.layer) for each in features],
            shares,
            patch=options.patch_size,
            stride=options.stride,
            match=options.match,
            search=options.search,
            seed=self.recipe.seed,
            tones=tones,
            luminance_weight=options.luminance_weight,
            coherence=options.coherence,
            dtype=self.dtype,
        )
        return with_finer(ready, features, options.layer) if self._finer else ready

    @property
    def _layers(self) -> tuple[str, ...]:
        """Layers whose patches the net takes: the one that is matched, then the shallower ones of its branches."""
        return (self.options.layer, *self._finer)

    @property
    def _photo_layers(self) -> tuple[str, ...]:
        """Layers at which the photo's own features are needed."""
        return (self.options.layer,) if self.options.alpha == 1 else self._layers

    @property
    def _inject(self) -> tuple[str, ...]:
        """Layers whose moments are imposed inside the net."""
        return self.decoder.spec.inject if self.decoder else ()

    def _positions(self, shape: Sequence[int]) -> Size:
        """Return height and width of the features of a picture of shape N×3×H×W."""
        return shape[2] // self.frame.unit, shape[3] // self.frame.unit
