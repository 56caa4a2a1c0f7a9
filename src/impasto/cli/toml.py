"""Writes plain data as TOML; `values.read_toml` reads it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from ..untrusted import acts_on_terminal
from ..values import NONE

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def to_toml(data: Mapping[str, Any]) -> str:
    """Write JSON data as TOML. TOML has no null: it is written as ``none``, as on the command line."""
    return "\n".join(_lines(data, ())).strip() + "\n"


def _lines(table: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    """The lines of a table. Its own values come first, since all that follows a heading belongs to that."""
    tables = {key: value for key, value in table.items() if isinstance(value, Mapping) or _is_tables(value)}
    for key, value in table.items():
        if key not in tables:
            yield f"{_key(key)} = {_value(value)}"
    for key, value in tables.items():
        inner = (*path, key)
        heading = ".".join(map(_key, inner))
        if isinstance(value, Mapping):
            yield from ("", f"[{heading}]", *_lines(cast(Mapping[str, Any], value), inner))
        else:
            for item in value:
                yield from ("", f"[[{heading}]]", *_lines(item, inner))


def _is_tables(value: Any) -> bool:
    items = cast(Sequence[Any], value)
    return isinstance(value, list | tuple) and bool(items) and all(isinstance(item, Mapping) for item in items)


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _text(key)


def _value(value: Any) -> str:
    if value is None:
        return _text(NONE)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, cast(Sequence[Any], value)))}]"
    if isinstance(value, Mapping):  # inside an array that is not of tables alone
        pairs = cast(Mapping[str, Any], value).items()
        return f"{{{', '.join(f'{_key(key)} = {_value(each)}' for key, each in pairs)}}}"
    return _text(str(value))


def _text(text: str) -> str:
    # A file name may have bytes that are not Unicode. JSON escapes only a part of what acts on a terminal.
    whole = text.encode("utf-8", "replace").decode()
    quoted = json.dumps(whole, ensure_ascii=False)
    return "".join(f"\\u{ord(letter):04x}" if acts_on_terminal(letter) else letter for letter in quoted)
