"""Painting by nearest neighbours: Kolkin et al. 2022, "Neural Neighbor Style Transfer"."""

from __future__ import annotations

import functools
from collections.abc import Hashable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...encoders.vgg import VGG
from ...errors import RequestError
from ...images.geometry import NEGLIGIBLE_RATIO, fitted_size, resize
from ...losses.cost import Optimisation
from ...matching.columns import MAX_VALUES, STORED, StyleColumns
from ...matching.patchmatch import PRINCIPAL
from ...matching.styles import match_budget, match_work
from ...memory import Cost, keep_freed_memory
from ...painter import Regions
from ...recipe import Recipe
from ...strips import Size
from ...weights.layers import deepest, resolve_layer
from ..common.loader import Loader, Nets
from ..common.optimise import OptimiserSettings
from ..common.options import options_of
from ..common.scales import restored
from ..common.stages import SMALLEST, StagedPainter, Stages, origin_of
from .matched import MOMENT_LAYERS, STYLE_SAMPLES, Matches, StyleTable, encode_style, match_picture, values_within
from .objective import MatchedObjective
from .options import NnstOptions
from .terms import CONTENT_LAYER, content_term, moments_terms, without_fine_detail

# In levels of 255, for L-BFGS: the mean change of its first move, and the root mean square of its longest move. The
# gradient does not give a length for the first move, and a new match may make later ones far too long.
_FIRST_MOVE, _LONGEST_MOVE = 1.0, 12.0

# Bytes that smaller sizes leave in use: all sizes are planned before the first begins.
_LEFT_IN_USE = 64e6

# Longest side in pixels that a style is matched at, times `style_scale`. Its hypercolumns take 0.7 GB then.
_LONGEST_STYLE = 2048

# Settings that may differ when a painting is resumed.
_MAY_CHANGE = {"max_seconds"}


@dataclass(frozen=True)
class NnstNets(Nets):
    """The encoder, and the weights of the matched layers by canonical name."""

    encoder: VGG
    layers: Mapping[str, float]


def load(recipe: Recipe, loader: Loader) -> NnstNets:
    """Load the encoder that the recipe names, up to the deepest layer of the losses."""
    options = options_of(recipe, NnstOptions)
    weights = loader.weights(recipe.encoder)
    arch = weights.spec.arch
    layers = {resolve_layer(name, arch): weight for name, weight in options.layers.items() if weight > 0}
    until = deepest([*layers, CONTENT_LAYER, *MOMENT_LAYERS], arch)
    # Padded by zeros, the photo's border would be matched with the style's border, and get its frame.
    encoder = loader.encoder(weights, until, padding="reflect")
    return NnstNets(loader.device, loader.dtype, {recipe.encoder: weights.sha256}, encoder, layers)


KeptColumns = MutableMapping[Hashable, StyleColumns]
"""Hypercolumns of style pictures, by (number of the style, quarter turns, size, tile)."""


