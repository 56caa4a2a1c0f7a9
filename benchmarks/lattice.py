"""The lattice and the fleck that networks leave in their pictures.

    python -m benchmarks.lattice --output benchmarks/results/lattice.json
    python -m benchmarks.lattice --nets adain=runs/mine/net.safetensors      # adds to the results

"2", "4", "8": what repeats every 2, 4 or 8 pixels is a single peak in the spectrum. The figure is the amplitude of
the peak divided by the median of those around it, in the luminance of all pictures together; the largest of the
horizontal, vertical and diagonal waves. Values from 1 to 2 are chance, as the row of the photographs shows.

"weave", "of", "in": a network can hide from these figures. It turns the sign of its lattice every few pixels, which
makes waves a little longer and shorter, or it makes the lattice of colours that are equally bright. So "weave"
looks at small windows, at waves of 2 to 12 pixels, in brightness, in red against blue, and in green against both.
It is how far, in amplitude, the most prominent wave exceeds those of its length in other directions. "of" is its
length, "in" its channel.

"flicker": fleck is of single pixels and has no waves. The figure is how much colour, without brightness, changes
from a pixel to the next and back: mean absolute second difference, in hundredths of the range.

Photographs (from scikit-image) and styles (drawn by impasto) are made anew: nothing else is needed.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from benchmarks import processes
from benchmarks.machine import describe
from benchmarks.shapes import Lattice, LatticeRow, read
from impasto import Style, bind, make_recipe
from impasto.api import last
from impasto.demo import photos, styles
from impasto.images.geometry import fit
from impasto.images.read import read as read_picture
from impasto.methods.johnson.gallery import gallery
from impasto.training.lattice import flicker, prominence, waves
from impasto.training.lattice import spectrum as windowed

SIZE = 512  # longest side in pixels of what is painted
SIDE = 256  # side in pixels of the squares whose spectra are taken
PERIODS = (2, 4, 8)
CHANNELS = ("brightness", "red-blue", "green")
_NEAR, _FAR = 3, 8  # distance from a peak, in waves, of those that it is compared with


def weave(pictures: Sequence[Tensor]) -> tuple[float, float, str]:
    """The most prominent wave: its amplitude divided by that of waves as long, its length, its channel."""
    found = torch.stack([prominence(windowed(waves(picture)))[0] for picture in pictures]).mean(0)
    channel, down, along = (int(index) for index in torch.unravel_index(found.argmax(), found.shape))
    length = found.shape[1] / math.hypot(min(down, found.shape[1] - down), along)
    return math.exp(float(found.max()) / 2), length, CHANNELS[channel]


def spectrum(picture: Tensor) -> Tensor:
    """Power spectrum of the luminance of a picture, 1×3×H×W in [0, 1], summed over its squares: SIDE×SIDE."""
    luminance = (picture[0].double() * torch.tensor([0.299, 0.587, 0.114]).double().view(3, 1, 1)).sum(0)
    squares = luminance.unfold(0, SIDE, SIDE // 4).unfold(1, SIDE, SIDE // 4).flatten(0, 1)
    squares = squares - squares.mean((1, 2), keepdim=True)
    window = torch.hann_window(SIDE, dtype=torch.float64)
    return torch.fft.fft2(squares * window.outer(window)).abs().square().sum(0)


def measure(pictures: Sequence[Tensor]) -> LatticeRow:
    """The figures of some pictures together."""
    fleck = torch.stack([flicker(picture).mean() for picture in pictures]).mean()
    two, four, eight = peaks(pictures)
    most, length, channel = weave(pictures)
    return {
        "2": two,
        "4": four,
        "8": eight,
        "weave": most,
        "of": length,
        "in": channel,
        "flicker": 100 * float(fleck),
    }


def peaks(pictures: Iterable[Tensor]) -> list[float]:
    """For each of PERIODS, the amplitude of its largest peak divided by that of the waves around."""
    amplitude = torch.stack([spectrum(picture) for picture in pictures]).sum(0).sqrt()
    found: list[float] = []
    for period in PERIODS:
        wave = SIDE // period
        found.append(max(_peak(amplitude, *at) for at in ((wave, 0), (0, wave), (wave, wave))))
    return found


def _peak(amplitude: Tensor, row: int, column: int) -> float:
    """The amplitude of a wave divided by the median of its neighbours'; those on the axis, if it lies on one."""
    rows = range(row - _FAR, row + _FAR + 1) if row else range(1)
    columns = range(column - _FAR, column + _FAR + 1) if column else range(1)
    around = [
        amplitude[y % SIDE, x % SIDE] for y in rows for x in columns if max(abs(y - row), abs(x - column)) > _NEAR
    ]
    return float(amplitude[row % SIDE, column % SIDE] / torch.stack(around).median())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/lattice.json"))
    parser.add_argument("--nets", nargs="+", metavar="METHOD=NET", help="nets to measure; all that ship by default")
    parser.add_argument("--styles", nargs="+", choices=list(styles.STYLES), default=["wave", "night"])
    parser.add_argument("--size", type=int, default=SIZE, help="longest side in pixels of what is painted")
    options = parser.parse_args()
    wanted = options.nets or ["adain=adain", "swap=swap", *(f"johnson={name}" for name in gallery())]
    size = options.size
    rows = read(options.output, Lattice)["rows"] if options.output.exists() else {}
    result: Lattice = {
        "rows": rows,
        "date": processes.today(),
        "machine": describe(),
        "size": size,
        "side": SIDE,
    }
    content = [fit(read_picture(photos.demo_photo(name)).pixels, size) for name in photos.PHOTOS]
    painted = [read_picture(styles.draw(name, size)).pixels for name in options.styles]

    def write(key: str, row: LatticeRow) -> None:
        rows[key] = row
        shown = (f"{name} {f'{value:.1f}' if isinstance(value, float) else value}" for name, value in row.items())
        print(f"{key}: " + ", ".join(shown), flush=True)
        processes.write(options.output, result)

    write("photographs", measure(content))
    for key in wanted:
        method, _, net = key.partition("=")
        settings = {"size": size, "net": net}
        if method == "johnson":
            painters = [bind(make_recipe(method, settings=settings), device="cpu")]
        else:
            recipe = make_recipe(method, [Style(path="style.png")], settings=settings)
            painters = [bind(recipe, device="cpu", styles=[style]) for style in painted]
        write(key, measure([last(painter.paint(photo)).image for painter in painters for photo in content]))


if __name__ == "__main__":
    main()
