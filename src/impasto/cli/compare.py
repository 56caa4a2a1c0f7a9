"""``impasto compare``: paints photos in several ways, side by side on one sheet."""

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
from ..session.inputs import open_pictures, parse_style
from ..session.session import Session
from . import DONE, FAILED, INTERRUPTED
from .comparing import Request, compare_pairs, describe, hide, outcome, paint_shown
from .flags import reflow
from .paint import is_gallery_style, joined_name, refuse_file_as_init, stem
from .painting import place


@reflow
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
    """Paint small versions of photos in several ways on one sheet, with the seconds that each took.

    For one photo, each row of the sheet is a way and each column a strength. With --pairs or --blind, each row is a
    photo and its style, and each column a way. A painting that fails or is interrupted is left out, with a message.

    Args:
        photo: The photograph; - reads standard input.
        styles: Pictures to paint like, each as FILE[:WEIGHT][@MASK]; several are mixed.
        pairs: CSV file of photos and styles, instead of a photo and a style. Its columns are `photo` and `style`;
            paths are relative to the file. A name without a folder may also be in `photos` or `paintings` beside it.
        methods: The ways, separated by commas or given several times. Each is an effort of `impasto paint`, or
            METHOD[:PRESET][:SETTING=VALUE]...; for johnson, which takes no style picture, johnson:NET.
        strengths: Strengths from 0 to 1, separated by commas; each is a column.
        size: Longest side of each painting in pixels, unless its way states one.
        output: File to write: .png, .jpg, .webp, .tif, .avif or .jxl; - writes PNG to standard output.
        cell: Longest side of each picture on the sheet in pixels; by default it depends on the number of pictures.
        paintings: Folder to write each painting to, as PHOTO.STYLE.WAY.png.
        blind: Name the columns A, B, C, in a different order in each row, and hide which way is which.
        key: JSON file in which --blind writes which way each column is, and the seconds it took.
        seed: Seed of the order of --blind; by default a random one, which only the key has.
        overwrite: Replace files that exist.
        device: Where to compute: auto (a GPU if there is one), cpu, cuda, cuda:N or mps.
        quiet: Print nothing but errors.
        json: Print one JSON object on standard output, with the seconds of each painting.
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
        return _compare_strengths(request, str(photo), _parse_styles(styles), columns)
    if pairs is None:
        _parse_styles(styles)
    chosen = [(str(photo), styles[0])] if pairs is None else read_pairs(pairs)
    return compare_pairs(request, chosen, hide(request, key, seed) if blind else None)


def _check_flags(
    photo: str | None,
    styles: Sequence[str],
    pairs: Path | None,
    *,
    blind: bool,
    strengths: str | None,
    hidden: Mapping[str, Any],
) -> None:
    """Refuse flags that contradict each other."""
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
    return joined_name(stem(str(photo)), stem(Style.parse(styles[0]).path), "sheet", "png")


def _parse_styles(texts: Sequence[str]) -> list[Style]:
    """Read style pictures as they are typed.

    Raises:
        RequestError: a weight is wrong, or what should be a picture is the name of a style in the gallery.
    """
    styles = [parse_style(text) for text in texts]
    for style in styles:
        if is_gallery_style(style.path):
            raise RequestError(
                f"{style.path} is not a picture file but a style of the gallery; expected a picture, and the style "
                f"among the ways: --methods {','.join(WAYS)},johnson:{style.path}"
            )
    return styles


def _compare_strengths(request: Request, photo: str, styles: Sequence[Style], strengths: Sequence[float]) -> int:
    """Paint one photo in all ways, one row each, and return the exit status."""
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
    entries = [
        {**describe(way), **outcome(painted.get(way.label), failed.get(way.label))}
        for way in request.ways
        if way.label in trials or way.label in failed
    ]
    sheet = strength_sheet(content, pictures, list(trials.values()), strengths, cell)
    request.finish(sheet, {"strengths": list(strengths), "paintings": entries}, len(trials), began)
    if interrupted:
        print(
            f"impasto: interrupted; {place(request.target)} shows what was done: {', '.join(trials)}", file=sys.stderr
        )
        return INTERRUPTED
    return FAILED if failed else DONE


def _numbers(text: str) -> list[float]:
    return [_number(part.strip()) for part in text.split(",") if part.strip()]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise RequestError(f"strength is {text!r}; expected numbers from 0 to 1, as in 0.5,1") from None
