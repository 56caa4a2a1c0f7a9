"""Painting by style-swap: Chen & Schmidt 2016, "Fast Patch-based Style Transfer of Arbitrary Style"."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ...encoders.vgg import VGG
from ...errors import RequestError, WeightsError
from ...images.geometry import fit, fitted_size
from ...losses.cost import Tiling
from ...losses.functional import relative_distance
from ...matching.styles import SwapStyle, match_budget, match_cost, match_work, prepare, tone
from ...matching.swap import swap
from ...memory import Cost, Plan
from ...nets.decoder import Decoder
from ...nets.files import SWAP_KIND
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
        self.options = options = options_of(recipe, SwapOptions)
        if not styles:
            raise RequestError("no style picture; give at least one")
        super().__init__(recipe, nets, styles, kept)
        self.encoder, self.decoder = nets.encoder, nets.decoder
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
        layers = (self.options.layer,)
        kept = self.encoder.features_cost(layers)
        # The photo's features and their replacement; with regions also the sum of the replacements.
        copies = 3 if apart else 2
        busiest = self.encoder.encode_cost(layers) | copies * kept
        if self.decoder is not None:  # the photo is freed before the picture is made
            busiest |= (copies - 1) * kept + self.decoder.cost
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
        target = pass_.strips.run(lambda values: self._swap_features(pass_, values))
        styles = stats.mixed if pass_.regions is None else stack_moments(stats.apart)
        inside = moments_inside(styles, self.encoder, pass_.photo, self._inject, options.alpha, pass_.strips.way)
        if self.decoder is not None:
            pass_.free_photo()
        # 3. Invert them to a picture, and refine it.
        yield from self._invert(target, inside, pass_)

    @torch.no_grad()
    def _swap_features(self, pass_: Pass[StyleStats], values: int) -> Tensor:
        """Encode the photo; replace its features by patches of the styles, in each region by those of its style."""
        options, budget = self.options, match_budget(self.recipe.memory)
        layer, tones, patches = options.layer, pass_.prepared.tones, pass_.stats.patches
        if pass_.regions is None:  # no name holds the features, so they are freed after the match
            return swap(
                self.encoder.encode(pass_.photo, (layer,), values)[layer],
                patches[0],
                tones=tones,
                alpha=options.alpha,
                restore=options.moments,
                budget_mb=budget,
            )
        features = self.encoder.encode(pass_.photo, (layer,), values)[layer]
        made = torch.zeros_like(features)
        for share, each in zip(pass_.regions.everywhere(*features.shape[2:]), patches, strict=True):
            made += swap(features, each, tones=tones, budget_mb=budget).mul_(share.to(features.dtype))
        if options.moments == "style":
            impose_moments(made, stack_rows([each.moments for each in patches]), regions=pass_.regions)
        return features.lerp_(made, options.alpha)

    def _invert(self, target: Tensor, inside: Mapping[str, Moments], pass_: Pass[StyleStats]) -> Iterator[Painted]:
        """Yield the picture after each step of refinement; without refinement the picture of the net.

        Args:
            target: features to invert, 1×C×h×w.
            inside: moments to impose inside the decoder, by layer.
            pass_: the pass.
        """
        decoder, layer, plan = self.decoder, self.options.layer, pass_.prepared.plan
        if decoder is None:
            picture = pass_.photo.clone()  # it is changed in place, and the photo may belong to the caller
        else:
            made = pass_.strips.run(lambda n: decoder.paint({layer: target}, inside, pass_.regions, values=n))
            picture = made.clamp_(0, 1).contiguous()
        if plan is None:
            yield Painted(picture)
        else:
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
        layer, size = self.options.layer, self.recipe.size or max(content.shape[2:])
        stats, plan = self.encode_styles([size], apart=False)[size], self.refiner.plan((size, size), size)
        own, style = self.fitted(content.to(self.device), size), self._fitted_style(self.styles[0], size)
        errors: dict[str, float] = {}
        for kind, picture in {"photo": own, "painting": style, "swapped": own}.items():
            pass_ = self.unframed(picture, size, stats)
            pass_.prepared = _Prepared(plan, tone(pass_.photo, *self._positions(pass_.photo.shape)))
            if kind == "swapped":
                target, alpha = self._swap_features(pass_, VALUES), self.options.alpha
            else:
                target, alpha = self.encoder(pass_.photo, (layer,))[layer], 0.0
            inside = moments_inside(stats.mixed, self.encoder, pass_.photo, self._inject, alpha)
            if kind != "swapped":
                pass_.photo = torch.full_like(pass_.photo, 0.5)
            (made,) = deque(self._invert(target, inside, pass_), maxlen=1)
            errors[kind] = relative_distance(self.encoder(made.picture, (layer,))[layer], target)
        return errors

    def _encode_style(self, style: Tensor, size: int, *, apart: bool) -> tuple[Tensor, Tensor, dict[str, Moments]]:
        """Return the features of a style, the brightness of their positions, and moments by layer, at a size."""
        layer = self.options.layer
        fitted = self._fitted_style(style, size)
        # The patches of every style stay in memory, at this size and at smaller ones, which take a third more.
        kept = len(self.styles) * 4 / 3 * self.encoder.features_cost((layer,))
        refined = self.refiner.cost((fitted.shape[2], fitted.shape[3]), size) if size == self._largest else Cost()
        strips = self.plan_style(fitted, self.encoder.encode_cost((layer,)), kept, refined, apart=apart)
        features, moments = strips.run(lambda values: self.encoder.measure(fitted, (layer,), self._inject, values))
        return features[layer], tone(fitted, *features[layer].shape[2:]), moments

    def _fitted_style(self, style: Tensor, size: int) -> Tensor:
        """Resize a style picture. One that may be enlarged gets at least the smallest side that has a patch."""
        fitted = fitted_style(style, size, self.options)
        if not self.options.style_upscale or min(fitted.shape[2:]) >= self.min_side:
            return fitted
        return fit(style, math.ceil(self.min_side * max(style.shape[2:]) / min(style.shape[2:])))

    def _patches(self, features: Sequence[Tensor], tones: Sequence[Tensor], shares: Sequence[float]) -> SwapStyle:
        """Make a table of patches of one or more styles."""
        options = self.options
        return prepare(
            features,
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

    @property
    def _inject(self) -> tuple[str, ...]:
        """Layers whose moments are imposed inside the net."""
        return self.decoder.spec.inject if self.decoder else ()

    def _positions(self, shape: Sequence[int]) -> Size:
        """Return height and width of the features of a picture of shape N×3×H×W."""
        return shape[2] // self.frame.unit, shape[3] // self.frame.unit
