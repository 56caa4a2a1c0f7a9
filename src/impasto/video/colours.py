"""Frames of a film as 8-bit RGB: matrix, range, wide gamuts, and high dynamic range, which is tone-mapped."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation
from numpy.typing import NDArray

BT709, BT470BG, SMPTE170M, BT2020_NCL, BT2020_CL = 1, 5, 6, 9, 10
"""Codes of matrices (ITU-T H.273)."""

PQ, HLG = 16, 18
"""Codes of transfer curves of high dynamic range."""

_WIDE = 9  # code of the primaries of BT.2020
_SMALLEST_HD = 720  # lines; a film of fewer that states no matrix has that of BT.601

_MATRICES = {
    BT709: Colorspace.ITU709,
    4: Colorspace.FCC,
    BT470BG: Colorspace.ITU601,
    SMPTE170M: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    BT2020_NCL: Colorspace.BT2020,
    BT2020_CL: Colorspace.BT2020,
}
_SCALING = Interpolation.BICUBIC | Interpolation.FULL_CHR_H_INT | Interpolation.ACCURATE_RND
_REDUCING = Interpolation.AREA | Interpolation.FULL_CHR_H_INT | Interpolation.ACCURATE_RND

_WHITE = 203.0  # nits of diffuse white in a film of high dynamic range (ITU-R BT.2408)
_PEAK = 1000.0  # nits of the display that HLG is meant for
_KNEE = np.float32(0.6)  # light, where diffuse white is 1, above which it is compressed
_TO_709 = np.array(
    [[1.660491, -0.587641, -0.072850], [-0.124550, 1.132900, -0.008349], [-0.018151, -0.100579, 1.118730]], np.float32
)  # linear BT.2020 to linear BT.709 (ITU-R BT.2087)


def dynamic_range_of(frame: av.VideoFrame) -> str:
    """Return ``PQ`` or ``HLG`` for a frame of high dynamic range, otherwise nothing."""
    return {PQ: "PQ", HLG: "HLG"}.get(int(frame.color_trc), "")


def to_rgb(frame: av.VideoFrame, width: int, height: int) -> NDArray[np.uint8]:
    """Return a frame as height×width×3 of sRGB.

    Args:
        frame: a frame of any pixel format.
        width: to scale it to.
        height: to scale it to.
    """
    wide = dynamic_range_of(frame) or int(frame.color_primaries) == _WIDE
    found = _converted(frame, width, height, "rgb48le" if wide else "rgb24")
    return _mapped(found, int(frame.color_trc)) if wide else found


def to_alpha(frame: av.VideoFrame, width: int, height: int) -> NDArray[np.uint8] | None:
    """Return the transparency of a frame as height×width; None if its pixel format has none."""
    if not any(component.is_alpha for component in frame.format.components):
        return None
    return np.ascontiguousarray(_converted(frame, width, height, "rgba")[..., 3])


def to_yuv(frame: av.VideoFrame, pixel_format: str) -> av.VideoFrame:
    """Convert a frame of RGB to YUV of BT.709 in the limited range, and tag it so."""
    made = frame.reformat(
        format=pixel_format,
        src_color_range=ColorRange.JPEG,
        dst_colorspace=Colorspace.ITU709,
        dst_color_range=ColorRange.MPEG,
        interpolation=_SCALING,
        threads=1,
    )
    made.colorspace, made.color_range = BT709, int(ColorRange.MPEG)
    return made


def _converted(frame: av.VideoFrame, width: int, height: int, form: str) -> NDArray[Any]:
    full = int(frame.color_range) == int(ColorRange.JPEG) or frame.format.name.startswith(("yuvj", "gray", "pal8"))
    full = full or frame.format.is_rgb
    made = frame.reformat(
        width=width,
        height=height,
        format=form,
        src_colorspace=_matrix_of(frame),
        dst_colorspace=_matrix_of(frame),
        src_color_range=ColorRange.JPEG if full else ColorRange.MPEG,
        dst_color_range=ColorRange.JPEG,
        interpolation=_REDUCING if width < frame.width else _SCALING,
        threads=1,
    )
    return made.to_ndarray()


def _matrix_of(frame: av.VideoFrame) -> Colorspace:
    """The matrix of a frame; if it states none, that of its size."""
    stated = _MATRICES.get(int(frame.colorspace))
    if stated is not None:
        return stated
    return Colorspace.ITU709 if frame.height >= _SMALLEST_HD else Colorspace.ITU601


def _mapped(wide: NDArray[np.uint16], curve: int) -> NDArray[np.uint8]:
    """Convert BT.2020 of 16 bits to sRGB of 8. Light above diffuse white is compressed, with its hue kept."""
    linear = _linear(curve)[wide] @ _TO_709.T
    if curve in (PQ, HLG):
        brightest = linear.max(axis=2, keepdims=True)
        linear = linear * (_compressed(brightest) / np.maximum(brightest, 1e-6))
    return _encoded()[(np.clip(linear, 0, 1) * 4095 + 0.5).astype(np.uint16)]


@lru_cache(maxsize=4)
def _linear(curve: int) -> NDArray[np.float32]:
    """Light for each of 65536 code values, where 1 is diffuse white."""
    code = np.linspace(0, 1, 65536)
    if curve == PQ:  # SMPTE ST 2084
        root = code ** (1 / 78.84375)
        light = (np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (1 / 0.1593017578125)
        light *= 10000 / _WHITE
    elif curve == HLG:  # ITU-R BT.2100, with the system gamma of a display of 1000 nits applied to each channel
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        scene = np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12)
        light = scene**1.2 * _PEAK / _WHITE
    else:
        light = np.where(code < 0.081, code / 4.5, ((code + 0.099) / 1.099) ** (1 / 0.45))
    return light.astype(np.float32)


def _compressed(light: NDArray[np.float32]) -> NDArray[np.float32]:
    """Keep light up to `_KNEE`, and bend what is above so that it stays below 1."""
    above = np.maximum(light - _KNEE, 0) / (1 - _KNEE)
    return np.minimum(light, _KNEE) + (1 - _KNEE) * (1 - np.exp(-above))


@lru_cache(maxsize=1)
def _encoded() -> NDArray[np.uint8]:
    """SRGB of 8 bits for each of 4096 steps of light."""
    light = np.linspace(0, 1, 4096)
    code = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return (code * 255 + 0.5).astype(np.uint8)
