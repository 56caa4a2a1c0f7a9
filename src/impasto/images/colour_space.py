"""Colour spaces that files state otherwise than by an ICC profile: codes, gamma and chromaticities, EXIF."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.ExifTags import IFD, Base

from . import png
from .picture import Raster

CODES = "impasto.codes"
"""Key in a PIL image's ``info`` of the `Codes` that its file states."""

Codes = tuple[int, int, int, bool, int]
"""Primaries, transfer and matrix by ITU-T H.273, whether samples have the full range, and bits of a sample."""

_SRGB_GAMMA = 0.45455
_SAME_GAMMA = 0.002
_SAME_MATRIX = 1e-3
_GAMMAS = (0.05, 20.0)  # what makes sense
_UNCALIBRATED, _ADOBE_RGB = 65535, "R03"  # EXIF ColorSpace, and the interoperability index of DCF 2.0
_INTEROPERABILITY_INDEX = 1

_D65, _C, _E, _CINEMA = (0.3127, 0.329), (0.31, 0.316), (1 / 3, 1 / 3), (0.314, 0.351)
_P3 = (0.68, 0.32, 0.265, 0.69, 0.15, 0.06)
_BT709 = (0.64, 0.33, 0.3, 0.6, 0.15, 0.06, *_D65)
_UNSPECIFIED = 2
_PRIMARIES = {  # by code: x and y of red, green, blue and white
    1: _BT709,
    _UNSPECIFIED: _BT709,
    4: (0.67, 0.33, 0.21, 0.71, 0.14, 0.08, *_C),
    5: (0.64, 0.33, 0.29, 0.6, 0.15, 0.06, *_D65),
    6: (0.63, 0.34, 0.31, 0.595, 0.155, 0.07, *_D65),
    7: (0.63, 0.34, 0.31, 0.595, 0.155, 0.07, *_D65),
    8: (0.681, 0.319, 0.243, 0.692, 0.145, 0.049, *_C),
    9: (0.708, 0.292, 0.17, 0.797, 0.131, 0.046, *_D65),
    10: (1.0, 0.0, 0.0, 1.0, 0.0, 0.0, *_E),
    11: (*_P3, *_CINEMA),
    12: (*_P3, *_D65),
    22: (0.63, 0.34, 0.295, 0.605, 0.155, 0.077, *_D65),
}
_ADOBE = (0.64, 0.33, 0.21, 0.71, 0.15, 0.06, *_D65)
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])

_WHITE_NITS = 203.0  # ITU-R BT.2408
_HLG_NITS = 1000.0
_BT2020_LIGHT = np.array([0.2627, 0.678, 0.0593], np.float32)
_KNEE = np.float32(0.8)  # brightness up to which a picture of high dynamic range is kept

Curve = Callable[[Raster], Raster]


@dataclass(frozen=True)
class ColourSpace:
    """A colour space, to convert from.

    A picture of high dynamic range (PQ, HLG) is brought to that of sRGB: its reference white, 203 nits, is 1.0 of
    linear light. What is darker than 0.8 is kept, what is brighter is rolled off smoothly, so that reference white
    becomes 0.93 of linear light and the brightest highlight 1.

    Attributes:
        curve: turns samples H×W×(1 or 3) into linear light; None for the curve of sRGB.
        matrix: turns linear RGB into linear sRGB; None if the primaries are those of sRGB.
        high_range: whether linear light may exceed 1.
        levels: the samples that stand for 0 and 1.
    """

    curve: Curve | None = None
    matrix: NDArray[np.float32] | None = None
    high_range: bool = False
    levels: tuple[float, float] = (0.0, 1.0)

    def to_srgb(self, samples: Raster) -> Raster:
        """Convert samples in [0, 1] to sRGB, H×W×3. Colours beyond sRGB are clipped to it.

        Args:
            samples: H×W×(1 grey or 3 RGB) float32.
        """
        black, white = self.levels
        if self.levels != (0.0, 1.0):
            samples = ((samples - np.float32(black)) / np.float32(white - black)).clip(0, 1)
        if self.curve is not None or (self.matrix is not None and samples.shape[2] == 3):
            linear = (self.curve or from_srgb)(samples)
            if self.matrix is not None and samples.shape[2] == 3:
                linear = linear @ self.matrix.T
            linear = linear.clip(0, None)
            samples = to_srgb(_rolled_off(linear) if self.high_range else linear.clip(None, 1))
        return samples if samples.shape[2] == 3 else samples.repeat(3, axis=2)


