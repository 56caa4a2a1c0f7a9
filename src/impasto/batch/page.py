"""A page of a batch: photos and paintings side by side, with recipes. It needs no other file but the pictures."""

from __future__ import annotations

import html
import json
import os
from collections.abc import Iterator
from pathlib import Path, PurePath
from urllib.parse import quote

from ..images.atomic import write_atomically
from ..recipe import Recipe
from ..untrusted import printable
from . import storage
from .rows import Report, Row

_SHOWN = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".gif", ".avif", ".bmp"})
"""Formats that browsers show."""

_MARK = '<meta name="generator" content="impasto batch">'
_HEAD = 2000  # bytes that have the mark

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem;
  color: #34322f; background: #f8f7f4; }
figure { margin: 0 0 2rem; } figure > div { display: flex; flex-wrap: wrap; gap: .75rem; align-items: end; }
figure a { flex: 1 1 20rem; } img { width: 100%; display: block; } figcaption { overflow-wrap: anywhere; }
pre { overflow-x: auto; background: #fff; padding: .75rem; } td { padding: .2rem 1rem .2rem 0; vertical-align: top;
  overflow-wrap: anywhere; }
@media (prefers-color-scheme: dark) { body { color: #e8e6e1; background: #1d1c1b; } pre { background: #2a2826; } }
"""


def write_page(report: Report, path: Path) -> None:
    """Write the page of a batch. Pictures are linked by relative paths.

    Args:
        report: what became of the batch.
        path: the file; it is replaced.

    Raises:
        OutputError: it cannot be written.
    """
    # A name may have bytes that are not Unicode.
    write_atomically(
        path, "\n".join(_lines(report, path.absolute().parent)).encode("utf-8", "replace"), overwrite=True
    )


def is_page(path: Path) -> bool:
    """Say whether a file is a page that `write_page` wrote."""
    try:
        with path.open("rb") as file:
            return _MARK.encode() in file.read(_HEAD)
    except OSError:
        return False


def _lines(report: Report, folder: Path) -> Iterator[str]:
    shown = [row for row in report.rows if row.status in ("painted", "skipped") and row.output and row.job]
    recipes: dict[int, tuple[int, str, Recipe]] = {}
    for row in shown:
        assert row.job is not None
        recipes.setdefault(id(row.job.way), (len(recipes) + 1, row.style, row.job.way.recipe))
    yield '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield (
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src 'self' file:; "
        "style-src 'unsafe-inline'\">"
    )
    yield _MARK
    yield f"<title>Paintings</title>\n<style>{_STYLE}</style>\n<h1>{len(shown)} paintings</h1>"
    yield from _errors(report.failed)
    for row in shown:
        assert row.job is not None
        yield from _figure(row, folder, recipes[id(row.job.way)][0])
    if recipes:
        yield "<h2>Recipes</h2>"
    for number, style, recipe in recipes.values():
        text = json.dumps(recipe.portable(), indent=2, ensure_ascii=False)
        yield f'<h3 id="recipe-{number}">{_text(style)}, {_text(recipe.method)}</h3>\n<pre>{_text(text)}</pre>'
    yield "</html>\n"


def _errors(failed: list[Row]) -> Iterator[str]:
    if not failed:
        return
    yield f"<h2>{len(failed)} could not be painted</h2>\n<table>"
    for row in failed:
        yield f"<tr><td>{_text(row.photo)}<td>{_text(row.error or '')}"
    yield "</table>"


def _figure(row: Row, folder: Path, recipe: int) -> Iterator[str]:
    yield "<figure><div>"
    for what, name in (("photo", row.photo), ("painting", str(row.output))):
        link = _link(name, folder)
        inside = _text(f"{what}: {PurePath(name).name}")
        if PurePath(name).suffix.lower() in _SHOWN:
            inside = f'<img loading="lazy" alt="{inside}" src="{link}">'
        yield f'<a href="{link}">{inside}</a>'
    size = f", {row.size[0]}×{row.size[1]}" if row.size else ""
    seconds = f", {row.seconds:.1f} s" if row.status == "painted" else ", painted before"
    yield (
        f"</div><figcaption>{_text(str(row.output))}{size}{seconds}, "
        f'<a href="#recipe-{recipe}">{_text(row.style)}</a></figcaption></figure>'
    )


def _text(text: str) -> str:
    return html.escape(printable(text), quote=True)


def _link(name: str, folder: Path) -> str:
    """A link to a file, relative to the folder of the page if that can be."""
    end = storage.absolute(name)
    try:
        relative = os.path.relpath(end, folder)
    except ValueError:  # on another drive
        return html.escape(Path(end).as_uri(), quote=True)
    return html.escape(quote(os.fsencode(Path(relative).as_posix())), quote=True)
