"""Boxes: the parts of JPEG XL, AVIF and HEIC files (ISO/IEC 14496-12 and 23008-12)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

_LONG = 1  # this size says that one of 64 bits follows
_CODES = (4, 6, 8)  # where the numbers of a ``colr`` box are, after its type; each has two bytes


class Box(NamedTuple):
    """A box of a file.

    Attributes:
        kind: its type.
        content: what it holds.
        at: the byte where it begins.
        start: the byte where its content begins.
    """

    kind: bytes
    content: bytes
    at: int
    start: int


def boxes(data: bytes) -> Iterator[Box]:
    """Iterate over the boxes of a file, or of a box. It ends where the data makes no sense."""
    at = 0
    while at + 8 <= len(data):
        size, head = int.from_bytes(data[at : at + 4]), 8
        if size == _LONG:
            size, head = int.from_bytes(data[at + 8 : at + 16]), 16
        end = len(data) if size == 0 else at + size
        if end < at + head:
            break
        yield Box(data[at + 4 : at + 8], data[at + head : end], at, at + head)
        at = end


def colour_codes(data: bytes) -> tuple[int, int, int] | None:
    """The codes of ITU-T H.273 for primaries, transfer and matrix of the main picture of an AVIF or HEIC file.

    They are in its ``colr`` box of type ``nclx``; None if it has none.
    """
    meta = next((box.content[4:] for box in boxes(data) if box.kind == b"meta"), b"")
    inside = _contents(meta)
    properties = _contents(inside.get(b"iprp", b""))
    stated = list(boxes(properties.get(b"ipco", b"")))
    for number in _of_item(properties.get(b"ipma", b""), _main_item(inside.get(b"pitm", b""))):
        if 1 <= number <= len(stated):
            kind, content = stated[number - 1][:2]
            if kind == b"colr" and content[:4] == b"nclx" and len(content) >= _CODES[-1] + 2:
                primaries, transfer, matrix = (int.from_bytes(content[i : i + 2]) for i in _CODES)
                return primaries, transfer, matrix
    return None


def _contents(data: bytes) -> dict[bytes, bytes]:
    return {box.kind: box.content for box in boxes(data)}


def _main_item(pitm: bytes) -> int:
    return int.from_bytes(pitm[4:6] if pitm[:1] == b"\0" else pitm[4:8])


def _of_item(ipma: bytes, wanted: int) -> list[int]:
    """The numbers of an item's properties, from 1, in a box that associates them."""
    wide_item, wide_number = ipma[:1] != b"\0", bool(ipma[3:4] and ipma[3] & 1)
    at, step = 8, 2 if wide_number else 1
    for _ in range(int.from_bytes(ipma[4:8])):
        start = at + (4 if wide_item else 2)
        if start >= len(ipma):
            break
        item, count = int.from_bytes(ipma[at:start]), ipma[start]
        at = start + 1 + step * count
        if item == wanted:
            essential = 0x8000 if wide_number else 0x80  # a flag in the highest bit
            return [int.from_bytes(ipma[i : i + step]) & (essential - 1) for i in range(start + 1, at, step)]
    return []
