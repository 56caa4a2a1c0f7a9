"""`write` writes a picture with its recipe to a file; `check_target` checks beforehand that it can be written."""

from __future__ import annotations

import io
import os
import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.ExifTags import Base
from PIL.PngImagePlugin import PngInfo

from ..errors import ImpastoWarning, OutputError, RequestError
from . import png
from .atomic import check_place, write_atomically
from .colour import srgb_profile
from .metadata import METADATA_KEY, as_exif, as_text
from .picture import Picture, quantise, to_raster
from .source import STANDARD_STREAM

if TYPE_CHECKING:
    from torch import Tensor

_PNG_HEADER_END = 33  # signature 8, IHDR 25
_MOST_JPEG_EXIF = 65_500  # bytes; a segment has 65 533, some of them for its head


@dataclass(frozen=True, slots=True)
class _Format:
    pillow: str
    longest: int  # pixels of the longest side that the format can store, and that readers accept
    alpha: bool = True
    deep: bool = False
    most: int = 2**62  # pixels in all


_PNG = _Format("PNG", 2**31 - 1, deep=True)
_JPEG = _Format("JPEG", 65_500, alpha=False)
_TIFF = _Format("TIFF", 2**31 - 1, deep=True)
_JXL = _Format("JPEG XL", 2**30, deep=True)
_AVIF = _Format("AVIF", 32_768, most=2**28)
FORMATS = {
    ".png": _PNG,
    ".jpg": _JPEG,
    ".jpeg": _JPEG,
    ".webp": _Format("WEBP", 16_383),
    ".tif": _TIFF,
    ".tiff": _TIFF,
    ".jfif": _JPEG,
    ".jpe": _JPEG,
    ".avif": _AVIF,
    ".jxl": _JXL,
}


def check_target(target: str | Path, overwrite: bool = False, *, quality: int = 95, bits: int = 8) -> None:
    """Check before painting that an output can be written. Imports no torch.

    Raises:
        RequestError: the extension is unknown, a setting does not fit the format, the folder is missing, the file
            exists and `overwrite` is false, or the output is a terminal or a closed stream.
        OutputError: no file can be created in the folder.
    """
    _check_settings(_format_of(target), quality, bits)
    if str(target) != STANDARD_STREAM:
        check_place(Path(target), overwrite=overwrite)
    elif _is_closed(sys.stdout):
        raise RequestError("the output - is standard output, which is closed; expected an open one: give a file")
    elif sys.stdout.isatty():
        raise RequestError("the output - is a terminal; expected a file or a pipe: add > painting.png")


def _is_closed(stream: TextIO | None) -> bool:
    """Whether a standard stream takes no bytes: it is text, or was closed, so that the null device stands for it."""
    closed = getattr(stream, "closed", False) or getattr(stream, "name", None) == os.devnull
    return closed or not hasattr(stream, "buffer")


def holds(target: str | Path, width: int, height: int = 1) -> bool:
    """Say whether the format of a file holds pictures of this size in pixels."""
    form = _format_of(target)
    return max(width, height) <= form.longest and width * height <= form.most


def check_size(target: str | Path, width: int, height: int = 1, repair: str = "write .png") -> None:
    """Check before painting that the format of a file holds pictures of a size.

    Args:
        target: the file.
        width: pixels; or those of the longest side, where the other is not known.
        height: pixels.
        repair: what to do if it does not.

    Raises:
        RequestError: it does not.
    """
    form = _format_of(target)
    if max(width, height) > form.longest:
        raise RequestError(
            f"the picture has {max(width, height)} pixels on its longest side; {form.pillow} holds at most "
            f"{form.longest}: {repair}"
        )
    if width * height > form.most:
        raise RequestError(
            f"the picture has {width}×{height} pixels, {width * height / 1e6:.0f} megapixels; {form.pillow} holds at "
            f"most {form.most / 1e6:.0f}: {repair}"
        )


