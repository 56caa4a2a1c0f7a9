"""How near pictures are to style and photo, by effort or method, over pairs of photographs and paintings.

    python -m benchmarks.score --pairs pairs.csv --photos photos/ --paintings paintings/ --output scores.json
    python -m benchmarks.score … --ways best --pictures painted/      # measures painted/best/PHOTO.PAINTING.png

A way of painting is an effort of `impasto paint`, METHOD or METHOD:PRESET. Figures are those of `impasto score`;
smaller is nearer. Results of other ways stay in the file as they are.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

from torch import Tensor

from benchmarks.machine import describe
from benchmarks.shapes import Score, ScoreRow, read
from impasto import Session, Style, make_recipe
from impasto.images.read import read as read_picture
from impasto.methods.effort import EFFORTS, Way, way
from impasto.metrics.score import Scorer

WAYS = ("draft", "swap", "quick", "best")

Pair = tuple[Path, Path]


def parse_way(text: str) -> Way:
    """Parse an effort, METHOD or METHOD:PRESET."""
    name, _, preset = text.partition(":")
    return way(name) if name in EFFORTS else Way(name, preset or None, {})


def measure(
    name: str, pairs: Sequence[Pair], session: Session, *, size: int, pictures: Path | None = None
) -> ScoreRow:
    """Return the mean figures of a way over pairs, painted now or read from `pictures`/NAME/PHOTO.PAINTING.png."""
    scorer = Scorer(session.device)
    found: list[Mapping[str, float]] = []
    for photo, painting in pairs:
        content, style = read_picture(str(photo)).pixels, read_picture(str(painting)).pixels
        if pictures is None:
            made = _paint(name, photo, painting, session, size)
        else:
            made = read_picture(str(pictures / name / f"{photo.stem}.{painting.stem}.png")).pixels
        found.append(scorer.measure(made, content, style)._asdict())
        print(f"{name} {photo.stem} {painting.stem} {found[-1]}", file=sys.stderr)

    def mean(figure: str) -> float:
        return round(fmean(each[figure] for each in found), 4)

    return {
        "way": name,
        "size": size,
        "pairs": len(pairs),
        "date": time.strftime("%Y-%m-%d"),
        "style": mean("style"),
        "content": mean("content"),
        "texture": mean("texture"),
    }


def _paint(name: str, photo: Path, painting: Path, session: Session, size: int) -> Tensor:
    method, preset, settings = parse_way(name)
    recipe = make_recipe(method, [Style(path=str(painting))], preset=preset, settings={**settings, "size": size})
    return session.paint(recipe, str(photo)).done().image


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=Path, required=True, help="CSV with the columns photo and painting")
    parser.add_argument("--photos", type=Path, required=True, help="folder of the photographs")
    parser.add_argument("--paintings", type=Path, required=True, help="folder of the paintings")
    parser.add_argument("--ways", nargs="+", default=WAYS, help="efforts, or METHOD[:PRESET]")
    parser.add_argument(
        "--pictures", type=Path, help="folder of finished pictures to measure, with a folder for each way"
    )
    parser.add_argument("--size", type=int, default=512, help="longest side in pixels")
    parser.add_argument("--output", type=Path, help="JSON file to write, or to add to")
    given = parser.parse_args()
    with given.pairs.open(newline="", encoding="utf-8") as file:
        pairs = [(given.photos / row["photo"], given.paintings / row["painting"]) for row in csv.DictReader(file)]
    with Session() as session:
        rows = [measure(name, pairs, session, size=given.size, pictures=given.pictures) for name in given.ways]
    measured = {row["way"] for row in rows}
    if given.output is not None and given.output.exists():
        rows = [row for row in read(given.output, Score)["rows"] if row["way"] not in measured] + rows
    result: Score = {
        "command": "python -m benchmarks.score",
        "date": time.strftime("%Y-%m-%d"),
        "machine": describe(),
        "rows": rows,
    }
    text = json.dumps(result, indent=1)
    if given.output is None:
        print(text)
    else:
        given.output.parent.mkdir(parents=True, exist_ok=True)
        given.output.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
