"""Stroke size beside the picture: whether one setting of style_scale gives a sketch and a print the same strokes.

    python -m benchmarks.strokes --output benchmarks/results/strokes.json
    python -m benchmarks.strokes --methods adain --sizes 256 2048 --scales 1      # adds to the results

The size of a stroke is the mean wavelength, as a share of the picture's side, of what the painting adds to the
photograph. That is the logarithmic mean over the power spectrum of the difference of their luminances, from
`MIN_WAVES` waves across the picture (coarser changes are of tone, not of strokes) to the finest that its pixels hold.
`own` compares two sizes by this. A sketch has no pixels for the finest waves of a print, so `shared` compares them by
the waves that both can hold.

`gatys` goes through smaller sizes first, as by default; `gatys-at-once` works only at the final size. `johnson`
paints with the style of its gallery that is most like the style drawn.

The photograph (NASA, from scikit-image) and the styles (drawn by impasto) are made anew: nothing else is needed.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks import processes
from benchmarks.machine import describe
from benchmarks.shapes import Ratio, Strokes, StrokeSize, StrokesRow, read
from impasto import Style, bind, make_recipe
from impasto.api import last
from impasto.demo import photos, styles
from impasto.images.geometry import fit
from impasto.images.read import read as read_picture

MIN_WAVES = 8
METHODS = ("adain", "swap", "johnson", "gatys", "gatys-at-once")
NETS = {"wave": "great-wave", "night": "starry-night"}  # style of the gallery that is most like a style that is drawn
STYLE_SIDE = 512  # side in pixels of a style that is drawn


def stroke_size(painting: Tensor, photo: Tensor, finest: float | None = None) -> float:
    """Mean wavelength of what a painting adds to a photograph, both 1×3×N×N, as a share of N.

    Args:
        painting: in [0, 1].
        photo: of the same size.
        finest: waves across the picture up to which they count; N/2 if None.
    """
    luminance = torch.tensor([0.299, 0.587, 0.114], dtype=torch.float64).view(3, 1, 1)
    added = ((painting - photo)[0].double() * luminance).sum(0)
    side = added.shape[0]
    window = torch.hann_window(side, periodic=False, dtype=torch.float64)
    power = torch.fft.fft2((added - added.mean()) * window.outer(window)).abs().square()
    waves = torch.fft.fftfreq(side, 1 / side, dtype=torch.float64)
    across = (waves.square()[:, None] + waves.square()).sqrt()
    counted = (across >= MIN_WAVES) & (across <= (finest or side / 2))
    power, across = power[counted], across[counted]
    return float(torch.exp(-(power * across.log()).sum() / power.sum()))


def compare(
    method: str, name: str, style: Tensor, photo: Tensor, scale: float, sizes: list[int], steps: int
) -> StrokesRow:
    """Stroke sizes at several sizes of a picture, and those of the largest divided by those of the smallest."""
    rows: dict[str, StrokeSize] = {}
    finest = min(sizes) / 2
    for size in sizes:
        started = time.perf_counter()
        settings: dict[str, Any] = {"size": size, "style_scale": scale}
        if method.startswith("gatys"):
            settings |= {"steps": steps, "min_size": "auto" if method == "gatys" else None}
        if method == "johnson":
            painter = bind(make_recipe(method, settings={**settings, "net": NETS[name]}), device="cpu")
        else:
            recipe = make_recipe(method.partition("-")[0], [Style(path="style.png")], settings=settings)
            painter = bind(recipe, device="cpu", styles=[style])
        painting = last(painter.paint(photo)).image
        fitted = fit(photo, size)
        rows[str(size)] = {
            "own": stroke_size(painting, fitted),
            "shared": stroke_size(painting, fitted, finest),
            "seconds": time.perf_counter() - started,
        }
    small, large = rows[str(min(sizes))], rows[str(max(sizes))]
    ratio: Ratio = {"own": large["own"] / small["own"], "shared": large["shared"] / small["shared"]}
    row: StrokesRow = {"sizes": rows, "ratio": ratio}
    if method.startswith("gatys"):
        row["steps"] = steps
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/strokes.json"))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("--styles", nargs="+", choices=list(styles.STYLES), default=list(NETS))
    parser.add_argument("--scales", nargs="+", type=float, default=[0.5, 1.0, 2.0])
    parser.add_argument(
        "--sizes", nargs=2, type=int, default=[256, 1024], help="two longest sides in pixels to compare"
    )
    parser.add_argument("--steps", type=int, default=12, help="steps of gatys at the first size")
    options = parser.parse_args()
    if "johnson" in options.methods and (lacking := set(options.styles) - set(NETS)):
        parser.error(f"johnson has nothing like {', '.join(sorted(lacking))}; leave it out of --methods")
    rows = read(options.output, Strokes)["rows"] if options.output.exists() else {}
    result: Strokes = {"rows": rows, "machine": describe(), "photo": "astronaut", "style_side": STYLE_SIDE}
    photo = read_picture(photos.demo_photo("astronaut")).pixels
    for name in options.styles:
        style = read_picture(styles.draw(name, STYLE_SIDE)).pixels
        for method in options.methods:
            for scale in options.scales:
                row = compare(method, name, style, photo, scale, sorted(options.sizes), options.steps)
                key = f"{method} {name} {scale:g} {min(options.sizes)}-{max(options.sizes)}"
                rows[key] = row
                shown = ", ".join(f"{size} px {each['own']:.4f}" for size, each in row["sizes"].items())
                ratio = row["ratio"]
                print(f"{key}: {shown}; ratio {ratio['own']:.2f}, shared waves {ratio['shared']:.2f}", flush=True)
                processes.write(options.output, result)


if __name__ == "__main__":
    main()
