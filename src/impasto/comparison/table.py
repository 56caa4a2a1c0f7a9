"""`Table`: pairs of photograph and style, each painted in several ways. Imports torch only when it paints."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

from ..errors import ImpastoError, ImpastoWarning
from ..recipe import Recipe
from ..session.inputs import name_of, name_styles, open_pictures
from ..session.painting import Painting
from ..session.session import Session
from .ways import Way

if TYPE_CHECKING:
    from PIL import Image

    from ..images.picture import Picture
    from ..session.inputs import ImageLike

    Pair = tuple[ImageLike, ImageLike]
    PaintOne = Callable[[Way, Recipe, Picture, Sequence[Picture]], Painting]


@dataclass(slots=True)
class Attempt:
    """One pair painted in one way.

    Attributes:
        way: how it is painted.
        painting: the result, as long as it is needed at full size.
        picture: the result as the sheet shows it; None if there is no result.
        seconds: how long it took.
        error: why it failed; None if it did not fail or was not begun.
    """

    way: Way
    painting: Painting | None = None
    picture: Image.Image | None = None
    seconds: float = 0.0
    error: ImpastoError | None = None

    def shrink(self, cell: int) -> None:
        """Replace the painting by what the sheet shows, whose longest side is `cell` pixels."""
        from ..images.contact import thumbnail

        if self.painting is not None:
            self.picture = thumbnail(self.painting.to_pil(), cell)
            self.seconds = self.painting.seconds
            self.painting = None


@dataclass(slots=True)
class Row:
    """One pair painted in all ways.

    Attributes:
        photo: name of the photograph.
        style: name of the style picture.
        attempts: one for each way, in the order of the columns.
        error: why the pair could not be read; None if it could.
        content: the photograph as the sheet shows it; None if it could not be read.
        example: the style picture as the sheet shows it; None if it could not be read.
    """

    photo: str
    style: str
    attempts: list[Attempt]
    error: ImpastoError | None = None
    content: Image.Image | None = None
    example: Image.Image | None = None

    @property
    def painted(self) -> int:
        """The number of paintings."""
        return sum(attempt.picture is not None for attempt in self.attempts)

    @property
    def errors(self) -> list[ImpastoError]:
        """The errors of the pair and of its paintings."""
        own = [attempt.error for attempt in self.attempts]
        return [error for error in (self.error, *own) if error is not None]

    def complaints(self, *, blind: bool = False) -> list[str]:
        """Return a line for each thing that is left out; if `blind`, without naming the ways."""
        pair = f"{PurePath(self.photo).name} and {PurePath(self.style).name}"
        if self.error is not None:
            return [f"{pair} are left out: {self.error}"]
        failed = [(attempt.way.label, attempt.error) for attempt in self.attempts if attempt.error is not None]
        if blind:
            return [f"{pair}: {len(failed)} left out; the key says why"] if failed else []
        return [f"{label} of {pair} is left out: {error}" for label, error in failed]

    def show(self, photo: Picture, style: Picture, cell: int) -> None:
        """Make what the sheet shows of photograph and style; `cell` is the longest side in pixels."""
        from ..images.contact import framed, thumbnail

        self.content = thumbnail(photo.to_pil(), cell)
        self.example = framed(style.to_pil(), self.content.size)


class Table:
    """Paints pairs row by row.

    Args:
        session: paints; it loads each network only once.
        ways: the ways to paint each pair in.
        cell: longest side of each picture on the sheet in pixels.
        seed: seed of the order of the columns, which then differs from row to row; None for the order of `ways`.

    Attributes:
        rows: the rows so far, also after an interruption.
    """

    def __init__(self, session: Session, ways: Sequence[Way], cell: int, seed: int | None = None) -> None:
        self.session, self.ways, self.cell = session, ways, cell
        self.rows: list[Row] = []
        self._order = None if seed is None else random.Random(seed)

    def paint(self, pair: Pair, paint: PaintOne | None = None, keep: Callable[[Row], None] | None = None) -> Row:
        """Paint a pair in all ways. A way that fails leaves its place empty.

        Args:
            pair: photograph and style, of the kinds that `impasto.paint` takes.
            paint: paints one picture, instead of the session.
            keep: called with the row while it has its paintings at full size, also after an interruption.
        """
        from ..images.read import read

        ways = list(self.ways)
        if self._order is not None:
            self._order.shuffle(ways)
        named, sources = name_styles([pair[1]])
        row = Row(name_of(pair[0]), named[0].path, [Attempt(way) for way in ways])
        self.rows.append(row)
        try:
            content, styles = open_pictures(read(pair[0]), sources, self.session.read)
        except ImpastoError as error:
            row.error = error
            return row
        row.show(content, styles[0], self.cell)
        try:
            with warnings.catch_warnings():
                if self._order is not None:
                    warnings.simplefilter("ignore", ImpastoWarning)  # a warning may reveal the way
                for attempt in row.attempts:
                    try:
                        recipe = attempt.way.with_styles(named)
                        attempt.painting = (paint or self._paint)(attempt.way, recipe, content, styles)
                    except ImpastoError as error:
                        attempt.error = error
        finally:
            if keep is not None:
                keep(row)
            for attempt in row.attempts:
                attempt.shrink(self.cell)
        return row

    def require_any(self) -> None:
        """Check that something was painted.

        Raises:
            ImpastoError: nothing was; it is the first error.
        """
        errors = [error for row in self.rows for error in row.errors]
        if errors and not any(row.painted for row in self.rows):
            raise errors[0]

    def _paint(self, _: Way, recipe: Recipe, content: Picture, styles: Sequence[Picture]) -> Painting:
        return self.session.paint(recipe, content, styles=styles if recipe.styles else None).done()
