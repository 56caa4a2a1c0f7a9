"""``impasto score``: how near pictures are to their style and to their photograph, as figures."""

from __future__ import annotations

import csv
import json as json_text
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from ..errors import RequestError
from ..methods import make_recipe
from ..recipe import Style
from .status import DONE

_COLUMNS = ("photo", "painting")


@dataclass(frozen=True)
class _Row:
    """One picture's figures."""

    of: str
    photo: str
    style: str
    figures: dict[str, float] = field(default_factory=dict[str, float])


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
    device: str = "auto",
    json: bool = False,
) -> int:
    """Measure a picture, or a method over pairs of photographs and paintings; smaller is nearer.

    Style is the mean relative distance of Gram matrices at relu1_1 … relu4_1, content the relative distance of
    features at relu4_1, both of VGG-19 at 512 px. Texture is the sliced Wasserstein distance of pixel patches to
    the style's, at 512, 256, 128 and 64 px, relative to how far the style's own are spread.

    Args:
        picture: A painted picture; with --photo and --style.
        photo: What it was painted from.
        style: What it was painted like.
        pairs: CSV file whose columns `photo` and `painting` name files.
        photos: Folder of the photographs.
        paintings: Folder of the paintings.
        method: Paint the pairs with this method, or with each of several.
        preset: Preset of the method.
        pictures: Measure finished pictures in this folder instead, named PHOTO.PAINTING.png as `impasto paint` does.
        size: Longest side to paint at, in pixels.
        inverse: Also the relative error of features turned into a picture and back: the photo's own, the
            painting's own, and the transformed ones. Takes three more paintings a pair.
        device: auto, cpu, cuda, cuda:N or mps.
        json: One JSON object on standard output.
    """
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
        couples = [(photos / one, paintings / other) for one, other in _read_pairs(pairs)]
        if pictures is not None:
            finished = [
                (pictures.name, str(pictures / f"{one.stem}.{other.stem}.png"), str(one), str(other))
                for one, other in couples
            ]
            rows = list(_measured(device, finished))
        else:
            rows = [
                row
                for name in method or ()
                for row in _painted(name, preset, couples, size=size, inverse=inverse, device=device)
            ]
    _show(rows, as_json=json)
    return DONE


def _read_pairs(path: Path) -> list[tuple[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            found = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RequestError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if not found or any(not row.get(column) for row in found for column in _COLUMNS):
        raise RequestError(f"{path}: expected a table with the columns {' and '.join(_COLUMNS)}, a pair a line")
    return [(row["photo"], row["painting"]) for row in found]


def _measured(device: str, finished: list[tuple[str, str, str, str]]) -> Iterator[_Row]:
    """Figures of pictures that are there: (what they are of, picture, photo, style)."""
    from ..images.read import read
    from ..metrics.score import Scorer
    from ..runtime import pick_device

    scorer = Scorer(pick_device(device))
    for of, picture, photo, style in finished:
        figures = scorer.measure(read(picture).pixels, read(photo).pixels, read(style).pixels)
        yield _Row(of, Path(photo).stem, Path(style).stem, figures._asdict())


def _painted(
    name: str, preset: str | None, couples: list[tuple[Path, Path]], *, size: int, inverse: bool, device: str
) -> Iterator[_Row]:
    """Figures of pictures painted here and now."""
    from ..metrics.score import FeatureInverter, Scorer
    from ..session.session import Session

    label = f"{name} ({preset})" if preset else name
    recipe = make_recipe(name, preset=preset, settings={"size": size})
    with Session(device=device) as session:
        scorer = Scorer(session.device)
        for photo, painting in couples:
            own = recipe.model_copy(update={"styles": (Style(path=str(painting)),)})
            painter = session.bind(own)
            made = painter.paint(photo).done()
            content, style = made.photo.pixels, made.styles[0].pixels
            figures: dict[str, float] = scorer.measure(made.image, content, style)._asdict()
            if inverse:
                inner = painter.painter
                if not isinstance(inner, FeatureInverter):
                    raise RequestError(
                        f"{name} turns no features into pictures; expected adain or swap with --inverse"
                    )
                figures |= {f"{kind} error": value for kind, value in inner.feature_errors(content).items()}
            yield _Row(label, photo.stem, painting.stem, figures)


def _means(rows: list[_Row]) -> dict[str, dict[str, float]]:
    """Mean of each figure, by what was measured."""
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
            # With the errors beside them, names give way: the whole fits 80 characters.
            table.add_column(name, no_wrap=True, overflow="ellipsis", max_width=11 if len(mean) > 3 else None)
        for name in mean:
            widest = max(map(len, name.split()))  # figures are never cut; names are
            table.add_column(name.replace(" ", "\n"), justify="right", no_wrap=True, min_width=widest)
        for row in own:
            table.add_row(row.photo, row.style, *(f"{value:.3f}" for value in row.figures.values()))
        if len(own) > 1:
            table.add_section()
            table.add_row(f"mean of {len(own)}", "", *(f"{value:.3f}" for value in mean.values()), style="bold")
        Console().print(table)
