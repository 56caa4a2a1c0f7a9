"""The sheets of painted photographs in the docs, and how long each picture on them takes.

    python -m benchmarks.pictures --paintings paintings --output benchmarks/results/pictures.json

The folder holds scans of paintings in the public domain, as `starry-night`, `mont-sainte-victoire`, `the-scream` and
`great-wave`, of any format. The photographs are those that scikit-image ships. A picture's time is of painting alone,
with networks loaded.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from statistics import median

from PIL import Image

from benchmarks import processes
from benchmarks.machine import describe
from benchmarks.score import parse_way
from benchmarks.shapes import Pictures
from impasto import Style, bind, make_recipe
from impasto.api import last
from impasto.demo.photos import demo_photo
from impasto.errors import RequestError
from impasto.images.contact import contact_sheet
from impasto.images.picture import to_pil
from impasto.images.read import read

SHEET = Path("docs/images")
PHOTO = "chelsea"
PAINTINGS = ("starry-night", "mont-sainte-victoire", "the-scream")  # each with `PHOTO`, on the first sheet
PAIRS = (("chelsea", "the-scream"), ("coffee", "mont-sainte-victoire"), ("rocket", "great-wave"))
WAYS = ("draft", "swap", "gatys:quick", "quick", "fine", "best")  # of each pair, on the second sheet
SIZE, PAIR_SIZE = 512, 384  # longest sides in pixels
_CELL = 360
_QUALITY = 82  # of JPEG


def paint(way: str, photo: str, painting: Path, size: int) -> tuple[Image.Image, float]:
    """Paint a demo photograph; return the picture and the seconds that it took."""
    method, preset, settings = parse_way(way)
    recipe = make_recipe(method, [Style(path=str(painting))], preset=preset, settings={**settings, "size": size})
    pixels = read(demo_photo(photo)).pixels
    painter = bind(recipe)
    started = time.perf_counter()
    image = last(painter.paint(pixels)).image
    return to_pil(image), time.perf_counter() - started


def first_sheet(paintings: Path) -> tuple[Image.Image, dict[str, float]]:
    """One photograph after three paintings, which lie below; and after the first of them by the effort best."""
    found = [_find(paintings, name) for name in PAINTINGS]
    painted = [paint("quick", PHOTO, path, SIZE) for path in found]
    best, seconds = paint("best", PHOTO, found[0], SIZE)
    cells = [demo_photo(PHOTO), *(picture for picture, _ in painted), best, *map(_open, found)]
    sheet = contact_sheet(cells, columns=1 + len(found), cell=_CELL)
    return sheet, {"quick": median(each for _, each in painted), "best": seconds}


def second_sheet(paintings: Path) -> tuple[Image.Image, dict[str, float]]:
    """Three photographs after a painting each, in several ways."""
    cells: list[Image.Image] = []
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    for photo, name in PAIRS:
        cells += [demo_photo(photo), _open(_find(paintings, name))]
        for way in WAYS:
            picture, took = paint(way, photo, _find(paintings, name), PAIR_SIZE)
            cells.append(picture)
            seconds[way].append(took)
    labels = ["photo", "painting", *(way.replace(":", " --preset ") for way in WAYS)] * len(PAIRS)
    sheet = contact_sheet(cells, columns=(2 + len(WAYS)) // 2, cell=_CELL, labels=labels)
    return sheet, {way: median(found) for way, found in seconds.items()}


def _find(folder: Path, name: str) -> Path:
    for path in sorted(folder.glob(f"{name}.*")):
        return path
    raise RequestError(f"there is no painting {name} in {folder}; expected one of any format: put it there")


def _open(path: Path) -> Image.Image:
    return to_pil(read(path).pixels)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/pictures.json"))
    parser.add_argument("--paintings", type=Path, required=True, help="folder of the paintings")
    parser.add_argument("--sheets", type=Path, default=SHEET, help="folder to write the sheets to")
    options = parser.parse_args()
    first, efforts = first_sheet(options.paintings)
    second, ways = second_sheet(options.paintings)
    options.sheets.mkdir(parents=True, exist_ok=True)
    first.save(options.sheets / "chelsea-paintings.jpg", quality=_QUALITY)
    second.save(options.sheets / "methods.jpg", quality=_QUALITY)
    result: Pictures = {
        "command": processes.command_line("pictures"),
        "date": processes.today(),
        "machine": describe(),
        "size": SIZE,
        "seconds": efforts,
        "pair_size": PAIR_SIZE,
        "pair_seconds": ways,
    }
    processes.write(options.output, result)
    print(f"written to {options.output} and {options.sheets}")


if __name__ == "__main__":
    main()
