"""The table of methods, and the recipes made for them. Imports no torch."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping, Sequence
from typing import Any, cast

from pydantic import ValidationError

from ..errors import RequestError, near_misses
from ..recipe import Recipe, Style
from ..untrusted import shorten
from ..values import explain, is_optional
from .adain.options import AdainOptions
from .adain.presets import PRESETS as ADAIN_PRESETS
from .cascade.options import CascadeOptions, Rung
from .cascade.presets import PRESETS as CASCADE_PRESETS
from .common.preset import Preset
from .definition import Method as Method
from .gatys.options import GatysOptions
from .gatys.presets import PRESETS as GATYS_PRESETS
from .johnson.options import JohnsonOptions
from .johnson.presets import PRESETS as JOHNSON_PRESETS
from .migrations import drop_removed, migrate
from .nnst.options import NnstOptions
from .nnst.presets import PRESETS as NNST_PRESETS
from .stand_in import with_encoder_here
from .swap.options import SwapOptions
from .swap.presets import PRESETS as SWAP_PRESETS

METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method(
            "gatys",
            "Optimise the pixels themselves (Gatys et al. 2015): slow, with every number to set",
            GatysOptions,
            GATYS_PRESETS,
            "impasto.methods.gatys.painter",
            "GatysPainter",
        ),
        Method(
            "adain",
            "Any style in one pass, by statistics of features (Huang & Belongie 2017)",
            AdainOptions,
            ADAIN_PRESETS,
            "impasto.methods.adain.painter",
            "AdainPainter",
        ),
        Method(
            "swap",
            "Any style in one pass, by patches of features (Chen & Schmidt 2016)",
            SwapOptions,
            SWAP_PRESETS,
            "impasto.methods.swap.painter",
            "SwapPainter",
        ),
        Method(
            "johnson",
            "A fast network that was trained for its styles (Johnson et al. 2016, Dumoulin et al. 2017)",
            JohnsonOptions,
            JOHNSON_PRESETS,
            "impasto.methods.johnson.painter",
            "JohnsonPainter",
            styles=False,
        ),
        Method(
            "nnst",
            "Optimise the pixels towards their nearest neighbours in the style (Kolkin et al. 2022)",
            NnstOptions,
            NNST_PRESETS,
            "impasto.methods.nnst.painter",
            "NnstPainter",
        ),
        Method(
            "cascade",
            "Several methods in turn, from small to large: first forms, then strokes that follow them",
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
        except Exception as error:  # a faulty package does not stop the others from working
            faulty[entry.name] = f"{package} could not load it: {type(error).__name__}: {error}"
            continue
        if not isinstance(loaded, Method):
            faulty[entry.name] = (
                f"{entry.value} of {package} is {type(loaded).__name__}; expected impasto.methods.Method"
            )
        elif loaded.name != entry.name:
            faulty[entry.name] = f"{package} calls the method {loaded.name!r}; expected the entry point's name"
        elif entry.name in found or (entry.name in METHODS and METHODS[entry.name] != loaded):
            faulty[f"{entry.name} of {package}"] = "there already is a method of that name; expected another name"
        else:
            found[entry.name] = loaded
    return found, faulty


def method(name: str) -> Method:
    """Return the method called `name`.

    Raises:
        RequestError: there is none, with similar names; or it cannot be used.
    """
    if not isinstance(cast(object, name), str):
        raise RequestError(f"the method is {name!r}; expected one of {', '.join(METHODS)}")
    if name in FAULTY:
        raise RequestError(f"the method {name} cannot be used: {FAULTY[name]}")
    if name not in METHODS:
        raise RequestError(
            f"there is no method {name!r}{near_misses(name, METHODS) or '; expected one of ' + ', '.join(METHODS)}"
        )
    return METHODS[name]


def make_recipe(
    name: str,
    styles: Sequence[Style] = (),
    *,
    preset: str | None = None,
    settings: Mapping[str, Any] | None = None,
    exact_preset: bool = True,
) -> Recipe:
    """Make a recipe from a method's name, a preset, and settings that override the preset.

    Args:
        name: one of `METHODS`.
        styles: style pictures with weights.
        preset: one of the method's presets; None begins from the defaults.
        settings: fields of the method's options or of `Recipe`, by name; the two share no name.
        exact_preset: keep the encoder of the preset, also if it is not on this machine. If False, the installed
            encoder takes its place, with a warning.

    Returns:
        The recipe, checked.

    Raises:
        RequestError: a name is unknown, a value is out of range, the method takes no style picture, or the installed
            encoder lacks a layer of the preset.

    Examples:
        >>> style = impasto.Style(path="painting.jpg")
        >>> impasto.make_recipe("gatys", [style], preset="quick", settings={"size": 256}).size
        256
    """
    chosen = method(name)
    if styles and not chosen.styles:
        raise RequestError(
            f"{name} takes no style picture (got {styles[0].path}): its networks were trained for their styles; "
            f"name one with net, or use a method that takes style pictures, such as adain"
        )
    try:
        given = dict(settings or {})
    except (TypeError, ValueError):
        raise RequestError(f"settings are {shorten(settings)}; expected a dictionary of values by name") from None
    common: dict[str, Any] = {}
    options: dict[str, Any] = {}
    if preset is not None:
        found = _preset(chosen, preset)
        if not exact_preset and "encoder" not in given:
            found = with_encoder_here(found, name, preset, given)
        options.update({field: getattr(found.options, field) for field in found.options.model_fields_set})
        common.update(encoder=found.encoder, size=found.size)
    drop_removed(name, given)
    if given.get("print") is not None:
        _refuse_size(given)
        given["size"] = None  # the print decides it
    own = chosen.options.model_fields
    # A schedule would override `steps`. So given steps remove the schedule of a preset.
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
        raise explain(error, fields={**Recipe.model_fields, **own}) from None
    return _check_recipe(recipe)


def _preset(chosen: Method, name: str) -> Preset:
    """Return a preset of a method.

    Raises:
        RequestError: there is none of that name.
    """
    if name not in chosen.presets:
        hint = near_misses(name, chosen.presets) or "; expected one of " + ", ".join(chosen.presets)
        raise RequestError(f"{chosen.name} has no preset {name!r}{hint}")
    return chosen.presets[name]


def read_recipe(data: Mapping[str, Any]) -> Recipe:
    """Make a recipe from plain data: a picture's metadata, JSON or TOML.

    Raises:
        RequestError: the data is no recipe, or a value is out of range.
    """
    fields = migrate(data)
    name = fields.pop("method", None)
    if not isinstance(name, str):
        raise RequestError("the recipe names no method; expected one of " + ", ".join(METHODS))
    chosen = method(name)
    try:
        given = fields.pop("options", {})
        if isinstance(given, Mapping):
            given = dict(cast(Mapping[str, Any], given))
            drop_removed(name, given)
        options = chosen.options.model_validate(given)
        if fields.get("print") is not None:
            _refuse_size(fields)
            fields["size"] = None  # the print decides it
        recipe = Recipe.model_validate({**fields, "method": name, "options": options})
    except ValidationError as error:
        raise explain(error, "recipe") from None
    return _check_recipe(recipe)


def _refuse_size(settings: Mapping[str, Any]) -> None:
    """Refuse a size beside a print.

    Raises:
        RequestError: there is one.
    """
    if (size := settings.get("size")) is not None:
        raise RequestError(
            f"size is {shorten(repr(size))} and print {shorten(repr(settings['print']))}; expected one of them: a "
            "print states the size, by its dpi"
        )


def _check_recipe(recipe: Recipe) -> Recipe:
    """Check a recipe against its method. For a cascade, check the settings of its rungs and complete them.

    Raises:
        RequestError: the method cannot do what the recipe asks for.
    """
    if recipe.print_crop and recipe.print is None:
        raise RequestError("print_crop is given without print; expected both, as in --print 60x40cm --print-crop")
    if recipe.colour == "coral" and not method(recipe.method).styles:
        raise RequestError(
            f"colour coral recolours the style picture before painting, but {recipe.method} takes no style picture; "
            "expected luminance, oklab or histogram"
        )
    if isinstance(recipe.options, CascadeOptions):
        recipe = recipe.model_copy(update={"options": recipe.options.settled(_check_rung)})
    return recipe


def _check_rung(rung: Rung) -> dict[str, Any]:
    """Check the settings of a cascade's rung by its method; return them as JSON data.

    Raises:
        RequestError: the method takes no style pictures or has no such setting, or a value is out of range.
    """
    chosen = method(rung.method)
    if not chosen.styles:
        raise RequestError(
            f"rung {rung}: {rung.method} takes no style picture; expected a method that does, such as adain or swap"
        )
    own = chosen.options.model_fields
    for name in rung.settings:
        if name not in own:
            hint = ": it belongs to the whole painting" if name in Recipe.model_fields else near_misses(name, own)
            raise RequestError(f"rung {rung}: {rung.method} has no setting {name!r}{hint}")
    # TOML has no null, and a rung as text has only words; to a few settings "none" is one.
    unset = {name: None if is_optional(own[name]) else "none" for name in own}
    given = {name: unset[name] if value in (None, "none") else value for name, value in rung.settings.items()}
    try:
        options = make_recipe(rung.method, settings=given).options
    except RequestError as error:
        raise RequestError(f"rung {rung}: {error}") from None
    return options.model_dump(mode="json", include=set(given))


_found, _faulty = discover()  # last, since their packages import this one
METHODS.update(_found)
FAULTY.update(_faulty)
