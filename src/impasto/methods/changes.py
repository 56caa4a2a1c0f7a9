"""A recipe with other settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..recipe import DECIDED, Recipe, Style
from . import make_recipe

_COMMON = [name for name in Recipe.model_fields if name not in DECIDED and name != "preset"]


def with_settings(recipe: Recipe, settings: Mapping[str, Any], styles: Sequence[Style] = ()) -> Recipe:
    """Return a recipe with other settings and styles, without the hashes of networks.

    A preset also replaces the method's settings, encoder and size; ``steps`` also replaces a schedule; a print and a
    size replace each other.

    Args:
        recipe: the recipe.
        settings: fields of `Recipe` and of the method's options to replace, by name.
        styles: the styles to paint like.

    Raises:
        RequestError: a setting is unknown, or a value is out of range.

    Examples:
        >>> with_settings(impasto.make_recipe("adain"), {"size": 256}).size
        256
    """
    preset = settings.get("preset")
    common = {name: getattr(recipe, name) for name in _COMMON}
    if settings.get("print") is not None:
        common["size"] = None
    elif "size" in settings or "print" in settings:
        common |= {"print": None, "print_crop": False}
    others = {name: value for name, value in settings.items() if name != "preset"}
    if preset is not None:
        kept = {name: value for name, value in common.items() if name not in ("encoder", "size")}
        return make_recipe(recipe.method, styles, preset=preset, settings={**kept, **others}, exact_preset=False)
    own = {name: getattr(recipe.options, name) for name in type(recipe.options).model_fields}
    if "steps" in others and "schedule" not in others:
        own.pop("schedule", None)
    changed = make_recipe(recipe.method, styles, settings={**common, **own, **others})
    return changed if "preset" in settings else changed.model_copy(update={"preset": recipe.preset})
