"""The demo styles: pictures drawn by code, with brushwork everywhere, to use as style pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import OutputError, RequestError, near_misses
from ..images.read import read
from ..images.write import check_target, write
from .artworks import night, rhythm, river, wave, window
from .artworks.tools import SUPERSAMPLE, Array, Random, Sheet

SMALLEST, LARGEST = 64, 4096


@dataclass(frozen=True, slots=True)
class DemoStyle:
    """An artwork.

    Attributes:
        name: name of the style.
        title: title of the picture.
        description: what it looks like.
        artwork: draws it on a sheet, with a generator of random numbers; returns H×W×3 in [0, 1].
    """

    name: str
    title: str
    description: str
    artwork: Callable[[Sheet, Random], Array]


STYLES: Mapping[str, DemoStyle] = {
    style.name: style
    for style in (
        DemoStyle("night", "Wind at Night", "swirling impasto strokes, stars over a village", night.draw),
        DemoStyle("window", "Rose Window", "stained glass, glowing between dark leads", window.draw),
        DemoStyle("wave", "The Breaker", "woodcut in Prussian blue on cream paper", wave.draw),
        DemoStyle("river", "Evening on the River", "pointillism, dots of unmixed colour", river.draw),
        DemoStyle("rhythm", "Rhythm of Discs", "turning discs in thick contrasting colour", rhythm.draw),
    )
}


def draw(name: str, size: int | tuple[int, int] = 512, seed: int = 0) -> Image.Image:
    """Draw a demo style.

    Args:
        name: a key of `STYLES`.
        size: side of a square, or width and height, in pixels.
        seed: 0 or more. The same seed gives the same pixels; another seed gives other strokes of the same motif.

    Returns:
        An RGB image.

    Raises:
        RequestError: the name, the size or the seed is wrong.
    """
    style = STYLES.get(name)
    if style is None:
        raise RequestError(f"demo style is {name!r}; expected one of {', '.join(STYLES)}{near_misses(name, STYLES)}")
    width, height = (size, size) if isinstance(size, int) else size
    if not (min(width, height) >= SMALLEST and max(width, height) <= LARGEST):
        raise RequestError(f"demo size is {width}×{height}; expected sides from {SMALLEST} to {LARGEST} pixels")
    if seed < 0:
        raise RequestError(f"seed is {seed}; expected 0 or more")
    sheet = Sheet(width * SUPERSAMPLE, height * SUPERSAMPLE)
    pixels = style.artwork(sheet, np.random.default_rng(seed))
    return Image.fromarray((pixels * 255 + 0.5).astype(np.uint8)).reduce(SUPERSAMPLE)


def draw_all(
    folder: str | Path,
    size: int | tuple[int, int] = 512,
    *,
    seed: int = 0,
    overwrite: bool = False,
    report: Callable[[Path], object] | None = None,
) -> list[Path]:
    """Draw every demo style to ``FOLDER/NAME.png``. All files are checked before the first is drawn.

    Args:
        folder: made if it does not exist.
        size: see `draw`.
        seed: see `draw`.
        overwrite: replace existing files.
        report: called with each file once it is written.

    Returns:
        The files.

    Raises:
        RequestError: the size or the seed is wrong, or a file exists and `overwrite` is false.
        OutputError: the folder cannot be made or written to.
    """
    folder = Path(folder)
    if not folder.exists():
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            raise OutputError(f"folder {folder} cannot be made ({error.strerror}); choose another") from None
    places = {name: folder / f"{name}.png" for name in STYLES}
    for place in places.values():
        check_target(place, overwrite)
    for name, place in places.items():
        write(read(draw(name, size, seed)), place, overwrite=overwrite)
        if report is not None:
            report(place)
    return list(places.values())
