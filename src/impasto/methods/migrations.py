"""Updates recipes of earlier versions; the only place that knows what changed. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from ..errors import RequestError
from ..recipe import VERSION

REMOVED_SETTINGS: dict[str, dict[str, str]] = {
    "swap": {"patches_per_style": "every patch is compared; remove it from the recipe to paint without it"},
}
"""Removed settings by method and name: what is done instead, and the repair."""


_EXACT_IN_1 = 1200  # longest side in pixels up to which `swap` in version 1 matched exactly by itself


def drop_removed(name: str, settings: dict[str, Any]) -> None:
    """Delete the removed settings of a method from `settings`, if they are unset: None, or "none" in TOML.

    Raises:
        RequestError: a removed setting has another value.
    """
    for setting, advice in REMOVED_SETTINGS.get(name, {}).items():
        value = settings.pop(setting, None)
        if value not in (None, "none"):
            raise RequestError(f"{name}'s setting {setting} (got {value!r}) is gone: {advice}")


def _update_from_1(recipe: dict[str, Any]) -> None:
    name, options = recipe.get("method"), recipe.get("options")
    if isinstance(name, str) and isinstance(options, Mapping):
        recipe["options"] = dict(cast(Mapping[str, Any], options))
        drop_removed(name, recipe["options"])
        if name == "swap" and recipe.get("nets"):  # of a painting; one written by hand names no digests
            _state_swap_defaults(recipe["options"], recipe.get("size"))


def _state_swap_defaults(options: dict[str, Any], size: object) -> None:
    """State what `swap` did where a painting's recipe leaves it open: three steps to refine, and exact matches."""
    if options.get("steps") is None and options.get("inverse") != "optimise":
        options["steps"] = 3
    if options.get("search") == "auto" and isinstance(size, int) and size <= _EXACT_IN_1:
        options["search"] = "exact"


MIGRATIONS: dict[int, Callable[[dict[str, Any]], None]] = {
    1: _update_from_1,  # impasto 0.1.0 wrote these, without a version
}
"""Functions by version: each updates a recipe of that version, as plain data, to the next version, in place."""


def migrate(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return a recipe, as plain data, in the form of the current version.

    Raises:
        RequestError: it has a newer or an invalid version, or a removed setting with a value.
    """
    data = dict(recipe)
    version = data.get("version", 1)
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise RequestError(f"the recipe's version is {version!r}; expected a whole number from 1 to {VERSION}")
    if version > VERSION:
        raise RequestError(
            f"the recipe has version {version}, which a newer impasto wrote; expected at most {VERSION}: "
            "pip install --upgrade impasto"
        )
    for number in range(version, VERSION):
        MIGRATIONS[number](data)
    data["version"] = VERSION
    return data
