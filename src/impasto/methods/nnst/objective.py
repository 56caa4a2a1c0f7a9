"""The objective of nnst: directions towards matches, which are found anew on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ...encoders.tiles import encode_tiles
from ...encoders.vgg import VGG
from ...losses.nearest import DirectionTerm, SquareMeans, Subgrid
from ...losses.objective import Term
from ...losses.tiled import TiledObjective
from ...matching.columns import GRID_LAYER, STRIDE
from ...weights.layers import layer_stride
from .matched import Matches, StyleTable, lattice_for, rows_at


class MatchedObjective(TiledObjective):
    """Features are to point where those of their matches do.

    At first hypercolumns are matched, once; then every layer by itself, again and again.

    Args:
        encoder: of the losses.
        table: the styles.
        layers: with the weight of each.
        look_up: the matches of a picture's hypercolumns.
        fixed: terms that stay.
        together: steps before every layer is matched by itself.
        every: steps after which it is matched anew.
        seed: of the positions that are looked at.
        tile: see `TiledObjective`.
    """

    def __init__(
        self,
        encoder: VGG,
        table: StyleTable,
        layers: Mapping[str, float],
        look_up: Callable[[Tensor, int | None], Matches],
        fixed: Sequence[Term],
        *,
        together: int,
        every: int,
        seed: int = 0,
        tile: int | None = None,
    ) -> None:
        self._table, self._weights, self._look_up, self._fixed = table, layers, look_up, tuple(fixed)
        self._together, self._every, self._seed = together, every, seed
        self._matches: Matches | None = None
        self._ceil = encoder.spec.pool_ceil
        super().__init__(encoder, [*fixed, *self._towards_columns()], tile=tile)
        # Squares of positions are whole where tiles end on multiples of theirs.
        self._layers |= {GRID_LAYER}

    @property
    def rows(self) -> Tensor:
        """Of the table, for each position of the picture's hypercolumns."""
        assert self._matches is not None, "nothing is matched yet"
        return self._matches.rows

    def renew(self, image: Tensor, step: int) -> bool:
        """See `Objective.renew`."""
        begins = self._matches is None
        if begins:
            self._matches = self._look_up(image, self.tile)
        alone = step - self._together
        if alone < 0 or alone % self._every:
            if begins:
                self._settle()
            return begins
        self._match_layers(image, step)
        self._settle()
        return True

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """See `Objective.state`."""
        if self._matches is None:
            return {}, {}
        found = self._matches.layers
        tensors = {"rows": self._matches.rows, **{f"layer.{layer}": rows for layer, (_, rows) in found.items()}}
        return tensors, {layer: [view.step, view.top, view.left] for layer, (view, _) in found.items()}

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """See `Objective.restore`."""
        if "rows" in tensors:
            found = {layer: (Subgrid(*lattice), tensors[f"layer.{layer}"]) for layer, lattice in facts.items()}
            self._matches = Matches(tensors["rows"], found)
            self._settle()

    def _settle(self) -> None:
        """Make the terms what the matches say."""
        assert self._matches is not None
        made = self._towards_layers() if self._matches.layers else self._towards_columns()
        self.terms = (*self._fixed, *made)

    def _towards_columns(self) -> list[Term]:
        table, terms = self._table, list[Term]()
        for layer, weight in self._weights.items():
            stride = layer_stride(layer)

            def targets(down: slice, along: slice, layer: str = layer, stride: int = stride) -> Tensor:
                if stride <= STRIDE:
                    return table.directions(layer, self.rows[down, along].flatten())
                return _mean_of_four(lambda rows: table.directions(layer, rows), self.rows, down, along)

            def centres(down: slice, along: slice, layer: str = layer, stride: int = stride) -> Tensor:
                rows = self.rows if stride <= STRIDE else self.rows[::2, ::2]
                return table.means_of(layer, table.source_of(rows[down, along].flatten()))

            view = SquareMeans(max(1, STRIDE // stride), self._ceil)
            terms.append(DirectionTerm(layer, weight, view, targets, centres))
        return terms

    def _towards_layers(self) -> list[Term]:
        table, terms = self._table, list[Term]()
        assert self._matches is not None
        for layer, (lattice, samples) in self._matches.layers.items():

            def targets(down: slice, along: slice, layer: str = layer, samples: Tensor = samples) -> Tensor:
                return table.samples[layer][samples[down, along].flatten()].float()

            sources = self._sources(layer, lattice, samples)

            def centres(down: slice, along: slice, layer: str = layer, sources: Tensor = sources) -> Tensor:
                return table.means_of(layer, sources[down, along].flatten())

            terms.append(DirectionTerm(layer, self._weights[layer], lattice, targets, centres))
        return terms

    def _sources(self, layer: str, lattice: Subgrid, samples: Tensor) -> Tensor:
        """Which style each position looked at is to be like: as many as there are samples."""
        size = (lattice.top + 1 + (samples.shape[0] - 1) * lattice.step, 0)
        size = (size[0], lattice.left + 1 + (samples.shape[1] - 1) * lattice.step)
        return self._table.source_of(rows_at(self.rows, layer, lattice, size))

    @torch.no_grad()
    def _match_layers(self, image: Tensor, step: int) -> None:
        """Match every layer by itself, at some positions of the picture."""
        assert self._matches is not None
        generator = torch.Generator().manual_seed(self._seed * 1_000_003 + step)
        size = (image.shape[2], image.shape[3])
        views = {layer: lattice_for(self.encoder.size(layer, *size), generator) for layer in self._weights}
        found: dict[str, tuple[Subgrid, Tensor]] = {}
        for layer, view in views.items():
            shape = view.size(self.encoder.size(layer, *size))
            found[layer] = (view, torch.zeros(shape, dtype=torch.int64, device=image.device))
        for each in encode_tiles(self.encoder, image, self._layers, self.tile):
            for layer, (view, samples) in found.items():
                part = each[layer]
                seen = view.show(part)
                sources = self._sources(layer, view, samples)[seen.rows, seen.columns]
                features = seen.features.permute(0, 2, 3, 1).flatten(0, 2)
                matched = self._table.match_layer(layer, features, sources.flatten())
                samples[seen.rows, seen.columns] = matched.view(sources.shape)
        self._matches = Matches(self._matches.rows, found)


def _mean_of_four(directions: Callable[[Tensor], Tensor], rows: Tensor, down: slice, along: slice) -> Tensor:
    """Of positions half as close, the mean of the directions of the four within: P×C."""
    total: Tensor | float = 0.0
    for by in (0, 1):
        for aside in (0, 1):
            y = torch.arange(down.start, down.stop, device=rows.device).mul_(2).add_(by).clamp_(max=len(rows) - 1)
            x = torch.arange(along.start, along.stop, device=rows.device).mul_(2).add_(aside)
            found = rows[y][:, x.clamp_(max=rows.shape[1] - 1)]
            total = total + directions(found.flatten())
    return torch.as_tensor(total) / 4
