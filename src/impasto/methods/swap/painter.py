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
    """The encoder, and the inverse net where one is used."""

    encoder: VGG
    decoder: Decoder | None


def load(recipe: Recipe, loader: Loader) -> SwapNets:
    """Load the encoder, and the inverse net where one is used."""
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
    """The styles as seen beside a picture of one size.

    Attributes:
        apart: each one's moments by layer.
        mixed: these, mixed by weight.
        patches: of all styles together; or, for a painting with regions, each one's.
    """

    apart: Sequence[Mapping[str, Moments]]
    mixed: Mapping[str, Moments]
    patches: Sequence[SwapStyle]


class _Prepared(NamedTuple):
    """Of a photograph at one size: how its painting is refined, and how bright each position is, or None."""

    plan: Plan[Tiling] | None
    tones: Tensor | None


class SwapPainter(OnePassPainter[StyleStats]):
    """Encode, rebuild the features out of the styles' patches, turn them back into a picture."""

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
        """See `OnePassPainter.sizes`; without a net nothing bounds the strokes but the patches, and there is one."""
        return super().sizes(final) if self.decoder else (final,)

    def steps(self, size: int) -> int:
        """See `OnePassPainter.steps`."""
        return self.options.descent(size) or 1

    def prepare(self, content: Tensor, size: int, final: int) -> _Prepared:
        """See `OnePassPainter.prepare`. Coarse pictures are refined where the last one is."""
        refined = self.options.descent(final) > 0
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
        seen = sum(math.prod(style_size(style, size, self.options)) for style in self.styles)
        return self.encoder.work((self.options.layer,)) * seen

    def cost(self, size: Size, stats: StyleStats | None, *, apart: bool) -> Cost:
        """See `OnePassPainter.cost`."""
        layers = (self.options.layer,)
        kept = self.encoder.features_cost(layers)
        # The photo's features, and what is matched, then made, of them; and, by region, the sum of what is made.
        copies = 3 if apart else 2
        busiest = self.encoder.encode_cost(layers) | copies * kept
        if self.decoder is not None:  # the photo is let go before the picture is made
            busiest |= (copies - 1) * kept + self.decoder.cost
        positions = self._positions((1, 3, *size))
        return busiest + match_cost(stats.patches if stats else (), *positions, self.recipe.memory)

    def encode_styles(self, sizes: Sequence[int], *, apart: bool) -> Mapping[int, StyleStats]:
        """See `OnePassPainter.encode_styles`."""
        self._largest = sizes[-1]
        return super().encode_styles(sizes, apart=apart)

    def encode(self, size: int, *, apart: bool) -> StyleStats:
        """Patches and moments of the styles' features; see `OnePassPainter.encode`."""
        found = [self._encoded(style, size, apart=apart) for style in self.styles]
        moments, shares = [each for _, _, each in found], self.recipe.style_shares()
        features, tones = [each for each, _, _ in found], [each for _, each, _ in found]
        del found
        together = self._patches
        patches = [together([features.pop(0)], [tones.pop(0)], [1.0]) for _ in moments] if apart else []
        patches = patches or [together(features, tones, shares)]
        return StyleStats(moments, mix_moments(moments, shares, self._inject), patches)

    def pictures(self, seen: Pass[StyleStats]) -> Iterator[Painted]:
        """The paper's three steps, and what refines their picture; see `OnePassPainter.pictures`."""
        options, stats = self.options, seen.stats
        # 1. Encode the photo; 2. rebuild its features out of the styles' patches.
        target = seen.strips.run(lambda values: self._swapped(seen, values))
        styles = stats.mixed if seen.regions is None else stack_moments(stats.apart)
        inside = moments_inside(styles, self.encoder, seen.photo, self._inject, options.alpha, seen.strips.way)
        positions = self._positions(seen.photo.shape)
        note = "patches by PatchMatch" if any(each.is_approximate(*positions) for each in stats.patches) else ""
        if self.decoder is not None:
            seen.free_photo()
        # 3. Turn them back into a picture.
        for painted in self._inverted(target, inside, seen):
            yield painted._replace(note="; ".join(filter(None, (note, painted.note))))
            del painted  # or its picture would be held during the next step

    @torch.no_grad()
    def _swapped(self, seen: Pass[StyleStats], values: int) -> Tensor:
        """A photo's features, rebuilt out of the styles' patches; by region where there are several."""
        options, budget = self.options, match_budget(self.recipe.memory)
        layer, tones, patches = options.layer, seen.prepared.tones, seen.stats.patches
        if seen.regions is None:  # the features are not held here: they are free once they are matched
            return swap(
                self.encoder.encode(seen.photo, (layer,), values)[layer],
                patches[0],
                tones=tones,
                alpha=options.alpha,
                restore=options.moments,
                budget_mb=budget,
            )
        features = self.encoder.encode(seen.photo, (layer,), values)[layer]
        made = torch.zeros_like(features)
        for share, each in zip(seen.regions.everywhere(*features.shape[2:]), patches, strict=True):
            made += swap(features, each, tones=tones, budget_mb=budget).mul_(share.to(features.dtype))
        if options.moments == "style":
            impose_moments(made, stack_rows([each.moments for each in patches]), regions=seen.regions)
        return features.lerp_(made, options.alpha)

    def _inverted(self, target: Tensor, inside: Mapping[str, Moments], seen: Pass[StyleStats]) -> Iterator[Painted]:
        """Pictures whose features come ever nearer to `target`; the net's own where nothing refines it."""
        decoder, layer, plan = self.decoder, self.options.layer, seen.prepared.plan
        if decoder is None:
            picture = seen.photo.clone()  # it is moved in place, and may be the caller's own
        else:
            made = seen.strips.run(lambda n: decoder.paint({layer: target}, inside, seen.regions, values=n))
            picture = made.clamp_(0, 1).contiguous()
        if plan is None:
            yield Painted(picture)
        else:
            yield from self.refiner.steps(target, picture, plan, self.options.descent(seen.size))

    def feature_errors(self, content: Tensor) -> dict[str, float]:
        """``‖Φ(f(H))−H‖ / ‖H‖`` of the photo's features, the first style's, and the swapped ones.

        Optimisation begins from mid-grey where the features are a picture's own, or it would begin at the answer.
        """
        layer, size = self.options.layer, self.recipe.size or max(content.shape[2:])
        stats, plan = self.encode_styles([size], apart=False)[size], self.refiner.plan((size, size), size)
        own, style = self.fitted(content.to(self.device), size), self._fitted_style(self.styles[0], size)
        errors: dict[str, float] = {}
        for kind, picture in {"photo": own, "painting": style, "swapped": own}.items():
            seen = self.unframed(picture, size, stats)
            seen.prepared = _Prepared(plan, tone(seen.photo, *self._positions(seen.photo.shape)))
            if kind == "swapped":
                target, alpha = self._swapped(seen, VALUES), self.options.alpha
            else:
                target, alpha = self.encoder(seen.photo, (layer,))[layer], 0.0
            inside = moments_inside(stats.mixed, self.encoder, seen.photo, self._inject, alpha)
            if kind != "swapped":
                seen.photo = torch.full_like(seen.photo, 0.5)
            (made,) = deque(self._inverted(target, inside, seen), maxlen=1)
            errors[kind] = relative_distance(self.encoder(made.picture, (layer,))[layer], target)
        return errors

    def _encoded(self, style: Tensor, size: int, *, apart: bool) -> tuple[Tensor, Tensor, dict[str, Moments]]:
        """A style's features, their tones, and its moments, at a size."""
        layer = self.options.layer
        seen = self._fitted_style(style, size)
        # Every style's patches stay, and those of the smaller sizes, each a quarter of the one before.
        kept = len(self.styles) * 4 / 3 * self.encoder.features_cost((layer,))
        refined = self.refiner.cost((seen.shape[2], seen.shape[3]), size) if size == self._largest else Cost()
        strips = self.plan_style(seen, self.encoder.encode_cost((layer,)), kept, refined, apart=apart)
        features, moments = strips.run(lambda values: self.encoder.measure(seen, (layer,), self._inject, values))
        return features[layer], tone(seen, *features[layer].shape[2:]), moments

    def _fitted_style(self, style: Tensor, size: int) -> Tensor:
        fitted = fitted_style(style, size, self.options)
        if not self.options.style_upscale or min(fitted.shape[2:]) >= self.min_side:
            return fitted
        return fit(style, math.ceil(self.min_side * max(style.shape[2:]) / min(style.shape[2:])))

    def _patches(self, features: Sequence[Tensor], tones: Sequence[Tensor], shares: Sequence[float]) -> SwapStyle:
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
        """Layers whose moments the net imposes on the way up."""
        return self.decoder.spec.inject if self.decoder else ()

    def _positions(self, shape: Sequence[int]) -> Size:
        """Height and width of a picture's features, of its shape N×3×H×W."""
        return shape[2] // self.frame.unit, shape[3] // self.frame.unit
