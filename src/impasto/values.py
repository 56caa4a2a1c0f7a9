"""Types of settings' values, how values are read from text, and what is said of wrong ones.

The types can also be imported from `impasto.recipe`, where other packages find them beside `Options`.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from pathlib import PurePath
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BeforeValidator, ByteSize, Field, ValidationError
from pydantic.fields import FieldInfo

from . import memory, untrusted
from .errors import RequestError
from .settings import FileName, setting

Precision = Literal["auto", "exact"]

NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
UnitInterval = Annotated[float, Field(ge=0, le=1)]
Detail = Annotated[float, Field(ge=0, le=4)]
LEAST_SIZE, LARGEST_SIZE = 16, 32_768  # pixels of the longest side
Size = Annotated[int, Field(ge=LEAST_SIZE, le=LARGEST_SIZE)]
Memory = Annotated[ByteSize, BeforeValidator(memory.parse), Field(gt=0)]

Grain = Annotated[
    UnitInterval,
    setting(
        "photo",
        "advanced",
        description="Least contrast that the network sees in the photo, from 0 to 1. Noise is added where there is "
        "less, so that flat areas get strokes too; 0 adds none.",
    ),
]
StyleScale = Annotated[
    float,
    Field(ge=1 / 16, le=16),
    setting(
        "strokes",
        description="Longest side of the style picture as a multiple of the result's: larger values give larger, "
        "bolder strokes.",
        step=0.1,
    ),
]
NetName = Annotated[
    FileName,
    setting("network", "advanced", description="Network: the name of one that comes with impasto, or a file."),
]

GRAIN = 0.01
"""The default of `Grain`, which the shipped networks were trained with. Such noise cannot be seen in a photograph."""


class SidesUsed(NamedTuple):
    """The largest longest sides, in pixels, at which a painting uses the photograph and the style pictures.

    None stands for all pixels that a file has, 0 for a method that takes no style pictures.
    """

    photo: int | None = None
    style: int | None = None


ALPHA = "alpha"
"""The name of the mask that is the photograph's own alpha channel."""

PICTURES = frozenset(
    f".{suffix}"
    for suffix in (
        *("png", "apng", "jpg", "jpeg", "jpe", "jfif", "webp", "tif", "tiff", "gif", "bmp", "dib"),
        *("avif", "avifs", "jp2", "j2k", "jpc", "jpf", "jpx", "j2c", "ppm", "pgm", "pbm", "pnm", "pfm"),
        *("ico", "psd", "jxl", "jls", "jxr", "hdp", "wdp", "qoi", "heic", "heif", "hif"),
        *("dng", "cr2", "cr3", "nef", "nrw", "arw", "raf", "orf", "rw2", "pef", "srw"),
    )
)
"""Extensions of the pictures that `impasto.read` reads, some with an extra."""


def is_picture(path: str) -> bool:
    """Say whether a file name has the extension of a picture."""
    return PurePath(path).suffix.lower() in PICTURES


def split_mask(text: str) -> tuple[str, str | None]:
    """Split ``REST[@MASK]``; an @ belongs to the rest unless what follows can be a mask."""
    rest, at, mask = text.strip().rpartition("@")
    return (rest, mask) if at and rest and (mask == ALPHA or is_picture(mask)) else (text.strip(), None)


def split_weight(text: str) -> tuple[str, float | None]:
    """Split ``NAME[:WEIGHT]``; a colon belongs to the name unless a number follows."""
    name, colon, tail = text.rpartition(":")
    try:
        return (name, float(tail)) if colon and name else (text, None)
    except ValueError:
        return text, None


NONE = "none"
"""The word that stands for None on the command line."""


def parse_none(fields: Mapping[str, FieldInfo], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values by field name, with ``none`` turned into None for fields that may be None."""
    return {
        name: None if value == NONE and name in fields and is_optional(fields[name]) else value
        for name, value in values.items()
    }


def is_optional(field: FieldInfo) -> bool:
    """Say whether a field may be None."""
    annotation = field.annotation
    return get_origin(annotation) in (Union, types.UnionType) and type(None) in get_args(annotation)


_EXPECTED = {
    "int_parsing": "expected a whole number",
    "int_from_float": "expected a whole number",
    "float_parsing": "expected a number",
    "bool_parsing": "expected yes or no",
    "extra_forbidden": "there is no such setting",
    "missing": "it is missing; expected a value",
}
"""What to say instead of pydantic's own message, by pydantic's name of the error."""


def explain(
    error: ValidationError, where: str = "", fields: Mapping[str, FieldInfo] = types.MappingProxyType({})
) -> RequestError:
    """Turn pydantic's report into an error of one line, about the first wrong value.

    Args:
        error: the report.
        where: names what was read, such as a file; may be empty.
        fields: the settings. Of one that may be None it is said that ``none`` is expected, too.
    """
    first = error.errors(include_url=False)[0]
    name = untrusted.shorten(".".join(str(part) for part in first["loc"])) or "settings"
    got = first.get("input")
    shown = "" if isinstance(got, dict) else f" (got {untrusted.shorten(repr(got))})"
    message = _EXPECTED.get(first["type"], untrusted.shorten(first["msg"].removeprefix("Value error, "), 400))
    prefix = f"{where}: " if where else ""
    other = f", or {NONE}" if name in fields and is_optional(fields[name]) else ""
    return RequestError(f"{prefix}{name}: {message[:1].lower()}{message[1:]}{shown}{other}")


def read_toml(text: str, where: str) -> dict[str, Any]:
    """Parse TOML text; `where` names its source in the error.

    Raises:
        RequestError: it is not valid TOML.
    """
    try:
        return untrusted.read_toml(text)
    except ValueError as error:
        raise RequestError(f"{where} is not valid TOML: {untrusted.shorten(error)}") from None
