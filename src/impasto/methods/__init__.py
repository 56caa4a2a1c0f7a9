"""The table of methods, and the recipes made for them. Imports no torch."""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from pydantic import ValidationError

from ..errors import RequestError, near_misses
from ..painter import Painter, Regions, Step
from ..recipe import Options, Recipe, Style, explain, may_be_unset
from .adain.options import AdainOptions
from .adain.presets import PRESETS as ADAIN_PRESETS
from .cascade.options import CascadeOptions, Rung
from .cascade.presets import PRESETS as CASCADE_PRESETS
from .common.preset import Preset
from .gatys.options import GatysOptions
from .gatys.presets import PRESETS as GATYS_PRESETS
from .johnson.options import JohnsonOptions
from .johnson.presets import PRESETS as JOHNSON_PRESETS
from .migrations import drop_removed, migrate
from .nnst.options import NnstOptions
from .nnst.presets import PRESETS as NNST_PRESETS
from .swap.options import SwapOptions
from .swap.presets import PRESETS as SWAP_PRESETS

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
        styles: whether it paints in the style of given pictures. If not, its networks know their styles.

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
            f"impasto {self.name} photo.jpg painting.jpg --size 1024 --colour luminance -o print.png",
        )

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of a recipe of this method, for forms; each setting has its group and level.

        Examples:
            >>> adain.schema()["$defs"]["Options"]["properties"]["alpha"]["group"]
            'strokes'
        """
        found = Recipe.model_json_schema()
        own = self.options.model_json_schema()
        definitions = {**found.pop("$defs", {}), **own.pop("$defs", {}), "Options": own}
        found["properties"]["method"]["const"] = self.name
        return {**found, "$defs": definitions}

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


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method(
            "gatys",
            "Optimise the pixels themselves (Gatys et al. 2015): slow, every number to turn",
            GatysOptions,
            GATYS_PRESETS,
            "impasto.methods.gatys.painter",
            "GatysPainter",
        ),
        Method(
            "adain",
            "Any style in one pass, by the statistics of its features (Huang & Belongie 2017)",
            AdainOptions,
            ADAIN_PRESETS,
            "impasto.methods.adain.painter",
            "AdainPainter",
        ),
        Method(
            "swap",
            "Any style in one pass, out of patches of its features (Chen & Schmidt 2016)",
            SwapOptions,
            SWAP_PRESETS,
            "impasto.methods.swap.painter",
            "SwapPainter",
        ),
        Method(
            "johnson",
            "A network that knows its styles, in a blink (Johnson et al. 2016, Dumoulin et al. 2017)",
            JohnsonOptions,
            JOHNSON_PRESETS,
            "impasto.methods.johnson.painter",
            "JohnsonPainter",
            styles=False,
        ),
        Method(
            "nnst",
            "Optimise the pixels, each towards its nearest neighbour in the style (Kolkin et al. 2022)",
            NnstOptions,
            NNST_PRESETS,
            "impasto.methods.nnst.painter",
            "NnstPainter",
        ),
        Method(
            "cascade",
            "Other methods in turn, from small to large: forms first, then strokes that follow them",
            CascadeOptions,
            CASCADE_PRESETS,
            "impasto.methods.cascade.painter",
            "CascadePainter",
        ),
    )
}
"""Every method by name, also those that other packages add; ``METHODS[name].options`` has its settings.

Examples:
    >>> impasto.METHODS["johnson"].styles
    False
