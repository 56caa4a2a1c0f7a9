"""``impasto compare``: one photo by several methods and strengths, on a sheet."""

from __future__ import annotations

import functools
import json as json_text
import sys
import time
from dataclasses import replace
from typing import Annotated

from cyclopts import Parameter

from ..api import open_pictures
from ..comparison import SIZE, STRENGTHS, WAYS, Trial, check_strengths, plan, sheet, try_out
from ..errors import RequestError
from ..images.read import read
from ..images.source import STANDARD_STREAM
from ..images.write import check_target, write
from ..painter import Step
from ..recipe import Style
from .paint import stem
from .progress import Display, display
from .session import check_streams, place
from .status import DONE


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

    Args:
        photo: The photograph; - reads standard input.
        styles: Pictures to paint like, as FILE[:WEIGHT][@MASK]; several are mixed.
        methods: A row each, as METHOD or METHOD:PRESET with commas between.
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
    content, pictures = open_pictures(photo, paths)
    trials: list[Trial] = []
    for label, recipe in recipes.items():
        with display(quiet=quiet) as shown:
            shown.say(f"loading {label}")
            watch = functools.partial(_named, shown, label)
            trials.append(try_out(label, recipe, content, pictures, device, watch))
    made = sheet(content, pictures, trials, columns)
    write(read(made), target, overwrite=overwrite)
    seconds = time.monotonic() - began
    if json:
        listed = [
            {"method": recipe.method, "preset": recipe.preset, "seconds": round(trial.seconds, 3)}
            for recipe, trial in zip(recipes.values(), trials, strict=True)
        ]
        report = {"output": target, "seconds": round(seconds, 3), "strengths": columns, "paintings": listed}
        print(json_text.dumps(report))
    elif not quiet:
        stream = sys.stderr if target == STANDARD_STREAM else sys.stdout
        print(f"{place(target)}  {made.width}×{made.height}, {len(trials)} paintings, {seconds:.1f} s", file=stream)
    return DONE


def _named(shown: Display, label: str, step: Step) -> None:
    shown.step(replace(step, note=label))


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise RequestError(f"strength is {text!r}; expected numbers from 0 to 1, as in 0.5,1") from None
