"""The sheet of a painted film: one frame in some, with their times."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from PIL import Image

from ..images.atomic import write_atomically
from ..images.contact import contact_sheet
from .frames import Pixels
from .parts import Segment
from .times import show_time

SHEET_EVERY = 30
"""Frames from one picture of the sheet to the next."""

_COLUMNS, _SIDE, _MOST = 6, 192, 240  # pictures in a row, pixels of one, and pictures of a long film at most


def write_sheet(path: Path, segments: Iterable[Segment], frames: int, ticks: Fraction) -> None:
    """Write a sheet of every 30th frame as PNG; of a long film, of fewer.

    Args:
        path: the file, which is replaced.
        segments: the painted film.
        frames: number of its frames.
        ticks: seconds of a tick.

    Raises:
        OutputError: it cannot be written.
    """
    every = max(SHEET_EVERY, -(-frames // _MOST))
    pictures: list[Image.Image] = []
    labels: list[str] = []
    number = 0
    for segment in segments:
        wanted = [place for place in range(len(segment.times)) if (number + place) % every == 0]
        for place, pixels in enumerate(decoded([segment]) if wanted else ()):
            if place in wanted:
                image = Image.fromarray(pixels)
                image.thumbnail((_SIDE, _SIDE))
                pictures.append(image)
                labels.append(show_time(segment.times[place][0] * ticks))
        number += len(segment.times)
    out = io.BytesIO()
    contact_sheet(pictures, columns=_COLUMNS, cell=_SIDE, labels=labels).save(out, "PNG")
    write_atomically(path, out.getvalue(), overwrite=True)


def decoded(segments: Iterable[Segment]) -> Iterator[Pixels]:
    """Yield the frames of segments."""
    for segment in segments:
        with av.open(io.BytesIO(segment.data), "r") as container:
            alpha = "a" in (container.streams.video[0].codec_context.pix_fmt or "")
            for frame in container.decode(video=0):
                pixels: Any = frame.to_ndarray(format="rgba" if alpha else "rgb24")
                yield pixels
