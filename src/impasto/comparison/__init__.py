"""Photographs painted in several ways, side by side on one sheet. torch is imported when painting begins.

`ways` reads what to compare, and `pairs` reads photographs and styles. `table` paints them, `sheets` lays them out,
and `blind` hides which way is which.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import ImpastoError, ImpastoWarning, RequestError
from ..session.inputs import name_styles, open_pictures
from ..session.session import Session
from . import blind
from .pairs import read_pairs
from .sheets import STRENGTHS, Trial, cell_size, check_strengths, pair_sheet, strength_sheet
from .table import Table
from .ways import SIZE, WAYS, Way, parse_ways

if TYPE_CHECKING:
    from PIL import Image

    from ..images.picture import Picture
    from ..session.inputs import ImageLike
    from .table import Pair


class BlindSheet(NamedTuple):
    """A sheet without the names of the ways, and the key to it.

    Attributes:
        sheet: an RGB image with the columns A, B, C, ...; each row has the ways in another order.
        key: JSON data: the seed, and for each row the photo, the style, and the way and seconds of each column.
    """

    sheet: Image.Image
    key: dict[str, Any]


def compare(
    photo: ImageLike | None = None,
    *styles: ImageLike,
    pairs: Sequence[Pair] | str | Path | None = None,
    methods: Sequence[str] = WAYS,
    strengths: Sequence[float] | None = None,
    size: int = SIZE,
    cell: int | None = None,
    device: str = "auto",
) -> Image.Image:
    """Paint photographs in several ways, on one labelled sheet.

    With one photograph, rows are ways and columns are strengths. With pairs, rows are pairs and columns are ways.

    Args:
        photo: the photograph; see `impasto.read` for the kinds.
        styles: style pictures, of the same kinds; several are mixed.
        pairs: pairs of photograph and style, instead of `photo` and `styles`; or a CSV file of them (`read_pairs`).
        methods: the ways, each an effort or ``METHOD[:PRESET][:SETTING=VALUE]...``. For johnson, which takes no style
            picture, it is ``johnson:NET``.
        strengths: one column each, from 0 to 1; None for a few steps. Pairs are painted at full strength.
        size: longest side of each painting in pixels, unless its way states one.
        cell: longest side of each picture on the sheet in pixels; None chooses one.
        device: see `impasto.bind`.

    Returns:
        The sheet, an RGB image.

    Raises:
        RequestError: a picture is unreadable, a name is unknown, or a value is out of range.
        ImpastoError: no way could be painted. If only some fail, they are left out with a warning.

    Examples:
        >>> sheet = impasto.compare("photo.jpg", "painting.jpg", methods=["adain", "adain:style_scale=2"])
        >>> sheet.save("sheet.png")
    """
    ways = parse_ways(methods, size)
    if pairs is not None:
        if photo is not None or strengths is not None:
            raise RequestError("pairs are given with a photo or strengths; expected pairs alone, at full strength")
        return pair_sheet(_paint_pairs(pairs, ways, cell, device))
    if photo is None:
        raise RequestError("no photo; expected a photo and at least one style picture, or pairs")
    if not styles:
        raise RequestError("no style picture; give at least one")
    columns = STRENGTHS if strengths is None else strengths
    check_strengths(columns, ways)
    if cell is not None:
        cell_size(ways, 1, cell)
    content, pictures, trials = _paint_one(photo, styles, ways, device)
    return strength_sheet(content, pictures, trials, columns, cell)


def compare_blind(
    pairs: Sequence[Pair] | str | Path,
    *,
    methods: Sequence[str] = WAYS,
    size: int = SIZE,
    cell: int | None = None,
    seed: int | None = None,
    device: str = "auto",
) -> BlindSheet:
    """Paint pairs in several ways, on a sheet that does not name the ways, so that it can be judged without bias.

    Args:
        pairs: see `compare`.
        methods: see `compare`.
        size: see `compare`.
        cell: see `compare`.
        seed: seed of the order of the columns; None for a random one.
        device: see `compare`.

    Returns:
        The sheet, and the key that says which column is which way.

    Raises:
        RequestError: see `compare`.
        ImpastoError: see `compare`.

    Examples:
        >>> pairs = [("photo.jpg", "painting.jpg")]
        >>> sheet, key = impasto.compare_blind(pairs, methods=["adain", "swap"], size=64, seed=1)
        >>> key["rows"][0]["columns"]["A"]["way"]
        'swap'
    """
    seed = blind.choose_seed(seed)
    table = _paint_pairs(pairs, parse_ways(methods, size), cell, device, seed)
    return BlindSheet(pair_sheet(table, blind.letters(len(table.ways))), blind.key(table, seed))


def _paint_pairs(
    pairs: Sequence[Pair] | str | Path, ways: Sequence[Way], cell: int | None, device: str, seed: int | None = None
) -> Table:
    """Paint all pairs in all ways; a painting that fails is left out with a warning."""
    found: Sequence[Pair] = read_pairs(pairs) if isinstance(pairs, str | Path) else pairs
    if not found:
        raise RequestError("no pairs; give at least one")
    with Session(device=device) as session:
        table = Table(session, ways, cell_size(ways, len(found), cell), seed)
        for pair in found:
            for line in table.paint(pair).complaints(blind=seed is not None):
                _warn(line)
    table.require_any()
    return table


def _paint_one(
    photo: ImageLike, styles: Sequence[ImageLike], ways: Sequence[Way], device: str
) -> tuple[Picture, list[Picture], list[Trial]]:
    """Paint one photograph in all ways; a painting that fails is left out with a warning."""
    named, sources = name_styles(styles)
    recipes = [(way.label, way.with_styles(named)) for way in ways]
    trials: list[Trial] = []
    failed: ImpastoError | None = None
    with Session(device=device) as session:
        content, pictures = open_pictures(photo, sources, session.read)
        for label, recipe in recipes:
            try:
                given = pictures if recipe.styles else None
                trials.append(Trial(label, session.paint(recipe, content, styles=given).done()))
            except ImpastoError as error:
                failed = error
                _warn(f"{label} is left out: {error}")
    if failed is not None and not trials:
        raise failed
    return content, pictures, trials


def _warn(text: str) -> None:
    warnings.warn(text, ImpastoWarning, stacklevel=4)
