"""Painting by adaptive instance normalisation: Huang & Belongie 2017, "Arbitrary Style Transfer in Real-time"."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from ...encoders.vgg import VGG
from ...errors import RequestError
from ...losses.functional import relative_distance
from ...memory import PICTURE, Cost
from ...nets.decoder_spec import LAYERS
from ...nets.files import ADAIN_KIND, TrainedDecoder
from ...painter import Regions
from ...recipe import Recipe
from ...statistics.moments import Moments
from ...statistics.transfer import impose_correlations, impose_moments, mix_moments, stack_moments
from ...statistics.transport import correlation_root
from ...strips import VALUES, Size
from ...weights.layers import layer_stride
from ..common.any_style import MARGIN, fitted_style, moments_inside, style_size
from ..common.loader import Loader, Nets
from ..common.one_pass import Frame, KeptStats, OnePassPainter, Painted, Pass
from ..common.options import options_of
from .options import AdainOptions

OUTER = 8
"""Pixels around the margin whose features the net is not given: they show most of the zeros beyond the border."""


@dataclass(frozen=True)
class AdainNets(Nets):
    """The encoder, and the net that turns its features into a picture."""

    encoder: VGG
    net: TrainedDecoder


def load(recipe: Recipe, loader: Loader) -> AdainNets:
    """Load encoder and decoder."""
    name = options_of(recipe, AdainOptions).net
    weights = loader.weights(recipe.encoder, LAYERS[-1])
    net = loader.decoder(name, kind=ADAIN_KIND, weights=weights, layer=None)
    encoder = loader.encoder(weights, net.decoder.spec.layer, **net.encoder)
    return AdainNets(loader.device, loader.dtype, {recipe.encoder: weights.sha256, name: net.sha256}, encoder, net)


@dataclass(frozen=True)
class StyleStats:
    """The styles' moments by layer: each style's, and mixed by weight; and roots of the mixed correlations."""

    apart: Sequence[Mapping[str, Moments]]
    mixed: Mapping[str, Moments]
    roots: Mapping[str, Tensor]


class AdainPainter(OnePassPainter[StyleStats]):
    """Encode, give the features the styles' moments, decode."""

    apart_differs = False

    def __init__(
        self, recipe: Recipe, nets: AdainNets, styles: Sequence[Tensor], kept: KeptStats[StyleStats] | None = None
    ) -> None:
        self.options = options = options_of(recipe, AdainOptions)
        if not styles:
            raise RequestError("no style picture; give at least one")
        super().__init__(recipe, nets, styles, kept)
        self.encoder, self.decoder, self.spec = nets.encoder, nets.net.decoder, nets.net.decoder.spec
        self.covariance = nets.net.covariance if options.covariance is None else options.covariance
        self.frame = Frame(self.spec.stride, margin=MARGIN, outer=OUTER)
        self.grain = options.grain * options.alpha
        self.grid = self.spec.grid if options.descreen else 0

    def encode(self, size: int, *, apart: bool) -> StyleStats:
        """Moments of the styles' features; see `OnePassPainter.encode`."""
        layers, correlated = self.spec.style_layers, self.spec.content_layers if self.covariance else ()
        found: list[Mapping[str, Moments]] = []
        for style in self.styles:
            seen = fitted_style(style, size, self.options)
            strips = self.plan_style(seen, self.encoder.encode_cost(()), apart=apart)
            found.append(strips.run(lambda n, seen=seen: self.encoder.measure(seen, (), layers, n, correlated)[1]))
        mixed = mix_moments(found, self.recipe.style_shares(), layers)
        return StyleStats(
            found, mixed, {layer: correlation_root(mixed[layer], self.covariance) for layer in correlated}
        )

    def cost(self, size: Size, stats: StyleStats | None, *, apart: bool) -> Cost:  # noqa: ARG002 (alike in each case)
        """The photo's features, then the decoder's, and the picture; see `OnePassPainter.cost`."""
        return (self.encoder.encode_cost(self.spec.content_layers) | self.decoder.cost) + PICTURE

    def work(self, size: Size) -> float:
        """See `OnePassPainter.work`."""
        return self.encoder.work(self.spec.content_layers) * size[0] * size[1] + self.decoder.work(size)

    def encode_work(self, size: int) -> float:
        """See `OnePassPainter.encode_work`."""
        seen = sum(math.prod(style_size(style, size, self.options)) for style in self.styles)
        return self.encoder.work(self.spec.style_layers) * seen

    def pictures(self, seen: Pass[StyleStats]) -> Iterator[Painted]:
        """See `OnePassPainter.pictures`."""
        yield Painted(seen.strips.run(partial(self._painted, seen)))

    @torch.no_grad()
    def _painted(self, seen: Pass[StyleStats], values: int = VALUES, alpha: float | None = None) -> Tensor:
        """The paper's three steps."""
        alpha, stats, layers = self.options.alpha if alpha is None else alpha, seen.stats, self.spec.content_layers
        styles, roots = (stats.mixed, stats.roots) if seen.regions is None else (stack_moments(stats.apart), None)
        inside = moments_inside(styles, self.encoder, seen.photo, self.spec.inject, alpha, values)
        # 1. Encode the photo; 2. give its features the styles' moments; 3. decode them.
        features = _inner(self.encoder.encode(seen.photo, layers, values), seen.outer)
        transform(features, styles, self.covariance, alpha, seen.regions, roots)
        return self.decoder.paint(features, inside, seen.regions, values=values).clamp_(0, 1).contiguous()

    def feature_errors(self, content: Tensor) -> dict[str, float]:
        """``‖Φ(f(H))−H‖ / ‖H‖`` of the photo's features, the first style's, and the photo's transformed ones."""
        size = self.recipe.size or max(content.shape[2:])
        photo, style = self.fitted(content.to(self.device), size), fitted_style(self.styles[0], size, self.options)
        layer, stats = self.spec.layer, self.encode_styles([size], apart=False)[size]
        errors: dict[str, float] = {}
        for kind, picture, alpha in (
            ("photo", photo, 0.0),
            ("painting", style, 0.0),
            ("transformed", photo, self.options.alpha),
        ):
            seen = self.unframed(picture, size, stats)
            target = self.encoder.encode(seen.photo, self.spec.content_layers)
            transform(target, stats.mixed, self.covariance, alpha)
            made = self._painted(seen, alpha=alpha)
            errors[kind] = relative_distance(self.encoder(made, (layer,))[layer], target[layer])
        return errors


def transform(
    features: Mapping[str, Tensor],
    styles: Mapping[str, Moments],
    covariance: float,
    alpha: float = 1.0,
    regions: Regions | None = None,
    roots: Mapping[str, Tensor] | None = None,
) -> None:
    """Give a photo's features the style's moments, in place, and a share of its correlations.

    Args:
        features: 1×C×H×W by layer.
        styles: moments by layer, a row for each of `regions`.
        covariance: share of the correlations, 0 to 1; 0 is the paper's.
        alpha: share of the result; the rest is the photo's own features.
        regions: where each row of moments applies.
        roots: of the correlations by layer, where they are known.
    """
    for layer, x in features.items():
        if covariance:
            root = roots[layer] if roots else None
            impose_correlations(x, styles[layer], covariance, alpha, regions, root=root)
        else:
            impose_moments(x, styles[layer], alpha, regions)


def _inner(features: dict[str, Tensor], outer: int) -> dict[str, Tensor]:
    """Features without those of `outer` pixels on all sides. Each is freed as it is cut."""
    for layer, x in features.items():
        if cut := outer // layer_stride(layer):
            features[layer] = x[:, :, cut:-cut, cut:-cut].contiguous(memory_format=torch.channels_last)
    return features