def write(
    picture: Picture | Tensor,
    target: str | Path,
    *,
    overwrite: bool = False,
    metadata: Mapping[str, Any] | None = None,
    alpha: Tensor | None = None,
    exif: bytes | None = None,
    dpi: tuple[float, float] | None = None,
    quality: int = 95,
    bits: int = 8,
    keep_gps: bool = False,
) -> None:
    """Write a picture atomically, tagged as sRGB.

    Args:
        picture: a `Picture`, or 1×3×H×W in [0, 1]. `alpha`, `exif` and `dpi` are a `Picture`'s own by default.
        target: a path, whose extension chooses PNG, JPEG, WebP, TIFF, AVIF or JPEG XL; or ``-`` for PNG on standard
            output.
        overwrite: replace an existing file.
        metadata: JSON data to store in the file; `metadata.read_metadata` reads it.
        alpha: 1×1×H×W in [0, 1]. JPEG has no alpha: the picture is laid over white.
        exif: EXIF block to carry over.
        dpi: horizontal and vertical pixels per inch; JPEG rounds them.
        quality: quality of JPEG, WebP, AVIF and JPEG XL, 1 to 100. 100 is lossless in JPEG XL.
        bits: bits of a channel: 8, or 16 for PNG, TIFF and JPEG XL, where they are lossless.
        keep_gps: keep the place where the photograph was taken.

    Raises:
        RequestError: a setting is wrong, or the file exists and `overwrite` is false.
        OutputError: the pixels hold NaN, or the system refuses (full disk, read-only folder).
    """
    data = encode(
        picture,
        target,
        metadata=metadata,
        alpha=alpha,
        exif=exif,
        dpi=dpi,
        quality=quality,
        bits=bits,
        keep_gps=keep_gps,
    )
    if str(target) != STANDARD_STREAM:
        write_atomically(Path(target), data, overwrite=overwrite)
        return
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except OSError as error:
        raise OutputError(f"standard output cannot be written ({error.strerror}); expected a reader") from None


def encode(
    picture: Picture | Tensor,
    target: str | Path,
    *,
    metadata: Mapping[str, Any] | None = None,
    alpha: Tensor | None = None,
    exif: bytes | None = None,
    dpi: tuple[float, float] | None = None,
    quality: int = 95,
    bits: int = 8,
    keep_gps: bool = False,
) -> bytes:
    """Return the bytes of the file that `write` writes.

    Args:
        picture: see `write`.
        target: a name whose extension chooses the format; no such file is made.
        metadata: see `write`.
        alpha: see `write`.
        exif: see `write`.
        dpi: see `write`.
        quality: see `write`.
        bits: see `write`.
        keep_gps: see `write`.

    Raises:
        RequestError: a setting is wrong.
        OutputError: the pixels hold NaN, or the format cannot hold the picture.
    """
    form = _format_of(target)
    if isinstance(picture, Picture):
        alpha = picture.alpha if alpha is None else alpha
        exif = picture.exif if exif is None else exif
        dpi = picture.dpi if dpi is None else dpi
        picture = picture.pixels
    _check_settings(form, quality, bits)
    quality, bits = int(quality), int(bits)
    check_size(target, picture.shape[-1], picture.shape[-2])
    raster = to_raster(picture, alpha)
    if alpha is not None and not form.alpha:
        raster = raster[..., :3] * raster[..., 3:] + (1 - raster[..., 3:])
    return _encode(quantise(raster, bits), form, metadata, exif, dpi, quality, keep_gps)


def _check_settings(form: _Format, quality: int, bits: int) -> None:
    for name, value in (("quality", quality), ("bits", bits)):
        if not hasattr(value, "__index__"):
            raise RequestError(f"{name} is {value!r}; expected a whole number")
    if not 1 <= quality <= 100:
        raise RequestError(f"quality is {quality}; expected 1 to 100")
    if bits not in (8, 16) or (bits == 16 and not form.deep):
        deep = ", ".join(dict.fromkeys(f.pillow for f in FORMATS.values() if f.deep))
        raise RequestError(f"bits is {bits} for {form.pillow}; expected 8, or 16 with {deep}")


def _format_of(target: str | Path) -> _Format:
    if not isinstance(cast(object, target), str | os.PathLike):
        raise RequestError(f"the output is {type(target).__name__}; expected the path of a file")
    if str(target) == STANDARD_STREAM:
        return _PNG
    if str(target).endswith(("/", os.sep)):
        raise RequestError(
            f"output {target} is the name of a folder; expected a file in it: write {target}painting.png"
        )
    extension = Path(target).suffix
    if extension.lower() not in FORMATS:
        shown = f"has the extension {extension}" if extension else "has no extension"
        named = f"{Path(target).with_suffix('.png')}" if Path(target).name else "painting.png"
        raise RequestError(f"output {target} {shown}; expected one of {', '.join(FORMATS)}: write {named}")
    return FORMATS[extension.lower()]


