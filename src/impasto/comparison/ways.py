"""Reads the ways to paint in a comparison from text. Imports no torch."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from .. import prints
from ..errors import RequestError, near_misses
from ..methods import METHODS, make_recipe, method
from ..methods.effort import EFFORTS, check_shared, way
from ..recipe import DECIDED, Recipe, Style
from ..values import explain, parse_none

WAYS = ("draft", "quick", "fine", "best")
SIZE = 320
_SETTING = re.compile(r"[A-Za-z][\w-]*=")
_NO_SETTINGS = (*DECIDED, "preset", *prints.FIELDS)  # fields of a recipe that a way cannot set


@dataclass(frozen=True, slots=True)
class Way:
    """One way to paint.

    Attributes:
        label: name of the way, such as ``gatys quick steps=40``.
        recipe: its recipe without style pictures.
    """

    label: str
    recipe: Recipe

    @property
    def file_name(self) -> str:
        """The label as a part of a file name."""
        return re.sub(r"[^\w=.+-]+", "-", self.label)[:100]

    def with_styles(self, styles: Sequence[Style]) -> Recipe:
        """Return the recipe with style pictures; without them if its networks know their styles.

        Raises:
            RequestError: a style is given twice.
        """
        if not method(self.recipe.method).styles:
            return self.recipe
        fields: dict[str, Any] = {name: getattr(self.recipe, name) for name in Recipe.model_fields}
        fields["styles"] = tuple(styles)
        try:
            return Recipe(**fields)
        except ValidationError as error:
            raise explain(error) from None


def parse_way(text: str, size: int | None = SIZE) -> Way:
    """Read a way: ``METHOD[:PRESET][:SETTING=VALUE]...``, or ``EFFORT[:SETTING=VALUE]...``.

    For a method whose networks know their styles, the name of a network takes the place of the preset. An effort
    stands for what `impasto paint` uses for it, and has the setting ``boldness``. Other settings are fields of the
    method's options or of `Recipe`; hyphens may be used for underscores, and ``none`` is None. A part without a
    setting's name belongs to the value before it.

    Args:
        text: the way.
        size: longest side in pixels, unless the way states one.

    Raises:
        RequestError: a name is unknown, a value is out of range, or the network is missing.

    Examples:
        >>> parse_way("gatys:quick:steps=40").label
        'gatys quick steps=40'
    """
    head, settings = _split(text)
    name, _, named = head.partition(":")
    written = [f"{key}={value}" for key, value in settings.items()]
    if name in EFFORTS:
        return Way(" ".join([name, *written]), _by_effort(text, head, settings, size))
    if name not in METHODS and (near := near_misses(name, (*METHODS, *EFFORTS))):
        raise RequestError(f"no method or effort {name!r}{near}")
    chosen = method(name)
    fields = {**Recipe.model_fields, **chosen.options.model_fields}
    given = {"size": size, **parse_none(fields, settings)}
    try:
        if chosen.styles:
            recipe = make_recipe(name, preset=named or None, settings=given)
        elif named or "net" in given:
            recipe = make_recipe(name, settings={"net": named, **given} if named else given)
        else:
            raise RequestError(
                f"{name} takes no style picture, its networks know their styles; expected one of these, as in "
                f"{name}:great-wave"
            )
    except RequestError as error:
        raise RequestError(str(error) if text == name else f"{text}: {error}") from None
    return Way(" ".join([name, *([named] if named else []), *written]), recipe)


def _by_effort(text: str, effort: str, settings: Mapping[str, str], size: int | None) -> Recipe:
    """Return the recipe of `impasto paint` for an effort."""
    shared = {name: value for name, value in settings.items() if name != "boldness"}
    try:
        check_shared(shared)
        name, preset, chosen = way(effort, settings.get("boldness"))
        given = {"size": size, **parse_none(Recipe.model_fields, shared)}
        return make_recipe(name, preset=preset, settings={**chosen, **given})
    except RequestError as error:
        raise RequestError(str(error) if text == effort else f"{text}: {error}") from None


def parse_ways(texts: Iterable[str], size: int | None = SIZE) -> list[Way]:
    """Read several ways.

    Args:
        texts: the ways; see `parse_way`.
        size: see `parse_way`.

    Raises:
        RequestError: see `parse_way`; or there is none, or one is given twice.
    """
    ways = [parse_way(text, size) for text in texts]
    labels = [way.label for way in ways]
    if not ways or len(set(labels)) < len(labels):
        raise RequestError(f"methods are {', '.join(labels) or 'none'}; expected at least one, each once")
    return ways


def split_ways(text: str) -> list[str]:
    """Split a text into ways at its commas.

    A comma after a setting belongs to the value, unless the name of a method or effort follows:
    ``adain,gatys:style_layers=relu1_1,relu2_1,swap`` has three ways.
    """
    ways: list[str] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        name = part.partition(":")[0]
        if ways and _split(ways[-1])[1] and not _begins_way(name):
            ways[-1] += f",{part}"
        else:
            ways.append(part)
    return ways


def _begins_way(name: str) -> bool:
    names = (*METHODS, *EFFORTS)
    return name in names or bool(near_misses(name, names))


def _split(text: str) -> tuple[str, dict[str, str]]:
    """Split a way into the part before its settings, and the settings by name."""
    head: list[str] = []
    settings: dict[str, str] = {}
    last = ""
    for part in text.strip().split(":"):
        if head and _SETTING.match(part):
            key, _, value = part.partition("=")
            last = key.replace("-", "_")
            if last in settings:
                raise RequestError(f"{text}: {key} is given twice; expected each setting once")
            if last in _NO_SETTINGS:
                raise RequestError(f"{text}: {key} is no setting; expected METHOD[:PRESET][:SETTING=VALUE]...")
            settings[last] = value
        elif last:
            settings[last] += f":{part}"
        else:
            head.append(part)
    return ":".join(head), settings
