"""``impasto score``: measures how near pictures are to their style and to their photograph."""

from __future__ import annotations

import csv
import io
import json as json_text
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from ..comparison.pairs import delimiter_of
from ..errors import RequestError
from ..methods import make_recipe
from ..recipe import Style
from ..untrusted import read_text
from . import DONE
from .flags import reflow

_COLUMNS = ("photo", "painting")


@dataclass(frozen=True)
class _Row:
    """The scores of one picture.

    Attributes:
        of: the picture, or the method that painted it.
        photo: name of its photograph.
        style: name of its style picture.
        figures: the scores by name.
    """

    of: str
    photo: str
    style: str
    figures: dict[str, float] = field(default_factory=dict[str, float])


@reflow
def score(
    picture: str | None = None,
    /,
    *,
    photo: str | None = None,
    style: str | None = None,
    pairs: Path | None = None,
    photos: Path | None = None,
    paintings: Path | None = None,
    method: list[str] | None = None,
    preset: str | None = None,
    pictures: Path | None = None,
    size: int = 512,
    inverse: bool = False,
    video: bool = False,
    device: str = "auto",
    json: bool = False,
) -> int:
    """Measure how near a picture is to its style and its photo, or the same for a method. Smaller is nearer.

    Three scores are given. "style": the mean relative distance of Gram matrices at relu1_1 … relu4_1 of VGG-19, at
    512 px. "content": the relative distance of features at relu4_1, at 512 px. "texture": the sliced Wasserstein
    distance between the pixel patches of picture and style at 512, 256, 128 and 64 px, relative to the spread of the
    style's patches.

    Args:
        picture: A painted picture, with --photo and --style.
        photo: The photo it was painted from.
        style: The style picture it was painted with.
        pairs: CSV file of photos and paintings to use as styles, with the columns `photo` and `painting`.
        photos: Folder of the photos in --pairs.
        paintings: Folder of the paintings in --pairs.
        method: Method to paint the pairs with, and to measure; may be given several times.
        preset: Preset of the method.
        pictures: Folder of finished pictures to measure instead, named PHOTO.PAINTING.png as `impasto paint` does.
        size: Longest side of what is painted in pixels.
        inverse: Also measure the relative error of turning features into a picture and back: those of the photo, of
            the painting, and the transformed ones. This paints three more pictures for each pair.
        video: Measure how much a painted film flickers: PICTURE is that film, --photo the one it was painted from.
        device: Where to compute: auto (a GPU if there is one), cpu, cuda, cuda:N or mps.
        json: Print one JSON object.
    """
    if video:
        if picture is None or photo is None or pairs is not None:
            raise RequestError("--video needs two films; expected PAINTED --video --photo FILM")
        return _show_flicker(picture, photo, as_json=json)
    if pairs is None:
        if picture is None or photo is None or style is None:
            raise RequestError("expected PICTURE --photo FILE --style FILE, or --pairs FILE with its folders")
        rows = list(_measured(device, [(picture, picture, photo, style)]))
    else:
        if picture is not None or photo is not None or style is not None:
            raise RequestError("--pairs and a single picture are both given; expected one")
        if photos is None or paintings is None:
            raise RequestError("--pairs needs the folders the names are in: add --photos DIR --paintings DIR")
        if bool(method) == (pictures is not None):
            raise RequestError("--pairs needs what to measure: expected --method NAME, or --pictures DIR")
        files = [(photos / photo, paintings / painting) for photo, painting in _read_pairs(pairs)]
        if pictures is not None:
            finished = [
                (pictures.name, str(pictures / f"{one.stem}.{other.stem}.png"), str(one), str(other))
                for one, other in files
            ]
            rows = list(_measured(device, finished))
        else:
            rows = [
                row
                for name in method or ()
                for row in _painted(name, preset, files, size=size, inverse=inverse, device=device)
            ]
    _show(rows, as_json=json)
    return DONE


def _show_flicker(painted: str, film: str, *, as_json: bool) -> int:
    from ..video.measure import measure_flicker

    found = measure_flicker(painted, film, _begin_of(painted))
    if as_json:
        print(json_text.dumps({"flicker": found}))
    else:
        print(f"flicker of {painted}: {found['painting']:.2f} of 255; of {film}: {found['input']:.2f}")
    return DONE