def _encode(
    values: NDArray[Any],
    form: _Format,
    metadata: Mapping[str, Any] | None,
    exif: bytes | None,
    dpi: tuple[float, float] | None,
    quality: int,
    keep_gps: bool,
) -> bytes:
    """Encode H×W×(3 or 4) values of 8 or 16 bits; return the bytes of the file."""
    settings: dict[str, Any] = {"icc_profile": srgb_profile()}
    if dpi:
        settings["dpi"] = dpi
    if form is _PNG:
        info = PngInfo()
        if metadata is not None:
            info.add_itxt(METADATA_KEY, as_text(metadata))
        settings |= {"pnginfo": info, "exif": _block(as_exif(exif, keep_gps=keep_gps))}
        if values.dtype == np.uint8:
            return _pillow(values, form, settings)
        from . import deep as codec

        # Pillow cannot write 16-bit RGB, but it can write all other chunks of the file.
        return _with_chunks_of(_pillow(values[:1, :1].astype(np.uint8), form, settings), codec.encode_png(values))
    if form is _TIFF:
        from . import deep as codec

        # Pillow writes no nested EXIF and no 16 bits in compressed TIFF.
        joined = as_exif(exif, metadata, Base.ImageDescription, keep_gps=keep_gps)
        return codec.encode_tiff(values, profile=srgb_profile(), exif=joined, dpi=dpi)
    joined = as_exif(exif, metadata, keep_gps=keep_gps)
    if form is _JPEG:
        settings |= {"subsampling": 0, "optimize": True}
        joined = _fitting_jpeg(joined, as_exif(None, metadata, keep_gps=keep_gps))
    elif dpi:  # the other formats have no field of their own for the resolution
        joined.update({Base.XResolution: dpi[0], Base.YResolution: dpi[1], Base.ResolutionUnit: 2})
    if form is _JXL:
        return _jxl(values, quality, joined)
    if form is _AVIF:
        settings["subsampling"] = "4:4:4"
    return _pillow(values, form, settings | {"exif": _block(joined), "quality": quality})


def _jxl(values: NDArray[Any], quality: int, exif: Image.Exif) -> bytes:
    from . import jxl

    try:
        return jxl.encode(values, quality=quality, exif=_block(exif))
    except (RuntimeError, ValueError) as error:
        raise OutputError(f"the picture cannot be encoded as JPEG XL ({error}): write .png") from None


def _block(exif: Image.Exif) -> bytes:
    return exif.tobytes() if len(exif) else b""


def _fitting_jpeg(joined: Image.Exif, recipe: Image.Exif) -> Image.Exif:
    """The photo's EXIF with the recipe; or the recipe alone, with a warning, if JPEG does not hold both."""
    if len(_block(joined)) <= _MOST_JPEG_EXIF or len(_block(recipe)) > _MOST_JPEG_EXIF:
        return joined
    warnings.warn(
        "the photo's EXIF is larger than the 64 kB that JPEG holds, and left out: write .png to keep it",
        ImpastoWarning,
        stacklevel=2,
    )
    return recipe


def _pillow(values: NDArray[np.uint8], form: _Format, settings: Mapping[str, Any]) -> bytes:
    out = io.BytesIO()
    try:
        Image.fromarray(values).save(out, form.pillow, **settings)
    except (OSError, RuntimeError, ValueError) as error:
        raise OutputError(f"the picture cannot be encoded as {form.pillow} ({error}): write .png") from None
    return out.getvalue()


def _with_chunks_of(donor: bytes, data: bytes) -> bytes:
    """Insert the ancillary chunks (profile, text, EXIF, resolution) of the PNG `donor` into the PNG `data`."""
    taken = b"".join(donor[chunk.start : chunk.end] for chunk in png.chunks(donor) if chunk.ancillary)
    return data[:_PNG_HEADER_END] + taken + data[_PNG_HEADER_END:]
