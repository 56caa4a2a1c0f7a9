"""Small pictures for the page: encoded quickly, without metadata."""

from __future__ import annotations

import io
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

LONGEST = 1600
"""Pixels of the longest side at which a picture is kept to be looked at."""

PREVIEW = 512
"""Pixels of the longest side of a preview of a painting in progress."""

_QUALITY = 82

EXTENSIONS = {"png": ".png", "jpeg": ".jpg", "webp": ".webp", "avif": ".avif", "tiff": ".tif"}
"""Extensions by name of the formats that a painting can be taken home in."""


class Encoded(NamedTuple):
    """The bytes of a picture, and what they are.

    Attributes:
        data: the file.
        kind: its media type.
    """

    data: bytes
    kind: str


@cache
def has(format: str) -> bool:
    """Whether pictures of a format can be written here: a key of `EXTENSIONS`."""
    from PIL import features

    return format not in ("webp", "avif") or features.check(format) is True


def levels(pixels: Tensor, longest: int | None = None) -> NDArray[Any]:
    """Return 1×3×H×W in [0, 1] as H×W×3 uint8, made smaller where its longest side has more than `longest` pixels."""
    from ..images.geometry import fit
    from ..images.picture import quantise, to_raster

    if longest is not None and max(pixels.shape[-2:]) > longest:
        pixels = fit(pixels, longest)
    return quantise(to_raster(pixels))


def shrunk(values: NDArray[Any], longest: int) -> NDArray[Any]:
    """Return H×W×3 uint8 with at most `longest` pixels on its longest side, as an array of its own."""
    import numpy as np
    from PIL import Image

    image = Image.fromarray(values)
    image.thumbnail((longest, longest))
    return np.array(image)


def encode(values: NDArray[Any], longest: int | None = None) -> Encoded:
    """Encode H×W×3 uint8 as WebP, or as JPEG where Pillow has no WebP.

    Args:
        values: the picture.
        longest: most pixels of the longest side.
    """
    from PIL import Image

    image = Image.fromarray(values)
    if longest is not None:
        image.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    if has("webp"):
        image.save(out, "WEBP", quality=_QUALITY, method=2)
        return Encoded(out.getvalue(), "image/webp")
    image.save(out, "JPEG", quality=_QUALITY)
    return Encoded(out.getvalue(), "image/jpeg")


def palette(values: NDArray[Any], colours: int = 6) -> list[str]:
    """Return the main colours of H×W×3 uint8 as ``#rrggbb``, the commonest first."""
    from PIL import Image

    image = Image.fromarray(values)
    image.thumbnail((96, 96))
    reduced = image.quantize(colours, method=Image.Quantize.MEDIANCUT)
    table = reduced.getpalette() or []
    counts = sorted(reduced.getcolors() or [], reverse=True)
    return ["#{:02x}{:02x}{:02x}".format(*table[3 * int(at) : 3 * int(at) + 3]) for _, at in counts]  # pyright: ignore[reportArgumentType] (of a palette, `at` is an index)
