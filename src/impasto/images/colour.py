"""From a file's own colour space to sRGB."""

from __future__ import annotations

import functools
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ImageCms

from ..errors import ImpastoWarning
from .picture import Raster

_SPACE = slice(16, 20)  # where an ICC header names the space of its samples
_CREATED = slice(24, 36)  # where it keeps the date of its making


@functools.cache
def srgb_profile() -> bytes:
    """The ICC profile every written file is tagged with: the same bytes on every day."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[_CREATED] = bytes.fromhex("07e8 0001 0001 0000 0000 0000")  # 1 January 2024
    return bytes(profile)


def to_srgb(samples: Raster, profile: bytes | None, name: str) -> Raster:
    """Convert samples to sRGB, H×W×3.

    Without a profile grey and RGB are taken for sRGB, and CMYK is converted as Pillow does: each ink and
    black multiply. A broken profile, or one for other samples, is ignored with a warning.

    Args:
        samples: H×W×(1 grey, 3 RGB or 4 CMYK) float32 in [0, 1]; of ink, 1 is full.
        profile: the file's ICC profile.
        name: the file, for the warning.
    """
    if profile and not _is_srgb(profile):
        try:
            return _transform(samples, profile)
        except Exception as error:
            reason = " ".join(str(error).split())
            taken = "plain inks" if samples.shape[2] == 4 else "sRGB"
            _warn(f"{name}: its colour profile cannot be used ({reason}); taken for {taken}")
    elif samples.shape[2] == 4:
        _warn(f"{name} is CMYK without a colour profile; taken for plain inks")
    if samples.shape[2] == 4:
        return (1 - samples[..., :3]) * (1 - samples[..., 3:])
    return samples if samples.shape[2] == 3 else samples.repeat(3, axis=2)


def lab_to_srgb(image: Any) -> Any:
    """Convert a PIL image of mode LAB (D50) to RGB."""
    lab, rgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    return ImageCms.applyTransform(image, ImageCms.buildTransform(lab, rgb, "LAB", "RGB"))


def _warn(message: str) -> None:
    warnings.warn(message, ImpastoWarning, stacklevel=2)


@functools.lru_cache(maxsize=16)
def _is_srgb(profile: bytes) -> bool:
    """Whether conversion would change no 8-bit level; measured, since names lie ("linear sRGB" is none)."""
    if profile == srgb_profile():
        return True
    if profile[_SPACE] != b"RGB ":
        return False
    levels = np.linspace(0, 1, 9, dtype=np.float32)
    probe = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(-1, 27, 3)
    try:
        return bool(np.abs(_transform(probe, profile) - probe).max() < 1 / 255)
    except Exception:  # broken: `to_srgb` meets it again, and says so
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
