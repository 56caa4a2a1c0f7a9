"""What the header of a picture's file says, without reading the rest of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.ExifTags import Base

from ..untrusted import irregular
from . import png
from .metadata import METADATA_KEY, exif_of, metadata_in, orientation_of, read_metadata, recipe_in_exif
from .read import stated_size
from .source import FORMATS, load_bytes, opening, require_sane_area

_TURNED = 5  # the least EXIF orientation that swaps width and height


@dataclass(frozen=True, slots=True)
class Header:
    """A picture's size, upright, and whether impasto painted it.

    Attributes:
        size: width and height in pixels; None where only decoding tells them.
        painted: the file has a recipe.
    """

    size: tuple[int, int] | None
    painted: bool = False


def read_header(path: str | Path) -> Header:
    """Read the header of a picture. The rest of the file may be damaged.

    Raises:
        ImageError: the file cannot be read, has no format that is known, or has too many pixels.
    """
    if irregular(path) or not Path(path).is_file():
        load_bytes(path)  # says what is wrong
    try:
        with opening(), Image.open(path, formats=FORMATS) as image:
            require_sane_area(*image.size, str(path))
            return _read(image)
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError):
        size = stated_size(path)  # by the readers of all formats, which also say what is wrong
    painted = size is None and Path(path).suffix.lower() == ".jxl" and read_metadata(path) is not None
    return Header(size, painted)


def _read(image: Image.Image) -> Header:
    exif = _exif(image)
    turned = image.format != "TIFF" and orientation_of(exif and exif.get(Base.Orientation, 1)) >= _TURNED
    width, height = image.size  # Pillow states that of a TIFF upright
    painted = METADATA_KEY in image.info if image.format == "PNG" else recipe_in_exif(exif, image.format) is not None
    return Header((height, width) if turned else (width, height), painted)


def _exif(image: Image.Image) -> Image.Exif | None:
    """The EXIF of an open picture; None if it is damaged. Pillow would decode all of a PNG to look for it."""
    try:
        if image.format == "PNG":
            return exif_of(image.info["exif"]) if "exif" in image.info else None
        return image.getexif()
    except Exception:  # EXIF is often damaged; that is no reason to refuse a picture
        return None


def is_whole(data: bytes) -> bool:
    """Say whether the bytes of a picture are complete, from its first to its last.

    The end of a PNG or JPEG is looked at; of a PNG, also the checksums. Other formats are decoded.
    """
    if data.startswith(png.SIGNATURE):
        return png.is_whole(data)
    if data.startswith(b"\xff\xd8\xff"):
        return data.rstrip(b"\0").endswith(b"\xff\xd9")
    return _decodes(data)


def _decodes(data: bytes) -> bool:
    from .read import read

    try:
        read(data)
    except Exception:  # whatever a decoder says of damaged bytes
        return False
    return True


def found_recipe(path: str | Path) -> dict[str, Any] | None:
    """Read the recipe from a picture; None if it has none, or is no whole picture."""
    try:
        data, name = load_bytes(path)
        return metadata_in(data, name) if is_whole(data) else None
    except ValueError:
        return None
