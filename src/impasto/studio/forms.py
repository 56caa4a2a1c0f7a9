"""What forms are made of: the methods with the JSON schemas of their settings."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel

from ..methods import METHODS
from ..methods.definition import Method
from ..methods.effort import EFFORTS, Dials
from ..recipe import DECIDED, Recipe
from ..settings import GROUPS, names_file
from ..weights.catalogue import CATALOGUE
from .limits import Limits
from .recipes import OWN


def described(limits: Limits) -> dict[str, Any]:
    """Return the methods, the dials and the settings that all methods share, as JSON data.

    Args:
        limits: of the studio; they bound some settings.
    """
    shared = _schema(Recipe, without=DECIDED | OWN, choices={"encoder": _encoders()})
    size = shared["properties"]["size"]
    for each in [size, *size.get("anyOf", [])]:
        if "maximum" in each:
            each["maximum"] = limits.max_size
    return {
        "efforts": list(EFFORTS),
        "dials": Dials.model_json_schema(),
        "groups": dict(GROUPS),
        "methods": [_method(each) for each in METHODS.values()],
        "shared": shared,
    }


def _method(method: Method) -> dict[str, Any]:
    nets = _nets(method.name)
    without = () if method.styles else ("net",)  # styles choose it
    return {
        "name": method.name,
        "title": method.name,
        "summary": method.summary,
        "styles": "any" if method.styles else "own",
        "schema": _schema(method.options, without=without, choices={"net": nets} if nets else {}),
        "presets": [{"name": name, "description": preset.description} for name, preset in method.presets.items()],
    }


def _schema(model: type[BaseModel], *, without: Collection[str], choices: Mapping[str, list[str]]) -> dict[str, Any]:
    """The JSON schema of a model's fields that clients may set.

    A field that names a file has the names that are shipped as its ``enum``; one without such names is left out.
    """
    schema = model.model_json_schema()
    fields = {name: field for name, field in model.model_fields.items() if name not in without}
    properties: dict[str, Any] = {}
    for name, field in fields.items():
        shown = dict(schema["properties"][name])
        if names_file(field) is not None:
            if name not in choices:
                continue
            shown = {key: value for key, value in shown.items() if key not in ("format", "anyOf")}
            shown |= {"type": "string", "enum": choices[name]}
        properties[name] = shown
    return {"type": "object", "properties": properties, "$defs": schema.get("$defs", {})}


@cache
def _encoders() -> list[str]:
    """The encoders of the catalogue that are on this machine."""
    from ..weights.locate import is_here

    return [name for name, entry in CATALOGUE.items() if is_here(entry)]


@cache
def _nets(name: str) -> list[str]:
    """The shipped nets of the kind that a method's own is; empty if it has none."""
    from ..weights.container import load_metadata
    from ..weights.shipped import locate_net, net_names

    field = METHODS[name].options.model_fields.get("net")
    if field is None or not isinstance(field.default, str):
        return []
    kinds = {net: (load_metadata(locate_net(net)) or {}).get("kind") for net in net_names()}
    return [net for net, kind in kinds.items() if kind is not None and kind == kinds.get(field.default)]
