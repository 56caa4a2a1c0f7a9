"""`read`: a picture from a file or an object, as a `Picture`."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.ExifTags import Base

from ..errors import ImageError
from . import png
from .boxes import colour_codes
from .colour import lab_to_srgb, srgb_conversion, warn
from .colour_space import CODES, png_codes, stated_space
from .metadata import carried_exif, exif_dpi, orientation_of
from .objects import from_array, from_tensor, is_open_file, load_open_file
from .picture import Decoded, Picture, Raster, sane_dpi, unit_range
from .samples import planes, reduction
from .source import TooLargeError, UnknownFormatError, damaged, load_bytes, open_image

if TYPE_CHECKING:
    from torch import Tensor

_JPEG_END = b"\xff\xd9"
_MOST_REDUCED = 8  # by the decoder of JPEG
_FILLER = bytes(range(1, 255)) * 16  # decodes to noise where data is missing, and is skipped where none is

_UPRIGHT: dict[int, Callable[[Raster], Raster]] = {  # by EXIF orientation
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a),
}


def read(
    source: str | Path | bytes | IO[bytes] | Image.Image | NDArray[Any] | Tensor | Picture, longest: int | None = None
) -> Picture:
    """Read a picture; see `impasto.read`.

    Args:
        source: see `impasto.read`.
        longest: the longest side that the picture is used at, in pixels. A large one is then read with fewer pixels,
            at least twice as many on a side; see `samples.reduction`. None reads all of them.

    Raises:
        ImageError: the picture is missing, unreadable, damaged, or larger than `MAX_MEGAPIXELS`.
    """
    if isinstance(source, Picture):
        return source
    if isinstance(source, str | os.PathLike):
        return _read_file(*load_bytes(source), longest)
    if isinstance(source, bytes | bytearray | memoryview):
        return _read_file(bytes(source), "the picture given as bytes", longest)
    if is_open_file(source) and not isinstance(source, Image.Image):
        return _read_file(*load_open_file(source), longest)
    if isinstance(source, Image.Image):
        name = str(getattr(source, "filename", "") or "the image given")
        return _picture(_from_pillow(source, name), name, longest)
    if isinstance(source, np.ndarray):
        return _picture(from_array(source), "the array given", longest)
    return _picture(from_tensor(_require_tensor(source)), "the tensor given", longest)


def _read_file(data: bytes, name: str, longest: int | None) -> Picture:
    sha256 = hashlib.sha256(data).hexdigest()
    return _picture(_from_file(data, name, longest), name, longest, sha256)


def _require_tensor(source: object) -> Tensor:
    import torch

    if isinstance(source, torch.Tensor):
        return source
    raise ImageError(
        f"a picture was given as {type(source).__name__}; expected a path, bytes, an open file, a PIL image, a numpy "
        f"array or a tensor{': give several pictures one by one' if isinstance(source, list | tuple | set) else ''}"
    )


def _picture(decoded: Decoded, name: str, longest: int | None, sha256: str | None = None) -> Picture:
    import torch

    height, width = (side * decoded.reduced for side in decoded.samples.shape[:2])
    times = max(1, reduction(width, height, longest) // decoded.reduced)
    turn = _UPRIGHT.get(decoded.orientation, lambda a: a)

    def tensor(samples: NDArray[Any], convert: Callable[[Raster], Raster]) -> Tensor:
        return torch.from_numpy(planes(turn(samples), convert, times))[None]

    dpi = decoded.dpi
    if dpi and decoded.orientation >= 5:  # stored rotated by 90 degrees
        dpi = (dpi[1], dpi[0])
    return Picture(
        pixels=tensor(decoded.samples, srgb_conversion(decoded.space, decoded.samples.shape[2], name)),
        alpha=None if decoded.alpha is None else tensor(decoded.alpha, lambda alpha: alpha),
        exif=decoded.exif,
        dpi=dpi,
        source=name,
        sha256=sha256,
    )


def stated_size(source: str | Path) -> tuple[int, int] | None:
    """Return width and height, upright, as a file's header states them; None where only decoding tells them.

    Raises:
        ImageError: the file cannot be read, or has no format that is known.
    """
    from . import codecs

    image = codecs.open_header(*load_bytes(source))
    if image is None:
        return None
    try:
        rotated = image.format != "TIFF" and orientation_of(image.getexif().get(Base.Orientation, 1)) >= 5
    except Exception:  # EXIF is often damaged; that is no reason to refuse a picture
        rotated = False
    width, height = image.size  # Pillow states that of a TIFF upright
    return (height, width) if rotated else (width, height)


def _from_file(data: bytes, name: str, longest: int | None) -> Decoded:
    if data.startswith(png.SIGNATURE) and data[png.DEPTH : png.DEPTH + 1] == b"\x10":
        from . import deep

        image = _opened(data, name)
        try:
            samples, alpha = deep.read_png(png.without_damage(data))
        except Exception as error:
            raise damaged(name, error) from None
        return _described(image, samples, alpha, name)
    from . import codecs

    kind = codecs.kind_of(data)
    if data[:4] in codecs.TIFF and not kind:
        return _from_tiff(data, name)
    if kind == "heif":
        image = codecs.open_heif(data, name)
        _note_codes(image, data)
        return _from_pillow(image, name)
    if kind:
        return codecs.read(kind, data, name)
    image = _opened(data, name)
    if image.format == "JPEG":
        return _from_jpeg(image, data, name, longest)
    if image.format in ("GIF", "WEBP", "PNG", "AVIF") and (frames := getattr(image, "n_frames", 1)) > 1:
        warn(f"{name} has {frames} frames; the first is painted")
    return _from_pillow(image, name)


def _opened(data: bytes, name: str) -> Image.Image:
    """Open a picture by Pillow, with what states its colour space in its ``info``."""
    image = open_image(data, name)
    _note_codes(image, data)
    if image.format == "PNG":
        try:
            image.info["icc_profile"] = png.profile(data)
        except ValueError as error:
            warn(f"{name}: {error}; taken for sRGB")
    return image


def _note_codes(image: Image.Image, data: bytes) -> None:
    if image.format == "PNG" and (stated := png_codes(data)):
        image.info[CODES] = stated
    elif image.format in ("AVIF", "HEIF") and (found := colour_codes(data)):
        image.info[CODES] = (*found[:2], 0, True, 8)  # the decoder has made RGB of full range of it


def _from_tiff(data: bytes, name: str) -> Decoded:
    """Read a TIFF by the reader that keeps more of it, or by the other one where that one fails."""
    from . import deep

    tifffile_first, pages = deep.survey_tiff(data)
    if pages > 1:
        warn(f"{name} has {pages} pages; the first is painted")
    if tifffile_first:
        try:
            return deep.read_tiff(data, name)
        except ImageError:
            raise  # Pillow would read fewer bits, or the preview
        except Exception as error:
            try:
                return _from_pillow(open_image(data, name), name)
            except ImageError:
                raise damaged(name, error) from None
    try:
        return _from_pillow(open_image(data, name), name)
    except TooLargeError:
        raise
    except ImageError as refused:
        try:
            return deep.read_tiff(data, name)
        except ImageError as error:
            raise (error if isinstance(refused, UnknownFormatError) else refused) from None
        except Exception:
            raise refused from None


def _from_jpeg(image: Image.Image, data: bytes, name: str, longest: int | None) -> Decoded:
    """Decode a JPEG, with fewer pixels if that is enough; a warning if it lacks its end."""
    width, height = image.size
    times = min(_MOST_REDUCED, reduction(width, height, longest))
    if times > 1:
        image.draft(None, (width // times, height // times))
    try:
        image.load()
    except OSError as error:
        if "truncated" not in str(error):
            raise damaged(name, error) from None
        image, times = _mended(open_image(data, name), data, name, error), 1
    except Exception as error:
        raise damaged(name, error) from None
    return dataclasses.replace(_from_pillow(image, name), reduced=times)


def _mended(image: Image.Image, data: bytes, name: str, error: OSError) -> Image.Image:
    """A JPEG that lacks its end: whole but for few rows, else refused."""
    data = data.removesuffix(b"\xff")
    try:
        mended = open_image(data + _JPEG_END, name)
        missing = _missing_rows(mended, open_image(data + _FILLER + _JPEG_END, name))
    except OSError:
        raise damaged(name, error) from None
    height = image.height
    allowed = 0 if image.info.get("progressive") else min(max(17, height // 20), height // 10)
    if missing > allowed:
        raise damaged(name, error) from None
    lost = f"its last {missing} rows" if missing else "its end mark"
    warn(f"{name} is cut short and lacks {lost}; the rest is used")
    return mended


def _missing_rows(image: Image.Image, other: Image.Image) -> int:
    """How many of the last rows depend on what follows the data: those that the data does not hold."""
    differs = (np.asarray(image) != np.asarray(other)).reshape(image.height, -1).any(axis=1)
    return image.height - int(differs.argmax()) if differs.any() else 0


def _from_pillow(image: Image.Image, name: str) -> Decoded:
    try:
        rotated = image.format == "TIFF" and orientation_of(image.getexif().get(Base.Orientation, 1)) >= 5
        image.load()  # turns a TIFF upright, but does not swap its resolutions
        if rotated and (dpi := sane_dpi(image.info.get("dpi"))):
            image.info["dpi"] = dpi[::-1]
        samples, alpha = _samples(image, name)
    except ImageError:
        raise
    except Exception as error:  # damaged bytes can make a plugin raise anything
        if isinstance(error, ValueError) and "closed" in str(error):
            raise ImageError(
                f"{name} is closed ({error}); expected an image whose pixels can be read: load() it first, or give "
                "its path"
            ) from None
        raise damaged(name, error) from None
    return _described(image, samples, alpha, name)


def _samples(image: Image.Image, name: str) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """The samples H×W×(1, 3 or 4) of a loaded image of any mode, and its alpha."""
    if not image.width * image.height:
        raise ImageError(f"{name} is {image.width}×{image.height} pixels; expected at least one")
    if image.mode.startswith("I"):  # Pillow has 16-bit grey as I;16 or I
        values = np.asarray(image, np.float32)[..., None] / np.float32(65535)
        return unit_range(values, name), None
    if image.mode == "F":
        return unit_range(np.asarray(image)[..., None], name), None
    if image.mode == "LAB":
        image = lab_to_srgb(image)
    grey = image.mode in ("1", "L", "LA", "La")
    if image.has_transparency_data:
        values = _levels(image.convert("LA" if grey else "RGBA"))
        return values[..., :-1], values[..., -1:]
    if image.mode == "CMYK":
        return _levels(image), None
    return _levels(image.convert("L" if grey else "RGB")), None


def _levels(image: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(image, np.uint8).reshape(image.height, image.width, -1)


def _described(image: Image.Image, samples: NDArray[Any], alpha: NDArray[Any] | None, name: str) -> Decoded:
    """Join samples with the metadata that Pillow read from the file."""
    space = None
    if image.mode != "LAB":  # whose profile does not apply to the converted samples
        space, trouble = stated_space(image)
        if trouble:
            warn(f"{name}: {trouble}; taken for sRGB")
    try:
        exif = image.getexif()
        orientation = orientation_of(exif.get(Base.Orientation, 1))
    except Exception:  # EXIF is often damaged; that is no reason to refuse a picture
        return Decoded(samples, alpha, space)
    dpi = sane_dpi(image.info.get("dpi")) or exif_dpi(exif)  # WebP has only the latter
    return Decoded(samples, alpha, space, orientation, carried_exif(exif), dpi)
