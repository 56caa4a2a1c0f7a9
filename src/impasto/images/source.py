"""Opening image files, and the errors for those that cannot be opened."""

from __future__ import annotations

import io
import sys
import threading
from pathlib import Path

from PIL import Image

from ..errors import ImageError, near_misses

STANDARD_STREAM = "-"
MAX_MEGAPIXELS = 400  # 4.8 GB as float32 RGB; a picture of 20 000 × 20 000 pixels is accepted

# A list of its own, since some of Pillow's plugins run other programs (EPS) or accept almost any bytes (TGA).
FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP", "AVIF", "JPEG2000", "PPM", "ICO", "PSD")
_EXPECTED = "expected a PNG, JPEG, WebP, TIFF, AVIF, GIF, BMP, JPEG 2000, PPM, ICO or PSD picture"

_pillow_limit = threading.Lock()


def load_bytes(source: str | Path) -> tuple[bytes, str]:
    """Read a file, or standard input for ``-``; return its bytes and its name for messages.

    Raises:
        ImageError: it cannot be read.
    """
    if str(source) == STANDARD_STREAM:
        return sys.stdin.buffer.read(), "standard input"
    path = Path(source)
    try:
        return path.read_bytes(), str(path)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise _unreadable(path, error) from None


def open_image(data: bytes, name: str) -> Image.Image:
    """Identify a picture and read its header, without decoding the pixels.

    Raises:
        ImageError: the bytes are empty or not a picture, or it is larger than `MAX_MEGAPIXELS`.
    """
    if not data:
        raise ImageError(f"{name} is empty (0 bytes); expected a picture: copy or download it again")
    # Pillow's own limit is a global variable, lower than this one, and gives only a warning at first.
    with _pillow_limit:
        before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            image = Image.open(io.BytesIO(data), formats=FORMATS)
        except Image.UnidentifiedImageError:
            raise _unidentified(data, name) from None
        except Exception as error:
            raise damaged(name, error) from None
        finally:
            Image.MAX_IMAGE_PIXELS = before
    require_sane_area(*image.size, name)
    return image


def require_sane_area(width: int, height: int, name: str) -> None:
    """Refuse a picture that is too large, such as a decompression bomb, before it is decoded.

    Raises:
        ImageError: it has more than `MAX_MEGAPIXELS`.
    """
    if width * height > MAX_MEGAPIXELS * 1_000_000:
        raise ImageError(
            f"{name} is {width}×{height}, {width * height / 1e6:.0f} megapixels; "
            f"expected at most {MAX_MEGAPIXELS}: make it smaller first"
        )


def damaged(name: str, error: Exception) -> ImageError:
    """Make the error for a picture whose decoding failed."""
    reason = " ".join(str(error).split()) or type(error).__name__
    return ImageError(
        f"{name} is damaged or cut short ({reason}); expected a whole picture: copy or download it again"
    )


def _unidentified(data: bytes, name: str) -> ImageError:
    if data[4:8] == b"ftyp" and data[8:12] in (b"heic", b"heix", b"mif1", b"msf1", b"hevc"):
        return ImageError(f"{name} is HEIC, which cannot be read; {_EXPECTED}: export it as JPEG")
    if data.lstrip()[:5].lower() in (b"<?xml", b"<svg ") or data[:4] in (b"%PDF", b"%!PS"):
        return ImageError(f"{name} is a drawing (SVG, PDF or PostScript); {_EXPECTED}: export it as PNG")
    return ImageError(f"{name} is not a picture that can be read; {_EXPECTED}: convert it to PNG")


def _unreadable(path: Path, error: OSError | ValueError) -> ImageError:
    if path.is_dir():
        return ImageError(f"{path} is a folder; expected a picture: name a file in it")
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return ImageError(f"there is no file {path}; expected a picture: check the path{_neighbours(path)}")
    if isinstance(error, PermissionError):
        return ImageError(f"{path} cannot be read (permission denied); expected a readable file: chmod +r it")
    reason = getattr(error, "strerror", None) or error
    return ImageError(f"{path} cannot be read ({reason}); expected a readable picture: check the disk")


def _neighbours(path: Path) -> str:
    try:
        return near_misses(path.name, [entry.name for entry in path.parent.iterdir()])
    except OSError:
        return ""
