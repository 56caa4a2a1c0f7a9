"""Demo photographs in the public domain, from the files of the package scikit-image. Nothing is downloaded."""

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
    """Load a demo photograph.

    Args:
        name: a key of `PHOTOS`.

    Returns:
        An RGB image.

    Raises:
        RequestError: there is no such photograph.
    """
    if name not in PHOTOS:
        raise RequestError(f"demo photo is {name!r}; expected one of {', '.join(PHOTOS)}{near_misses(name, PHOTOS)}")
    return Image.fromarray(getattr(data, name)())