SRGB = ColourSpace()


def stated_space(image: Image.Image) -> tuple[bytes | ColourSpace | None, str]:
    """Return the colour space that a file states, as Pillow has read it: an ICC profile or a `ColourSpace`.

    The order of precedence in PNG is that of its specification: codes (cICP), profile (iCCP), sRGB, then gamma and
    chromaticities (gAMA, cHRM). In AVIF and HEIC a profile comes before codes. EXIF counts last.

    Returns:
        The colour space, None for sRGB; and for a warning what cannot be used of it, or an empty text.
    """
    info, trouble = image.info, ""
    profile, found = info.get("icc_profile") or None, None
    if CODES in info:
        try:
            found = space_of_codes(info[CODES])
        except ValueError as error:
            trouble = str(error)
    if found is not None and (profile is None or image.format == "PNG"):
        return found, ""
    if profile is not None:
        return profile, ""
    if "srgb" in info:
        return None, ""
    if "gamma" in info or "chromaticity" in info:
        try:
            return _space_of_gamma(info), ""
        except ValueError as error:
            return None, str(error)
    if image.format in ("JPEG", "MPO", "TIFF") and _says_adobe_rgb(image):
        return ColourSpace(_power(563 / 256), _matrix(_ADOBE)), ""
    return None, trouble


def space_of_codes(codes: Codes) -> ColourSpace:
    """Make a colour space of codes; transfers of television count as sRGB, as screens show them.

    Raises:
        ValueError: a code is not known, or the samples are not RGB.
    """
    primaries, transfer, matrix, full, bits = codes
    if matrix != 0:
        raise ValueError(f"its colour code states matrix {matrix}; expected 0 for RGB")
    if primaries not in _PRIMARIES or transfer not in _CURVES:
        raise ValueError(f"its colour code, primaries {primaries} and transfer {transfer}, is not known")
    top, unit = 2**bits - 1, 2 ** (bits - 8)
    levels = (0.0, 1.0) if full else (16 * unit / top, 235 * unit / top)
    return ColourSpace(_CURVES[transfer], _matrix(_PRIMARIES[primaries]), transfer in (_PQ, _HLG), levels)


def png_codes(data: bytes) -> Codes | None:
    """The codes of a PNG's cICP chunk; None if it has none before its pixels."""
    before = itertools.takewhile(lambda chunk: chunk.kind != b"IDAT", png.chunks(data))
    found = next((chunk.content for chunk in before if chunk.kind == b"cICP" and len(chunk.content) == 4), None)
    if found is None:
        return None
    primaries, transfer, matrix, full = found
    return primaries, transfer, matrix, bool(full), 16 if data[png.DEPTH] == 16 else 8


def _space_of_gamma(info: Mapping[Any, Any]) -> ColourSpace:
    """The colour space of gamma and chromaticities. A gamma of 0 counts as none, and 1/2.2 as the curve of sRGB."""
    gamma, stated = info.get("gamma", 0), info.get("chromaticity")
    curve = None
    if gamma and abs(gamma - _SRGB_GAMMA) > _SAME_GAMMA:
        if not _GAMMAS[0] <= gamma <= _GAMMAS[1]:
            raise ValueError(f"its gamma is {gamma:g}; expected {_GAMMAS[0]:g} to {_GAMMAS[1]:g}")
        curve = _power(1 / gamma)
    return ColourSpace(curve, None if stated is None else _matrix((*stated[2:], *stated[:2])))


