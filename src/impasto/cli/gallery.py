"""``impasto johnson --list`` and ``--sheet``: the styles of the gallery, as a list and on a sheet of pictures."""

from __future__ import annotations

import inspect
import json as json_text
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from inspect import Parameter as Argument
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

from cyclopts import Parameter

from .. import prints
from ..errors import RequestError
from ..images.source import STANDARD_STREAM
from ..images.write import FORMATS, write
from ..methods import METHODS, make_recipe
from ..recipe import Recipe
from . import DONE
from .flags import PICTURES, given, with_signature
from .painting import Output, check_output, check_streams, place
from .progress import display

if TYPE_CHECKING:
    from PIL import Image

    from ..images.picture import Picture

_CELL = 320  # pixels of a picture's longest side on the sheet, if --size is not given
_LARGEST = 4096
_COLUMNS = 5
_BETWEEN = 24  # pixels at most between two pictures side by side


def with_gallery(paint: Callable[..., int]) -> Callable[..., int]:
    """Add ``--list`` and ``--sheet`` to the command of a method whose networks know their styles."""

    def command(
        photo: str | None = None,
        *,
        list: bool = False,
        sheet: str | None = None,
        output: Output | None = None,
        **values: Any,
    ) -> int:
        output = output or Output()
        if sheet is not None:
            _draw_sheet(photo, sheet, output, values, listed=list)
        if list:
            _list(None if sheet else values.get("net"), json=output.json)
        if list or sheet is not None:
            return DONE
        if photo is None:
            raise RequestError("no photo; give one, or --list to see the styles")
        return paint(photo, output=output, **values)

    def flag(name: str, kind: Any, default: Any, help: str) -> Argument:
        metavar = None if kind is bool else "FILE"
        parameter = Parameter(help=help, group=PICTURES, negative="", show=True, show_default=False, metavar=metavar)
        return Argument(name, Argument.KEYWORD_ONLY, default=default, annotation=Annotated[kind, parameter])

    photo, *others = inspect.signature(paint).parameters.values()
    kind, about = get_args(photo.annotation)
    arguments = [
        photo.replace(default=None, annotation=Annotated[kind | None, about]),
        flag("list", bool, False, "Only list the styles of the gallery, or of --net."),
        flag(
            "sheet",
            str | None,
            None,
            "Write a sheet instead: the photo, or a demo one, in every style of the gallery, each of --size (here "
            f"{_CELL}) pixels.",
        ),
        *others,
    ]
    return with_signature(command, paint.__name__, paint.__doc__ or "", arguments)


