"""Command-line flags made from pydantic fields: name, type, default and description are stated there alone."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import is_dataclass
from inspect import Parameter as Argument
from inspect import signature
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from cyclopts import Group, Parameter
from pydantic import ByteSize
from pydantic.fields import FieldInfo

from ..recipe import Frozen
from ..settings import GROUPS, Place, in_order, names_file, place_of
from ..values import NONE, is_optional, parse_none

Fields = Mapping[str, FieldInfo]

HELP_ALL = "--help-all"
HELP = ("--help", "-h", HELP_ALL)

# The help lists headings in this order.
PICTURES = Group.create_ordered("Pictures")
TRAINING = Group.create_ordered("Pictures and place")
SETTINGS = Group.create_ordered("Settings")
_TITLED = {group: Group.create_ordered(title) for group, title in GROUPS.items()}
_REPRODUCTION = Group.create_ordered("To reproduce other systems")
OUTPUT = Group.create_ordered("Output")
RECORDS = Group.create_ordered("On the way")


def flags(fields: Fields, defaults: Mapping[str, Any] | None = None, *, everything: bool = False) -> list[Argument]:
    """A keyword-only argument for each field, by group; its value is None where the flag was not given.

    Args:
        fields: by name. Numbers and texts are handed on as typed: the model itself parses them.
        defaults: what the help shows as defaults, by name; the fields' own where one is missing.
        everything: whether the help shows all of them, under headings, or the plain ones alone.
    """
    given = defaults or {}
    return [
        _flag(name, field, given.get(name, field.get_default(call_default_factory=True)), everything=everything)
        for name, field in in_order(fields.items())
    ]


def shown(*, everything: bool) -> Parameter:
    """For a command's `default_parameter`: flags that do not say so themselves are shown, or hidden, in its help."""
    return Parameter(show=everything)


def shown_if(*, plain: bool) -> dict[str, Any]:
    """Arguments of a flag's `Parameter`: a plain one is always shown, of others the command says it."""
    return {"show": True} if plain else {}


def epilogue(usage: str, examples: Sequence[str], command: Callable[..., Any], *, everything: bool) -> str:
    """What ends a command's help: lines to type, and how to see the flags that it leaves out.

    Args:
        usage: as in ``impasto swap``.
        examples: whole lines.
        command: whose signature has the flags.
        everything: whether none is left out.
    """
    lines = "\n".join(["Examples:", *(f"  {example}" for example in examples)])
    return "\n\n".join(part for part in (lines, more_flags(usage, command, everything=everything)) if part)


def more_flags(usage: str, command: Callable[..., Any], *, everything: bool) -> str:
    """How to see the flags that a command's help leaves out; empty where there are none."""
    hidden = _count_hidden(signature(command).parameters.values())
    return "" if everything or not hidden else f"{hidden} more flags: {usage} {HELP_ALL}"


def _count_hidden(arguments: Iterable[Argument]) -> int:
    """How many of a command's flags its plain help leaves out; those of a dataclass count one by one."""
    found = 0
    for argument in arguments:
        kind, *about = get_args(argument.annotation)
        if about[-1].name == ("*",):
            hints = get_type_hints(
                next(each for each in (*get_args(kind), kind) if is_dataclass(each)), include_extras=True
            )
            found += sum(get_args(hint)[-1].show is None for hint in hints.values())
        else:
            found += about[-1].show is None
    return found


def given(fields: Fields, values: Mapping[str, Any]) -> dict[str, Any]:
    """Of all flag values, those of `fields` that the user gave, `none` turned into None."""
    return parse_none(fields, {name: values[name] for name in fields if values.get(name) is not None})


def _flag(name: str, field: FieldInfo, default: Any, *, everything: bool) -> Argument:
    place = place_of(field)
    kind, metavar = _kind(field.annotation)
    if names_file(field) is not None:
        metavar = "FILE"
    if is_optional(field):
        if get_origin(kind) is Literal:
            kind = Literal[(*get_args(kind), NONE)]
        elif kind is str:
            metavar = f"{metavar}|{NONE}"
    parameter = Parameter(
        help=(field.description or "").replace("`", "'"),
        show_default=show_default(default),
        # rich takes what is in brackets and begins with @ for markup
        metavar=None if kind is bool else metavar.replace("[@", r"\[@"),
        negative_iterable=(),
        group=_heading(place) if everything else SETTINGS,
        **shown_if(plain=place.level == "plain"),
        # a negative number is then read, and refused with its range
        allow_leading_hyphen=metavar in ("INT", "FLOAT"),
    )
    return Argument(name, Argument.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, parameter])


def _heading(place: Place) -> Group:
    return _REPRODUCTION if place.level == "reproduction" else _TITLED[place.group]


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


def show_default(default: Any) -> str:
    """A setting's default, as it is typed."""
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