def _begin_of(painted: str) -> Fraction:
    """The time in the film at which a painted one begins, if its record says that."""
    from ..video.record import film_provenance

    try:
        return film_provenance(painted).film.span[0]
    except RequestError:
        return Fraction(0)


def _read_pairs(path: Path) -> list[tuple[str, str]]:
    try:
        text = read_text(path)
        found = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter_of(text)))
    except (OSError, ValueError, csv.Error) as error:
        raise RequestError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if not found or any(not row.get(column) for row in found for column in _COLUMNS):
        raise RequestError(f"{path}: expected a table with the columns {' and '.join(_COLUMNS)}, a pair a line")
    return [(row["photo"], row["painting"]) for row in found]


def _measured(device: str, finished: list[tuple[str, str, str, str]]) -> Iterator[_Row]:
    """Measure finished pictures, each given as (what it is called, picture, photo, style)."""
    from ..images.read import read
    from ..images.visible import visible
    from ..metrics.score import Scorer
    from ..runtime import pick_device

    scorer = Scorer(pick_device(device))
    for of, picture, photo, style in finished:
        figures = scorer.measure(read(picture).pixels, read(photo).pixels, visible(read(style)).pixels)
        yield _Row(of, Path(photo).stem, Path(style).stem, figures._asdict())


def _painted(
    name: str, preset: str | None, pairs: list[tuple[Path, Path]], *, size: int, inverse: bool, device: str
) -> Iterator[_Row]:
    """Paint pairs of photo and style by a method, and measure the results."""
    from ..metrics.score import FeatureInverter, Scorer
    from ..session.session import Session

    label = f"{name} ({preset})" if preset else name
    recipe = make_recipe(name, preset=preset, settings={"size": size})
    with Session(device=device) as session:
        scorer = Scorer(session.device)
        for photo, painting in pairs:
            own = recipe.model_copy(update={"styles": (Style(path=str(painting)),)})
            painter = session.bind(own)
            made = painter.paint(photo).done()
            content, style = made.photo.pixels, made.styles[0].pixels
            figures: dict[str, float] = scorer.measure(made.image, content, style)._asdict()
            if inverse:
                inner = painter.painter
                if not isinstance(inner, FeatureInverter):
                    raise RequestError(
                        f"{name} does not turn features into pictures; expected adain or swap with --inverse"
                    )
                figures |= {f"{kind} error": value for kind, value in inner.feature_errors(content).items()}
            yield _Row(label, photo.stem, painting.stem, figures)


def _means(rows: list[_Row]) -> dict[str, dict[str, float]]:
    """The mean of each score, for each method or folder."""
    groups: dict[str, list[dict[str, float]]] = {}
    for row in rows:
        groups.setdefault(row.of, []).append(row.figures)
    return {of: {key: sum(f[key] for f in group) / len(group) for key in group[0]} for of, group in groups.items()}


def _show(rows: list[_Row], *, as_json: bool) -> None:
    means = _means(rows)
    if as_json:
        listed: list[dict[str, Any]] = [
            {"of": row.of, "photo": row.photo, "painting": row.style, **row.figures} for row in rows
        ]
        print(json_text.dumps({"pairs": listed, "means": means}))
        return
    for of, mean in means.items():
        own = [row for row in rows if row.of == of]
        table = Table(title=of, title_justify="left", box=box.SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
        for name in _COLUMNS:
            # With the errors there are more columns, and names are cut so that the table fits 80 characters.
            table.add_column(name, no_wrap=True, overflow="ellipsis", max_width=11 if len(mean) > 3 else None)
        for name in mean:
            widest = max(map(len, name.split()))  # so that scores are never cut
            table.add_column(name.replace(" ", "\n"), justify="right", no_wrap=True, min_width=widest)
        for row in own:
            table.add_row(row.photo, row.style, *(f"{value:.3f}" for value in row.figures.values()))
        if len(own) > 1:
            table.add_section()
            table.add_row(f"mean of {len(own)}", "", *(f"{value:.3f}" for value in mean.values()), style="bold")
        Console().print(table)
