"""Reading pictures that Pillow does not read: JPEG XL, JPEG-LS, JPEG XR, QOI; and by extras HEIC and camera raw.

Libraries are imported only for the pictures that need them.
"""

from __future__ import annotations

import io
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import ImageError
from . import jxl
from .colour import warn
from .metadata import carried_exif, exif_dpi, exif_of
from .picture import Decoded
from .source import UnknownFormatError, damaged, is_heif, open_image, require_sane_area
from .tiff_pages import with_nested

TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""How a TIFF begins; the last two are BigTIFF."""

_RAW = (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0")
_DNG_VERSION, _CFA, _LINEAR_RAW = 50706, 32803, 34892
_MOST_CHANNELS = 4
_registering = threading.Lock()


def kind_of(data: bytes) -> str | None:
    """Name the format of a picture that this module reads: jpegxl, jpegls, jpegxr, qoi, heif or raw; or None."""
    if jxl.is_jxl(data):
        return "jpegxl"
    if data[:4] == b"\xff\xd8\xff\xe8" or data[:4] == b"\xff\xd8\xff\xf7":
        return "jpegls"
    if data[:3] == b"II\xbc":
        return "jpegxr"
    if data[:4] == b"qoif":
        return "qoi"
    if is_heif(data):
        return "heif"
    return "raw" if _is_raw(data) else None


def open_header(data: bytes, name: str) -> Image.Image | None:
    """Open a picture by Pillow, as `open_image` does; None for a picture that this module reads."""
    try:
        return open_image(data, name)
    except UnknownFormatError:
        if kind_of(data) is None:
            raise
        return None


def read(kind: str, data: bytes, name: str) -> Decoded:
    """Decode a picture of a `kind_of` this module.

    Raises:
        ImageError: it is damaged, or the extra that reads it is not installed.
    """
    try:
        if kind == "raw":
            return _read_raw(data, name)
        import imagecodecs

        values: NDArray[Any] = getattr(imagecodecs, f"{kind}_decode")(data)
    except ImageError:
        raise
    except Exception as error:
        raise damaged(name, error) from None
    if values.ndim == 4 or (values.ndim == 3 and values.shape[2] > _MOST_CHANNELS):  # colour or grey frames
        warn(f"{name} has {len(values)} frames; the first is painted")
        values = values[0]
    require_sane_area(values.shape[1], values.shape[0], name)
    samples, alpha = _split(values, name)
    exif = exif_of(jxl.exif_block(data)) if kind == "jpegxl" else None
    if exif is None:
        return Decoded(samples, alpha)
    return Decoded(samples, alpha, exif=carried_exif(exif), dpi=exif_dpi(exif))  # the codec turns it upright


def open_heif(data: bytes, name: str) -> Any:
    """Open a HEIC or HEIF picture by the extra `heic`.

    Raises:
        ImageError: it is damaged, or the extra is not installed.
    """
    try:
        import pi_heif  # pyright: ignore[reportMissingTypeStubs] (it has none)
    except ImportError:
        raise ImageError(
            f"{name} is HEIC, which only the extra heic reads; expected it or another format: "
            "pip install 'impasto[heic]', or export the picture as JPEG"
        ) from None
    with _registering:
        pi_heif.register_heif_opener()
    try:
        return open_image(data, name, ("HEIF",))
    except UnknownFormatError:
        raise damaged(name, ValueError("no picture in this HEIC file")) from None


def _read_raw(data: bytes, name: str) -> Decoded:
    try:
        import rawpy  # pyright: ignore[reportMissingTypeStubs] (it has none)
    except ImportError:
        raise ImageError(
            f"{name} is camera raw, which only the extra raw reads; expected it or a developed picture: "
            "pip install 'impasto[raw]', or export it as TIFF"
        ) from None
    with rawpy.imread(io.BytesIO(data)) as raw:
        require_sane_area(raw.sizes.width, raw.sizes.height, name)
        values = raw.postprocess(use_camera_wb=True, output_bps=16, gamma=(2.4, 12.92))
    return Decoded(_split(values, name)[0], exif=carried_exif(found) if (found := exif_of(data)) else None)


def _split(values: NDArray[Any], name: str) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Samples H×W×(1 or 3) and alpha of decoded values of 8 or 16 bits, or float."""
    values = values.reshape(*values.shape[:2], -1)
    if values.dtype.kind == "f":
        samples = np.clip(np.nan_to_num(values), 0, 1).astype(np.float32)
    elif values.dtype.kind == "u":
        samples = values
    else:
        raise ImageError(f"{name} holds {values.dtype}; expected 8 or 16 bits, or float: save it as PNG")
    if samples.shape[2] in (2, 4):
        return samples[..., :-1], samples[..., -1:]
    if samples.shape[2] in (1, 3):
        return samples, None
    raise ImageError(f"{name} has {samples.shape[2]} channels; expected 1 to 4: save it as PNG")


def _is_raw(data: bytes) -> bool:
    if data.startswith(_RAW) or data[4:12] == b"ftypcrx " or (data[:4] == b"II*\0" and data[8:10] == b"CR"):
        return True
    if data[:4] not in TIFF:
        return False
    import tifffile

    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            return any(
                _DNG_VERSION in page.tags or page.tags.valueof(262) in (_CFA, _LINEAR_RAW)
                for page in with_nested(file.pages)
            )
    except Exception:  # too damaged to tell; the readers of TIFF say so
        return False
