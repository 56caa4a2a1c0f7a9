"""Limits for what strangers made: texts in messages, JSON, TOML, and files that are pipes or devices."""

from __future__ import annotations

import json
import re
import stat
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any, cast

LONGEST_QUOTE = 160
"""Characters of a foreign text that a message quotes."""

LONGEST_MESSAGE = 1200
"""Characters of a whole message."""

MOST_STREAMED = 1_000_000_000
"""Bytes that are read from a stream, whose end is unknown."""

MOST_TOML = 1 << 20
"""Characters of TOML; a recipe has a few thousand."""

_MOST_JSON = 1 << 24
_DEEPEST = 200  # tables inside tables; a net has its parents' descriptions inside its own
_MOST_PARTS = 32  # of a key; a recipe has three
_KINDS = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_TURNS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that change the direction of the text around them."""


def printable(text: str) -> str:
    r"""Return a text that does nothing to a terminal: control characters are escaped, as in ``\x1b``.

    Line breaks and tabs stay.
    """
    if text.isprintable():
        return text
    return "".join(_escaped(letter) if acts_on_terminal(letter) else letter for letter in text)


def acts_on_terminal(letter: str) -> bool:
    """Whether a character is a control character, or changes the direction of text."""
    return letter in _TURNS or (letter not in "\n\t" and unicodedata.category(letter) == "Cc")


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")


def shorten(text: object, most: int = LONGEST_QUOTE) -> str:
    """Return a foreign text as a message quotes it: printable, and at most about `most` characters.

    Args:
        text: the text; anything else is converted by `str`.
        most: how many characters; the middle of a longer text is left out.
    """
    whole = text if isinstance(text, str) else str(text)
    if len(whole) > most:
        end = most // 3
        whole = f"{whole[: most - end]} … {whole[-end:]}"
    return printable(whole)


def read_json(text: str | bytes) -> Any:
    """Parse JSON of bounded length and depth.

    Raises:
        ValueError: it is not JSON, or is longer or deeper than anything that impasto writes.
    """
    _require_length(text, _MOST_JSON)
    try:
        return _require_depth(json.loads(text))
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None


def read_toml(text: str) -> dict[str, Any]:
    """Parse TOML of bounded length and depth.

    Raises:
        ValueError: it is not TOML, or is longer or deeper than anything that impasto writes.
    """
    _require_length(text, MOST_TOML)
    # The parser's time grows with the square of a key's parts, so these are counted first. Strings may have any dots.
    without_strings = re.sub(r"\"[^\"\n]*\"|'[^'\n]*'", "x", text)
    dense = re.sub(r"[ \t]+", "", without_strings)
    if any(word.count(".") > _MOST_PARTS for word in re.split(r"[^\w.-]+", dense)):
        raise ValueError(f"a key has more than {_MOST_PARTS} parts")
    try:
        return _require_depth(tomllib.loads(text))
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None


_TOO_DEEP = f"it is nested more than {_DEEPEST} levels deep"


def _require_length(text: str | bytes, most: int) -> None:
    if len(text) > most:
        raise ValueError(f"it has {len(text)} characters, more than {most}")


def _require_depth(data: Any) -> Any:
    level: list[Any] = [data]
    for _ in range(_DEEPEST):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return data
    raise ValueError(_TOO_DEEP)


def _inside(data: Any) -> Iterable[Any]:
    values: Iterable[Any] = ()
    if isinstance(data, Mapping):
        values = cast(Mapping[str, Any], data).values()
    elif isinstance(data, list):
        values = cast(list[Any], data)
    return [value for value in values if isinstance(value, Mapping | list)]


def irregular(path: str | Path) -> str | None:
    """What a path is, such as ``a pipe``, if it is neither a regular file nor a folder; None if it is, or is absent.

    Reading such a thing may never end, and opening it may never return.
    """
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError):
        return None
    return next((name for fits, name in _KINDS if fits(mode)), None)


def read_text(path: str | Path, most: int = MOST_TOML) -> str:
    """Read a text file in UTF-8.

    Raises:
        ValueError: it is a pipe or a device, has more than `most` bytes, or is not UTF-8.
        OSError: it cannot be read.
    """
    if kind := irregular(path):
        raise ValueError(f"it is {kind}, not a file")
    with Path(path).open("rb") as file:
        return read_stream(file, most).decode("utf-8-sig")


def read_stream(stream: IO[bytes], most: int | None = None) -> bytes:
    """Read a stream to its end.

    Args:
        stream: the stream.
        most: most bytes that it may have; `MOST_STREAMED` by default.

    Raises:
        ValueError: it has more.
    """
    most = MOST_STREAMED if most is None else most
    parts: list[bytes] = []
    left = most + 1
    while left > 0 and (part := stream.read(min(left, 1 << 20))):
        parts.append(part)
        left -= len(part)
    if left <= 0:
        raise ValueError(f"it has more than {most / 1e6:.3g} MB")
    return b"".join(parts)
