"""Demo photographs in the public domain that scikit-image's own package carries: none is downloaded."""

from __future__ import annotations

from collections.abc import Mapping

from PIL import Image
from skimage import data

from ..errors import RequestError, near_misses

PHOTOS: Mapping[str, str] = {
    "chelsea": "a cat's face, 451×300",
    "astronaut": "an astronaut's portrait, 512×512",
    "coffee": "a cup of coffee on a wooden table, 600×400",
    "rocket": "a rocket on its launch pad, 640×427",
}


def demo_photo(name: str = "chelsea") -> Image.Image:
    """A demo photograph, RGB.

    Raises:
        RequestError: no demo photograph has that name.
    """
    if name not in PHOTOS:
        raise RequestError(f"demo photo is {name!r}; expected one of {', '.join(PHOTOS)}{near_misses(name, PHOTOS)}")
    return Image.fromarray(getattr(data, name)())
