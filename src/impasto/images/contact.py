"""Contact sheets and animations: several pictures in one file."""

from __future__ import annotations

import io
import math
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from PIL import Image, ImageDraw, ImageFont, ImageOps

from ..errors import RequestError
from .atomic import check_place, write_atomically
from .geometry import fitted_size
from .picture import to_pil

if TYPE_CHECKING:
    from torch import Tensor

    Cell: TypeAlias = Image.Image | Tensor
    _Font: TypeAlias = ImageFont.FreeTypeFont | ImageFont.ImageFont

PAPER = (248, 247, 244)
"""Background colour."""
_INK = (52, 50, 47)
_GAP = 12
_SMALLEST = 11  # size of letters in pixels
_ELLIPSIS = "…"
_PLAIN = str.maketrans({"–": "-", "—": "-", "−": "-", "×": "x", "·": "-", "→": ">"})


def contact_sheet(
    pictures: Sequence[Cell | None],
    *,
    columns: int,
    cell: int = 256,
    labels: Sequence[str] = (),
    headings: Sequence[str] = (),
) -> Image.Image:
    """Lay pictures out row by row, with their proportions kept and aligned at the bottom of each row.

    Args:
        pictures: PIL images or 1×3×H×W tensors in [0, 1]; None leaves a place empty.
        columns: pictures in a row.
        cell: longest side of each picture on the sheet, in pixels.
        labels: one line under each picture, in smaller letters if one is too long, and cut if it is longer still;
            empty for none.
        headings: one text over each column, wrapped to its width; empty for none.

    Returns:
        An RGB image. Rows and columns are as tall and wide as their largest picture.

    Raises:
        ValueError: there is no picture or column, or a number of labels or headings does not match.
    """
    if not pictures or columns < 1:
        raise ValueError(f"{len(pictures)} pictures in {columns} columns; expected at least one of each")
    if labels and len(labels) != len(pictures):
        raise ValueError(f"{len(labels)} labels for {len(pictures)} pictures; expected one for each")
    columns = min(columns, len(pictures))
    if headings and len(headings) != columns:
        raise ValueError(f"{len(headings)} headings for {columns} columns; expected one for each")
    thumbs = [Image.new("RGB", (1, 1), PAPER) if each is None else thumbnail(each, cell) for each in pictures]
    rows = math.ceil(len(thumbs) / columns)
    widths = [max(thumb.width for thumb in thumbs[column::columns]) for column in range(columns)]
    heights = [max(t.height for t in thumbs[row * columns : (row + 1) * columns]) for row in range(rows)]

    font = ImageFont.load_default(size=max(_SMALLEST, cell // 18))
    small = _fitting(labels, widths, max(_SMALLEST, cell // 18))
    line = sum(font.getmetrics()) if isinstance(font, ImageFont.FreeTypeFont) else _GAP
    below = line + _GAP // 3 if labels else 0
    titles = [_lines(text, width, font) for text, width in zip(headings, widths, strict=False)]
    above = line * max(map(len, titles)) + _GAP // 2 if headings else 0
    sheet = Image.new(
        "RGB",
        (sum(widths) + _GAP * (columns + 1), above + sum(heights) + rows * (below + _GAP) + _GAP),
        PAPER,
    )
    draw = ImageDraw.Draw(sheet)

    def write_line(text: str, left: int, top: int, width: int, font: _Font = font) -> None:
        text = _ascii(text)
        if draw.textlength(text, font) > width:
            while text and draw.textlength(text + _ELLIPSIS, font) > width:
                text = text[:-1]
            text = text.rstrip() + _ELLIPSIS
        draw.text((left + width / 2, top), text, _INK, font, anchor="ma")

    lefts = [_GAP + sum(widths[:column]) + _GAP * column for column in range(columns)]
    for left, width, title in zip(lefts, widths, titles, strict=False):
        for number, text in enumerate(title):
            write_line(text, left, _GAP // 2 + number * line, width)
    top = above + _GAP
    for row, height in enumerate(heights):
        for column, thumb in enumerate(thumbs[row * columns : (row + 1) * columns]):
            left, width = lefts[column], widths[column]
            sheet.paste(thumb, (left + (width - thumb.width) // 2, top + height - thumb.height))
            if labels:
                write_line(labels[row * columns + column], left, top + height + _GAP // 3, width, small)
        top += height + below + _GAP
    return sheet


def write_gif(
    frames: Iterable[Cell],
    path: str | Path,
    *,
    longest: int | None = None,
    frame_ms: int = 100,
    last_ms: int = 2000,
    overwrite: bool = False,
) -> None:
    """Write an animated GIF that repeats forever, atomically.

    Args:
        frames: PIL images or 1×3×H×W tensors in [0, 1], in order; all are resized to the size of the last.
        path: a file that ends in .gif.
        longest: longest side in pixels; None keeps that of the last frame.
        frame_ms: how long each frame is shown, in milliseconds.
        last_ms: how long the last frame is shown, in milliseconds.
        overwrite: replace an existing file.

    Raises:
        RequestError: no frames, another extension, or the file exists and `overwrite` is false.
        OutputError: the system refuses (full disk, read-only folder).
    """
    path = Path(path)
    if path.suffix.lower() != ".gif":
        raise RequestError(f"animation {path} ends in {path.suffix or 'nothing'}; expected .gif")
    check_place(path, overwrite=overwrite)
    film = [_as_rgb(frame) for frame in frames]
    if not film:
        raise RequestError(f"no frames for {path}; expected at least one: take snapshots more often")
    height, width = fitted_size(film[-1].height, film[-1].width, longest)
    film = [_indexed(frame.resize((width, height), Image.Resampling.LANCZOS)) for frame in film]
    out = io.BytesIO()
    film[0].save(
        out,
        "GIF",
        save_all=True,
        append_images=film[1:],
        duration=[frame_ms] * (len(film) - 1) + [last_ms],
        loop=0,
    )
    write_atomically(path, out.getvalue(), overwrite=overwrite)


def _fitting(labels: Sequence[str], widths: Sequence[int], size: int) -> _Font:
    """A font of at most `size` pixels in which all labels fit their columns, if the smallest does."""
    while size > _SMALLEST:
        font = ImageFont.load_default(size=size)
        if all(font.getlength(_ascii(label)) <= widths[n % len(widths)] for n, label in enumerate(labels)):
            return font
        size -= 1
    return ImageFont.load_default(size=_SMALLEST)


def _lines(text: str, width: int, font: _Font) -> list[str]:
    """Wrap a text to a width in pixels, between words."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(_ascii(longer)) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _ascii(text: str) -> str:
    """The text in ASCII, which Pillow's own font has: accents are dropped, other characters become ``?``."""
    apart = unicodedata.normalize("NFKD", " ".join(text.split()).translate(_PLAIN))
    bare = "".join(letter for letter in apart if not unicodedata.combining(letter))
    return bare.encode("ascii", "replace").decode()


def _indexed(frame: Image.Image) -> Image.Image:
    """A dithered image with a palette of its own of 256 colours: the colours change while a painting forms."""
    palette = frame.quantize(256, Image.Quantize.MEDIANCUT)
    return frame.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)


def thumbnail(picture: Cell, cell: int) -> Image.Image:
    """Make an RGB image of a picture, with a longest side of `cell` pixels."""
    image = _as_rgb(picture)
    height, width = fitted_size(image.height, image.width, cell)
    return image.resize((width, height), Image.Resampling.LANCZOS)


def framed(picture: Cell, size: tuple[int, int]) -> Image.Image:
    """Make an RGB image of `size` (width, height): the picture as large as it fits, on the background colour."""
    return ImageOps.pad(_as_rgb(picture), size, color=PAPER)


def _as_rgb(picture: Cell) -> Image.Image:
    return on_paper(picture if isinstance(picture, Image.Image) else to_pil(picture))


def on_paper(image: Image.Image) -> Image.Image:
    """Convert to RGB; the background colour shows through transparent parts."""
    if image.has_transparency_data:
        image = image.convert("RGBA")
        paper = Image.new("RGBA", image.size, (*PAPER, 255))
        image = Image.alpha_composite(paper, image)
    return image.convert("RGB")
