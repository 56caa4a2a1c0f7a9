"""What Pillow cannot do: PNG and TIFF of more than 8 bits a channel, which it would cut to 8."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Mapping
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from ..errors import ImageError
from .metadata import carried_exif
from .picture import Decoded, Raster, sane_dpi, unit_range
from .source import require_sane_area

# What tifffile logs about a broken file it then raises.
logging.getLogger("tifffile").setLevel(logging.CRITICAL)

_EXIF_ASCII = 2  # TIFF field type


def read_png(data: bytes) -> tuple[Raster, Raster | None]:
    """Decode a 16-bit PNG of grey or RGB: its samples H×W×(1 or 3), and alpha H×W×1 where it has one."""
    values: NDArray[Any] = imagecodecs.png_decode(data)
    values = values.reshape(*values.shape[:2], -1)
    samples = values.astype(np.float32) / np.float32(65535)
    if samples.shape[2] in (2, 4):
        return samples[..., :-1], samples[..., -1:]
    return samples, None


def read_tiff(data: bytes, name: str) -> Decoded:
    """Decode the first page of a TIFF of 9 to 64 bits a channel, integer or float: grey, RGB or CMYK."""
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages.first
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
        else:
            top = 2.0 ** (page.bitspersample - (values.dtype.kind == "i")) - 1
            samples = np.clip(values / top, 0, 1).astype(np.float32)
        profile = page.tags.valueof("InterColorProfile")
        orientation = int(page.tags.valueof("Orientation", 1))
        dpi = sane_dpi(page.get_resolution("INCH"))
        extra = [int(kind) for kind in page.extrasamples]
    count = channels[colour]
    samples, others = samples[..., :count], samples[..., count:]
    if colour == "MINISWHITE":
        samples = 1 - samples
    alpha = None
    for index, kind in enumerate(extra):
        if kind in (tifffile.EXTRASAMPLE.ASSOCALPHA, tifffile.EXTRASAMPLE.UNASSALPHA):
            alpha = others[..., index : index + 1]
            if kind == tifffile.EXTRASAMPLE.ASSOCALPHA:
                samples = np.divide(samples, alpha, out=np.zeros_like(samples), where=alpha > 0).clip(0, 1)
            break
    exif = Image.Exif()
    with contextlib.suppress(Exception):  # an EXIF block is itself a TIFF without pixels
        exif.load(data)
    return Decoded(
        samples=samples,
        alpha=alpha,
        profile=profile if isinstance(profile, bytes) else None,
        orientation=orientation,
        exif=carried_exif(exif),
        dpi=dpi,
    )


def is_deep_tiff(data: bytes) -> bool:
    """Whether a TIFF holds more than 8 bits a channel; False where it is too broken to tell."""
    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            dtype = file.pages.first.dtype
        return dtype is not None and dtype.itemsize > 1
    except Exception:
        return False


def encode_png(values: NDArray[np.uint16]) -> bytes:
    """A bare 16-bit PNG of H×W×3 or H×W×4 samples, without profile or text."""
    return bytes(imagecodecs.png_encode(values))


def encode_tiff(
    values: NDArray[Any],
    *,
    profile: bytes,
    ascii_tags: Mapping[int, str],
    dpi: tuple[float, float] | None,
) -> bytes:
    """A deflate-compressed TIFF of H×W×3 or H×W×4 samples of 8 or 16 bits, not premultiplied."""
    out = io.BytesIO()
    tifffile.imwrite(
        out,
        values,
        photometric="rgb",
        extrasamples=["unassalpha"] if values.shape[2] == 4 else None,
        compression="zlib",
        predictor=True,
        iccprofile=profile,
        metadata=None,  # else tifffile writes a description of its own
        software=False,
        resolution=dpi,
        resolutionunit="INCH" if dpi else None,
        extratags=[(tag, _EXIF_ASCII, 0, text, True) for tag, text in ascii_tags.items()],
    )
    return out.getvalue()
