"""The objective of a picture that is too large to be encoded at once.

A style loss is a function of sums over all positions of a layer (`Term.gather`). The first pass encodes the picture
tile by tile and adds these sums up. They give the losses (`Term.settle`) and the gradient at each position, which
needs only the features there. The second pass encodes each tile again, takes the gradient back to the pixels of the
tile and its halo, and adds it to the picture's gradient. Every position is in one tile and is encoded exactly. So the
result is the gradient of the whole picture, and no borders of tiles are visible.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from ..encoders.layers import Tap
from ..encoders.tiles import Part, Tile, cut_tiles, encode_tiles
from ..encoders.vgg import VGG
from .objective import NormalisedGradient, Objective, Slope, Term, TVTerm, l1_norm


class TiledObjective(Objective):
    """An `Objective` that needs only the memory of a tile. Losses and gradient are the same up to rounding.

    Attributes:
        tile: approximate side of a tile in pixels; None for the whole picture. It may be changed between calls.
    """

    def __init__(
        self,
        encoder: VGG,
        terms: Sequence[Term],
        tv: TVTerm | None = None,
        range_weight: float = 0.0,
        *,
        tile: int | None = None,
    ) -> None:
        super().__init__(encoder, terms, tv, range_weight)
        self.tile = tile
        self._layers = frozenset(term.layer for term in self.terms)

    def _of_features(self, image: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        tiles = cut_tiles(self.encoder.spec, self._layers, image.shape[2], image.shape[3], self.tile)
        if len(tiles) == 1:
            return super()._of_features(image)
        sums: dict[int, tuple[Tensor, ...]] = {}
        sizes: dict[str, tuple[int, int]] = {}
        for found in self._parts(image):
            for number, term in enumerate(self.terms):
                part = found[term.layer]
                partial_sums = term.gather(part)
                sums[number] = tuple(map(torch.add, sums[number], partial_sums)) if number in sums else partial_sums
                sizes[term.layer] = part.size
        losses: dict[str, Tensor] = {}
        slopes: list[Slope] = []
        for number, term in enumerate(self.terms):
            loss, slope = term.settle(sums[number], sizes[term.layer])
            losses[term.kind] = losses.get(term.kind, 0) + loss
            slopes.append(slope)
        slopes = self._normalised(image, slopes)
        gradient = torch.zeros_like(image)
        for tile in tiles:
            tile.pixels(gradient).add_(self._gradient(tile, image, slopes))
        return losses, gradient

    def _parts(self, image: Tensor) -> Iterator[dict[str, Part]]:
        return encode_tiles(self.encoder, image, self._layers, self.tile)

    def _normalised(self, image: Tensor, slopes: list[Slope]) -> list[Slope]:
        """Scale normalised gradients, whose norms over the whole picture need a pass of their own."""
        scaled = {n: term for n, term in enumerate(self.terms) if isinstance(term, NormalisedGradient)}
        if not scaled:
            return slopes
        norms = {number: image.new_zeros(()) for number in scaled}
        for found in self._parts(image):
            for number, term in scaled.items():
                norms[number] += l1_norm(slopes[number], found[term.layer])
        return [
            scaled[number].scaled(slope, norms[number]) if number in scaled else slope
            for number, slope in enumerate(slopes)
        ]

    def _gradient(self, tile: Tile, image: Tensor, slopes: Sequence[Slope]) -> Tensor:
        """The gradient of the losses at the tile's positions with respect to its crop."""
        features, pullback = self.encoder.vjp(tile.pixels(image), self._layers)
        taps: dict[str, Tap] = {}
        for layer, found in features.items():
            own = [slope for term, slope in zip(self.terms, slopes, strict=True) if term.layer == layer]
            taps[layer] = functools.partial(_tap, tile, layer, found, tile.part(layer, found, self.encoder.spec), own)
        del features
        return pullback(taps)


def _tap(
    tile: Tile, layer: str, features: Tensor, part: Part, slopes: Sequence[Slope], gradient: Tensor | None
) -> Tensor:
    """Add the slopes at the tile's own positions, and nothing in its halo."""
    if gradient is None:
        gradient = torch.zeros_like(features)
    inside = tile.inside(layer, gradient)
    for slope in slopes:
        inside.add_(slope(part, None))
    return gradient
