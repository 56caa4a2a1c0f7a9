"""Opening image files, and the errors for those that cannot be opened."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import sys
import threading
from collections.abc import Generator
from pathlib import Path

from PIL import Image

from ..errors import ImageError, near_misses
from ..untrusted import irregular, read_stream, shorten
from . import png
from .foreign import is_cut_short, what_else

STANDARD_STREAM = "-"
MAX_FILE = 8_000_000_000  # bytes; more than the largest picture that is accepted can take
MAX_MEGAPIXELS = 400  # 4.8 GB as float32 RGB; a picture of 20 000 × 20 000 pixels is accepted

# A list of its own, since some of Pillow's plugins run other programs (EPS) or accept almost any bytes (TGA).
FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP", "AVIF", "JPEG2000", "PPM", "ICO", "PSD")
_EXPECTED = "expected a PNG, JPEG, WebP, TIFF, AVIF, JPEG XL, GIF, BMP, JPEG 2000, PPM, ICO or PSD picture"
_HEIF = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1", b"miaf", b"heif")

_URL = re.compile(r"(https?|ftp|file|data):", re.IGNORECASE)


class TooLargeError(ImageError):
    """A picture has more than `MAX_MEGAPIXELS`."""


class UnknownFormatError(ImageError):
    """A file has none of the formats of `FORMATS`."""


_pillow_limit = threading.Lock()


def load_bytes(source: str | os.PathLike[str]) -> tuple[bytes, str]:
    """Read a file, or standard input for ``-``; return its bytes and its name for messages.

    Raises:
        ImageError: it cannot be read.
    """
    if str(source) == STANDARD_STREAM:
        return read_standard_input(), "standard input"
    if not str(source):
        raise ImageError("the name of a picture is empty; expected a path: name a file")
    path = Path(source)
    try:
        if not path.exists():
            path = path.expanduser()
        if kind := irregular(path):
            raise ImageError(f"{path} is {kind}; expected a file: pipe the picture in, and name it -")
        if (size := path.stat().st_size) > MAX_FILE:
            raise ImageError(
                f"{path} has {size / 1e9:.3g} GB; expected a picture of at most {MAX_FILE / 1e9:.0f} GB: "
                "give another file"
            )
        return path.read_bytes(), str(path)
    except ImageError:  # also a ValueError, and its message is complete
        raise
    except (OSError, RuntimeError, ValueError) as error:  # a NUL in the name, or a user who does not exist
        raise _unreadable(path, error) from None


def read_standard_input() -> bytes:
    """Read standard input to its end.

    Raises:
        ImageError: it has too many bytes, or is closed.
    """
    if not hasattr(sys.stdin, "buffer"):  # a program without a terminal has none
        raise ImageError("standard input is closed; expected a picture: pipe one in, or name a file")
    try:
        return read_stream(sys.stdin.buffer)
    except ValueError as error:
        raise ImageError(
            f"standard input does not end where a picture would ({error}); expected one picture"
        ) from None


@contextlib.contextmanager
def opening() -> Generator[None]:
    """Let Pillow open pictures of any size. Its own limit is a global variable, lower than `MAX_MEGAPIXELS`."""
    with _pillow_limit:
        before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before


def open_image(data: bytes, name: str, formats: tuple[str, ...] = FORMATS) -> Image.Image:
    """Identify a picture and read its header, without decoding the pixels.

    Raises:
        ImageError: the bytes are empty or not a picture, or it is larger than `MAX_MEGAPIXELS`.
    """
    if not data:
        raise ImageError(f"{name} is empty (0 bytes); expected a picture: copy or download it again")
    readable = png.without_damage(data) if data.startswith(png.SIGNATURE) else data
    try:
        with opening():
            image = Image.open(io.BytesIO(readable), formats=formats)
    except Image.UnidentifiedImageError:
        raise _unidentified(data, name) from None
    except Exception as error:
        raise damaged(name, error) from None
    require_sane_area(*image.size, name)
    return image


def require_sane_area(width: int, height: int, name: str) -> None:
    """Refuse a picture that is too large, such as a decompression bomb, before it is decoded.

    Raises:
        TooLargeError: it has more than `MAX_MEGAPIXELS`.
    """
    if width * height > MAX_MEGAPIXELS * 1_000_000:
        raise TooLargeError(
            f"{name} is {width}×{height}, {width * height / 1e6:.0f} megapixels; "
            f"expected at most {MAX_MEGAPIXELS}: make it smaller first"
        )


def is_heif(data: bytes) -> bool:
    """Whether the file says it is HEIC or HEIF; AVIF, of the same family, is not."""
    brands = data[8 : min(int.from_bytes(data[:4]), 256)]
    return data[4:8] == b"ftyp" and brands[:4] in _HEIF and b"avif" not in brands


def damaged(name: str, error: Exception) -> ImageError:
    """Make the error for a picture whose decoding failed."""
    reason = shorten(" ".join(str(error).split())) or type(error).__name__
    return ImageError(
        f"{name} is damaged or cut short ({reason}); expected a whole picture: copy or download it again"
    )


def _unidentified(data: bytes, name: str) -> UnknownFormatError:
    if is_cut_short(data):
        return UnknownFormatError(str(damaged(name, ValueError("its header cannot be read"))))
    what, repair = what_else(data)
    found = f"but {what}" if what else "that can be read"
    return UnknownFormatError(f"{name} is not a picture {found}; {_EXPECTED}: {repair}")


def _unreadable(path: Path, error: Exception) -> ImageError:
    if _URL.match(str(path)):
        return ImageError(
            f"{path} is an address on the web; expected a file: nothing is downloaded, so download it first"
        )
    if path.is_dir():
        return ImageError(f"{path} is a folder; expected a picture: name a file in it")
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return ImageError(f"there is no file {path}; expected a picture: check the path{_neighbours(path)}")
    if isinstance(error, PermissionError):
        return ImageError(f"{path} cannot be read (permission denied); expected a readable file: chmod +r it")
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        return ImageError(f"{path} is too long for the name of a file; expected a picture: check the path")
    reason = getattr(error, "strerror", None) or error
    return ImageError(f"{path} cannot be read ({reason}); expected a readable picture: check the disk")


def _neighbours(path: Path) -> str:
    try:
        return near_misses(path.name, [entry.name for entry in path.parent.iterdir()])
    except OSError:
        return ""
