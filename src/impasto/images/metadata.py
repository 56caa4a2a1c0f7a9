"""Metadata inside a picture file: the recipe that painted it, and the EXIF of the photograph."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from PIL import Image
from PIL.ExifTags import IFD, Base

from ..untrusted import read_json
from . import jxl
from .picture import sane_dpi
from .source import damaged, load_bytes

METADATA_KEY = "impasto"
_INCHES = {2: 1.0, 3: 2.54}  # units in an inch, by EXIF ResolutionUnit

# Who took the photograph, when, with what and where (`as_exif` drops the place unless asked to keep it). Not carried
# are orientation and sizes, which are wrong for the result, and thumbnail and maker notes, which repeat the picture
# and the place.
_CARRIED = (Base.Make, Base.Model, Base.DateTime, Base.Artist, Base.Copyright)
_STALE = (Base.ExifImageWidth, Base.ExifImageHeight, Base.MakerNote, Base.UserComment, IFD.Interop)
_ASCII = b"ASCII\0\0\0"  # character code at the head of EXIF UserComment


def carried_exif(exif: Image.Exif) -> bytes | None:
    """The part of a photograph's EXIF that also holds for its painting; None if there is none."""
    try:
        kept = Image.Exif()
        for tag in _CARRIED:
            if isinstance(value := exif.get(tag), str) and value:
                kept[tag] = value
        shot = {tag: value for tag, value in exif.get_ifd(IFD.Exif).items() if tag not in _STALE}
        if shot:
            kept[IFD.Exif] = shot
        if place := dict(exif.get_ifd(IFD.GPSInfo)):
            kept[IFD.GPSInfo] = place
        return kept.tobytes() if len(kept) else None
    except Exception:  # EXIF is often damaged; that is no reason to refuse a picture
        return None


def exif_of(block: bytes) -> Image.Exif | None:
    """Parse an EXIF block, or the tags of a TIFF; None if there is none that can be read."""
    exif = Image.Exif()
    try:
        exif.load(block)
    except Exception:  # EXIF is often damaged; that is no reason to refuse a picture
        return None
    return exif if len(exif) else None


def orientation_of(stated: object) -> int:
    """The EXIF orientation, 1 to 8, of a tag as it was read; 1 where it makes no sense."""
    if isinstance(stated, tuple | list):  # a doubled tag
        stated = cast(Any, stated)[0] if stated else 1
    return stated if isinstance(stated, int) and 1 <= stated <= 8 else 1


def as_text(metadata: Mapping[str, Any]) -> str:
    """The recipe as ASCII JSON."""
    return json.dumps(metadata, separators=(",", ":"))


def exif_dpi(exif: Image.Exif) -> tuple[float, float] | None:
    """Pixels per inch according to EXIF, horizontal and vertical; None if it does not say."""
    unit = _INCHES.get(exif.get(Base.ResolutionUnit, 2))
    stated = sane_dpi((exif.get(Base.XResolution), exif.get(Base.YResolution)))
    return (stated[0] * unit, stated[1] * unit) if stated and unit else None


def as_exif(
    exif: bytes | None, metadata: Mapping[str, Any] | None = None, tag: int = Base.UserComment, *, keep_gps: bool
) -> Image.Exif:
    """Join a carried EXIF block with the recipe.

    Args:
        exif: from `carried_exif`.
        metadata: the recipe, JSON data.
        tag: where the recipe goes: UserComment or ImageDescription.
        keep_gps: keep the place where the photograph was taken.
    """
    joined = Image.Exif()
    if exif:
        joined.load(exif)
        # Not every format writes a nested IFD unless it is plain data.
        for nested in (IFD.Exif, IFD.GPSInfo):
            if nested in joined:
                joined[nested] = dict(joined.get_ifd(nested))
    if not keep_gps and IFD.GPSInfo in joined:
        del joined[IFD.GPSInfo]
    if metadata is not None:
        text = as_text({METADATA_KEY: metadata})
        if tag == Base.UserComment:
            joined[IFD.Exif] = {**joined.get(IFD.Exif, {}), tag: _ASCII + text.encode("ascii")}
        else:
            joined[tag] = text
    return joined


def read_metadata(path: str | Path) -> dict[str, Any] | None:
    """Read the recipe from a picture that `write` made; None if there is none.

    Raises:
        ImageError: the file cannot be read as a picture.
    """
    return metadata_in(*load_bytes(path))


def metadata_in(data: bytes, name: str) -> dict[str, Any] | None:
    """Read the recipe from the bytes of a picture that `write` made; None if there is none.

    Args:
        data: the bytes.
        name: what to call them in an error.

    Raises:
        ImageError: they cannot be read as a picture.
    """
    if jxl.is_jxl(data):
        return _from_exif(exif_of(jxl.exif_block(data)) or Image.Exif())
    from . import codecs  # which imports this module

    image = codecs.open_header(data, name)
    if image is None:
        return None
    try:
        if image.format == "PNG":
            image.load()  # text may come after the pixels
            text = image.info.get(METADATA_KEY)
            return _parse(text)
        return recipe_in_exif(image.getexif(), image.format)
    except Exception as error:
        raise damaged(name, error) from None


def recipe_in_exif(exif: Image.Exif | None, form: str | None) -> dict[str, Any] | None:
    """Return the recipe in the EXIF of a picture that `write` made in the format `form`; None if there is none."""
    if exif is None:
        return None
    return _recipe(_parse(exif.get(Base.ImageDescription))) if form == "TIFF" else _from_exif(exif)


def _from_exif(exif: Image.Exif) -> dict[str, Any] | None:
    comment = exif.get_ifd(IFD.Exif).get(Base.UserComment)
    return _recipe(_parse(comment.removeprefix(_ASCII) if isinstance(comment, bytes) else comment))


def _recipe(wrapped: dict[str, Any] | None) -> dict[str, Any] | None:
    recipe = wrapped.get(METADATA_KEY) if wrapped else None
    return cast(dict[str, Any], recipe) if isinstance(recipe, dict) else None


def _parse(text: object) -> dict[str, Any] | None:
    """The JSON object in `text`; None if it is anything else, such as a camera's comment."""
    if not isinstance(text, str | bytes):
        return None
    try:
        found = read_json(text)
    except ValueError:
        return None
    return cast(dict[str, Any], found) if isinstance(found, dict) else None
