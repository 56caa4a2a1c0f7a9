"""Matches of a picture's positions with those of the styles, which are in one table.

A hypercolumn is the features of several layers at one position, joined (Kolkin et al. 2022, section 3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ...encoders.tiles import encode_tiles
from ...encoders.vgg import VGG
from ...losses.nearest import Subgrid
from ...matching.columns import (
    STORED,
    STRIDE,
    Hypercolumns,
    StyleColumns,
    channel_gains,
    channel_slices,
    layer_lengths,
    nearest_samples,
    scale_columns,
)
from ...matching.styles import Search, SwapStyle, prepare
from ...matching.swap import candidates, choose_styles, match_patches
from ...memory import give_back_freed_memory
from ...painter import Regions
from ...statistics.moments import RunningMoments
from ...weights.layers import layer_stride

PICTURE_SAMPLES = 4096
"""Most positions of a picture's layer that are matched when each layer is matched by itself."""


MOMENT_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
"""Layers whose means and deviations are kept."""

STYLE_SAMPLES = 8192
"""Positions of a style's layer that are candidates when each layer is matched by itself, about."""


@torch.no_grad()
def encode_style(
    encoder: VGG, picture: Tensor, layers: Mapping[str, float], seed: int, tile: int | None
) -> StyleColumns:
    """Encode a style picture: its hypercolumns, samples of each layer, and its moments at `MOMENT_LAYERS`.

    Args:
        encoder: one that pads by reflection. Otherwise the photo's border would be matched with the style's.
        picture: 1×3×H×W in [0, 1].
        layers: weight of each canonical layer.
        seed: seed of the random samples.
        tile: side in pixels of the tiles to encode in; None for the whole picture.
    """
    found = Hypercolumns(encoder, picture, list(layers), tile)
    columns, mean = found.whole(), found.mean
    places = channel_slices(encoder, list(layers))
    sizes = layer_lengths(columns, mean, places)
    gathered = {layer: RunningMoments() for layer in MOMENT_LAYERS}
    drawn = {layer: list[Tensor]() for layer in layers}
    generator = torch.Generator().manual_seed(seed)
    for each in encode_tiles(encoder, picture, {*layers, *MOMENT_LAYERS}, tile):
        for layer, part in each.items():
            if layer in gathered:
                gathered[layer].add(part.features)
            if layer in drawn:
                rows = part.features[0].permute(1, 2, 0).flatten(0, 1)
                share = -(-STYLE_SAMPLES * len(rows) // (part.size[0] * part.size[1]))
                some = torch.randperm(len(rows), generator=generator)[:share].to(rows.device)
                drawn[layer].append(rows[some])
    samples = {
        layer: F.normalize(torch.cat(rows).float() - mean[places[layer]], dim=1).to(STORED)
        for layer, rows in drawn.items()
    }
    stats = {layer: each.moments() for layer, each in gathered.items()}
    moments = {layer: (each.mean.flatten(), each.std.flatten()) for layer, each in stats.items()}
    gains = channel_gains(sizes, layers, places, picture.device)
    return StyleColumns(scale_columns(columns, mean, gains), mean, sizes, samples, moments)


class StyleTable:
    """The positions of several styles in one table.

    Args:
        styles: encoded styles in the recipe's order; turned copies of a style are entries of their own.
        owners: for each entry, the number of its style in the recipe.
        weights: weight of each entry; they need not sum to 1.
        encoder: the encoder that they were encoded with.
        layers: weight of each canonical layer.
        search: see `prepare`.
        seed: see `prepare`.
    """

    def __init__(
        self,
        styles: Sequence[StyleColumns],
        owners: Sequence[int],
        weights: Sequence[float],
        encoder: VGG,
        layers: Mapping[str, float],
        *,
        search: Search = "auto",
        seed: int = 0,
    ) -> None:
        self.places = channel_slices(encoder, list(layers))
        self._owners, self._dtype = owners, encoder.dtype
        self._swap = prepare(
            [style.columns for style in styles], weights, patch=1, search=search, seed=seed, dtype=encoder.dtype
        )
        total = sum(weights)
        shares = [weight / total for weight in weights]
        device = self._swap.table.device
        self._means = torch.stack([style.mean for style in styles])
        self._ends = torch.tensor([source.offset for source in self._swap.sources[1:]], device=device)
        mixed = {
            layer: sum(share * style.lengths[layer] for share, style in zip(shares, styles, strict=True))
            for layer in layers
        }
        self.gains = channel_gains(mixed, layers, self.places, device)
        self.samples = {layer: torch.cat([style.samples[layer] for style in styles]) for layer in layers}
        self._counts = {layer: [len(style.samples[layer]) for style in styles] for layer in layers}
        self.mixture = torch.einsum("s,sc->c", self._means.new_tensor(shares), self._means)

    def match(self, columns: Hypercolumns, regions: Regions | None, budget_mb: float) -> Tensor:
        """Find the row of the table that is most similar to each position of a picture.

        Args:
            columns: the picture's hypercolumns.
            regions: where each style applies; a position is matched with the style that has the largest share there.
            budget_mb: memory for the search in MB.

        Returns:
            Rows of the table, h×w int64.
        """
        # Decided by the whole picture, not by each band.
        search: Search = "patchmatch" if self._swap.is_approximate(*columns.size) else "exact"
        swap = replace(self._swap, search=search)
        rows = torch.zeros(columns.size, dtype=torch.int64, device=swap.table.device)
        chosen = None if regions is None else regions.everywhere(*columns.size).argmax(0)[0]
        several = chosen is None and len(swap.sources) > 1
        bests: list[tuple[Tensor, Tensor]] = []
        for where, band in columns.bands():
            if band.shape[2] < columns.size[0]:  # blocks of the tiles' features are of no use to the match
                give_back_freed_memory()
            band = scale_columns(band, columns.mean, self.gains)
            if chosen is not None:
                rows[where] = self._match_regions(band, swap, chosen[where], budget_mb)
            elif several:
                bests.append(candidates(band, swap, budget_mb=budget_mb))
            else:
                rows[where] = match_patches(band, swap, budget_mb=budget_mb)[0]
        if several:
            scores, found = (torch.cat(parts, 1) for parts in zip(*bests, strict=True))
            rows = choose_styles(scores, found, swap.weights)
        return rows

    def _match_regions(self, columns: Tensor, swap: SwapStyle, chosen: Tensor, budget_mb: float) -> Tensor:
        """Match hypercolumns, 1×C×h×w, each with the style whose number is in `chosen`, h×w."""
        rows = torch.zeros_like(chosen)
        for style in sorted(set(self._owners)):
            here = chosen == style
            if here.any():
                found = match_patches(columns, self._only_style(swap, style), budget_mb=budget_mb)[0]
                rows = torch.where(here, found, rows)
        return rows

    def _only_style(self, swap: SwapStyle, style: int) -> SwapStyle:
        """Return the part of the table that belongs to one style of the recipe."""
        pairs = zip(swap.sources, self._owners, strict=True)
        sources = tuple(source for source, owner in pairs if owner == style)
        return replace(swap, sources=sources, weights=(1 / len(sources),) * len(sources))

    def source_of(self, rows: Tensor) -> Tensor:
        """Return the number of the entry (a style, or a turned copy) that rows of the table belong to."""
        return torch.bucketize(rows, self._ends, right=True)

    def means_of(self, layer: str, sources: Tensor) -> Tensor:
        """Return the mean features of entries at a layer, which directions start from: …×C, or C for one entry."""
        means = self._means[:, self.places[layer]]
        return means[0] if len(means) == 1 else means[sources]

    def directions(self, layer: str, rows: Tensor) -> Tensor:
        """Return the features of a layer at rows of the table, minus the style's mean, of length 1: …×C float32."""
        return F.normalize(self._swap.table[:, self.places[layer]][rows].float(), dim=-1)

    def match_layer(self, layer: str, features: Tensor, sources: Tensor) -> Tensor:
        """Find the most similar sample of a layer.

        Args:
            layer: the layer.
            features: features of the picture at P positions, P×C.
            sources: for each position, the entry whose samples are candidates, P.

        Returns:
            Numbers of samples, P int64.
        """
        found = torch.zeros(len(features), dtype=torch.int64, device=features.device)
        first = 0
        for number, count in enumerate(self._counts[layer]):
            here = (sources == number).nonzero()[:, 0]
            if len(here):
                directions = features[here].float() - self._means[number, self.places[layer]]
                found[here] = first + nearest_samples(
                    directions, self.samples[layer][first : first + count], self._dtype
                )
            first += count
        return found


@dataclass
class Matches:
    """The matches of a picture's positions.

    Attributes:
        rows: the row of the table for each position of the picture's hypercolumns, h×w.
        layers: if each layer is matched by itself: by layer, the positions that are matched, and the number of the
            style's sample for each of them. Otherwise empty.
    """

    rows: Tensor
    layers: dict[str, tuple[Subgrid, Tensor]]


def match_picture(
    encoder: VGG, picture: Tensor, table: StyleTable, regions: Regions | None, budget_mb: float, tile: int | None
) -> Matches:
    """Match the hypercolumns of a picture with those of the styles.

    Args:
        encoder: the encoder of the losses.
        picture: 1×3×H×W in [0, 1].
        table: the styles.
        regions: see `StyleTable.match`.
        budget_mb: see `StyleTable.match`. As much again is used for hypercolumns.
        tile: side in pixels of the tiles to encode in; None for the whole picture.
    """
    columns = Hypercolumns(encoder, picture, list(table.places), tile, most=values_within(budget_mb))
    return Matches(table.match(columns, regions, budget_mb), {})


def values_within(budget_mb: float) -> int:
    """Return how many values of hypercolumns fit this many MiB."""
    return int(budget_mb * 2**20 / STORED.itemsize)


def lattice_for(layer_size: tuple[int, int], generator: torch.Generator) -> Subgrid:
    """Choose evenly spaced positions of a layer, at most `PICTURE_SAMPLES`, beginning at a random one."""
    height, width = layer_size
    step = 1
    while -(-height // step) * -(-width // step) > PICTURE_SAMPLES:
        step += 1
    top, left = (int(torch.randint(min(step, side), (), generator=generator)) for side in (height, width))
    return Subgrid(step, top, left)


def rows_at(rows: Tensor, layer: str, lattice: Subgrid, layer_size: tuple[int, int]) -> Tensor:
    """Return the rows of the table at the positions of a layer that are matched.

    Args:
        rows: the row of the table for each position of the hypercolumns, h×w.
        layer: the layer.
        lattice: the positions of the layer.
        layer_size: height and width of the layer's features.
    """
    stride = layer_stride(layer)
    down, along = (
        torch.arange(offset, side, lattice.step, device=rows.device)
        .mul_(stride)
        .div_(STRIDE, rounding_mode="floor")
        .clamp_(max=most - 1)
        for offset, side, most in zip((lattice.top, lattice.left), layer_size, rows.shape, strict=True)
    )
    return rows[down][:, along]
