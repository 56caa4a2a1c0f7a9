"""JPEG XL: the boxes of its container, and the encoder. imagecodecs is imported only to encode."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .boxes import Box, boxes

CONTAINER = b"\0\0\0\x0cJXL \r\n\x87\n"
CODESTREAM = b"\xff\x0a"
_EXIF_HEAD = b"Exif\0\0"  # before the TIFF header in JPEG and PNG, but not in a box
_HEADER = 64  # bytes; more than the header of a codestream takes
_LINEAR, _SRGB = 8, 13  # transfer functions
_OFFSET = 4  # bytes of the number before an EXIF block: how many bytes follow until its TIFF header


def is_jxl(data: bytes) -> bool:
    """Whether a file is JPEG XL, in a container or as a bare codestream."""
    return data.startswith((CODESTREAM, CONTAINER))


def exif_block(data: bytes) -> bytes:
    """The EXIF block of a JPEG XL file, from its TIFF header on; empty if there is none."""
    box = next((box.content for box in _boxes(data) if box.kind == b"Exif"), b"")
    return box[_OFFSET + int.from_bytes(box[:_OFFSET]) :]


def encode(values: NDArray[Any], *, quality: int, exif: bytes) -> bytes:
    """Encode H×W×3 or H×W×4 sRGB samples, not premultiplied, as JPEG XL in a container.

    The codestream states sRGB, so that there is no profile beside it.

    Args:
        values: the samples, uint8 or uint16. The latter are always encoded without loss.
        quality: 1 to 100, where 100 is lossless. Alpha is always lossless.
        exif: EXIF block as Pillow writes it; may be empty.
    """
    import imagecodecs

    deep = values.dtype == np.uint16
    settings: dict[str, Any] = {"lossless": True} if deep or quality == 100 else {"distance": distance_of(quality)}
    data = bytes(imagecodecs.jpegxl_encode(np.ascontiguousarray(values), usecontainer=True, **settings))
    # EXIF before the codestream, so that a reader finds it without the pixels; after boxes that have to come first.
    at, start = next((box.at, box.start) for box in _boxes(data) if box.kind in (b"jxlc", b"jxlp"))
    if deep:  # imagecodecs states linear light for them
        skipped = start + (4 if data[at + 4 : at + 8] == b"jxlp" else 0)
        data = data[:skipped] + stating_srgb(data[skipped:])
    if not exif:
        return data
    content = bytes(_OFFSET) + exif.removeprefix(_EXIF_HEAD)
    return data[:at] + (8 + len(content)).to_bytes(4) + b"Exif" + content + data[at:]


def stating_srgb(codestream: bytes) -> bytes:
    """Replace the transfer function that a lossless codestream of RGB states, if it is linear, by that of sRGB.

    Both are written in six bits, and the samples stay as they are.

    Raises:
        ValueError: the codestream is another one.
    """
    bits = _Bits(codestream[:_HEADER], at=16)
    bits.skip_size()
    if bits.read(1) or bits.read(1):  # all by default, or extra fields
        raise ValueError("the encoder's header has another form")
    bits.skip_depth()
    bits.read(1)  # whether 16 bits are enough for what is between
    for _ in range(bits.number((0, 0), (0, 1), (4, 2), (12, 1))):
        if bits.read(1):  # alpha of 8 bits
            continue
        bits.enum()
        bits.skip_depth()
        if bits.number((0, 0), (0, 3), (0, 4), (3, 1)) or bits.number((0, 0), (4, 0), (5, 16), (10, 48)):
            raise ValueError("the encoder's alpha has another form")
        bits.read(1)  # premultiplied
    if bits.read(1):
        raise ValueError("the encoder has changed the colours")
    if bits.read(1):  # sRGB, the default
        return codestream
    usual = bits.read(1), bits.enum(), bits.enum(), bits.enum(), bits.read(1)
    place, transfer = bits.at, bits.enum()
    if usual != (0, 0, 1, 1, 0) or transfer not in (_LINEAR, _SRGB):
        raise ValueError("the encoder states another colour")
    return bits.replaced(place + 2, 4, _SRGB - 2) + codestream[_HEADER:]


class _Bits:
    """Reads the header of a codestream, from the lowest bit of each byte."""

    def __init__(self, data: bytes, at: int) -> None:
        self._value, self._length, self.at = int.from_bytes(data, "little"), len(data), at

    def read(self, count: int) -> int:
        """The next `count` bits as a number."""
        found = self._value >> self.at & ((1 << count) - 1)
        self.at += count
        return found

    def number(self, *forms: tuple[int, int]) -> int:
        """A number in one of four forms, each a count of bits and what is added to them."""
        count, offset = forms[self.read(2)]
        return self.read(count) + offset

    def enum(self) -> int:
        """One of several named values."""
        return self.number((0, 0), (0, 1), (4, 2), (6, 18))

    def skip_size(self) -> None:
        """Skip height and width."""
        side = [(9, 1), (13, 1), (18, 1), (30, 1)]
        small = self.read(1)
        self.read(5) if small else self.number(*side)
        if not self.read(3):  # no ratio of the sides
            self.read(5) if small else self.number(*side)

    def skip_depth(self) -> None:
        """Skip how many bits a sample has."""
        if self.read(1):
            raise ValueError("the encoder's samples are float")
        self.number((0, 8), (0, 10), (0, 12), (6, 1))

    def replaced(self, at: int, count: int, value: int) -> bytes:
        """The bytes with other bits at a place."""
        kept = self._value & ~(((1 << count) - 1) << at)
        return (kept | value << at).to_bytes(self._length, "little")


def distance_of(quality: int) -> float:
    """The distance of libjxl's encoder for a quality like that of JPEG, as libjxl's own programs convert it."""
    if quality >= 30:
        return 0.1 + (100 - quality) * 0.09
    return 53 / 3000 * quality**2 - 23 / 20 * quality + 25


def _boxes(data: bytes) -> Iterator[Box]:
    """The boxes of a container; none of a bare codestream."""
    return boxes(data if data.startswith(CONTAINER) else b"")
