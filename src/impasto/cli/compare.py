"""``impasto compare``: one photo by several methods and strengths, on a sheet."""

from __future__ import annotations

import functools
import json as json_text
import sys
import time
from dataclasses import replace
from typing import Annotated, Any

from cyclopts import Parameter

from ..comparison import SIZE, STRENGTHS, WAYS, Trial, check_strengths, plan, sheet
from ..control import Progress
from ..errors import ImpastoError, RequestError
from ..images.read import read
from ..images.source import STANDARD_STREAM
from ..images.write import check_target, write
from ..recipe import Style
from ..session.inputs import open_pictures
from ..session.session import Session
from .paint import stem
from .painting import check_streams, place
from .progress import Display, display
from .status import DONE, FAILED, INTERRUPTED


def compare(
    photo: str,
    /,
    *styles: str,
    methods: str = ",".join(WAYS),
    strengths: str = ",".join(f"{strength:g}" for strength in STRENGTHS),
    size: int = SIZE,
    output: Annotated[str | None, Parameter(name=("--output", "-o"), show_default="PHOTO.STYLE.sheet.png")] = None,
    overwrite: Annotated[bool, Parameter(negative="")] = False,
    device: str = "auto",
    quiet: Annotated[bool, Parameter(name=("--quiet", "-q"), negative="")] = False,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Paint a photo small by several methods and strengths, on one sheet with the seconds under each: to choose by.

    A method that fails, or that Ctrl-C cuts short, is left out of the sheet, which says so.

    Args:
        photo: The photograph; - reads standard input.
        styles: Pictures to paint like, as FILE[:WEIGHT][@MASK]; several are mixed.
        methods: A row each, as METHOD or METHOD:PRESET with commas between; johnson, which takes no style picture, as
            johnson:NET.
        strengths: A column each, from 0 to 1, with commas between.
        size: Longest side of each painting in pixels.
        output: PNG, JPEG, WebP or TIFF by extension.
        overwrite: Replace a file that exists.
        device: auto, cpu, cuda, cuda:N or mps.
        quiet: Say nothing but errors.
        json: One JSON object on standard output, with the seconds of each painting.
    """
    began = time.monotonic()
    named = [Style.parse(style) for style in styles]
    paths = [style.path for style in named]
    recipes = plan(named, _parts(methods), size)
    columns = [_number(part) for part in _parts(strengths)]
    check_strengths(columns)
    target = output or f"{stem(photo)}.{stem(paths[0])}.sheet.png"
    check_target(target, overwrite)
    check_streams([photo, *paths], target, json=json)
    trials: dict[str, Trial] = {}
    failed: dict[str, ImpastoError] = {}
    interrupted = False
    content, pictures = open_pictures(photo, paths, read)
    try:
        with Session(device=device) as session:
            for label, recipe in recipes.items():
                try:
                    with display(quiet=quiet) as shown:
                        shown.say(f"loading {label}")
                        given = pictures if recipe.styles else None
                        watch = functools.partial(_named, shown, label)
                        work = session.paint(recipe, content, styles=given, watch=watch)
                        for step in work:
                            shown.step(replace(step, note=label))
                        trials[label] = Trial(label, work.painting)
                except ImpastoError as error:
                    if len(failed) + 1 == len(recipes):
                        raise
                    failed[label] = error
                    print(f"impasto: {label} is left out: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        if not trials:
            raise
        interrupted = True
    made = sheet(content, pictures, list(trials.values()), columns)
    write(read(made), target, overwrite=overwrite)
    seconds = time.monotonic() - began
    if json:
        listed: list[dict[str, Any]] = []
        for label, recipe in recipes.items():
            found = {"method": recipe.method, "preset": recipe.preset}
            if label in trials:
                listed.append({**found, "seconds": round(trials[label].painting.seconds, 3)})
            elif label in failed:
                listed.append({**found, "error": str(failed[label])})
        report = {"output": target, "seconds": round(seconds, 3), "strengths": columns, "paintings": listed}
        print(json_text.dumps(report))
    elif not quiet:
        stream = sys.stderr if target == STANDARD_STREAM else sys.stdout
        print(f"{place(target)}  {made.width}×{made.height}, {len(trials)} paintings, {seconds:.1f} s", file=stream)
    if interrupted:
        print(f"impasto: interrupted; {place(target)} shows what was done: {', '.join(trials)}", file=sys.stderr)
        return INTERRUPTED
    return FAILED if failed else DONE


def _named(shown: Display, label: str, progress: Progress) -> None:
    shown.progress(replace(progress, note=label))


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise RequestError(f"strength is {text!r}; expected numbers from 0 to 1, as in 0.5,1") from None
