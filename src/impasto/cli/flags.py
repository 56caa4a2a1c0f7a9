"""Command-line flags made from the fields of a pydantic model, which state name, type, default and description."""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import is_dataclass
from datetime import timedelta
from inspect import Parameter as Argument
from inspect import Signature, signature
from typing import Annotated, Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from cyclopts import Group, Parameter
from pydantic import ByteSize
from pydantic.fields import FieldInfo

from ..recipe import Frozen
from ..settings import GROUPS, in_order, names_file, place_of
from ..untrusted import printable
from ..values import NONE, is_optional, parse_none

Fields = Mapping[str, FieldInfo]
Command = TypeVar("Command", bound=Callable[..., Any])

HELP_ALL = "--help-all"
HELP = ("--help", "-h", HELP_ALL)

# The help lists headings in this order.
PICTURES = Group.create_ordered("Pictures")
TRAINING = Group.create_ordered("Pictures and place")
SETTINGS = Group.create_ordered("Settings")
_TITLED = {group: Group.create_ordered(title) for group, title in GROUPS.items()}
_REPRODUCTION = Group.create_ordered("To reproduce other systems")
OUTPUT = Group.create_ordered("Output")
RECORDS = Group.create_ordered("While painting")


def flags(fields: Fields, defaults: Mapping[str, Any] | None = None, *, everything: bool = False) -> list[Argument]:
    """Make a keyword-only argument of each field, sorted by group. Its value is None if the flag is not given.

    Args:
        fields: the fields by name. Numbers and texts are passed on as typed: the model parses them.
        defaults: the defaults that the help shows, by name; if one is missing, the field's own.
        everything: the help shows all of them, under headings, and not only the plain ones.
    """
    shown = defaults or {}
    return [
        _flag(name, field, shown.get(name, field.get_default(call_default_factory=True)), everything=everything)
        for name, field in in_order(fields.items())
    ]


def with_signature(
    command: Callable[..., int], name: str, summary: str, arguments: Sequence[Argument]
) -> Callable[..., int]:
    """Give a function the name, docstring and signature that cyclopts makes a command and its flags of."""
    command.__name__, command.__doc__ = name, summary
    command.__annotations__ = {argument.name: argument.annotation for argument in arguments} | {"return": int}
    cast(Any, command).__signature__ = Signature(arguments, return_annotation=int)
    return command


def reflow(command: Command) -> Command:
    """Join the lines of each paragraph of a command's docstring, because the help keeps line breaks as they are."""
    text = inspect.cleandoc(command.__doc__ or "")
    command.__doc__ = re.sub(r"(?<=\S)\n(?! {4}\w+: |Args:)[ ]*(?=\S)", " ", text)
    return command


def shown(*, everything: bool) -> Parameter:
    """Make a command's `default_parameter`: whether the help shows flags that do not state it themselves."""
    return Parameter(show=everything)


def shown_if(*, plain: bool) -> dict[str, Any]:
    """Arguments of a flag's `Parameter`: the help always shows a plain flag; for others the command decides."""
    return {"show": True} if plain else {}


def epilogue(usage: str, examples: Sequence[str], command: Callable[..., Any], *, everything: bool) -> str:
    """Make the end of a command's help: examples, and how to see the flags that it leaves out.

    Args:
        usage: the command, such as ``impasto swap``.
        examples: whole command lines.
        command: its signature has the flags.
        everything: the help leaves no flags out.
    """
    lines = "\n".join(["Examples:", *(f"  {example}" for example in examples)])
    return "\n\n".join(part for part in (lines, more_flags(usage, command, everything=everything)) if part)


def more_flags(usage: str, command: Callable[..., Any], *, everything: bool) -> str:
    """Say how to see the flags that a command's help leaves out; empty if there are none."""
    hidden = _count_hidden(signature(command).parameters.values())
    return "" if everything or not hidden else f"{hidden} more flags: {usage} {HELP_ALL}"


def _count_hidden(arguments: Iterable[Argument]) -> int:
    """Count the flags that a command's plain help leaves out; those of a dataclass count one by one."""
    count = 0
    for argument in arguments:
        kind, *about = get_args(argument.annotation)
        if about[-1].name == ("*",):
            hints = get_type_hints(
                next(each for each in (*get_args(kind), kind) if is_dataclass(each)), include_extras=True
            )
            count += sum(get_args(hint)[-1].show is None for hint in hints.values())
        else:
            count += about[-1].show is None
    return count


def given(fields: Fields, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of the flags of `fields` that were given, with ``none`` turned into None."""
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
        # rich would take [@ for the begin of markup
        metavar=None if kind is bool else metavar.replace("[@", r"\[@"),
        negative_iterable=(),
        group=heading(field) if everything else SETTINGS,
        **shown_if(plain=place.level == "plain"),
        # so that a negative number is read, and refused with the range
        allow_leading_hyphen=metavar in ("INT", "FLOAT"),
    )
    return Argument(name, Argument.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, parameter])


def heading(field: FieldInfo) -> Group:
    """The heading of a setting in a help that shows all of them."""
    place = place_of(field)
    return _REPRODUCTION if place.level == "reproduction" else _TITLED[place.group]


def _kind(annotation: Any) -> tuple[Any, str]:
    """The type that the command line parses, and the word that the help shows for it."""
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
        return list[str], item.FORM  # the flag may be given several times
    words = {int: "INT", float: "FLOAT", ByteSize: "SIZE", timedelta: "TIME", tuple: "A:B,...", dict: "A:B,..."}
    return str, words.get(origin or annotation, "TEXT")


def show_default(default: Any) -> str:
    """Write a setting's default as it would be typed."""
    if isinstance(default, Mapping):
        return ",".join(f"{key}:{value:.4g}" for key, value in default.items())
    if isinstance(default, tuple):
        items = (":".join(map(_part, item)) if isinstance(item, tuple) else str(item) for item in default)
        return ",".join(items) or NONE
    if isinstance(default, bool):
        return "yes" if default else "no"
    return f"{default:.6g}" if isinstance(default, float) else NONE if default is None else printable(str(default))


def _part(part: Any) -> str:
    return part if isinstance(part, str) else f"{part:g}"
