"""PNG and TIFF with more than 8 bits a channel, which Pillow would reduce to 8."""

from __future__ import annotations

import contextlib
import io
import logging
import struct
from collections.abc import Mapping
from typing import Any, cast

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from ..errors import ImageError
from .metadata import carried_exif, orientation_of
from .picture import Decoded, sane_dpi, unit_range
from .samples import as_unit, full_range
from .source import require_sane_area
from .tiff_pages import each_once, with_nested

# tifffile logs what is wrong with a broken file and then raises it.
logging.getLogger("tifffile").setLevel(logging.CRITICAL)

_EXIF_ASCII, _EXIF_LONG = 2, 4  # TIFF field types
_REDUCED, _MASK = 1, 4  # bits of NewSubfileType
_SHORT, _LONG, _ENTRY = struct.Struct("<H"), struct.Struct("<I"), struct.Struct("<HHII")


def read_png(data: bytes) -> tuple[NDArray[np.uint16], NDArray[np.uint16] | None]:
    """Decode a 16-bit PNG of grey or RGB: samples H×W×(1 or 3), and alpha H×W×1 or None, of 16 bits."""
    values: NDArray[Any] = imagecodecs.png_decode(data)
    samples = values.reshape(*values.shape[:2], -1)
    if samples.shape[2] in (2, 4):
        return samples[..., :-1], samples[..., -1:]
    return samples, None


def read_tiff(data: bytes, name: str) -> Decoded:
    """Decode the first full page of a TIFF of 8 to 64 bits a channel, integer or float: grey, RGB or CMYK."""
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = _full_page(file)
        require_sane_area(page.imagewidth, page.imagelength, name)
        values: NDArray[Any] = page.asarray()
        channels = {"MINISBLACK": 1, "MINISWHITE": 1, "RGB": 3, "SEPARATED": 4}
        colour = tifffile.PHOTOMETRIC(page.photometric).name
        if colour not in channels or page.axes not in ("YX", "YXS", "SYX"):
            raise ImageError(
                f"{name} is a {page.bitspersample}-bit TIFF of {colour} samples ({page.axes}); "
                "expected grey, RGB or CMYK: save it as one of these"
            )
        if page.axes == "SYX":
            values = np.moveaxis(values, 0, 2)
        values = values.reshape(*values.shape[:2], -1)
        if values.dtype.kind == "f":
            samples = unit_range(values, name)
        elif values.dtype.kind == "u" and page.bitspersample == 8 * values.dtype.itemsize <= 16:
            samples = values
        elif values.dtype.kind == "c":
            raise ImageError(
                f"{name} holds {values.dtype} numbers; expected integers or float: save it as one of these"
            )
        else:
            top = 2.0 ** (page.bitspersample - (values.dtype.kind == "i")) - 1
            samples = np.clip(values / top, 0, 1).astype(np.float32)
        profile = page.tags.valueof("InterColorProfile")
        orientation = orientation_of(page.tags.valueof("Orientation", 1))
        dpi = sane_dpi(page.get_resolution("INCH"))
        extra = [int(kind) for kind in page.extrasamples]
    count = channels[colour]
    samples, others = samples[..., :count], samples[..., count:]
    if colour == "MINISWHITE":
        samples = full_range(samples) - samples
    alpha = None
    for index, kind in enumerate(extra):
        if kind in (tifffile.EXTRASAMPLE.ASSOCALPHA, tifffile.EXTRASAMPLE.UNASSALPHA):
            alpha = others[..., index : index + 1]
            if kind == tifffile.EXTRASAMPLE.ASSOCALPHA:
                samples, alpha = as_unit(samples), as_unit(alpha)
                samples = np.divide(samples, alpha, out=np.zeros_like(samples), where=alpha > 0).clip(0, 1)
            break
    exif = Image.Exif()
    with contextlib.suppress(Exception):  # an EXIF block is itself a TIFF without pixels
        exif.load(data)
    return Decoded(
        samples=samples,
        alpha=alpha,
        space=profile if isinstance(profile, bytes) else None,
        orientation=orientation,
        exif=carried_exif(exif),
        dpi=dpi,
    )


def survey_tiff(data: bytes) -> tuple[bool, int]:
    """Whether `read_tiff` reads a TIFF better than Pillow, and how many full pages it has.

    It does for more than 8 bits a channel, for signed numbers, and where the first page is a preview. A TIFF that is
    too damaged to tell gives False and 1.
    """
    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            first, page = file.pages.first, _full_page(file)
            dtype = page.dtype
            count = sum(not _is_preview(each) for each in each_once(file.pages))
            return (dtype is not None and (dtype.itemsize > 1 or dtype.kind == "i")) or page is not first, count
    except Exception:
        return False, 1


def _is_preview(page: Any) -> bool:
    return bool(page.subfiletype & (_REDUCED | _MASK))


def _full_page(file: tifffile.TiffFile) -> Any:
    """The first page, or page nested in one, that is not a preview of another nor a mask."""
    return next((page for page in with_nested(file.pages) if not _is_preview(page)), file.pages.first)


def encode_png(values: NDArray[np.uint16]) -> bytes:
    """Encode H×W×3 or H×W×4 samples as 16-bit PNG, without profile or text."""
    return bytes(imagecodecs.png_encode(values))


def encode_tiff(
    values: NDArray[Any],
    *,
    profile: bytes,
    exif: Image.Exif,
    dpi: tuple[float, float] | None,
) -> bytes:
    """Encode H×W×3 or H×W×4 samples of 8 or 16 bits, not premultiplied, as TIFF compressed with deflate."""
    texts = {int(tag): value for tag, value in exif.items() if isinstance(value, str)}
    nested = {int(tag): cast(dict[int, Any], value) for tag, value in exif.items() if isinstance(value, dict)}
    out = io.BytesIO()
    tifffile.imwrite(
        out,
        values,
        byteorder="<",
        photometric="rgb",
        extrasamples=["unassalpha"] if values.shape[2] == 4 else None,
        compression="zlib",
        predictor=True,
        iccprofile=profile,
        metadata=None,  # otherwise tifffile writes a description of its own
        software=False,
        resolution=dpi,
        resolutionunit="INCH" if dpi else None,
        extratags=[(tag, _EXIF_ASCII, 0, text, True) for tag, text in texts.items()],
    )
    return _with_directories(out.getvalue(), nested)


def _with_directories(tiff: bytes, nested: Mapping[int, Mapping[int, Any]]) -> bytes:
    """Add EXIF directories, which tifffile does not write, to a little-endian TIFF of one page.

    They are appended, with a new main directory that points to them. A BigTIFF has another layout and is returned
    unchanged.
    """
    if not nested or tiff[:4] != b"II*\0":
        return tiff
    out = bytearray(tiff)
    (start,) = _LONG.unpack_from(tiff, 4)
    (count,) = _SHORT.unpack_from(tiff, start)
    entries = [tiff[at : at + 12] for at in range(start + 2, start + 2 + 12 * count, 12)]
    for tag, values in nested.items():
        directory = ImageFileDirectory_v2(group=tag)
        for key, value in values.items():
            directory[key] = value
        entries.append(_ENTRY.pack(tag, _EXIF_LONG, 1, _word_end(out)))
        out += directory.tobytes(len(out))
    _LONG.pack_into(out, 4, _word_end(out))
    out += _SHORT.pack(len(entries)) + b"".join(sorted(entries, key=_SHORT.unpack_from)) + _LONG.pack(0)
    return bytes(out)


def _word_end(out: bytearray) -> int:
    """Pad to an even length, since directories begin on a word, and return the length."""
    out += bytes(len(out) % 2)
    return len(out)