"""


ENTRY_POINTS = "impasto.methods"
"""Group of the entry points by which other packages add methods; each points to a `Method`."""

FAULTY: dict[str, str] = {}
"""Methods of other packages that cannot be used, with the reason."""


def discover() -> tuple[dict[str, Method], dict[str, str]]:
    """Find the methods that other packages add; also those that cannot be used, with the reason. Both by name."""
    found: dict[str, Method] = {}
    faulty: dict[str, str] = {}
    for entry in importlib.metadata.entry_points(group=ENTRY_POINTS):
        package = entry.dist.name if entry.dist is not None else entry.value
        try:
            loaded = entry.load()
        except Exception as error:  # whatever another package does, the others work
            faulty[entry.name] = f"{package} could not load it: {type(error).__name__}: {error}"
            continue
        if not isinstance(loaded, Method):
            faulty[entry.name] = (
                f"{entry.value} of {package} is {type(loaded).__name__}; expected impasto.methods.Method"
            )
        elif loaded.name != entry.name:
            faulty[entry.name] = f"{package} calls the method {loaded.name!r}; expected the entry point's name"
        elif entry.name in found or (entry.name in METHODS and METHODS[entry.name] != loaded):
            faulty[f"{entry.name} of {package}"] = "there is a method of that name; expected another name"
        else:
            found[entry.name] = loaded
    return found, faulty


def method(name: str) -> Method:
    """Return the method called `name`.

    Raises:
        RequestError: there is none, with similar names; or it cannot be used.
    """
    if name in FAULTY:
        raise RequestError(f"the method {name} cannot be used: {FAULTY[name]}")
    if name not in METHODS:
        raise RequestError(f"no method {name!r}{near_misses(name, METHODS) or ': there is ' + ', '.join(METHODS)}")
    return METHODS[name]


def make_recipe(
    name: str,
    styles: Sequence[Style] = (),
    *,
    preset: str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Recipe:
    """Make a recipe from a method's name, a preset, and settings that override the preset.

    Args:
        name: one of `METHODS`.
        styles: style pictures with weights.
        preset: one of the method's presets; None begins from the defaults.
        settings: fields of the method's options or of `Recipe`, by name; the two share no name.

    Returns:
        The recipe, checked.

    Raises:
        RequestError: a name is unknown, a value is out of range, or the method takes no style picture.

    Examples:
        >>> style = impasto.Style(path="painting.jpg")
        >>> impasto.make_recipe("gatys", [style], preset="quick", settings={"size": 256}).size
        256
    """
    chosen = method(name)
    if styles and not chosen.styles:
        raise RequestError(
            f"{name} takes no style picture (got {styles[0].path}): its networks know their styles; "
            f"name one with net, or paint like a picture with another method, such as adain"
        )
    given = dict(settings or {})
    common: dict[str, Any] = {}
    options: dict[str, Any] = {}
    if preset is not None:
        if preset not in chosen.presets:
            hint = near_misses(preset, chosen.presets) or ": there is " + ", ".join(chosen.presets)
            raise RequestError(f"{name} has no preset {preset!r}{hint}")
        found = chosen.presets[preset]
        options.update({field: getattr(found.options, field) for field in found.options.model_fields_set})
        common.update(encoder=found.encoder, size=found.size)
    drop_removed(name, given)
    own = chosen.options.model_fields
    # A plain `steps` replaces a preset's ladder instead of being overruled by it.
    if "steps" in given and "schedule" not in given:
        options.pop("schedule", None)
    for key, value in given.items():
        if key in own:
            options[key] = value
        elif key in Recipe.model_fields:
            common[key] = value
        else:
            known = [*own, *Recipe.model_fields]
            raise RequestError(f"{name} has no setting {key!r}{near_misses(key, known)}")
    try:
        recipe = Recipe(method=name, options=chosen.options(**options), styles=tuple(styles), preset=preset, **common)
    except ValidationError as error:
        raise explain(error) from None
    return _possible(recipe)


def read_recipe(data: Mapping[str, Any]) -> Recipe:
    """Make a recipe from plain data: a picture's metadata, JSON or TOML.

    Raises:
        RequestError: the data is no recipe, or a value is out of range.
    """
    fields = migrate(data)
    name = fields.pop("method", None)
    if not isinstance(name, str):
        raise RequestError("the recipe names no method")
    chosen = method(name)
    try:
        given = fields.pop("options", {})
        if isinstance(given, Mapping):
            given = dict(cast(Mapping[str, Any], given))
            drop_removed(name, given)
        options = chosen.options.model_validate(given)
        recipe = Recipe.model_validate({**fields, "method": name, "options": options})
    except ValidationError as error:
        raise explain(error, "recipe") from None
    return _possible(recipe)


def _possible(recipe: Recipe) -> Recipe:
    """Check a recipe against its method, and fill in a cascade's rungs.

    Raises:
        RequestError: the method cannot follow it.
    """
    if recipe.colour == "coral" and not method(recipe.method).styles:
        raise RequestError(
            f"coral recolours a style picture before painting, and {recipe.method} takes none; "
            "expected luminance, oklab or histogram"
        )
    if isinstance(recipe.options, CascadeOptions):
        recipe = recipe.model_copy(update={"options": recipe.options.settled(_settings_of)})
    return recipe


def _settings_of(rung: Rung) -> dict[str, Any]:
    """Check the settings of a cascade's rung by its method; return them as JSON data.

    Raises:
        RequestError: the method takes no style pictures or has no such setting, or a value is out of range.
    """
    chosen = method(rung.method)
    if not chosen.styles:
        raise RequestError(
            f"rung {rung} takes no style picture: its networks know their styles; expected a method that paints like "
            "a picture, such as adain or swap"
        )
    own = chosen.options.model_fields
    for name in rung.settings:
        if name not in own:
            hint = ": it is the whole painting's" if name in Recipe.model_fields else near_misses(name, own)
            raise RequestError(f"rung {rung}: {rung.method} has no setting {name!r}{hint}")
    # TOML has no null, and a rung as text has only words; to a few settings "none" is one.
    unset = {name: None if may_be_unset(own[name]) else "none" for name in own}
    given = {name: unset[name] if value in (None, "none") else value for name, value in rung.settings.items()}
    try:
        options = make_recipe(rung.method, settings=given).options
    except RequestError as error:
        raise RequestError(f"rung {rung}: {error}") from None
    return options.model_dump(mode="json", include=set(given))


_found, _faulty = discover()  # at the end: their packages import this one
METHODS.update(_found)
FAULTY.update(_faulty)