def _says_adobe_rgb(image: Image.Image) -> bool:
    try:
        exif = image.getexif()
        index = exif.get_ifd(IFD.Interop).get(_INTEROPERABILITY_INDEX)
        return exif.get_ifd(IFD.Exif).get(Base.ColorSpace) == _UNCALIBRATED and str(index).startswith(_ADOBE_RGB)
    except Exception:  # EXIF is often damaged; that is no reason to refuse a picture
        return False


def _matrix(xy: Sequence[float]) -> NDArray[np.float32] | None:
    """Linear RGB of these primaries and white to linear sRGB, adapted to its white; None if they are those of sRGB.

    Raises:
        ValueError: they make no colour space.
    """
    try:
        with np.errstate(all="ignore"):
            cones = [_BRADFORD @ _white(*at) for at in (xy[6:], _D65)]
            adapt = np.linalg.inv(_BRADFORD) @ np.diag(cones[1] / cones[0]) @ _BRADFORD
            matrix = np.linalg.inv(_to_xyz(_BT709)) @ adapt @ _to_xyz(xy)
    except (ArithmeticError, np.linalg.LinAlgError):
        matrix = np.full((3, 3), np.nan)
    if not np.isfinite(matrix).all() or np.abs(matrix).max() > 100:
        raise ValueError(f"its chromaticities {tuple(round(float(each), 4) for each in xy)} make no colour space")
    return None if np.abs(matrix - np.eye(3)).max() < _SAME_MATRIX else matrix.astype(np.float32)


def _to_xyz(xy: Sequence[float]) -> NDArray[np.float64]:
    x, y = np.array(xy[0:6:2], np.float64), np.array(xy[1:6:2], np.float64)
    primaries = np.stack([x, y, 1 - x - y])
    return primaries * np.linalg.solve(primaries, _white(*xy[6:]))


def _white(x: float, y: float) -> NDArray[np.float64]:
    return np.array([x / y, 1, (1 - x - y) / y])


def _power(exponent: float) -> Curve:
    return lambda values: values ** np.float32(exponent)


def from_srgb(values: NDArray[Any]) -> NDArray[Any]:
    """Turn sRGB samples in [0, 1] into linear light, in their type of float."""
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def to_srgb(linear: NDArray[Any]) -> NDArray[Any]:
    """Turn linear light in [0, 1] into sRGB samples, in its type of float."""
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def _from_pq(values: Raster) -> Raster:
    """Light of SMPTE ST 2084, with reference white at 1."""
    root = values ** np.float32(32 / 2523)
    light = (root - 0.8359375).clip(0, None) / (18.8515625 - 18.6875 * root)
    return (light ** (8192 / 1305) * (10_000 / _WHITE_NITS)).astype(np.float32)


def _from_hlg(values: Raster) -> Raster:
    """Light of ARIB STD-B67 on a screen of 1000 nits, with reference white at 1."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(values <= 0.5, values**2 / 3, (np.exp((values - c) / a) + b) / 12)
    light = scene if scene.shape[2] == 1 else (scene @ _BT2020_LIGHT)[..., None]
    return (scene * light**0.2 * (_HLG_NITS / _WHITE_NITS)).astype(np.float32)


def _rolled_off(linear: Raster) -> Raster:
    """Bring linear light beyond the knee into [0, 1] with its hue; the largest channel decides."""
    peak = np.maximum(linear.max(axis=2, keepdims=True), _KNEE)
    room = 1 - _KNEE
    return (linear * ((_KNEE + room * (1 - np.exp((_KNEE - peak) / room))) / peak)).clip(0, 1)


_PQ, _HLG = 16, 18
_CURVES: dict[int, Curve | None] = {  # by code; None is the curve of sRGB
    **dict.fromkeys((1, _UNSPECIFIED, 6, 7, 11, 12, 13, 14, 15)),
    4: _power(2.2),
    5: _power(2.8),
    8: _power(1.0),
    _PQ: _from_pq,
    17: lambda values: values ** np.float32(2.6) * np.float32(52.37 / 48),
    _HLG: _from_hlg,
}