class NnstPainter(StagedPainter):
    """Optimises pixels: the features of each position approach those of its match in the style."""

    def __init__(
        self, recipe: Recipe, nets: NnstNets, styles: Sequence[Tensor], kept: KeptColumns | None = None
    ) -> None:
        self.options = options = options_of(recipe, NnstOptions)
        if not styles:
            raise RequestError("no style picture; give at least one")
        self.recipe = recipe.model_copy(update={"nets": {**recipe.nets, **nets.sha256}})
        self.device, self.encoder = nets.device, nets.encoder
        self._layers = nets.layers
        self.settings = OptimiserSettings(
            optimizer=options.optimizer,
            learning_rate=options.learning_rate,
            history=options.lbfgs_history,
            precondition=options.precondition,
            precondition_colours=options.precondition_colours,
            max_seconds=options.max_seconds,
            first_move=_FIRST_MOVE,
            longest_move=_LONGEST_MOVE,
        )
        self._styles = [style.to(nets.device) for style in styles]
        self._turns = range(4 if options.rotations else 1)
        self._kept = kept
        keep_freed_memory()

    def stages(self, final: int) -> Stages:
        """See `StagedPainter.stages`."""
        return self.options.stages(final)

    def beginning(self, photo: Tensor) -> Tensor:
        """Return the photograph; see `StagedPainter.beginning`."""
        return photo.clone()

    def enlarged(self, image: Tensor, photo: Tensor, larger: Tensor) -> Tensor:
        """Enlarge, and add some of the photo's fine brightness detail; see `StagedPainter.enlarged`."""
        return restored(image.clamp(0, 1), photo, larger, self.options.detail)

    def replaced_stages(self, stages: Stages, start: int) -> int:
        """Count the sizes up to that of the start. A start of the final size replaces none; see `StagedPainter`."""
        reached = start * NEGLIGIBLE_RATIO
        return 0 if stages[-1][0] <= reached else sum(size <= reached for size, _ in stages)

    def objective(
        self, photo: Tensor, regions: Regions | None = None, tile: int | None = None, stage: tuple[int, int] = (0, 1)
    ) -> MatchedObjective:
        """Return the losses of matches, photo and moments; see `StagedPainter.objective`."""
        options = self.options
        size = (photo.shape[2], photo.shape[3])
        owners = [number for number in range(len(self._styles)) for _ in self._turns]
        styles = [
            self.encode(number, size, turn, tile) for number in range(len(self._styles)) for turn in self._turns
        ]
        shares = self.recipe.style_shares()
        table = StyleTable(
            styles,
            owners,
            [shares[owner] for owner in owners],
            self.encoder,
            self._layers,
            search=options.search,
            seed=self.recipe.seed,
        )
        content = content_term(self.encoder, photo, table, options.content_weight, options.spare, tile)
        moments = moments_terms(styles[:: len(self._turns)], shares, options.moments_weight, regions)
        budget = match_budget(self.recipe.memory)
        total = sum(self._layers.values())
        match = functools.partial(self._match, photo, table, regions, budget, stage[0] == 0)
        return MatchedObjective(
            self.encoder,
            table,
            {layer: weight / total for layer, weight in self._layers.items()},
            match,
            [*content, *moments],
            joint_steps=options.steps_at(*stage)[0],
            match_every=options.split_every,
            seed=self.recipe.seed,
            tile=tile,
        )

    def _match(
        self,
        photo: Tensor,
        table: StyleTable,
        regions: Regions | None,
        budget: float,
        first: bool,
        image: Tensor,
        tile: int | None,
    ) -> Matches:
        """Match the photo mixed with the picture so far; see `match_picture`.

        After the first size, the photo's finest detail is added to the picture for the match: an enlarged picture
        lacks it.
        """
        if not first:
            image = image + photo - without_fine_detail(photo)
        mixed = torch.lerp(photo, image.clamp(0, 1), self.options.so_far)
        return match_picture(self.encoder, mixed, table, regions, budget, tile)

    def encode(self, number: int, photo: Size, turn: int = 0, tile: int | None = None) -> StyleColumns:
        """Encode a style for the match, or take it from the cache.

        Args:
            number: number of the style in the recipe, from 0.
            photo: height and width of the photograph.
            turn: quarter turns of the style.
            tile: side in pixels of the tiles to encode in; None for the whole picture.
        """
        style = self._styles[number]
        size = self.style_size(style, photo)
        key = (number, turn, size, tile)
        found = None if self._kept is None else self._kept.get(key)
        if found is None:
            picture = torch.rot90(resize(style, *size), turn, (2, 3))
            seed = self.recipe.seed + number
            found = encode_style(self.encoder, picture, self._layers, seed, tile)
            if self._kept is not None:
                self._kept[key] = found
        return found

    def style_size(self, style: Tensor, photo: Size) -> Size:
        """Return height and width to resize a style to, for a photograph of height and width `photo`."""
        longest = min(max(photo), _LONGEST_STYLE) * self.options.style_scale
        height, width = fitted_size(style.shape[2], style.shape[3], max(SMALLEST, round(longest)))
        return max(SMALLEST, height), max(SMALLEST, width)

    def needs(self, photo: Size, steps: int) -> Optimisation:
        """See `StagedPainter.needs`."""
        encoder, item = self.encoder, STORED.itemsize
        styles = [self.style_size(style, photo) for style in self._styles]
        channels = sum(encoder.channels(layer) for layer in self._layers)
        positions = photo[0] * photo[1] / 16
        tables = [height * width / 16 for height, width in styles for _ in self._turns]
        copies = 2 if len(tables) > 1 else 1
        held = copies * sum(tables) * channels * item + len(tables) * STYLE_SAMPLES * channels * item + 16 * positions
        # The target of the content loss.
        content = encoder.channels(CONTENT_LAYER) * item * positions / 4
        budget = match_budget(self.recipe.memory)
        band = min(positions * channels, MAX_VALUES, values_within(budget))
        values = min(channels, PRINCIPAL) * item * (band / channels + max(tables))
        matching = content + band * item + values + budget * 2**20
        layers = {*self._layers, *MOMENT_LAYERS, CONTENT_LAYER}
        work = match_work(
            (photo[0] // 4, photo[1] // 4),
            [(height // 4, width // 4) for height, width in styles] * len(self._turns),
            channels,
            patch=1,
            search=self.options.search,
        )
        return Optimisation(
            encoder,
            photo,
            content=[],
            layers=layers,
            steps=steps,
            styles=styles,
            optimizer=self.options.optimizer,
            history=self.options.lbfgs_history,
            loss_copies="difference",
            kept_pictures=1,
            extra_cost=Cost.of_bytes(held + (content if self.options.content_weight else 0) + _LEFT_IN_USE),
            setup_cost=Cost.of_bytes(matching),
            setup_work=work + 3 * encoder.work(layers) * photo[0] * photo[1] if steps else 0.0,
        )

    def origin(self, content: Tensor, regions: Regions | None, start: Tensor | None) -> dict[str, Any]:
        """Return settings and the sha256 of networks and pixels; see `StagedPainter.origin`."""
        data = origin_of(self.recipe, self._styles, content, regions, start)
        data |= self.options.model_dump(mode="json", exclude=_MAY_CHANGE)
        return data
