"""Recipes of strangers: bounded, checked, and with names of what is shipped only."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from ..errors import ImpastoError, near_misses
from ..recipe import DECIDED, Recipe
from ..untrusted import shorten
from ..weights.catalogue import CATALOGUE
from .names import safe_name
from .refusals import Refusal, public

_MOST_TEXT = 32_000  # characters of a recipe that is given back
_MOST_NAMES = 16  # styles of a recipe that is given back
OWN = frozenset({"start", "memory", "preset"})
"""Settings of a recipe that belong to the studio or to other fields of a request."""


@dataclass(frozen=True)
class Found:
    """A recipe that was found inside a picture, as a client is told of it.

    Attributes:
        method: name of the method.
        settings: settings that differ from the defaults, by name.
        styles: names and weights of the styles.
        dropped: names of settings that are left out, because they name what is not shipped.
    """

    method: str
    settings: dict[str, Any]
    styles: list[dict[str, Any]]
    dropped: list[str]

    def described(self) -> dict[str, Any]:
        """Return it as JSON data; ``styles`` and ``settings`` may be sent back in a request for a job."""
        return {
            "method": self.method,
            "settings": self.settings,
            "styles": self.styles,
            "dropped": self.dropped,
        }


def shipped_names() -> frozenset[str]:
    """The names that a recipe may have: nets inside the package, styles of the gallery, encoders of the catalogue."""
    from ..methods.johnson.gallery import gallery
    from ..weights.shipped import net_names

    return frozenset([*net_names(), *gallery(), *CATALOGUE])


def check_names(recipe: Recipe, own: Collection[str]) -> None:
    """Check that a recipe names no file of the server.

    Args:
        recipe: the recipe, with settings of a stranger.
        own: names that stand for pictures of the request.

    Raises:
        Refusal: it does.
    """
    known = shipped_names()

    def check(name: str) -> str:
        if name not in own and name not in known:
            hint = near_misses(name, known) or ": see the settings of the method"
            shown = public(repr(shorten(name)))
            raise Refusal(422, f"{shown} is not the name of anything shipped; expected one that is{hint}")
        return name

    recipe.renamed(check)


def found_in(data: bytes) -> Found | None:
    """Read the recipe inside a picture; None if there is none that can be read and used.

    Args:
        data: the file of the picture, whose size was checked.
    """
    from ..images.metadata import metadata_in
    from ..session.provenance import Provenance

    def read() -> dict[str, Any] | None:
        record = metadata_in(data, "the picture")
        return None if record is None else dict(Provenance.model_validate(record).recipe)

    return _found(read)


def found_in_clip(path: str) -> Found | None:
    """Read the recipe inside a clip; None if there is none that can be read and used.

    Args:
        path: the clip, whose size was checked.
    """
    from ..video.record import film_provenance

    return _found(lambda: dict(film_provenance(path).recipe))


def _found(read: Callable[[], dict[str, Any] | None]) -> Found | None:
    from ..methods import read_recipe

    try:
        recipe = read()
        if recipe is None:
            return None
        found = _described(read_recipe(recipe))
        bounded = len(json.dumps(found.described(), allow_nan=False)) <= _MOST_TEXT
    except (ImpastoError, ValidationError, Refusal, ValueError, TypeError, KeyError, RecursionError):
        return None
    return found if bounded else None


def _described(recipe: Recipe) -> Found:
    from ..demo.styles import STYLES

    known = shipped_names()
    dropped: list[str] = []

    def differing(model: Any, without: Collection[str]) -> dict[str, Any]:
        data = model.model_dump(mode="json", exclude_defaults=True)
        return {name: value for name, value in data.items() if name not in without}

    settings = {**differing(recipe, DECIDED | OWN), **differing(recipe.options, ())}
    for name in list(settings):
        if not _names_shipped_only(recipe, name, known):
            del settings[name]
            dropped.append(name)
    shares = [(style.path, style.weight) for style in recipe.styles]
    if recipe.options.known_styles:
        shares = [(share.name, share.weight) for share in recipe.options.known_styles]
        settings.pop("net", None)
    named = known | frozenset(STYLES)
    names = [{"name": safe_name(name), "weight": weight, "shipped": name in named} for name, weight in shares]
    return Found(recipe.method, settings, names[:_MOST_NAMES], dropped)


def _names_shipped_only(recipe: Recipe, setting: str, known: Collection[str]) -> bool:
    """Whether one setting of a recipe names nothing but what is shipped."""
    model = recipe.options if setting in type(recipe.options).model_fields else recipe
    fields = set(type(model).model_fields) - {setting}
    names: list[str] = []

    def note(name: str) -> str:
        names.append(name)
        return name

    model.rename_files(model.model_dump(mode="json"), note, without=sorted(fields))
    return all(name in known for name in names)
