"""The rest of ``impasto compare``: pairs of photo and style, and the files that are written."""

from __future__ import annotations

import functools
import json as json_text
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..comparison import blind
from ..comparison.pairs import unique
from ..comparison.sheets import cell_size, check_sheet, pair_sheet
from ..comparison.table import Attempt, Row, Table
from ..comparison.ways import Way
from ..control import Progress
from ..errors import OutputError, RequestError
from ..images.atomic import check_place, write_atomically
from ..images.read import read
from ..images.source import STANDARD_STREAM
from ..images.write import FORMATS, write
from ..recipe import Recipe, Style
from ..session.painting import Painting
from ..session.session import Session
from ..session.work import Work
from . import DONE, FAILED, INTERRUPTED
from .paint import stem
from .painting import check_output, check_streams, place
from .progress import display

if TYPE_CHECKING:
    from PIL import Image

    from ..images.picture import Picture


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to paint in, and where the results go.

    Attributes:
        ways: the ways to paint in.
        target: file of the sheet.
        folder: folder for the paintings; None if they are not written.
        cell: longest side of each picture on the sheet in pixels; None to choose one.
        overwrite: existing files may be replaced.
        device: where to paint.
        quiet: print nothing but errors.
        json: print a report as JSON.
    """

    ways: Sequence[Way]
    target: str
    folder: Path | None
    cell: int | None
    overwrite: bool
    device: str
    quiet: bool
    json: bool

    def check(self, sources: Sequence[str], names: Sequence[str]) -> None:
        """Check before any work that the results can be written.

        Args:
            sources: the pictures to read.
            names: file names of the paintings.

        Raises:
            RequestError: a file exists, its folder does not, or it is one of `sources`.
            OutputError: no file can be created in a folder.
        """
        check_streams(sources, self.target, json=self.json)
        check_output(self.target, sources, overwrite=self.overwrite)
        if self.folder is None:
            return
        if not self.folder.is_dir():
            check_place(self.folder, overwrite=False)
            return
        check_place(self.folder / names[0], overwrite=self.overwrite)
        for name in names:
            if (self.folder / name).exists() and not self.overwrite:
                raise RequestError(f"{self.folder / name} exists already; expected a new folder, or --overwrite")

    def keep(self, painting: Painting, name: str, *, bare: bool = False) -> None:
        """Write a painting to the folder, if there is one; if `bare`, without its recipe."""
        if self.folder is None:
            return
        try:
            self.folder.mkdir(exist_ok=True)
        except OSError as error:
            raise OutputError(f"{self.folder} cannot be made ({error.strerror}); choose another folder") from None
        if bare:
            write(read(painting.to_pil()), self.folder / name, overwrite=self.overwrite)
        else:
            painting.save(self.folder / name, overwrite=self.overwrite)

    def finish(self, sheet: Image.Image, report: dict[str, Any], count: int, began: float) -> None:
        """Write the sheet and print a report.

        Args:
            sheet: the sheet.
            report: more data for the report as JSON.
            count: number of paintings on the sheet.
            began: when the work began, by `time.monotonic`.
        """
        write(read(sheet), self.target, overwrite=self.overwrite)
        seconds = time.monotonic() - began
        if self.json:
            print(json_text.dumps({"output": self.target, "seconds": round(seconds, 3), **report}))
        elif not self.quiet:
            stream = sys.stderr if self.target == STANDARD_STREAM else sys.stdout
            size = f"{sheet.width}×{sheet.height}, {count} painting{'s' * (count > 1)}"
            print(f"{place(self.target)}  {size}, {seconds:.1f} s", file=stream)
            if "key" in report:
                print(report["key"], file=stream)


@dataclass(frozen=True, kw_only=True)
class Hiding:
    """How the ways are hidden with --blind.

    Attributes:
        key: file to write which way each column is.
        seed: seed of the order of the columns.
        letters: names of the columns.
    """

    key: Path
    seed: int
    letters: Sequence[str]


def hide(request: Request, key: Path | None, seed: int | None) -> Hiding:
    """Choose what --blind needs, and check that the key can be written.

    Args:
        request: what to paint.
        key: file of the key; None for one beside the sheet.
        seed: seed of the order of the columns; None for a random one.

    Raises:
        RequestError: the seed is out of range, or the key's file exists or is the sheet's.
    """
    if key is None:
        name = "sheet.png" if request.target == STANDARD_STREAM else request.target
        key = Path(name).with_suffix(".key.json")
    if str(key) == request.target:
        raise RequestError(f"--key and --output are both {key}; expected two files")
    check_place(key, overwrite=request.overwrite)
    return Hiding(key=key, seed=blind.choose_seed(seed), letters=blind.letters(len(request.ways)))


def compare_pairs(request: Request, pairs: Sequence[tuple[str, str]], hiding: Hiding | None) -> int:
    """Paint pairs in all ways, one row each, and return the exit status."""
    began = time.monotonic()
    cell = cell_size(request.ways, len(pairs), request.cell)
    if request.target != STANDARD_STREAM:
        check_sheet(len(request.ways), len(pairs), cell, FORMATS[Path(request.target).suffix.lower()].longest)
    rows = unique([f"{stem(photo)}.{stem(Style.parse(style).path)}" for photo, style in pairs])
    columns = hiding.letters if hiding else unique([way.file_name for way in request.ways])
    request.check([each for pair in pairs for each in pair], [f"{row}.{way}.png" for row in rows for way in columns])
    interrupted = False
    with Session(device=request.device) as session:
        table = Table(session, request.ways, cell, hiding.seed if hiding else None)
        try:
            for number, pair in enumerate(pairs, 1):
                keep = functools.partial(_keep, request, rows[number - 1], columns, bare=hiding is not None)
                _paint_row(request, table, pair, f"pair {number} of {len(pairs)}", keep, hidden=hiding is not None)
        except KeyboardInterrupt:
            if not any(row.painted for row in table.rows):
                raise
            interrupted = True
    table.require_any()
    _write(request, table, hiding, began)
    if interrupted:
        done = sum(row.painted == len(table.ways) for row in table.rows)
        print(
            f"impasto: interrupted; {place(request.target)} shows what was done: {done} of {len(pairs)} pairs in all "
            "ways",
            file=sys.stderr,
        )
        return INTERRUPTED
    return FAILED if any(row.errors for row in table.rows) else DONE


def _paint_row(
    request: Request, table: Table, pair: tuple[str, str], note: str, keep: Callable[[Row], None], *, hidden: bool
) -> None:
    """Paint a pair and show the progress. If `hidden`, show only the pair: the time of a painting reveals its way."""
    if hidden:
        with display(quiet=request.quiet) as shown:
            shown.say(f"painting {note}")
            row = table.paint(pair, keep=keep)
    else:

        def paint(way: Way, recipe: Recipe, content: Picture, styles: Sequence[Picture]) -> Painting:
            label = way.label if note == "pair 1 of 1" else f"{way.label}, {note}"
            return paint_shown(request, table.session, label, recipe, content, styles)

        row = table.paint(pair, paint, keep)
    for line in row.complaints(blind=hidden):
        print(f"impasto: {line}", file=sys.stderr)


def paint_shown(
    request: Request, session: Session, label: str, recipe: Recipe, content: Picture, styles: Sequence[Picture]
) -> Painting:
    """Paint one picture and show the progress."""
    with display(quiet=request.quiet) as shown:

        def watch(progress: Progress) -> None:
            shown.progress(replace(progress, note=label))

        shown.say(f"loading {label}")
        work: Work = session.paint(recipe, content, styles=styles if recipe.styles else None, watch=watch)
        for step in work:
            shown.step(replace(step, note=label))
        return work.painting


def _keep(request: Request, name: str, columns: Sequence[str], row: Row, *, bare: bool) -> None:
    """Write the paintings of a row, all at once, so that the files do not show how long each took."""
    for column, attempt in zip(columns, row.attempts, strict=True):
        if attempt.painting is not None:
            request.keep(attempt.painting, f"{name}.{column}.png", bare=bare)


def _write(request: Request, table: Table, hiding: Hiding | None, began: float) -> None:
    """Write the sheet, and the key if the ways are hidden."""
    count = sum(row.painted for row in table.rows)
    if hiding is None:
        rows = [{"photo": row.photo, "style": row.style, **_results(row)} for row in table.rows]
        request.finish(pair_sheet(table), {"pairs": rows}, count, began)
        return
    text = json_text.dumps(blind.key(table, hiding.seed), indent=2) + "\n"
    write_atomically(hiding.key, text.encode(), overwrite=request.overwrite)
    request.finish(pair_sheet(table, hiding.letters), {"key": str(hiding.key)}, count, began)


def _results(row: Row) -> dict[str, Any]:
    """What became of the paintings of a row, as JSON data."""
    if row.error is not None:
        return {"error": str(row.error)}
    return {
        "paintings": [
            {**describe(each.way), **outcome(each if each.picture else None, each.error)}
            for each in row.attempts
            if each.picture or each.error
        ]
    }


def describe(way: Way) -> dict[str, Any]:
    """Describe a way, as JSON data."""
    return {"way": way.label, "method": way.recipe.method, "preset": way.recipe.preset}


def outcome(result: Painting | Attempt | None, error: Exception | None) -> dict[str, Any]:
    """Say what became of a painting, as JSON data."""
    return {"error": str(error)} if result is None else {"seconds": round(result.seconds, 3)}
