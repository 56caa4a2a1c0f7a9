"""Recipes of earlier versions, brought up to date: the one table of what changed. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from ..errors import RequestError
from ..recipe import VERSION

REMOVED_SETTINGS: dict[str, dict[str, str]] = {
    "swap": {"patches_per_style": "every patch is compared; remove it from the recipe to paint without it"},
}
"""Settings that a method no longer has, by method: what holds instead, and the repair."""


def drop_removed(name: str, settings: dict[str, Any]) -> None:
    """Delete a method's removed settings that are unset: None, or "none" in TOML.

    Raises:
        RequestError: one of them has another value.
    """
    for setting, advice in REMOVED_SETTINGS.get(name, {}).items():
        value = settings.pop(setting, None)
        if value not in (None, "none"):
            raise RequestError(f"{name}'s setting {setting} (got {value!r}) is gone: {advice}")


def _without_removed(recipe: dict[str, Any]) -> None:
    name, options = recipe.get("method"), recipe.get("options")
    if isinstance(name, str) and isinstance(options, Mapping):
        recipe["options"] = dict(cast(Mapping[str, Any], options))
        drop_removed(name, recipe["options"])


MIGRATIONS: dict[int, Callable[[dict[str, Any]], None]] = {
    1: _without_removed,  # what impasto 0.1.0 wrote, which states no version
}
"""By the version they begin from: each brings a recipe, as plain data, to the next one in place."""


def migrate(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe as plain data of the present version.

    Raises:
        RequestError: it is of a newer version, or has a setting that is gone.
    """
    data = dict(recipe)
    version = data.get("version", 1)
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise RequestError(f"the recipe's version is {version!r}; expected a whole number from 1 to {VERSION}")
    if version > VERSION:
        raise RequestError(
            f"the recipe is of version {version}, which a newer impasto wrote; expected at most {VERSION}: "
            "pip install --upgrade impasto"
        )
    for number in range(version, VERSION):
        MIGRATIONS[number](data)
    data["version"] = VERSION
    return data
