"""Plain data as TOML; `values.read_toml` reads it back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from ..values import NONE

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def to_toml(data: Mapping[str, Any]) -> str:
    """TOML of what JSON can hold; null, which TOML has not, becomes the text that flags take for it."""
    return "\n".join(_lines(data, ())).strip() + "\n"


def _lines(table: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    """A table's own values first: what follows a heading belongs to it."""
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
    if isinstance(value, Mapping):  # among other things in an array
        pairs = cast(Mapping[str, Any], value).items()
        return f"{{{', '.join(f'{_key(key)} = {_value(each)}' for key, each in pairs)}}}"
    return _text(str(value))


def _text(text: str) -> str:
    # Undecodable bytes of a file name are no Unicode; JSON leaves DEL bare, TOML does not.
    whole = text.encode("utf-8", "replace").decode()
    return json.dumps(whole, ensure_ascii=False).replace("\x7f", "\\u007f")
