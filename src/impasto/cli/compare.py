"""``impasto compare``: photos in several ways, side by side on a sheet."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from ..comparison.pairs import read_pairs, unique
from ..comparison.sheets import STRENGTHS, Trial, cell_size, check_strengths, strength_sheet
from ..comparison.ways import SIZE, WAYS, parse_ways, split_ways
from ..errors import ImpastoError, RequestError
from ..images.read import read
from ..recipe import Style
from ..session.inputs import open_pictures
from ..session.session import Session
from .comparing import Request, compare_pairs, describe, hide, outcome, paint_shown
from .paint import refuse_file_as_init, stem
from .painting import place
from .status import DONE, FAILED, INTERRUPTED


def compare(
    photo: str | None = None,
    /,
    *styles: str,
    pairs: Path | None = None,
    methods: Annotated[list[str] | None, Parameter(negative="", show_default=",".join(WAYS))] = None,
    strengths: Annotated[str | None, Parameter(show_default=",".join(f"{each:g}" for each in STRENGTHS))] = None,
    size: int = SIZE,
    output: Annotated[str | None, Parameter(name=("--output", "-o"), show_default="PHOTO.STYLE.sheet.png")] = None,
    cell: int | None = None,
    paintings: Path | None = None,
    blind: Annotated[bool, Parameter(negative="")] = False,
    key: Annotated[Path | None, Parameter(show_default="OUTPUT.key.json")] = None,
    seed: int | None = None,
    overwrite: Annotated[bool, Parameter(negative="")] = False,
    device: str = "auto",
    quiet: Annotated[bool, Parameter(name=("--quiet", "-q"), negative="")] = False,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Paint photos small in several ways, on one sheet with the seconds under each: to choose by.

    Of one photo, a row is a way and a column a strength. With --pairs or --blind, a row is a photo and its style, and
    a column a way. A painting that fails, or that Ctrl-C cuts short, is left out of the sheet, which says so.

    Args:
        photo: The photograph; - reads standard input.
        styles: Pictures to paint like, as FILE[:WEIGHT][@MASK]; several are mixed.
        pairs: CSV file of photos and styles, in place of them: columns `photo` and `style`, paths relative to the
            file. A bare name may also be of a file in `photos` or `paintings` beside it.
        methods: The ways, with commas between or given again and again, each as METHOD[:PRESET][:SETTING=VALUE]...;
            johnson, which takes no style picture, as johnson:NET.
        strengths: A column each, from 0 to 1, with commas between.
        size: Longest side of each painting in pixels, where its way says nothing of it.
        output: PNG, JPEG, WebP or TIFF by extension.
        cell: Longest side of each picture on the sheet in pixels; by default one that suits the number of pictures.
        paintings: Folder to write each painting to as well, as PHOTO.STYLE.WAY.png.
        blind: Call the columns A, B, C, in another order in each row, and say nothing that tells which is which.
        key: Where --blind writes which is which, with the seconds of each; JSON.
        seed: Of the order of --blind; by default nobody knows it before the key is written.
        overwrite: Replace files that exist.
        device: auto, cpu, cuda, cuda:N or mps.
        quiet: Say nothing but errors.
        json: One JSON object on standard output, with the seconds of each painting.
    """
    ways = parse_ways([way for text in methods or WAYS for way in split_ways(text)], size)
    for way in ways:
        refuse_file_as_init({"init": getattr(way.recipe.options, "init", "content")})
    _check_flags(photo, styles, pairs, blind=blind, strengths=strengths, hidden={"key": key, "seed": seed})
    request = Request(
        ways=ways,
        target=output or _default_name(photo, styles, pairs),
        folder=paintings,
        cell=cell,
        overwrite=overwrite,
        device=device,
        quiet=quiet,
        json=json,
    )
    if pairs is None and not blind:
        columns = list(STRENGTHS) if strengths is None else _numbers(strengths)
        return _compare_strengths(request, str(photo), [Style.parse(style) for style in styles], columns)
    couples = [(str(photo), styles[0])] if pairs is None else read_pairs(pairs)
    return compare_pairs(request, couples, hide(request, key, seed) if blind else None)


def _check_flags(
    photo: str | None,
    styles: Sequence[str],
    pairs: Path | None,
    *,
    blind: bool,
    strengths: str | None,
    hidden: Mapping[str, Any],
) -> None:
    """Refuse flags that do not go together."""
    for name, value in hidden.items():
        if value is not None and not blind:
            raise RequestError(f"--{name} is given without --blind; expected both")
    if strengths is not None and (pairs is not None or blind):
        raise RequestError("--strengths is given with --pairs or --blind, which show full strength; expected one")
    if pairs is not None and photo is not None:
        raise RequestError(f"a photo ({photo}) and --pairs are both given; expected one")
    if pairs is None and photo is None:
        raise RequestError("no photo; expected PHOTO STYLE, or --pairs FILE")
    if pairs is None and not styles:
        raise RequestError("no style picture; give at least one")
    if blind and len(styles) > 1:
        raise RequestError(f"{len(styles)} styles are given with --blind; expected one")


def _default_name(photo: str | None, styles: Sequence[str], pairs: Path | None) -> str:
    if pairs is not None:
        return f"{pairs.stem}.sheet.png"
    return f"{stem(str(photo))}.{stem(Style.parse(styles[0]).path)}.sheet.png"


def _compare_strengths(request: Request, photo: str, styles: Sequence[Style], strengths: Sequence[float]) -> int:
    """Paint one photo in all ways, a row each; the exit status."""
    began = time.monotonic()
    check_strengths(strengths, request.ways)
    cell = request.cell and cell_size(request.ways, 1, request.cell)
    recipes = {way.label: way.with_styles(styles) for way in request.ways}
    paths = [style.path for style in styles]
    columns = unique([way.file_name for way in request.ways])
    names = dict(zip(recipes, [f"{stem(photo)}.{stem(paths[0])}.{column}.png" for column in columns], strict=True))
    request.check([photo, *paths], list(names.values()))
    trials: dict[str, Trial] = {}
    failed: dict[str, ImpastoError] = {}
    interrupted = False
    content, pictures = open_pictures(photo, paths, read)
    try:
        with Session(device=request.device) as session:
            for label, recipe in recipes.items():
                try:
                    painting = paint_shown(request, session, label, recipe, content, pictures)
                except ImpastoError as error:
                    if len(failed) + 1 == len(recipes):
                        raise
                    failed[label] = error
                    print(f"impasto: {label} is left out: {error}", file=sys.stderr)
                else:
                    trials[label] = Trial(label, painting)
                    request.keep(painting, names[label])
    except KeyboardInterrupt:
        if not trials:
            raise
        interrupted = True
    painted = {label: trial.painting for label, trial in trials.items()}
    listed = [
        {**describe(way), **outcome(painted.get(way.label), failed.get(way.label))}
        for way in request.ways
        if way.label in trials or way.label in failed
    ]
    made = strength_sheet(content, pictures, list(trials.values()), strengths, cell)
    request.finish(made, {"strengths": list(strengths), "paintings": listed}, len(trials), began)
    if interrupted:
        shown = f"{place(request.target)} shows what was done: {', '.join(trials)}"
        print(f"impasto: interrupted; {shown}", file=sys.stderr)
        return INTERRUPTED
    return FAILED if failed else DONE


def _numbers(text: str) -> list[float]:
    return [_number(part.strip()) for part in text.split(",") if part.strip()]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise RequestError(f"strength is {text!r}; expected numbers from 0 to 1, as in 0.5,1") from None
