"""What travels inside a file beside its pixels: the recipe that painted it, and the photograph's EXIF."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from PIL import Image
from PIL.ExifTags import IFD, Base

from .picture import sane_dpi
from .source import damaged, load_bytes, open_image

METADATA_KEY = "impasto"
_INCHES = {2: 1.0, 3: 2.54}  # by EXIF ResolutionUnit: how many of it are an inch

# Who took the photograph, when, with what and where (`as_exif` drops that unless asked). Left behind: the
# orientation and sizes (no longer true of the result), thumbnail and maker notes (they hold the old picture and
# the place again).
_CARRIED = (Base.Make, Base.Model, Base.DateTime, Base.Artist, Base.Copyright)
_STALE = (Base.ExifImageWidth, Base.ExifImageHeight, Base.MakerNote, Base.UserComment, IFD.Interop)
_ASCII = b"ASCII\0\0\0"  # character code at the head of EXIF UserComment


def carried_exif(exif: Image.Exif) -> bytes | None:
    """The part of a photograph's EXIF that stays true of its painting, or None where nothing does."""
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
    except Exception:  # EXIF is often broken; a picture is not refused for that
        return None


def as_text(metadata: Mapping[str, Any]) -> str:
    """The recipe as ASCII JSON."""
    return json.dumps(metadata, separators=(",", ":"))


def exif_dpi(exif: Image.Exif) -> tuple[float, float] | None:
    """Pixels per inch as EXIF states them, or None."""
    unit = _INCHES.get(exif.get(Base.ResolutionUnit, 2))
    stated = sane_dpi((exif.get(Base.XResolution), exif.get(Base.YResolution)))
    return (stated[0] * unit, stated[1] * unit) if stated and unit else None


def as_exif(
    exif: bytes | None, metadata: Mapping[str, Any] | None = None, tag: int = Base.UserComment, *, keep_gps: bool
) -> Image.Exif:
    """Join a carried EXIF block, without the place unless `keep_gps`, with the recipe.

    That goes under `tag`: UserComment or ImageDescription.
    """
    joined = Image.Exif()
    if exif:
        joined.load(exif)
        # A nested IFD is only written out by every format once it is plain data.
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
    """The recipe inside a picture that `write` made, or None where there is none.

    Raises:
        ImageError: the file cannot be read as a picture.
    """
    data, name = load_bytes(path)
    image = open_image(data, name)
    try:
        if image.format == "PNG":
            image.load()  # text may stand after the pixels
            text = image.info.get(METADATA_KEY)
            return _parse(text)
        exif = image.getexif()
        if image.format == "TIFF":
            wrapped = _parse(exif.get(Base.ImageDescription))
        else:
            comment = exif.get_ifd(IFD.Exif).get(Base.UserComment)
            wrapped = _parse(comment.removeprefix(_ASCII) if isinstance(comment, bytes) else comment)
    except Exception as error:
        raise damaged(name, error) from None
    recipe = wrapped.get(METADATA_KEY) if wrapped else None
    return cast(dict[str, Any], recipe) if isinstance(recipe, dict) else None


def _parse(text: object) -> dict[str, Any] | None:
    """The JSON object in `text`; None where it is anything else, such as a camera's own comment."""
    if not isinstance(text, str | bytes):
        return None
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return cast(dict[str, Any], found) if isinstance(found, dict) else None