def _list(nets: Sequence[str] | None, *, json: bool) -> None:
    """Print the styles of the gallery, or of networks by name or file."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from ..methods.johnson.gallery import gallery, styles_of

    entries = {name: entry for net in nets for name, entry in styles_of(net).items()} if nets else gallery()
    if json:
        listed = {
            name: {**asdict(entry.credit), "net": entry.path.stem, "validation": entry.metadata.get("validation", {})}
            for name, entry in entries.items()
        }
        print(json_text.dumps(listed))
        return
    table = Table(title="impasto johnson --net NAME", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("name", style="bold", no_wrap=True)
    table.add_column("picture")
    table.add_column("artist")
    table.add_column("year", no_wrap=True)
    for name, entry in entries.items():
        table.add_row(name, entry.credit.title, entry.credit.artist, entry.credit.year)
    Console().print(table)


def _draw_sheet(photo: str | None, target: str, output: Output, values: Mapping[str, Any], *, listed: bool) -> None:
    """Paint a photograph in every style of the gallery, and write all on one sheet.

    Args:
        photo: the photograph; None for a demo photo.
        target: file to write.
        output: flags of the output.
        values: flags of the settings, by name; None if not given.
        listed: the styles are listed on standard output too.
    """
    from ..demo.photos import demo_photo
    from ..images.read import read
    from ..methods.johnson.gallery import gallery

    began = time.monotonic()
    recipes = _recipes(list(gallery()), values)
    _check(photo, target, output, listed=listed)
    content = read(photo if photo is not None else demo_photo("astronaut"))
    cell = _CELL if values.get("size") is None else recipes[0].size or max(content.size)
    _check_size(cell, len(recipes) + 1, target)
    sheet = _paint_all(recipes, content, cell, output)
    write(read(sheet), target, overwrite=output.overwrite, quality=output.quality)
    seconds = time.monotonic() - began
    if output.json and not listed:
        styles = [recipe.options.style_name for recipe in recipes]
        print(
            json_text.dumps(
                {"output": target, "size": list(sheet.size), "seconds": round(seconds, 3), "styles": styles}
            )
        )
    elif not output.quiet:
        stream = sys.stderr if listed or target == STANDARD_STREAM else sys.stdout
        size = f"{sheet.width}×{sheet.height}, {len(recipes)} styles"
        print(f"{place(target)}  {size}, {seconds:.1f} s", file=stream)


def _recipes(names: list[str], values: Mapping[str, Any]) -> list[Recipe]:
    """Make a recipe for each style.

    Raises:
        RequestError: a setting is wrong, or styles are chosen.
    """
    settings: dict[str, Any] = {
        "size": 2 * _CELL,
        **given({**Recipe.model_fields, **METHODS["johnson"].options.model_fields}, values),
    }
    if printed := [f"--{name.replace('_', '-')}" for name in prints.FIELDS if name in settings]:
        raise RequestError(
            f"{printed[0]} is given with --sheet, which is no print; expected one: --size sets its cells"
        )
    if "net" in settings:
        raise RequestError("--net is given with --sheet, which shows every style of the gallery; expected one")
    preset = settings.pop("preset", None)
    return [make_recipe("johnson", preset=preset, settings={**settings, "net": name}) for name in names]


def _check(photo: str | None, target: str, output: Output, *, listed: bool) -> None:
    """Check before painting that a sheet can be written.

    Raises:
        RequestError: two flags name the output, two things go to standard output, or see `check_output`.
        OutputError: see `check_output`.
    """
    if output.output is not None:
        raise RequestError(f"--sheet and -o {output.output} are both given; expected one: --sheet names the file")
    for name in ("state", "resume", "snapshot_every", "snapshot_dir", "loss_log", "loss_plot"):
        if getattr(output, name) is not None:
            flag = name.replace("_", "-")
            raise RequestError(f"--{flag} is given with --sheet, which keeps nothing of its paintings; expected one")
    check_streams([photo], target, json=output.json)
    if listed and target == STANDARD_STREAM:
        raise RequestError("--list and --sheet - both want standard output; expected one: give --sheet a file")
    check_output(target, [photo], overwrite=output.overwrite, quality=output.quality)


def _check_size(cell: int, pictures: int, target: str) -> None:
    """Check that a sheet can hold the pictures.

    Args:
        cell: longest side of each picture in pixels.
        pictures: number of pictures.
        target: file of the sheet.

    Raises:
        RequestError: they are too large for a sheet, or for the format of the file.
    """
    if cell > _LARGEST:
        raise RequestError(f"size is {cell} pixels; expected at most {_LARGEST} for each picture of a sheet")
    side = (cell + _BETWEEN) * max(_COLUMNS, math.ceil(pictures / _COLUMNS))
    longest = FORMATS[".png" if target == STANDARD_STREAM else Path(target).suffix.lower()].longest
    if side > longest:
        raise RequestError(
            f"a sheet of {pictures} pictures of {cell} pixels is about {side} pixels a side; expected at most "
            f"{longest} in its file: make --size smaller, or write .png"
        )


def _paint_all(recipes: list[Recipe], content: Picture, cell: int, output: Output) -> Image.Image:
    """Paint a photograph by each recipe; return a sheet of the photograph and the paintings."""
    from ..images.contact import contact_sheet
    from ..session.session import Session

    names = [recipe.options.style_name for recipe in recipes]
    with display(quiet=output.quiet) as shown, Session(device=output.device) as session:
        paintings = []
        for recipe, name in zip(recipes, names, strict=True):
            shown.say(f"painting {name}")
            paintings.append(session.paint(recipe, content).done().image.cpu())
    return contact_sheet([content.pixels, *paintings], columns=_COLUMNS, cell=cell, labels=["the photo", *names])
