"""``impasto johnson --list``: the styles that ship, and a sheet of what they make of a photograph."""

from __future__ import annotations

import inspect
import json as json_text
import sys
from collections.abc import Callable
from dataclasses import asdict
from inspect import Parameter as Argument
from pathlib import Path
from typing import Annotated, Any, cast, get_args

from cyclopts import Parameter

from ..errors import RequestError
from .flags import PICTURES
from .status import DONE

_CELL = 320  # pixels of a picture on the sheet


def with_gallery(paint: Callable[..., int]) -> Callable[..., int]:
    """A painting command of a method whose networks know their styles, which can also list them."""

    def command(photo: str | None = None, *, list: bool = False, sheet: Path | None = None, **values: Any) -> int:
        output = values.get("output")
        if list or sheet is not None:
            if sheet is not None:
                _draw(photo, sheet, overwrite=output is not None and output.overwrite)
                print(sheet, file=sys.stderr)
            _list(json=output is not None and output.json)
            return DONE
        if photo is None:
            raise RequestError("no photo; give one, or --list to see the styles")
        return paint(photo, **values)

    def flag(name: str, kind: Any, default: Any, help: str) -> Argument:
        annotation = Annotated[kind, Parameter(help=help, group=PICTURES, negative="", show=True)]
        return Argument(name, Argument.KEYWORD_ONLY, default=default, annotation=annotation)

    signature = inspect.signature(paint)
    photo, *others = signature.parameters.values()
    kind, about = get_args(photo.annotation)
    arguments = [
        photo.replace(default=None, annotation=Annotated[kind | None, about]),
        flag("list", bool, False, "List the styles of the gallery instead of painting."),
        flag("sheet", Path | None, None, "Paint the photo (or a demo one) small in every style, on one sheet (PNG)."),
        *others,
    ]
    command.__name__, command.__doc__ = paint.__name__, paint.__doc__
    command.__annotations__ = {argument.name: argument.annotation for argument in arguments} | {"return": int}
    cast(Any, command).__signature__ = signature.replace(parameters=arguments)
    return command


def _list(*, json: bool) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from ..methods.johnson.gallery import gallery

    entries = gallery()
    if json:
        listed = {
            name: {**asdict(h.credit), "net": h.path.stem, "validation": h.metadata.get("validation", {})}
            for name, h in entries.items()
        }
        print(json_text.dumps(listed))
        return
    table = Table(title="impasto johnson --net NAME", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("name", style="bold", no_wrap=True)
    table.add_column("picture")
    table.add_column("artist")
    table.add_column("year", no_wrap=True)
    for name, h in entries.items():
        table.add_row(name, h.credit.title, h.credit.artist, h.credit.year)
    Console().print(table)


def _draw(photo: str | None, sheet: Path, *, overwrite: bool) -> None:
    from ..demo.photos import demo_photo
    from ..images.contact import contact_sheet
    from ..images.read import read
    from ..images.write import check_target, write
    from ..methods import make_recipe
    from ..methods.johnson.gallery import gallery
    from ..session.session import Session

    check_target(str(sheet), overwrite)
    content = read(photo if photo is not None else demo_photo("astronaut"))
    names = list(gallery())
    with Session() as session:
        recipes = [make_recipe("johnson", settings={"net": name, "size": 2 * _CELL}) for name in names]
        pictures = [session.paint(recipe, content).done().image for recipe in recipes]
    made = contact_sheet([content.pixels, *pictures], columns=5, cell=_CELL, labels=["the photo", *names])
    write(read(made).pixels, str(sheet), overwrite=overwrite)
