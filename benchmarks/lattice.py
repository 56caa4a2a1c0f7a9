"""The lattice of pixels and the fleck that a network leaves in its pictures.

    python -m benchmarks.lattice --output benchmarks/results/lattice.json
    python -m benchmarks.lattice --nets adain=runs/mine/net.safetensors      # adds to what is there

What repeats every 2 or 4 pixels stands in the spectrum at 1/2 or 1/4 of a wave a pixel, alone. The figure is how far
it stands out: the amplitude there by the median of those around it, of the luminance of all pictures together, the
largest of the horizontal, vertical and diagonal waves. 1 to 2 is chance, as the photographs' own row shows.

A network can hide that from such a figure by turning its lattice's sign every few pixels, which makes a weave of
waves a little longer and shorter, or make it of colours that are equally bright. So "weave" is how far, in small
windows, the wave of 2 to 12 pixels that does so most stands out of those as long in other directions, in brightness,
in red against blue, or in green against both ("in"), and "of" is its length.

Fleck is of single pixels, and has no waves: "flicker" is how far colour, apart from brightness, turns from a pixel to
the next and back (mean absolute second difference, in hundredths of the range).
Photographs (from scikit-image) and styles, drawn by impasto, are made anew: nothing else is needed.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.machine import describe
from impasto import Style, bind, make_recipe
from impasto.api import last
from impasto.demo import photos, styles
from impasto.images.geometry import fit
from impasto.images.read import read
from impasto.methods.johnson.gallery import gallery
from impasto.training.lattice import flicker, standing_out, waves
from impasto.training.lattice import spectrum as windowed

SIZE = 512  # the longest side that is painted
SIDE = 256  # of the squares that are looked at
PERIODS = (2, 4, 8)
CHANNELS = ("brightness", "red-blue", "green")
_NEAR, _FAR = 3, 8  # waves away from a peak, of what it is held against


def weave(pictures: Sequence[Tensor]) -> dict[str, float | str]:
    """How far, in amplitude, the wave that does so most stands out of those as long; its length; its channel."""
    stands = torch.stack([standing_out(windowed(waves(picture)))[0] for picture in pictures]).mean(0)
    channel, down, along = (int(place) for place in torch.unravel_index(stands.argmax(), stands.shape))
    length = stands.shape[1] / math.hypot(min(down, stands.shape[1] - down), along)
    return {"weave": math.exp(float(stands.max()) / 2), "of": length, "in": CHANNELS[channel]}


def spectrum(picture: Tensor) -> Tensor:
    """Power of a picture's luminance, 1×3×H×W in [0, 1], in the squares it holds, summed: SIDE×SIDE."""
    luminance = (picture[0].double() * torch.tensor([0.299, 0.587, 0.114]).double().view(3, 1, 1)).sum(0)
    squares = luminance.unfold(0, SIDE, SIDE // 4).unfold(1, SIDE, SIDE // 4).flatten(0, 1)
    squares = squares - squares.mean((1, 2), keepdim=True)
    window = torch.hann_window(SIDE, dtype=torch.float64)
    return torch.fft.fft2(squares * window.outer(window)).abs().square().sum(0)


def measure(pictures: Sequence[Tensor]) -> dict[str, float | str]:
    """A row of figures."""
    fleck = torch.stack([flicker(picture).mean() for picture in pictures]).mean()
    return peaks(pictures) | weave(pictures) | {"flicker": 100 * float(fleck)}


def peaks(pictures: Iterable[Tensor]) -> dict[str, float]:
    """How far the waves of each period stand out, by period."""
    amplitude = torch.stack([spectrum(picture) for picture in pictures]).sum(0).sqrt()
    found: dict[str, float] = {}
    for period in PERIODS:
        wave = SIDE // period
        found[str(period)] = max(_peak(amplitude, *at) for at in ((wave, 0), (0, wave), (wave, wave)))
    return found


def _peak(amplitude: Tensor, row: int, column: int) -> float:
    """The amplitude at a wave by the median of its neighbours', which are taken along the axis it lies on, if any."""
    rows = range(row - _FAR, row + _FAR + 1) if row else range(1)
    columns = range(column - _FAR, column + _FAR + 1) if column else range(1)
    around = [
        amplitude[y % SIDE, x % SIDE] for y in rows for x in columns if max(abs(y - row), abs(x - column)) > _NEAR
    ]
    return float(amplitude[row % SIDE, column % SIDE] / torch.stack(around).median())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/lattice.json"))
    parser.add_argument("--nets", nargs="+", metavar="METHOD=NET", help="only these; all that ship by default")
    parser.add_argument("--styles", nargs="+", choices=list(styles.STYLES), default=["wave", "night"])
    options = parser.parse_args()
    wanted = options.nets or ["adain=adain", "swap=swap", *(f"johnson={name}" for name in gallery())]
    result: dict = json.loads(options.output.read_text()) if options.output.exists() else {"rows": {}}
    result |= {"date": time.strftime("%Y-%m-%d"), "machine": describe(), "size": SIZE, "side": SIDE}
    content = [fit(read(photos.demo_photo(name)).pixels, SIZE) for name in photos.PHOTOS]
    painted = [read(styles.draw(name, SIZE)).pixels for name in options.styles]

    def write(key: str, row: dict[str, float | str]) -> None:
        result["rows"][key] = row
        figures = (f"{name} {value if isinstance(value, str) else round(value, 1)}" for name, value in row.items())
        print(f"{key}: " + ", ".join(figures), flush=True)
        options.output.write_text(json.dumps(result, indent=1) + "\n")

    write("photographs", measure(content))
    for key in wanted:
        method, _, net = key.partition("=")
        settings = {"size": SIZE, "net": net}
        if method == "johnson":
            painters = [bind(make_recipe(method, settings=settings), device="cpu")]
        else:
            recipe = make_recipe(method, [Style(path="style.png")], settings=settings)
            painters = [bind(recipe, device="cpu", styles=[style]) for style in painted]
        write(key, measure([last(painter.paint(photo)).image for painter in painters for photo in content]))


if __name__ == "__main__":
    main()
