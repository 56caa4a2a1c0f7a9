"""A contact sheet of a batch: its paintings, small, with their names."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from PIL import Image

from ..errors import ImpastoError
from ..images.contact import contact_sheet, thumbnail
from ..images.header import found_recipe
from ..images.read import read
from ..images.write import write
from .rows import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

_MARK = "batch_sheet"  # inside the file
_CELL = 256  # pixels of the longest side of a painting
_MOST = 400  # paintings; a sheet of more could not be looked at
_WIDER = 1.4  # columns for each row


def write_sheet(rows: Sequence[Row], path: Path) -> None:
    """Write a sheet of the paintings that are there, at most 400 of them; nothing if there are none.

    Args:
        rows: what became of the paintings.
        path: the file; it is replaced.

    Raises:
        OutputError: it cannot be written.
    """
    found = list(_thumbnails(rows))
    if not found:
        return
    pictures, labels = zip(*found, strict=True)
    columns = max(1, round(math.sqrt(len(pictures) * _WIDER)))
    out = io.BytesIO()
    contact_sheet(pictures, columns=columns, cell=_CELL, labels=labels).save(out, "PNG")
    write(read(out.getvalue()), path, overwrite=True, metadata={_MARK: True})


def is_sheet(path: Path) -> bool:
    """Say whether a file is a sheet that `write_sheet` wrote."""
    return _MARK in (found_recipe(path) or {})


def _thumbnails(rows: Sequence[Row]) -> Iterator[tuple[Image.Image, str]]:
    count = 0
    for row in rows:
        if row.status not in ("painted", "skipped") or row.output is None:
            continue
        try:
            small = thumbnail(read(row.output, _CELL).to_pil(), _CELL)
        except ImpastoError:  # it was removed or replaced
            continue
        yield small, PurePath(row.output).name
        count += 1
        if count == _MOST:
            return
