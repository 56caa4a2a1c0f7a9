"""Painting by adaptive instance normalisation: Huang & Belongie 2017, "Arbitrary Style Transfer in Real-time"."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from ...encoders.vgg import VGG
from ...errors import RequestError
from ...images.geometry import resize
from ...losses.functional import relative_distance
from ...nets.decoder import LAYERS
from ...painter import Painter, Regions, Step
from ...recipe import Recipe
from ...runtime import compute_dtype, keep_freed_memory
from ...strips import VALUES
from ...transforms.adain import Moments
from ...weights.load import load
from ..fitting import covered, covered_regions, fitted_photo
from ..within import Strips
from .inverse import (
    ADAIN_KIND,
    MARGIN,
    each_apart,
    encoded,
    fitted_style,
    load_inverse,
    mixed_moments,
    strips_for,
    towards,
    transformed,
)
from .options import AdainOptions


def bind(recipe: Recipe, styles: Sequence[Tensor], device: torch.device) -> AdainPainter:
    """Load encoder and decoder, and encode the styles."""
    return AdainPainter(recipe, styles, device)


class AdainPainter(Painter):
    """One pass: encode, give the features the styles' moments, decode."""

    def __init__(self, recipe: Recipe, styles: Sequence[Tensor], device: torch.device) -> None:
        options = recipe.options
        if not isinstance(options, AdainOptions):
            raise RequestError(f"recipe holds {type(options).__name__}; expected AdainOptions")
        if not styles:
            raise RequestError("no style picture; give at least one")
        self.options, self.device = options, device
        weights = load(recipe.encoder, until=LAYERS[-1])
        dtype = compute_dtype(device, recipe.precision)
        net = load_inverse(options.net, kind=ADAIN_KIND, weights=weights, layer=None, device=device, dtype=dtype)
        self.decoder, self.spec = net.decoder, net.decoder.spec
        self.encoder = VGG(weights, device=device, dtype=dtype, until=self.spec.layer, **net.encoder)
        nets = {**recipe.nets, recipe.encoder: weights.sha256, options.net: net.sha256}
        self.recipe = recipe.model_copy(update={"nets": nets})
        keep_freed_memory()
        self._styles = [style.to(device) for style in styles]
        self._found = [self._moments_of(style) for style in self._styles]
        self._moments = mixed_moments(self._found, recipe.style_shares(), self.spec.style_layers)

    def paint(self, content: Tensor, regions: Regions | None = None) -> Iterator[Step]:
        """Paint; see `Painter.paint`. One step."""
        photo, given = fitted_photo(content.to(self.device), self.recipe.size)
        where = covered_regions(regions, photo, self.spec.stride, margin=MARGIN)
        photo, (rows, columns) = covered(photo, self.spec.stride, margin=MARGIN)
        plan = self._strips(photo)
        picture = plan.run(lambda values: self._painted(photo, self.options.alpha, where, values))
        yield Step(resize(picture[:, :, rows, columns], *given), 1, 1, note=plan.note)

    def _strips(self, photo: Tensor) -> Strips:
        layers, memory = self.spec.content_layers, self.recipe.memory
        return strips_for(photo, self.encoder, memory, layers=layers, decoder=self.decoder)

    def _fitted_style(self, style: Tensor) -> Tensor:
        return fitted_style(style, self.recipe.size, self.options)

    def _moments_of(self, style: Tensor) -> Mapping[str, Moments]:
        style = self._fitted_style(style)

        def work(values: int) -> Mapping[str, Moments]:
            return encoded(self.encoder, style, (), self.spec.style_layers, values)[1]

        later, memory = self.spec.content_layers, self.recipe.memory
        return strips_for(style, self.encoder, memory, decoder=self.decoder, later=later).run(work)

    @torch.no_grad()
    def _painted(self, photo: Tensor, alpha: float, regions: Regions | None = None, values: int = VALUES) -> Tensor:
        styles = self._moments if regions is None else each_apart(self._found)
        manner = towards(styles, self.encoder, photo, self.spec.inject, alpha, values)
        inputs = transformed(self.decoder, self.encoder, photo, styles, alpha, regions, values)
        return self.decoder.paint(inputs, manner, regions, values=values).clamp_(0, 1).contiguous()

    def feature_errors(self, content: Tensor) -> dict[str, float]:
        """``‖Φ(f(H))−H‖ / ‖H‖`` of the photo's features, the first style's, and the photo's transformed ones."""
        photo, _ = fitted_photo(content.to(self.device), self.recipe.size)
        layer = self.spec.layer
        errors: dict[str, float] = {}
        for kind, picture, alpha in (
            ("photo", photo, 0.0),
            ("painting", self._fitted_style(self._styles[0]), 0.0),
            ("transformed", photo, self.options.alpha),
        ):
            covering, _ = covered(picture, self.spec.stride)
            target = transformed(self.decoder, self.encoder, covering, self._moments, alpha)[layer]
            made = self._painted(covering, alpha)
            errors[kind] = relative_distance(self.encoder(made, (layer,))[layer], target)
        return errors
