"""Command-line flags made from pydantic fields: name, type, default and description are stated there alone."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from inspect import Parameter as Argument
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from cyclopts import Group, Parameter
from pydantic import BaseModel, ByteSize
from pydantic.fields import FieldInfo

from ..recipe import NONE, Frozen, may_be_unset, unset

Fields = Mapping[str, FieldInfo]

# The help lists headings in this order, a method's own settings last.
PICTURES = Group.create_ordered("Pictures")
PAINTING = Group.create_ordered("Painting")
OUTPUT = Group.create_ordered("Output")
RECORDS = Group.create_ordered("On the way")


def flags(fields: Fields, group: Group, defaults: BaseModel | None = None) -> Iterator[Argument]:
    """A keyword-only argument for each field; its value is None where the flag was not given.

    Args:
        fields: by name. Numbers and texts are handed on as typed: the model itself parses them.
        group: heading they stand under in the help.
        defaults: where the defaults that the help shows come from; the fields' own where None.
    """
    for name, field in fields.items():
        default = field.get_default(call_default_factory=True) if defaults is None else getattr(defaults, name)
        yield _flag(name, field, group, default)


def given(fields: Fields, values: Mapping[str, Any]) -> dict[str, Any]:
    """Of all flag values, those of `fields` that the user gave, `none` turned into None."""
    return unset(fields, {name: values[name] for name in fields if values.get(name) is not None})


def _flag(name: str, field: FieldInfo, group: Group, default: Any) -> Argument:
    kind, metavar = _kind(field.annotation)
    if may_be_unset(field):
        if get_origin(kind) is Literal:
            kind = Literal[(*get_args(kind), NONE)]
        elif kind is str:
            metavar = f"{metavar}|{NONE}"
    parameter = Parameter(
        help=(field.description or "").replace("`", "'"),
        show_default=_shown(default),
        # rich takes what is in brackets and begins with @ for markup
        metavar=None if kind is bool else metavar.replace("[@", r"\[@"),
        negative_iterable=(),
        group=group,
        # a negative number is then read, and refused with its range
        allow_leading_hyphen=metavar in ("INT", "FLOAT"),
    )
    return Argument(name, Argument.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, parameter])


def _kind(annotation: Any) -> tuple[Any, str]:
    """The type the command line parses, and the word the help shows for it."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _kind(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return _kind(next(arg for arg in get_args(annotation) if arg is not type(None)))
    if annotation is bool:
        return bool, ""
    if origin is Literal:
        return annotation, ""
    if origin is tuple and isinstance(item := get_args(annotation)[0], type) and issubclass(item, Frozen):
        return list[str], item.FORM  # given again and again
    words = {int: "INT", float: "FLOAT", ByteSize: "SIZE", tuple: "A:B,...", dict: "A:B,..."}
    return str, words.get(origin or annotation, "TEXT")


def _shown(default: Any) -> str:
    if isinstance(default, Mapping):
        return ",".join(f"{key}:{value:.4g}" for key, value in default.items())
    if isinstance(default, tuple):
        items = (":".join(map(_part, item)) if isinstance(item, tuple) else str(item) for item in default)
        return ",".join(items) or NONE
    if isinstance(default, bool):
        return "yes" if default else "no"
    return f"{default:.6g}" if isinstance(default, float) else NONE if default is None else str(default)


def _part(part: Any) -> str:
    return part if isinstance(part, str) else f"{part:g}"
