"""`Frame` and `Film`: what every source of moving pictures gives, and the size they are painted at."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

DEFAULT_RATE = Fraction(25)
"""Frames a second of what states no times, such as numbered pictures."""


@dataclass(frozen=True, eq=False)
class Frame:
    """A frame of a film, upright, with square pixels.

    Attributes:
        pixels: H×W×3 sRGB.
        time: when it is shown, in seconds from the beginning of the film.
        duration: how long it is shown, in seconds.
        alpha: H×W, or None.
    """

    pixels: Pixels
    time: Fraction
    duration: Fraction
    alpha: Pixels | None = None


@dataclass(frozen=True)
class Track:
    """Another track of a film, such as its sound.

    Attributes:
        index: its number in the file.
        kind: ``audio`` or ``subtitle``.
        codec: name of its codec.
    """

    index: int
    kind: str
    codec: str


@dataclass(frozen=True)
class FilmInfo:
    """What is known of a film before it is read.

    Attributes:
        path: the file.
        size: width and height, upright, with square pixels.
        rate: mean number of frames a second.
        duration: in seconds; None if it is not stated.
        ticks: unit of its times, in seconds.
        alpha: whether frames have transparency.
        dynamic_range: ``PQ`` or ``HLG`` for a film of high dynamic range, otherwise empty.
        tracks: sound and subtitles.
        metadata: title and other texts.
    """

    path: str
    size: tuple[int, int]
    rate: Fraction
    duration: Fraction | None
    ticks: Fraction
    alpha: bool = False
    dynamic_range: str = ""
    tracks: Sequence[Track] = ()
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def frames(self) -> int | None:
        """About how many frames there are; None if it is not known."""
        return None if self.duration is None else max(1, round(self.duration * self.rate))


class Film(ABC):
    """A source of frames. It can be read several times.

    Attributes:
        info: what is known of it.
        problems: what was skipped or changed while it was read, to be told.
    """

    info: FilmInfo
    problems: list[str]

    @abstractmethod
    def frames(self, size: tuple[int, int], begin: Fraction = Fraction(0)) -> Iterator[Frame]:
        """Yield the frames that are shown at or after a time.

        Args:
            size: width and height to scale them to.
            begin: in seconds.
        """


def fitted(size: tuple[int, int], longest: int | None, *, even: bool) -> tuple[int, int]:
    """Return the width and height that a film is painted at.

    Args:
        size: its own width and height.
        longest: longest side in pixels; None keeps the size.
        even: both sides have to be even, as most codecs want.
    """
    scale = 1.0 if longest is None else longest / max(size)
    return tuple(max(2, 2 * round(side * scale / 2)) if even else max(1, round(side * scale)) for side in size)  # pyright: ignore[reportReturnType] (two of them)


def at_rate(frames: Iterator[Frame], rate: Fraction) -> Iterator[Frame]:
    """Yield frames at a constant rate: at each time the frame that is shown then."""
    shown: Frame | None = None
    count = 0

    def until(end: Fraction) -> Iterator[Frame]:
        nonlocal count
        while shown is not None and (time := begin + count / rate) < end:
            yield Frame(shown.pixels, time, 1 / rate, shown.alpha)
            count += 1

    begin = Fraction(0)
    for frame in frames:
        if shown is None:
            begin = frame.time
        yield from until(frame.time)
        shown = frame
    if shown is not None:
        yield from until(max(shown.time + shown.duration, begin + Fraction(1, 1000)))
