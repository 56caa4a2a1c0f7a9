"""The objective of nnst: features point in the direction of their matches, which are updated between steps."""

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
    """Cosine distances between features and those of their matches.

    First all layers are matched together, as hypercolumns, once. Then each layer is matched by itself, repeatedly.

    Args:
        encoder: the encoder of the losses.
        table: the styles.
        layers: weight of each layer.
        match: matches the hypercolumns of a picture; called with the picture and the side of tiles.
        fixed: other terms of the loss.
        joint_steps: steps before each layer is matched by itself.
        match_every: steps after which layers are then matched again.
        seed: seed of the positions that are matched.
        tile: see `TiledObjective`.
    """

    def __init__(
        self,
        encoder: VGG,
        table: StyleTable,
        layers: Mapping[str, float],
        match: Callable[[Tensor, int | None], Matches],
        fixed: Sequence[Term],
        *,
        joint_steps: int,
        match_every: int,
        seed: int = 0,
        tile: int | None = None,
    ) -> None:
        self._table, self._weights, self._match, self._fixed = table, layers, match, tuple(fixed)
        self._joint_steps, self._match_every, self._seed = joint_steps, match_every, seed
        self._matches: Matches | None = None
        self._ceil = encoder.spec.pool_ceil
        super().__init__(encoder, [*fixed, *self._column_terms()], tile=tile)
        # Squares of positions are whole where tiles end on multiples of theirs.
        self._layers |= {GRID_LAYER}

    @property
    def rows(self) -> Tensor:
        """The row of the table for each position of the picture's hypercolumns, h×w."""
        assert self._matches is not None, "nothing is matched yet"
        return self._matches.rows

    def renew(self, image: Tensor, step: int) -> bool:
        """See `Objective.renew`."""
        is_first = self._matches is None
        if is_first:
            self._matches = self._match(image, self.tile)
        split_step = step - self._joint_steps
        if split_step < 0 or split_step % self._match_every:
            if is_first:
                self._update_terms()
            return is_first
        self._match_layers(image, step)
        self._update_terms()
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
            self._update_terms()

    def _update_terms(self) -> None:
        """Make the terms of the current matches."""
        assert self._matches is not None
        made = self._layer_terms() if self._matches.layers else self._column_terms()
        self.terms = (*self._fixed, *made)

    def _column_terms(self) -> list[Term]:
        """Return terms for matched hypercolumns. Layers above `STRIDE` compare the mean of four positions."""
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

    def _layer_terms(self) -> list[Term]:
        """Return terms for layers that are matched by themselves."""
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
        """Return the entry of the table for each matched position of a layer, in the shape of `samples`."""
        size = (lattice.top + 1 + (samples.shape[0] - 1) * lattice.step, 0)
        size = (size[0], lattice.left + 1 + (samples.shape[1] - 1) * lattice.step)
        return self._table.source_of(rows_at(self.rows, layer, lattice, size))

    @torch.no_grad()
    def _match_layers(self, image: Tensor, step: int) -> None:
        """Match each layer by itself, at some positions of the picture."""
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
                looked = view.show(part)
                sources = self._sources(layer, view, samples)[looked.rows, looked.columns]
                features = looked.features.permute(0, 2, 3, 1).flatten(0, 2)
                matched = self._table.match_layer(layer, features, sources.flatten())
                samples[looked.rows, looked.columns] = matched.view(sources.shape)
        self._matches = Matches(self._matches.rows, found)


def _mean_of_four(directions: Callable[[Tensor], Tensor], rows: Tensor, down: slice, along: slice) -> Tensor:
    """Return the mean direction of the four positions inside each position of a layer of twice the stride: P×C."""
    total: Tensor | float = 0.0
    for by in (0, 1):
        for aside in (0, 1):
            y = torch.arange(down.start, down.stop, device=rows.device).mul_(2).add_(by).clamp_(max=len(rows) - 1)
            x = torch.arange(along.start, along.stop, device=rows.device).mul_(2).add_(aside)
            found = rows[y][:, x.clamp_(max=rows.shape[1] - 1)]
            total = total + directions(found.flatten())
    return torch.as_tensor(total) / 4
