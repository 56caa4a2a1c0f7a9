"""What travels inside a file beside its pixels: the recipe that painted it, and the photograph's EXIF."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from PIL import Image
from PIL.ExifTags import IFD, Base

from .source import damaged, load_bytes, open_image

METADATA_KEY = "impasto"

# Who took the photograph, when and with what. Left behind: the place (GPS IFD), the orientation and sizes
# (no longer true of the result), thumbnail and maker notes (they hold the old picture and the place again).
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
        return kept.tobytes() if len(kept) else None
    except Exception:  # EXIF is often broken; a picture is not refused for that
        return None


def as_text(metadata: Mapping[str, Any]) -> str:
    """The recipe as ASCII JSON."""
    return json.dumps(metadata, separators=(",", ":"))


def as_exif(exif: bytes | None, metadata: Mapping[str, Any] | None, tag: int) -> Image.Exif:
    """Join a carried EXIF block with the recipe, which goes under `tag`: UserComment or ImageDescription."""
    joined = Image.Exif()
    if exif:
        joined.load(exif)
        # A nested IFD is only written out by every format once it is plain data.
        if IFD.Exif in joined:
            joined[IFD.Exif] = dict(joined.get_ifd(IFD.Exif))
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
