"""`Picture`: the pixels of an image file, and the metadata to carry over to the result."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import ImageError, OutputError, RequestError

if TYPE_CHECKING:
    from torch import Tensor

    from .colour_space import ColourSpace

Raster = NDArray[np.float32]  # H×W×C
_BEYOND = 1.001e-3  # how far a number may lie outside of [0, 1]; a thousandth, and its rounding
_BRIGHT = 2.0  # a larger one is not in [0, 1] by its scale


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A decoded picture, upright and in sRGB.

    Attributes:
        pixels: 1×3×H×W float32 RGB in [0, 1], not premultiplied by alpha. A picture that is read for a smaller size
            may have fewer pixels than its file.
        alpha: 1×1×H×W float32 in [0, 1]; None if the picture has no alpha channel.
        exif: EXIF block to carry over (see `metadata.carried_exif`), or None.
        dpi: horizontal and vertical pixels per inch, or None.
        source: where it came from, for messages.
        sha256: hash of the file's bytes; None if it did not come from a file.
    """

    pixels: Tensor
    alpha: Tensor | None = None
    exif: bytes | None = None
    dpi: tuple[float, float] | None = None
    source: str = ""
    sha256: str | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        height, width = self.pixels.shape[-2:]
        return width, height

    def to_pil(self) -> Image.Image:
        """Convert to an 8-bit PIL image: RGB, or RGBA if there is alpha."""
        return to_pil(self.pixels, self.alpha)


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """The samples of a file in its own colour space and orientation.

    Attributes:
        samples: H×W×(1 grey, 3 RGB or 4 CMYK), not premultiplied: float32 in [0, 1], or integers over the whole range
            of their type.
        alpha: H×W×1, of the same types, or None.
        space: colour space of the samples, bytes for an ICC profile; None for sRGB.
        orientation: EXIF orientation, 1 to 8.
        exif: EXIF block to carry over, or None.
        dpi: horizontal and vertical pixels per inch according to the file, or None.
        reduced: how many of the file's pixels a pixel stands for on each side.
    """

    samples: NDArray[Any]
    alpha: NDArray[Any] | None = None
    space: bytes | ColourSpace | None = None
    orientation: int = 1
    exif: bytes | None = None
    dpi: tuple[float, float] | None = None
    reduced: int = 1


def to_pil(pixels: Tensor, alpha: Tensor | None = None) -> Image.Image:
    """Turn a 1×3×H×W tensor (and its 1×1×H×W alpha) into an 8-bit RGB (RGBA) image."""
    return Image.fromarray(quantise(to_raster(pixels, alpha)))


def to_raster(pixels: Tensor, alpha: Tensor | None = None) -> Raster:
    """Convert a 1×3×H×W tensor, with an optional 1×1×H×W alpha, to H×W×3 (H×W×4) float32.

    Raises:
        RequestError: a shape is wrong.
        OutputError: a value is NaN or infinite.
    """
    planes = [("pixels", pixels, 3)] + ([("alpha", alpha, 1)] if alpha is not None else [])
    height, width = pixels.shape[-2:]
    for name, plane, channels in planes:
        if tuple(plane.shape) != (1, channels, height, width) or not height * width:
            raise RequestError(
                f"{name} has shape {tuple(plane.shape)}; expected (1, {channels}, {height}, {width}), not empty"
            )
    raster = np.concatenate(
        [plane.detach()[0].permute(1, 2, 0).float().cpu().numpy() for _, plane, _ in planes], axis=2
    )
    if not np.isfinite(raster).all():
        raise OutputError(
            "the painted pixels hold NaN or infinity; expected numbers in [0, 1]: "
            "use --precision exact, another net, or smaller loss weights"
        )
    return raster


def quantise(raster: Raster, bits: int = 8) -> NDArray[Any]:
    """Clip values to [0, 1] and round them to uint8, or to uint16 if `bits` is 16."""
    top = 2**bits - 1
    return (np.clip(raster, 0, 1) * np.float32(top) + np.float32(0.5)).astype(f"u{bits // 8}", order="C")


def unit_range(values: NDArray[Any], name: str) -> Raster:
    """Check that samples are finite and in [0, 1], up to a thousandth, and return them as float32.

    Raises:
        ImageError: they are not.
    """
    low, high = float(values.min()), float(values.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ImageError(f"{name} holds NaN or infinity; expected numbers in [0, 1]: clip it first")
    if low < -_BEYOND or high > 1 + _BEYOND:
        repair = "scale it (8-bit values: divide by 255)" if high > _BRIGHT else "clip it, or scale it"
        raise ImageError(f"{name} holds numbers from {low:.6g} to {high:.6g}; expected [0, 1]: {repair}")
    return np.clip(values, 0, 1).astype(np.float32)


def sane_dpi(stated: object) -> tuple[float, float] | None:
    """Return the pixels per inch that a file states; None if they are not a pair of plausible numbers."""
    try:
        across, down = (float(value) for value in cast(Any, stated))
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    # A file that states no unit gives the aspect ratio of its pixels instead, such as 1:1.
    return (across, down) if min(across, down) > 1 and math.isfinite(across + down) else None


def require_size(picture: Picture, minimum: int, what: str) -> None:
    """Refuse a picture with a side of less than `minimum` pixels.

    Args:
        picture: the picture.
        minimum: smallest side in pixels.
        what: what the picture is, for the message, such as "the photo".

    Raises:
        ImageError: it is too small.
    """
    width, height = picture.size
    if min(width, height) < minimum:
        named = f"{what} ({picture.source})" if picture.source else what
        raise ImageError(
            f"{named} is {width}×{height} pixels; expected at least {minimum} on each side: use a larger one"
        )
