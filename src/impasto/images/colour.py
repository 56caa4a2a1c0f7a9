"""Conversion from the colour space of a file to sRGB."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ImageCms

from ..errors import ImpastoWarning
from .colour_space import SRGB, ColourSpace
from .picture import Raster

_SPACE = slice(16, 20)  # bytes of an ICC header that name the colour space of the samples
_CREATED = slice(24, 36)  # bytes that hold the date of creation


@functools.cache
def srgb_profile() -> bytes:
    """The ICC profile of every file written. Its date is fixed, so that its bytes never change."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[_CREATED] = bytes.fromhex("07e8 0001 0001 0000 0000 0000")  # 1 January 2024
    return bytes(profile)


def srgb_conversion(space: bytes | ColourSpace | None, channels: int, name: str) -> Callable[[Raster], Raster]:
    """Return a function that converts samples to sRGB: H×W×`channels` to H×W×3, float32 in [0, 1].

    Without a colour space, grey and RGB are assumed to be sRGB, and CMYK is converted as Pillow does it: each ink is
    multiplied with black. A profile that is broken or of another colour space is ignored with a warning.

    Args:
        space: the colour space of the file; bytes are an ICC profile.
        channels: 1 grey, 3 RGB or 4 CMYK; for inks, 1 is full.
        name: name of the file for the warning.
    """
    if isinstance(space, ColourSpace) and channels != 4:
        return space.to_srgb
    profile = space if isinstance(space, bytes) else None
    if profile and not _is_srgb(profile):
        try:
            _transform(np.zeros((1, 1, channels), np.float32), profile)
        except Exception as error:
            reason = " ".join(str(error).split())
            taken = "plain inks" if channels == 4 else "sRGB"
            warn(f"{name}: its colour profile cannot be used ({reason}); taken for {taken}")
        else:
            return lambda samples: _transform(samples, profile)
    elif channels == 4:
        warn(f"{name} is CMYK without a colour profile; taken for plain inks")
    return _from_inks if channels == 4 else SRGB.to_srgb


def _from_inks(samples: Raster) -> Raster:
    return (1 - samples[..., :3]) * (1 - samples[..., 3:])


def lab_to_srgb(image: Any) -> Any:
    """Convert a PIL image of mode LAB (D50) to RGB."""
    lab, rgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    return ImageCms.applyTransform(image, ImageCms.buildTransform(lab, rgb, "LAB", "RGB"))


def warn(message: str) -> None:
    """Warn of something about a picture that does not stop the work."""
    warnings.warn(message, ImpastoWarning, stacklevel=2)


@functools.lru_cache(maxsize=16)
def _is_srgb(profile: bytes) -> bool:
    """Whether a profile changes no 8-bit level. It is measured, since names mislead ("linear sRGB" is not sRGB)."""
    if profile == srgb_profile():
        return True
    if profile[_SPACE] != b"RGB ":
        return False
    levels = np.linspace(0, 1, 9, dtype=np.float32)
    probe = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(-1, 27, 3)
    try:
        return bool(np.abs(_transform(probe, profile) - probe).max() < 1 / 255)
    except Exception:  # a broken profile: `to_srgb` warns of it
        return False


def _transform(samples: Raster, profile: bytes) -> Raster:
    import imagecodecs  # Pillow's ImageCms keeps only 8 bits

    if samples.shape[2] == 1 and profile[_SPACE] == b"RGB ":
        samples = samples.repeat(3, axis=2)
    kind = {1: "gray", 3: "rgb", 4: "cmyk"}[samples.shape[2]]
    values = np.ascontiguousarray(np.rint(samples * 65535).astype(np.uint16))
    converted: NDArray[Any] = imagecodecs.cms_transform(
        values[..., 0] if kind == "gray" else values,
        profile,
        srgb_profile(),
        colorspace=kind,
        outcolorspace="rgb",
        intent=imagecodecs.CMS.INTENT.RELATIVE_COLORIMETRIC,
        flags=imagecodecs.CMS.FLAGS.BLACKPOINTCOMPENSATION,
    )
    return converted.astype(np.float32) / np.float32(65535)
