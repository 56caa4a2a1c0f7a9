"""Measures finished films: the flicker of a painted film beside that of the film that was painted."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise

from ..errors import RequestError
from . import require_extra
from .flicker import Meter
from .flow import find_motion
from .frames import Frame, fitted
from .sources import open_film

_SIDE = 512  # longest side in pixels


def measure_flicker(painted: str, film: str, begin: Fraction = Fraction(0)) -> dict[str, float]:
    """Measure the warping errors of a painted film and of the film that it was painted from, in levels of 255.

    Args:
        painted: the painted film.
        film: the film that it was painted from.
        begin: time in the film at which the painted one begins, in seconds.

    Returns:
        ``input`` and ``painting``; see `flicker`.

    Raises:
        RequestError: a film cannot be read, or they have no two frames at the same times.
    """
    require_extra()
    own, made = open_film(film), open_film(painted)
    size = fitted(made.info.size, min(_SIDE, max(made.info.size)), even=False)
    half = min(own.info.ticks, 1 / own.info.rate) / 2 + made.info.ticks
    meter = Meter()
    others = made.frames(size)
    other = next(others, None)

    def pairs() -> Iterator[tuple[Frame, Frame]]:
        nonlocal other
        for frame in own.frames(size, begin):
            while other is not None and other.time < frame.time - begin - half:
                other = next(others, None)
            if other is None:
                return
            if abs(other.time - (frame.time - begin)) <= half:
                yield frame, other

    for (last, last_made), (now, now_made) in pairwise(pairs()):
        motion = find_motion(last.pixels, now.pixels)
        meter.add("input", last.pixels, now.pixels, motion)
        meter.add("painting", last_made.pixels, now_made.pixels, motion)
    means = meter.means()
    if not means:
        raise RequestError(
            f"{painted} and {film} have no two frames at the same times; expected a painted film and the film that "
            "it was painted from"
        )
    return means
