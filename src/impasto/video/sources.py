"""`open_film`: a film, an animated picture or numbered pictures, by what the path says."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path, PurePath

from .coding import ANIMATIONS, is_numbered
from .frames import Film


def open_film(path: str, rate: Fraction | None = None) -> Film:
    """Open a film to read it.

    Args:
        path: a film, an animated GIF, APNG or WebP, ``frames/%05d.png``, or a folder of pictures.
        rate: pictures a second, of numbered pictures.

    Raises:
        ImageError: it cannot be read, or has no pictures.
    """
    if is_numbered(path) or Path(path).is_dir():
        from .pictures import Numbered

        return Numbered(path, rate)
    if PurePath(path).suffix.lower() in (*ANIMATIONS, ".png"):
        from .pictures import Animation

        return Animation(path)
    from .read import AvFilm

    return AvFilm(path)
