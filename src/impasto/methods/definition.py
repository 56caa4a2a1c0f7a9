"""`Method`: one way of painting, with its settings and where its code is. Imports no torch."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..painter import Painter, Regions, Step
from ..recipe import Options, Recipe
from .common.preset import Preset

if TYPE_CHECKING:
    from torch import Tensor, device

    from ..control import Cancel
    from .common.loader import Keep, Loader, Nets


@dataclass(frozen=True)
class Method:
    """One way of painting: its settings, its presets, and where its code is, which is imported on first use.

    Attributes:
        name: what recipes and the command line call it.
        summary: what it does and whose method it is, in one line.
        options: the model of its settings.
        presets: named settings.
        module: name of the module that has its ``load`` function and its painter.
        painter: name of the painter's class there. It is called with a recipe, networks, style pictures, and a
            mapping that keeps their statistics.
        styles: whether it takes style pictures. If not, its networks were trained for their styles.

    Examples:
        >>> recipe = impasto.make_recipe("adain", [impasto.Style(path="painting.jpg")])
        >>> adain = impasto.METHODS["adain"]
        >>> nets = adain.load(recipe, torch.device("cpu"))
        >>> stats = adain.encode(nets, recipe, [torch.rand(1, 3, 40, 32)], size=64)
        >>> *_, last = adain.paint(nets, stats, torch.rand(1, 3, 36, 48))
    """

    name: str
    summary: str
    options: type[Options]
    presets: Mapping[str, Preset]
    module: str
    painter: str
    styles: bool = True

    @property
    def examples(self) -> tuple[str, ...]:
        """Two commands that use the method.

        Examples:
            >>> adain.examples[0]
            'impasto adain photo.jpg painting.jpg'
        """
        if not self.styles:
            return (f"impasto {self.name} photo.jpg --net great-wave", f"impasto {self.name} --list")
        return (
            f"impasto {self.name} photo.jpg painting.jpg",
            f"impasto {self.name} photo.jpg painting.jpg --print 30x20cm --colour oklab -o out.png",
        )

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of a recipe of this method, for forms; each setting has its group and level.

        Examples:
            >>> adain.schema()["$defs"]["Options"]["properties"]["alpha"]["group"]
            'strokes'
        """
        recipe = Recipe.model_json_schema()
        options = self.options.model_json_schema()
        definitions = {**recipe.pop("$defs", {}), **options.pop("$defs", {}), "Options": options}
        recipe["properties"]["method"]["const"] = self.name
        return {**recipe, "$defs": definitions}

    def load(self, recipe: Recipe, device: device, keep: Keep | None = None) -> Nets:
        """Load the networks that a recipe names.

        Args:
            recipe: names the networks and the precision.
            device: where they will run.
            keep: returns networks that are loaded already; see `Loader`. None loads them from their files.

        Raises:
            WeightsError: a network is missing, damaged, or made for something else.

        Examples:
            >>> sorted(adain.load(recipe, torch.device("cpu")).sha256)
            ['adain', 'vgg19']
        """
        from .common.loader import Loader, keep_nothing

        return self.load_by(recipe, Loader(device, recipe.precision, keep or keep_nothing))

    def load_by(self, recipe: Recipe, loader: Loader) -> Nets:
        """Load the networks that a recipe names by a loader, which may share them with other painters.

        Args:
            recipe: names the networks.
            loader: reads them.

        Raises:
            WeightsError: see `load`.

        Examples:
            >>> from impasto.methods.common.loader import Loader
            >>> nets = adain.load_by(recipe, Loader(torch.device("cpu")))
        """
        return importlib.import_module(self.module).load(recipe, loader)

    def encode(
        self, nets: Nets, recipe: Recipe, styles: Sequence[Tensor], size: int | None = None, regions: bool = False
    ) -> StyleStats:
        """Compute the statistics of style pictures for paintings of one size.

        Args:
            nets: the networks, from `load`.
            recipe: what is painted with.
            styles: the style pictures in the order of the recipe, 1×3×H×W float32 RGB in [0, 1], each of any size.
            size: longest side of the painting in pixels; None takes the recipe's.
            regions: encode each style by itself, as painting with masks needs it.

        Returns:
            What `paint` needs of the styles.

        Examples:
            >>> stats = adain.encode(nets, recipe, [torch.rand(1, 3, 40, 32)])
        """
        if size is not None:
            recipe = recipe.model_copy(update={"size": size})
        stats = StyleStats(recipe, styles)
        self.bound(recipe, nets, styles, stats.kept).encode_ahead(regions=regions)
        return stats

    def paint(
        self,
        nets: Nets,
        stats: StyleStats,
        content: Tensor,
        regions: Regions | None = None,
        start: Tensor | None = None,
        cancel: Cancel | None = None,
    ) -> Iterator[Step]:
        """Paint a photograph; see `Painter.paint`.

        Args:
            nets: the networks, from `load`.
            stats: the styles, from `encode`.
            content: the photograph, 1×3×H×W float32 RGB in [0, 1].
            regions: where each style applies; None means everywhere.
            start: a picture to continue from, 1×3×h×w.
            cancel: stops the work when it is set.

        Returns:
            Steps; the last one holds the result.

        Raises:
            Cancelled: `cancel` was set.

        Examples:
            >>> *_, last = adain.paint(nets, stats, torch.rand(1, 3, 36, 48))
            >>> tuple(last.image.shape)
            (1, 3, 48, 64)
        """
        painter = self.bound(stats.recipe, nets, stats.styles, stats.kept)
        return painter.paint(content, regions, start, cancel)

    def bound(
        self, recipe: Recipe, nets: Nets, styles: Sequence[Tensor], kept: MutableMapping[Any, Any] | None = None
    ) -> Painter:
        """Make a painter with networks that are loaded already.

        Args:
            recipe: what to paint with.
            nets: the networks, from `load`.
            styles: the style pictures, 1×3×H×W each.
            kept: statistics of the styles by the method's own keys; new ones are added to it.

        Examples:
            >>> painter = adain.bound(recipe, nets, [torch.rand(1, 3, 40, 32)])
        """
        return getattr(importlib.import_module(self.module), self.painter)(recipe, nets, styles, kept)

    def bind(self, recipe: Recipe, styles: Sequence[Tensor], device: device) -> Painter:
        """Load the networks and encode the styles, to paint any number of photographs.

        Args:
            recipe: what to paint with.
            styles: the style pictures in the order of the recipe, 1×3×H×W float32 RGB in [0, 1], each of any size.
            device: where to work.

        Raises:
            WeightsError: see `load`.

        Examples:
            >>> painter = adain.bind(recipe, [torch.rand(1, 3, 40, 32)], torch.device("cpu"))
        """
        painter = self.bound(recipe, self.load(recipe, device), styles)
        painter.encode_ahead()
        return painter


@dataclass
class StyleStats:
    """The style pictures of a recipe and what a method computed of them; made by `Method.encode`.

    Attributes:
        recipe: what is painted with.
        styles: the style pictures, 1×3×H×W each.
        kept: the statistics, by the method's own keys.
    """

    recipe: Recipe
    styles: Sequence[Tensor]
    kept: dict[Any, Any] = field(default_factory=dict[Any, Any])
