"""Painting by adaptive instance normalisation: Huang & Belongie 2017, "Arbitrary Style Transfer in Real-time"."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...encoders.vgg import VGG
from ...errors import RequestError
from ...images.geometry import fitted_size, resize
from ...images.grain import grained
from ...losses.functional import relative_distance
from ...nets.decoder import LAYERS, Decoder
from ...nets.descreen import descreened
from ...nets.files import ADAIN_KIND, load_decoder
from ...painter import Painter, Regions, Step
from ...recipe import Recipe
from ...runtime import compute_dtype, keep_freed_memory
from ...statistics.moments import Moments
from ...statistics.transfer import impose_correlations, impose_moments, mix_moments, stack_moments
from ...statistics.transport import correlation_root
from ...strips import VALUES
from ...weights.layers import layer_stride
from ...weights.load import load
from ..common.any_style import MARGIN, fitted_style, moments_inside
from ..common.fitting import covered, covered_regions, fitted_photo
from ..common.scales import coarse_to_fine, scales
from ..common.within import Strips, held, strips_for
from .options import AdainOptions

OUTER = 8
"""Pixels mirrored around the margin whose features the net is not given: they show the zeros beyond the border."""


def bind(recipe: Recipe, styles: Sequence[Tensor], device: torch.device) -> AdainPainter:
    """Load encoder and decoder, and encode the styles."""
    return AdainPainter(recipe, styles, device)


@dataclass(frozen=True)
class StyleStats:
    """The styles' moments by layer, as seen beside a picture of one size: each style's, and mixed by weight.

    And the roots of their mixed correlations, where these count.
    """

    apart: Sequence[Mapping[str, Moments]]
    mixed: Mapping[str, Moments]
    roots: Mapping[str, Tensor]


class AdainPainter(Painter):
    """Encode, give the features the styles' moments, decode; a large picture from coarse to fine."""

    def __init__(self, recipe: Recipe, styles: Sequence[Tensor], device: torch.device) -> None:
        options = recipe.options
        if not isinstance(options, AdainOptions):
            raise RequestError(f"recipe holds {type(options).__name__}; expected AdainOptions")
        if not styles:
            raise RequestError("no style picture; give at least one")
        self.options, self.device = options, device
        weights = load(recipe.encoder, until=LAYERS[-1])
        dtype = compute_dtype(device, recipe.precision)
        net = load_decoder(options.net, kind=ADAIN_KIND, weights=weights, layer=None, device=device, dtype=dtype)
        self.decoder, self.spec = net.decoder, net.decoder.spec
        self.encoder = VGG(weights, device=device, dtype=dtype, until=self.spec.layer, **net.encoder)
        self._covariance = net.covariance if options.covariance is None else options.covariance
        nets = {**recipe.nets, recipe.encoder: weights.sha256, options.net: net.sha256}
        self.recipe = recipe.model_copy(update={"nets": nets})
        keep_freed_memory()
        self._styles = [style.to(device) for style in styles]
        self._manners: dict[int, StyleStats] = {}
        if recipe.size:
            self._encode(scales(recipe.size, options.style_scale))

    def paint(self, content: Tensor, regions: Regions | None = None) -> Iterator[Step]:
        """Paint; see `Painter.paint`. One step."""
        content = content.to(self.device)
        final = self.recipe.size or max(content.shape[2:])
        sizes = scales(final, self.options.style_scale)
        self._encode(sizes)
        height, width = content.shape[2:]
        given = fitted_size(height, width, final)
        largest = sizes[-1]
        if len(sizes) > 1:  # refused, if at all, before the passes of less memory
            self._strips(content.new_empty(1).expand(1, 3, *given))

        def fitted(photo: Tensor, size: int) -> Tensor:
            return fitted_photo(photo, size)[0]

        def coarse(photo: Tensor, size: int) -> Tensor:
            return self._once(photo, size, regions)[0]

        # Handed over, not held: a large picture is let go as soon as it is used.
        picture, note = self._once(coarse_to_fine(content, sizes, fitted, coarse), largest, regions)
        yield Step(resize(picture, *given), 1, 1, note=note)

    def _once(self, photo: Tensor, size: int, regions: Regions | None) -> tuple[Tensor, str]:
        """A picture painted in one pass, and what is worth telling of it."""
        photo = grained(photo, self.options.grain * self.options.alpha, self.recipe.seed)
        outer = OUTER if min(photo.shape[2:]) > MARGIN + OUTER else 0  # a sliver has not so much to mirror
        where = covered_regions(regions, photo, self.spec.stride, margin=MARGIN)
        photo, place = covered(photo, self.spec.stride, margin=MARGIN + outer)
        plan, manner = self._strips(photo), self._manners[size]
        picture = plan.run(lambda values: self._painted(photo, manner, self.options.alpha, where, values, outer))
        if self.options.descreen:
            picture = descreened(picture, self.spec.grid).clamp_(0, 1)
        rows, columns = (slice(each.start - outer, each.stop - outer) for each in place)
        return picture[:, :, rows, columns], plan.note

    def _encode(self, sizes: Sequence[int]) -> None:
        """Have the styles encoded as they are seen beside pictures of these sizes, and of no others."""
        for size in self._manners.keys() - set(sizes):
            del self._manners[size]
        for size in reversed(sizes):  # the largest first: a budget too small is told what does for all
            if size not in self._manners:
                apart = [self._moments_of(fitted_style(style, size, self.options)) for style in self._styles]
                mixed = mix_moments(apart, self.recipe.style_shares(), self.spec.style_layers)
                roots = {layer: correlation_root(mixed[layer], self._covariance) for layer in self._correlated}
                self._manners[size] = StyleStats(apart, mixed, roots)

    def _strips(self, photo: Tensor) -> Strips:
        return strips_for(photo, self.encoder, self.recipe.memory, self._held(photo))

    def _held(self, photo: Tensor) -> float:
        """Bytes that painting holds beside its strips."""
        return held(photo, self.encoder, self.spec.content_layers, decoder=self.decoder)

    @property
    def _correlated(self) -> tuple[str, ...]:
        """Layers whose channels' correlations count."""
        return self.spec.content_layers if self._covariance else ()

    def _moments_of(self, style: Tensor) -> Mapping[str, Moments]:
        def work(values: int) -> Mapping[str, Moments]:
            return self.encoder.measure(style, (), self.spec.style_layers, values, self._correlated)[1]

        now, later = held(style, self.encoder), self._held(style)
        return strips_for(style, self.encoder, self.recipe.memory, now, later).run(work)

    @torch.no_grad()
    def _painted(
        self,
        photo: Tensor,
        manner: StyleStats,
        alpha: float,
        regions: Regions | None = None,
        values: int = VALUES,
        outer: int = 0,
    ) -> Tensor:
        """The picture of all of the photo but `outer` pixels on each side; `regions` are those of that part."""
        styles, roots = (manner.mixed, manner.roots) if regions is None else (stack_moments(manner.apart), None)
        inside = moments_inside(styles, self.encoder, photo, self.spec.inject, alpha, values)
        inputs = transformed(
            self.decoder, self.encoder, photo, styles, alpha, regions, values, self._covariance, roots, outer
        )
        return self.decoder.paint(inputs, inside, regions, values=values).clamp_(0, 1).contiguous()

    def feature_errors(self, content: Tensor) -> dict[str, float]:
        """``‖Φ(f(H))−H‖ / ‖H‖`` of the photo's features, the first style's, and the photo's transformed ones."""
        size = self.recipe.size or max(content.shape[2:])
        photo, _ = fitted_photo(content.to(self.device), size)
        style = fitted_style(self._styles[0], size, self.options)
        self._encode([size])
        layer, manner = self.spec.layer, self._manners[size]
        errors: dict[str, float] = {}
        for kind, picture, alpha in (
            ("photo", photo, 0.0),
            ("painting", style, 0.0),
            ("transformed", photo, self.options.alpha),
        ):
            covering, _ = covered(picture, self.spec.stride)
            target = transformed(
                self.decoder, self.encoder, covering, manner.mixed, alpha, covariance=self._covariance
            )
            made = self._painted(covering, manner, alpha)
            errors[kind] = relative_distance(self.encoder(made, (layer,))[layer], target[layer])
        return errors


def transformed(
    decoder: Decoder,
    vgg: VGG,
    photo: Tensor,
    styles: Mapping[str, Moments],
    alpha: float = 1.0,
    regions: Regions | None = None,
    values: int = VALUES,
    covariance: float = 0.0,
    roots: Mapping[str, Tensor] | None = None,
    outer: int = 0,
) -> dict[str, Tensor]:
    """What AdaIN's decoder wants of a photo: its features with the style's moments, by layer.

    With `regions`, which are of what is left of the photo, `styles` has a row of moments for each; with `covariance`,
    correlations too, whose `roots` may be known. `outer` pixels of the photo are left out on all sides.
    """
    layers = decoder.spec.content_layers
    features = vgg.encode(photo, layers, values)
    for layer in layers:
        if cut := outer // layer_stride(layer):
            inner = features[layer][:, :, cut:-cut, cut:-cut]
            features[layer] = inner.contiguous(memory_format=torch.channels_last)
        if covariance:
            impose_correlations(
                features[layer], styles[layer], covariance, alpha, regions, root=roots[layer] if roots else None
            )
        else:
            impose_moments(features[layer], styles[layer], alpha, regions)
    return features
