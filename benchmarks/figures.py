"""Makes tables and listings in the docs from the results of benchmarks, and from the code.

    python -m benchmarks.figures             # rewrites them in README.md and docs/*.md
    python -m benchmarks.figures --check     # says which of them differ

A table or listing of a page is made where two comments stand, each on a line of its own:

    <!-- figures: gatys -->
    <!-- end figures -->

The name is one of `FIGURES`. A page whose comments are wrong is left as it is. The exit status is 0 if all is done,
and 1 if something differs or is wrong.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import tables
from benchmarks.shapes import RESULTS, SHAPES, Worth, read
from impasto.methods import METHODS
from impasto.methods.effort import Dials

ROOT = Path(__file__).parent.parent
SHIPPED = ROOT / "src/impasto/weights/shipped"

_BEGIN = re.compile(r"<!-- figures: (.*?) -->")
_END = "<!-- end figures -->"


class Figure(NamedTuple):
    """A region of a page: what it is made from, for messages, and the function that makes its Markdown."""

    source: str
    make: Callable[[], str]


class Page(NamedTuple):
    """A page with new regions: its text, the names of regions that changed, and the errors in its comments."""

    text: str
    changed: list[str]
    errors: list[str]


def shipped_nets() -> dict[str, tables.Net]:
    """Return the nets inside the package, by name."""
    from impasto.weights.container import load_metadata

    return {
        path.stem: tables.Net(load_metadata(path) or {}, path.stat().st_size)
        for path in sorted(SHIPPED.glob("*.safetensors"))
    }


def _settings(method: str | None) -> Figure:
    """The table of the settings of a method, or of those that all methods share."""
    from impasto.cli.paint import COMMON

    if method is None:
        return Figure("impasto.recipe.Recipe", lambda: tables.settings({**Dials.model_fields, **COMMON}, {}))
    options = METHODS[method].options
    defaults = {name: getattr(options(), name) for name in options.model_fields}
    return Figure(f"the options of {method}", lambda: tables.settings(options.model_fields, defaults))


def _measured(name: str, table: Callable[[Any], str]) -> Figure:
    return Figure(f"benchmarks/results/{name}.json", lambda: table(read(RESULTS / f"{name}.json", SHAPES[name])))


def _listing(path: str) -> Figure:
    """A file as a block of code."""

    def make() -> str:
        language, text = path.rpartition(".")[2], (ROOT / path).read_text("utf-8")
        return f"```{language}\n{text.rstrip()}\n```"

    return Figure(path, make)


FIGURES = {
    "settings": _settings(None),
    **{f"settings-{name}": _settings(name) for name in METHODS},
    "batch": _measured("batch", tables.batch_rates),
    "batch-on-paper": _measured("batch", tables.batch_on_paper),
    "gatys": _measured("gatys", tables.speed),
    "ladder": _measured("ladder", tables.efforts),
    "ladder-sizes": _measured("ladder", tables.effort_sizes),
    "first-pictures": _measured("pictures", tables.first_caption),
    "method-pictures": _measured("pictures", tables.second_caption),
    "score": _measured("score", tables.scores),
    "large": _measured("large", tables.peaks),
    "strokes": _measured("strokes", tables.stroke_ratios),
    "studio": _measured("studio", tables.studio),
    "film-rates": _measured("video", tables.film_rates),
    "film-flicker": _measured("video", tables.film_flicker),
    "film-lengths": _measured("video", tables.film_lengths),
    "johnson": _measured("johnson", tables.feed_forward),
    "johnson-sizes": _measured("johnson", tables.feed_forward_sizes),
    "worth": _measured("worth", tables.worth),
    "browser": _listing("docs/examples/browser.html"),
    "nets": Figure("the nets that ship", lambda: tables.nets(shipped_nets())),
    "styles": Figure(
        "the nets that ship and benchmarks/results/worth.json",
        lambda: tables.styles(shipped_nets(), read(RESULTS / "worth.json", Worth)),
    ),
}


def rewrite(text: str, figures: Mapping[str, Figure]) -> Page:
    """Make the regions of a page new.

    Args:
        text: Markdown.
        figures: by name.

    Returns:
        The page. If its comments are wrong, its text is unchanged.

    Example:
        >>> rewrite("<!-- figures: gatys -->\\n<!-- end figures -->\\n", FIGURES).changed
        ['gatys']
    """
    out: list[str] = []
    changed: list[str] = []
    errors: list[str] = []
    name, opened, old = None, 0, list[str]()
    for number, line in enumerate(text.split("\n"), 1):
        begin = _BEGIN.fullmatch(line)
        if begin:
            if name is not None:
                errors.append(_unclosed(name, opened))
            name, opened, old = begin[1], number, []
            out.append(line)
            if name not in figures:
                errors.append(f"line {number}: no figures are called {name!r}; known: {', '.join(sorted(figures))}")
        elif line == _END:
            if name is None:
                errors.append(f"line {number}: {_END} closes nothing")
            elif name in figures:
                new = figures[name].make()
                if new != "\n".join(old):
                    changed.append(name)
                out.append(new)
            out.append(line)
            name = None
        else:
            (out if name is None else old).append(line)
    if name is not None:
        errors.append(_unclosed(name, opened))
    return Page(text, [], errors) if errors else Page("\n".join(out), changed, [])


def _unclosed(name: str, opened: int) -> str:
    return f"line {opened}: figures {name!r} are not closed; expected {_END}"


def pages() -> list[Path]:
    """Return the paths of README.md and docs/*.md."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def update(paths: Sequence[Path], figures: Mapping[str, Figure], *, check: bool) -> list[str]:
    """Rewrite pages, or only check them.

    Args:
        paths: of Markdown files.
        figures: by name.
        check: write nothing.

    Returns:
        A line for each error; with `check`, also one for each region that differs.
    """
    wrong: list[str] = []
    for path in paths:
        before = path.read_text(encoding="utf-8")
        page = rewrite(before, figures)
        shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
        wrong += [f"{shown}: {error}" for error in page.errors]
        if check:
            wrong += [f"{shown}: {name} differs from {figures[name].source}; make figures" for name in page.changed]
        elif page.changed:
            path.write_text(page.text, encoding="utf-8")
            print(f"{shown}: {', '.join(page.changed)}")
    return wrong


def main() -> None:
    """Rewrite or check the given pages, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="*", type=Path, help="Markdown files; README.md and docs/*.md by default")
    parser.add_argument("--check", action="store_true", help="write nothing, and say which regions differ")
    options = parser.parse_args()
    wrong = update([path.resolve() for path in options.pages] or pages(), FIGURES, check=options.check)
    if wrong:
        print("\n".join(wrong), file=sys.stderr)
        raise SystemExit(1)


if __name__ == "__main__":
    main()
