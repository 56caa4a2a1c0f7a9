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
"""Pixels outside the margin that are encoded but not decoded: zero padding affects their features most."""


@dataclass(frozen=True)
class AdainNets(Nets):
    """The encoder, and the decoder of its features."""

    encoder: VGG
    net: TrainedDecoder


def load(recipe: Recipe, loader: Loader) -> AdainNets:
    """Load the encoder and the decoder."""
    name = options_of(recipe, AdainOptions).net
    weights = loader.weights(recipe.encoder, LAYERS[-1])
    net = loader.decoder(name, kind=ADAIN_KIND, weights=weights, layer=None)
    encoder = loader.encoder(weights, net.decoder.spec.layer, **net.encoder)
    return AdainNets(loader.device, loader.dtype, {recipe.encoder: weights.sha256, name: net.sha256}, encoder, net)


@dataclass(frozen=True)
class StyleStats:
    """Statistics of the styles, by layer.

    Attributes:
        apart: moments of each style.
        mixed: their mean, weighted by the recipe's shares.
        roots: square roots of the mixed correlations, see `correlation_root`.
    """

    apart: Sequence[Mapping[str, Moments]]
    mixed: Mapping[str, Moments]
    roots: Mapping[str, Tensor]


class AdainPainter(OnePassPainter[StyleStats]):
    """Encodes the photo, gives its features the moments of the styles, and decodes them."""

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
        """Measure the moments of the styles' features; see `OnePassPainter.encode`."""
        layers, correlated = self.spec.style_layers, self.spec.content_layers if self.covariance else ()
        found: list[Mapping[str, Moments]] = []
        for style in self.styles:
            fitted = fitted_style(style, size, self.options)
            strips = self.plan_style(fitted, self.encoder.encode_cost(()), apart=apart)
            found.append(
                strips.run(lambda n, fitted=fitted: self.encoder.measure(fitted, (), layers, n, correlated)[1])
            )
        mixed = mix_moments(found, self.recipe.style_shares(), layers)
        return StyleStats(
            found, mixed, {layer: correlation_root(mixed[layer], self.covariance) for layer in correlated}
        )

    def cost(self, size: Size, stats: StyleStats | None, *, apart: bool) -> Cost:  # noqa: ARG002 (alike in each case)
        """Memory of the encoder, then the decoder, and the picture; see `OnePassPainter.cost`."""
        return (self.encoder.encode_cost(self.spec.content_layers) | self.decoder.cost) + PICTURE

    def work(self, size: Size) -> float:
        """See `OnePassPainter.work`."""
        return self.encoder.work(self.spec.content_layers) * size[0] * size[1] + self.decoder.work(size)

    def encode_work(self, size: int) -> float:
        """See `OnePassPainter.encode_work`."""
        pixels = sum(math.prod(style_size(style, size, self.options)) for style in self.styles)
        return self.encoder.work(self.spec.style_layers) * pixels

    def pictures(self, pass_: Pass[StyleStats]) -> Iterator[Painted]:
        """See `OnePassPainter.pictures`."""
        yield Painted(pass_.strips.run(partial(self._decode, pass_)))

    @torch.no_grad()
    def _decode(self, pass_: Pass[StyleStats], values: int = VALUES, alpha: float | None = None) -> Tensor:
        """Paint one picture; `alpha` replaces that of the options."""
        alpha, stats, layers = self.options.alpha if alpha is None else alpha, pass_.stats, self.spec.content_layers
        styles, roots = (stats.mixed, stats.roots) if pass_.regions is None else (stack_moments(stats.apart), None)
        inside = moments_inside(styles, self.encoder, pass_.photo, self.spec.inject, alpha, values)
        # 1. Encode the photo.
        features = _without_border(self.encoder.encode(pass_.photo, layers, values), pass_.outer)
        # 2. Give its features the moments of the styles.
        transform(features, styles, self.covariance, alpha, pass_.regions, roots)
        # 3. Decode them.
        return self.decoder.paint(features, inside, pass_.regions, values=values).clamp_(0, 1).contiguous()

    def feature_errors(self, content: Tensor) -> dict[str, float]:
        """Measure how well the decoder f inverts the encoder Φ: ``‖Φ(f(H)) − H‖ / ‖H‖`` for three features H.

        Args:
            content: the photograph, 1×3×H×W.

        Returns:
            The error for the features of the ``photo``, of the first style (``painting``), and for the photo's
            features with the style's moments (``transformed``).
        """
        size = self.recipe.size or max(content.shape[2:])
        photo, style = self.fitted(content.to(self.device), size), fitted_style(self.styles[0], size, self.options)
        layer, stats = self.spec.layer, self.encode_styles([size], apart=False)[size]
        errors: dict[str, float] = {}
        for kind, picture, alpha in (
            ("photo", photo, 0.0),
            ("painting", style, 0.0),
            ("transformed", photo, self.options.alpha),
        ):
            pass_ = self.unframed(picture, size, stats)
            target = self.encoder.encode(pass_.photo, self.spec.content_layers)
            transform(target, stats.mixed, self.covariance, alpha)
            made = self._decode(pass_, alpha=alpha)
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
    """Give a photo's features the style's moments and a share of its correlations, in place.

    Args:
        features: 1×C×H×W by layer.
        styles: moments by layer, a row for each of `regions`.
        covariance: share of the correlations, 0 to 1; 0 as in the paper.
        alpha: share of the result; the rest is the photo's own features.
        regions: where each row of moments applies.
        roots: square roots of the correlations by layer, if they are known; see `correlation_root`.
    """
    for layer, x in features.items():
        if covariance:
            root = roots[layer] if roots else None
            impose_correlations(x, styles[layer], covariance, alpha, regions, root=root)
        else:
            impose_moments(x, styles[layer], alpha, regions)


def _without_border(features: dict[str, Tensor], outer: int) -> dict[str, Tensor]:
    """Cut the features of `outer` pixels off all sides. The dictionary is changed, so uncut features are freed."""
    for layer, x in features.items():
        if cut := outer // layer_stride(layer):
            features[layer] = x[:, :, cut:-cut, cut:-cut].contiguous(memory_format=torch.channels_last)
    return features
