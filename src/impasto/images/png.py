"""The chunks of a PNG: what is wrong beside the pixels spoils no picture."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MOST_PROFILE = 16_000_000
"""Bytes of a colour profile; the largest in use have two million."""

_MOST_TEXT = 1_000_000  # bytes of a text that Pillow decodes
_SIZES = {b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"pHYs": 9, b"cICP": 4, b"acTL": 8}
_TRANSPARENCY = {0: (2, 2), 2: (6, 6), 3: (1, 256)}  # bytes of tRNS, least and most, by colour type
DEPTH, _COLOUR_TYPE = 24, 25  # bytes of the file that state them, always in the first chunk
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_READ_TEXTS = (b"impasto", b"Raw profile type exif", b"Raw profile type APP1", b"XML:com.adobe.xmp")


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk of a PNG: its type, where it begins and ends in the file, and its content, which may be cut short."""

    kind: bytes
    start: int
    end: int
    content: memoryview

    @property
    def ancillary(self) -> bool:
        """Whether a picture can be shown without it."""
        return bool(self.kind[0] & 0x20)


def chunks(data: bytes) -> Iterator[Chunk]:
    """The chunks of a PNG, up to its end."""
    view, at = memoryview(data), len(SIGNATURE)
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4])
        yield Chunk(data[at + 4 : at + 8], at, end, view[at + 8 : end - 4])
        if data[at + 4 : at + 8] == b"IEND":
            return
        at = end


def is_whole(data: bytes) -> bool:
    """Whether a PNG has its end, and all chunks before it have the right checksums."""
    kind = b""
    for chunk in chunks(data):
        if not _intact(data, chunk):
            return False
        kind = chunk.kind
    return kind == b"IEND"


def without_damage(data: bytes) -> bytes:
    """Leave out the ancillary chunks that are damaged, or too large for a decoder, and the texts that nothing reads.

    A photograph made by a program may carry megabytes of text. The pixels stay as they are.
    """
    kept, at = [], 0
    for chunk in chunks(data):
        if chunk.ancillary and not _usable(data, chunk):
            kept.append(data[at : chunk.start])
            at = chunk.end
    return b"".join((*kept, data[at:])) if kept else data


def profile(data: bytes) -> bytes | None:
    """The colour profile of a PNG, None without one.

    Raises:
        ValueError: it is damaged, or larger than `MOST_PROFILE`.
    """
    found = next((chunk for chunk in chunks(data) if chunk.kind == b"iCCP"), None)
    if found is None:
        return None
    _, mark, rest = bytes(found.content).partition(b"\0")
    content = _inflated(rest[1:], MOST_PROFILE) if mark and rest[:1] == b"\0" and _intact(data, found) else None
    if not content:
        raise ValueError("its colour profile is damaged or too large")
    return content


def _usable(data: bytes, chunk: Chunk) -> bool:
    size = len(chunk.content)
    if chunk.kind == b"iCCP" or size != _SIZES.get(chunk.kind, size) or not _intact(data, chunk):
        return False  # `profile` reads the profile
    if chunk.kind == b"tRNS":
        least, most = _TRANSPARENCY.get(data[_COLOUR_TYPE], (0, 0))
        return least <= size <= most
    return chunk.kind not in _TEXTS or _is_read(chunk)


def _intact(data: bytes, chunk: Chunk) -> bool:
    """Whether a chunk is whole, and its checksum is right."""
    if chunk.end > len(data):
        return False
    return zlib.crc32(chunk.content, zlib.crc32(chunk.kind)) == int.from_bytes(data[chunk.end - 4 : chunk.end])


def _is_read(text: Chunk) -> bool:
    """Whether a text is one that is read here, and of a length that Pillow decodes."""
    content = bytes(text.content)
    keyword, _, rest = content.partition(b"\0")
    if keyword not in _READ_TEXTS:
        return False
    if text.kind == b"iTXt" and rest[:1] == b"\1":  # compressed; then its method, language and translation
        parts = rest[2:].split(b"\0", 2)
        return len(parts) == 3 and _inflated(parts[2], _MOST_TEXT) is not None
    return text.kind != b"zTXt" or _inflated(rest[1:], _MOST_TEXT) is not None


def _inflated(data: bytes, most: int) -> bytes | None:
    """Decompress data; None if it is damaged or has more than so many bytes."""
    try:
        content = zlib.decompressobj().decompress(data, most + 1)
    except zlib.error:
        return None
    return content if len(content) <= most else None
