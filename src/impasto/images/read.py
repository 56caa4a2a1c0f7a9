"""`read`: a picture from a file or an object, as a `Picture`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.ExifTags import Base

from ..errors import ImageError
from .colour import lab_to_srgb, to_srgb, warn
from .metadata import carried_exif, exif_dpi, orientation_of
from .objects import from_array, from_tensor, is_open_file, load_open_file
from .picture import Decoded, Picture, Raster, sane_dpi, unit_range
from .source import TooLargeError, UnknownFormatError, damaged, load_bytes, open_image

if TYPE_CHECKING:
    from torch import Tensor

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_DEPTH = slice(24, 25)  # the bit depth, always in the first chunk
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # the last two are BigTIFF

_JPEG_END = b"\xff\xd9"
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


def read(source: str | Path | bytes | IO[bytes] | Image.Image | NDArray[Any] | Tensor | Picture) -> Picture:
    """Read a picture; see `impasto.read`.

    Args:
        source: see `impasto.read`.

    Raises:
        ImageError: the picture is missing, unreadable, damaged, or larger than `MAX_MEGAPIXELS`.
    """
    if isinstance(source, Picture):
        return source
    if isinstance(source, str | Path):
        data, name = load_bytes(source)
        return _picture(_from_file(data, name), name, data)
    if isinstance(source, bytes):
        name = "the picture given as bytes"
        return _picture(_from_file(source, name), name, source)
    if isinstance(source, Image.Image):
        name = str(getattr(source, "filename", "") or "the image given")
        return _picture(_from_pillow(source, name), name)
    if isinstance(source, np.ndarray):
        return _picture(from_array(source), "the array given")
    if is_open_file(source):
        data, name = load_open_file(source)
        return _picture(_from_file(data, name), name, data)
    return _picture(from_tensor(_require_tensor(source)), "the tensor given")


def _require_tensor(source: object) -> Tensor:
    import torch

    if isinstance(source, torch.Tensor):
        return source
    raise ImageError(
        f"a picture was given as {type(source).__name__}; expected a path, bytes, an open file, a PIL image, a numpy "
        "array or a tensor"
    )


def _picture(decoded: Decoded, name: str, file: bytes | None = None) -> Picture:
    import torch

    def tensor(raster: Raster) -> Tensor:
        upright = _UPRIGHT.get(decoded.orientation, lambda a: a)(raster)
        return torch.from_numpy(np.ascontiguousarray(upright.transpose(2, 0, 1)))[None]

    dpi = decoded.dpi
    if dpi and decoded.orientation >= 5:  # stored rotated by 90 degrees
        dpi = (dpi[1], dpi[0])
    return Picture(
        pixels=tensor(to_srgb(decoded.samples, decoded.profile, name)),
        alpha=None if decoded.alpha is None else tensor(decoded.alpha),
        exif=decoded.exif,
        dpi=dpi,
        source=name,
        sha256=None if file is None else hashlib.sha256(file).hexdigest(),
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


def _from_file(data: bytes, name: str) -> Decoded:
    if data[: len(_PNG)] == _PNG and data[_PNG_DEPTH] == b"\x10":
        from . import deep

        image = open_image(data, name)
        try:
            samples, alpha = deep.read_png(data)
        except Exception as error:
            raise damaged(name, error) from None
        return _described(image, samples, alpha)
    from . import codecs

    kind = codecs.kind_of(data)
    if data[:4] in _TIFF and not kind:
        return _from_tiff(data, name)
    if kind == "heif":
        return _from_pillow(codecs.open_heif(data, name), name)
    if kind:
        return codecs.read(kind, data, name)
    return _from_pillow(_whole(open_image(data, name), data, name), name)


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


def _whole(image: Image.Image, data: bytes, name: str) -> Image.Image:
    """The image, with a warning if it is one of several frames, or if a JPEG lacks its end."""
    if image.format in ("GIF", "WEBP", "PNG", "AVIF") and (frames := getattr(image, "n_frames", 1)) > 1:
        warn(f"{name} has {frames} frames; the first is painted")
    if image.format != "JPEG":
        return image
    try:
        image.load()
    except OSError as error:
        if "truncated" not in str(error):
            raise damaged(name, error) from None
        return _mended(image, data, name, error)
    except Exception as error:
        raise damaged(name, error) from None
    return image


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
    return _described(image, samples, alpha)


def _samples(image: Image.Image, name: str) -> tuple[Raster, Raster | None]:
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
        values = _scaled(image.convert("LA" if grey else "RGBA"))
        return values[..., :-1], values[..., -1:]
    if image.mode == "CMYK":
        return _scaled(image), None
    return _scaled(image.convert("L" if grey else "RGB")), None


def _scaled(image: Image.Image) -> Raster:
    values = np.asarray(image, np.float32) / np.float32(255)
    return values.reshape(image.height, image.width, -1)


def _described(image: Image.Image, samples: Raster, alpha: Raster | None) -> Decoded:
    """Join samples with the metadata that Pillow read from the file."""
    # The profile of a Lab image does not apply to the converted samples.
    profile = None if image.mode == "LAB" else image.info.get("icc_profile")
    try:
        exif = image.getexif()
        orientation = orientation_of(exif.get(Base.Orientation, 1))
    except Exception:  # EXIF is often damaged; that is no reason to refuse a picture
        return Decoded(samples, alpha, profile)
    dpi = sane_dpi(image.info.get("dpi")) or exif_dpi(exif)  # WebP has only the latter
    return Decoded(samples, alpha, profile, orientation, carried_exif(exif), dpi)
