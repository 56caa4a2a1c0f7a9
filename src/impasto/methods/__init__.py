"""The methods, in the one hand-written table. Imports no torch."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

from pydantic import ValidationError

from ..errors import RequestError, near_misses
from ..painter import Painter
from ..recipe import Options, Recipe, Style, explain
from .adain.options import AdainOptions
from .adain.presets import PRESETS as ADAIN_PRESETS
from .common.preset import Preset
from .gatys.options import GatysOptions
from .gatys.presets import PRESETS as GATYS_PRESETS
from .johnson.options import JohnsonOptions
from .johnson.presets import PRESETS as JOHNSON_PRESETS
from .swap.options import SwapOptions
from .swap.presets import PRESETS as SWAP_PRESETS

if TYPE_CHECKING:
    from torch import Tensor, device


class Bind(Protocol):
    """Loads what a recipe needs onto a device."""

    def __call__(self, recipe: Recipe, styles: Sequence[Tensor], device: device) -> Painter:
        """`styles` are the style pictures in order, 1×3×H×W each, at their own sizes."""
        ...


@dataclass(frozen=True)
class Method:
    """One way of painting: its settings, its named settings, and where its code is (imported on use).

    Attributes:
        styles: whether it paints like pictures given to it; without, its styles are in its networks.
    """

    name: str
    summary: str
    options: type[Options]
    presets: Mapping[str, Preset]
    module: str
    styles: bool = True

    @property
    def bind(self) -> Bind:
        """The function that turns a recipe into a painter."""
        return cast(Bind, importlib.import_module(self.module).bind)


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method(
            "gatys",
            "Optimise the pixels themselves (Gatys et al. 2015): slow, best",
            GatysOptions,
            GATYS_PRESETS,
            "impasto.methods.gatys.painter",
        ),
        Method(
            "adain",
            "Any style in one pass, by the statistics of its features (Huang & Belongie 2017)",
            AdainOptions,
            ADAIN_PRESETS,
            "impasto.methods.adain.painter",
        ),
        Method(
            "swap",
            "Any style in one pass, out of patches of its features (Chen & Schmidt 2016)",
            SwapOptions,
            SWAP_PRESETS,
            "impasto.methods.swap.painter",
        ),
        Method(
            "johnson",
            "A network that knows its styles, in a blink (Johnson et al. 2016, Dumoulin et al. 2017)",
            JohnsonOptions,
            JOHNSON_PRESETS,
            "impasto.methods.johnson.painter",
            styles=False,
        ),
    )
}

DEFAULT = ("adain", "impasto")
"""Method and preset of `impasto paint` and `impasto.paint`."""

REMOVED_SETTINGS: dict[str, dict[str, str]] = {
    "swap": {"patches_per_style": "every patch is compared; remove it from the recipe to paint without it"},
}
"""Settings that a method no longer has, by method: what holds instead, and the repair."""


def method(name: str) -> Method:
    """The method called `name`, or a refusal with the near misses."""
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
    """A recipe from a method's name, a preset, and settings that override it.

    Args:
        name: a method.
        styles: style pictures with weights.
        preset: one of the method's presets; None begins from the defaults.
        settings: fields of the method's options or of `Recipe`, by name; the two share no name.

    Raises:
        RequestError: an unknown name or a value out of range, in one line.
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
    _drop_removed(name, given)
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
    """A recipe from plain data: a picture's metadata, JSON or TOML."""
    fields = dict(data)
    name = fields.pop("method", None)
    if not isinstance(name, str):
        raise RequestError("the recipe names no method")
    chosen = method(name)
    try:
        given = fields.pop("options", {})
        if isinstance(given, Mapping):
            given = dict(cast(Mapping[str, Any], given))
            _drop_removed(name, given)
        options = chosen.options.model_validate(given)
        recipe = Recipe.model_validate({**fields, "method": name, "options": options})
    except ValidationError as error:
        raise explain(error, "recipe") from None
    return _possible(recipe)


def _drop_removed(name: str, settings: dict[str, Any]) -> None:
    """Delete removed settings that are unset: None, or "none" in TOML.

    Raises:
        RequestError: one of them has another value.
    """
    for setting, advice in REMOVED_SETTINGS.get(name, {}).items():
        value = settings.pop(setting, None)
        if value not in (None, "none"):
            raise RequestError(f"{name}'s setting {setting} (got {value!r}) is gone: {advice}")


def _possible(recipe: Recipe) -> Recipe:
    """The recipe, if its method can follow it."""
    if recipe.colour == "coral" and not method(recipe.method).styles:
        raise RequestError(
            f"coral recolours a style picture before painting, and {recipe.method} takes none; "
            "expected luminance, oklab or histogram"
        )
    return recipe
