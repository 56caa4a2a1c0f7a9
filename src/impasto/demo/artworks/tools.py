"""Tools of the artworks: the sheet, colours, noise, and a brush that leaves bristle marks and relief.

Lengths are in units of the sheet's shorter side, so that an artwork looks the same at every size. The origin is the
top left corner, and y points down. Colours are sRGB-encoded floats in [0, 1].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor
from scipy import ndimage
from skimage.color import lab2rgb, rgb2lab

Array = NDArray[Any]  # floats; arrays as large as the sheet are float32
Random = np.random.Generator

SUPERSAMPLE = 2  # artworks are drawn at this multiple of their size, then averaged down against aliasing


@dataclass(frozen=True)
class Sheet:
    """A sheet of `width` × `height` pixels, at the size that is drawn; `unit` pixels are one unit of length."""

    width: int
    height: int

    @property
    def unit(self) -> int:
        """Pixels of the shorter side."""
        return min(self.width, self.height)

    @property
    def right(self) -> float:
        """Width in units, 1 or more."""
        return self.width / self.unit

    @property
    def bottom(self) -> float:
        """Height in units, 1 or more."""
        return self.height / self.unit

    def grid(self) -> tuple[Array, Array]:
        """Return x and y of every pixel's centre, H×W each, in units."""
        y, x = np.mgrid[0 : self.height, 0 : self.width].astype(np.float32)
        return (x + 0.5) / self.unit, (y + 0.5) / self.unit

    def noise(self, rng: Random, cell: float, octaves: int = 1, stretch: tuple[float, float] = (1, 1)) -> Array:
        """Make smooth noise, H×W, with mean about 0 and standard deviation 1.

        Args:
            rng: source of the noise.
            cell: width of the bumps in units.
            octaves: number of layers of noise; each has bumps half as wide and high as those of the layer before.
            stretch: factors on the width of the bumps, in x and y.
        """
        total = np.zeros((self.height, self.width), np.float32)
        for octave in range(octaves):
            step = cell / 2**octave
            columns = int(np.ceil(self.right / (step * stretch[0]))) + 3
            rows = int(np.ceil(self.bottom / (step * stretch[1]))) + 3
            lattice = Image.fromarray(rng.standard_normal((rows, columns)).astype(np.float32))
            box = (1, 1, 1 + self.right / (step * stretch[0]), 1 + self.bottom / (step * stretch[1]))
            layer = lattice.resize((self.width, self.height), Image.Resampling.BICUBIC, box=box)
            total += np.asarray(layer) / 2**octave
        return total / max(float(total.std()), 1e-6)

    def sample(self, plane: Array, x: Array, y: Array) -> Array:
        """Return the values of an H×W[×C] array at positions in units, clamped to the sheet."""
        column = np.clip((x * self.unit).astype(np.int32), 0, self.width - 1)
        row = np.clip((y * self.unit).astype(np.int32), 0, self.height - 1)
        return plane[row, column]


def palette(text: str) -> Array:
    """Return the colours, N×3, of hexadecimal codes separated by spaces."""
    rows = [ImageColor.getrgb(f"#{name}")[:3] for name in text.split()]
    return np.array(rows, np.float32) / 255


def ramp(t: Array, colours: Array, stops: Sequence[float] | None = None) -> Array:
    """Interpolate between colours.

    Args:
        t: positions, of any shape.
        colours: N×3.
        stops: positions of the colours, ascending; None for even ones from 0 to 1.

    Returns:
        A colour for each position: the shape of `t`, then 3.
    """
    at = np.linspace(0, 1, len(colours)) if stops is None else np.asarray(stops)
    return np.stack([np.interp(t, at, colours[:, c]) for c in range(3)], axis=-1).astype(np.float32)


def smoothstep(low: float, high: float, value: Array) -> Array:
    """Return 0 below `low`, 1 above `high`, and a smooth rise between them."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def over(below: Array, colour: Array, cover: Array) -> Array:
    """Lay `colour` (3 or H×W×3) over `below` (H×W×3) with the opacity `cover` (H×W)."""
    return below + (colour - below) * cover[..., None]


def vary(rng: Random, colours: Array, light: float, chroma: float) -> Array:
    """Vary N×3 colours at random in CIE Lab; `light` and `chroma` are standard deviations in Lab units."""
    lab = rgb2lab(colours).astype(np.float32)
    lab += rng.standard_normal(lab.shape).astype(np.float32) * np.array([light, chroma, chroma], np.float32)
    lab[:, 0] = np.clip(lab[:, 0], 0, 100)
    return np.clip(lab2rgb(lab), 0, 1).astype(np.float32)


class Paint:
    """Paint on a sheet: its colour (H×W×3) and its thickness, the relief (H×W)."""

    _CHUNK = 3_000_000  # samples of strokes that are drawn at a time

    def __init__(self, sheet: Sheet, ground: Array) -> None:
        self.sheet = sheet
        self.colour = np.broadcast_to(ground, (sheet.height, sheet.width, 3)).astype(np.float32).copy()
        self.relief = np.zeros((sheet.height, sheet.width), np.float32)

    def make_paths(self, x: Array, y: Array, angle: Array, length: Array, knots: int = 7) -> tuple[Array, Array]:
        """Make paths for strokes that follow a field of directions.

        Args:
            x: middle of each path in units, N.
            y: middle of each path in units, N.
            angle: directions in radians, H×W.
            length: length of each path in units, N or one for all.
            knots: number of points of a path, odd.

        Returns:
            X and y of the points, N×knots each.
        """
        half = knots // 2
        step = length / (knots - 1)
        columns = {half: (x, y)}
        for sign in (-1, 1):
            px, py = x, y
            for k in range(1, half + 1):
                heading = self.sheet.sample(angle, px, py)
                px, py = px + sign * step * np.cos(heading), py + sign * step * np.sin(heading)
                columns[half + sign * k] = (px, py)
        ordered = [columns[k] for k in range(2 * half + 1)]
        return np.stack([c[0] for c in ordered], 1), np.stack([c[1] for c in ordered], 1)

    def draw_strokes(
        self,
        rng: Random,
        path: tuple[Array, Array],
        width: Array,
        start: Array,
        end: Array,
        *,
        bristle: float = 0.06,
        ragged: float = 0.25,
        blunt: float = 4,
    ) -> None:
        """Paint strokes in order, later ones over earlier ones.

        Args:
            rng: source of the bristles.
            path: x and y of each stroke's knots, N×K each.
            width: width of each stroke, N.
            start: colour that each stroke begins with, N×3.
            end: colour that it ends with, N×3.
            bristle: standard deviation of the lightness between bristles.
            ragged: share of the length over which bristles run dry at the end.
            blunt: 2 for elliptical strokes; larger values make them more rectangular.
        """
        unit = self.sheet.unit
        px, py = path[0] * unit, path[1] * unit
        reach = float(np.hypot(np.diff(px, axis=1), np.diff(py, axis=1)).sum(1).max())
        along = max(4, int(np.ceil(reach / 0.75)))
        across = max(3, int(np.ceil(float(width.max()) * unit / 0.7)))
        many = max(1, self._CHUNK // (along * across))
        for first in range(0, len(px), many):
            part = slice(first, first + many)
            self._draw(
                rng,
                px[part],
                py[part],
                width[part] * unit,
                start[part],
                end[part],
                along,
                across,
                bristle,
                ragged,
                blunt,
            )

    def _draw(
        self,
        rng: Random,
        px: Array,
        py: Array,
        width: Array,
        start: Array,
        end: Array,
        along: int,
        across: int,
        bristle: float,
        ragged: float,
        blunt: float,
    ) -> None:
        count, knots = px.shape
        s = np.linspace(0, 1, along, dtype=np.float32)
        place = s * (knots - 1)
        left = np.minimum(place.astype(np.int32), knots - 2)
        mix = place - left
        cx = px[:, left] * (1 - mix) + px[:, left + 1] * mix
        cy = py[:, left] * (1 - mix) + py[:, left + 1] * mix
        tx, ty = np.gradient(cx, axis=1), np.gradient(cy, axis=1)
        norm = np.hypot(tx, ty) + 1e-6
        spread = (width / 2)[:, None] * (1 - np.abs(2 * s - 1) ** blunt) ** 0.5 / norm
        b = np.linspace(-1, 1, across, dtype=np.float32)
        column = (cx[:, :, None] - (ty * spread)[:, :, None] * b).astype(np.int32)
        row = (cy[:, :, None] + (tx * spread)[:, :, None] * b).astype(np.int32)
        # Each bristle runs dry at a place of its own.
        hair = rng.standard_normal((count, across)).astype(np.float32)
        dry = 1 - ragged * rng.random((count, across), dtype=np.float32) ** 2
        keep = s[None, :, None] <= dry[:, None, :]
        keep &= (column >= 0) & (column < self.sheet.width) & (row >= 0) & (row < self.sheet.height)
        sample = np.flatnonzero(keep)
        pixel = (row.ravel()[sample].astype(np.int64)) * self.sheet.width + column.ravel()[sample]
        # The last sample of each pixel is on top. It is found before colours are mixed.
        top = np.full(self.relief.size, -1, np.int64)
        top[pixel] = sample
        touched = np.flatnonzero(top >= 0)
        sample = top[touched]
        stroke, rest = np.divmod(sample, along * across)
        step, lane = np.divmod(rest, across)
        t = s[step][:, None]
        hairs = hair[stroke, lane]
        mixed = start[stroke] * (1 - t) + end[stroke] * t
        self.colour.reshape(-1, 3)[touched] = np.clip(mixed * (1 + bristle * hairs)[:, None], 0, 1)
        # A brush pushes paint to its edges and to where it stops.
        body = 1 + 0.55 * hairs + 1.1 * b[lane] ** 4 + 0.9 * s[step] ** 6
        self.relief.ravel()[touched] = body * np.sqrt(width[stroke])

    def shaded(self, strength: float = 0.05, light: tuple[float, float] = (-0.7, -0.7)) -> Array:
        """Return the colours with the relief lit from one side, H×W×3.

        Args:
            strength: strength of the shading.
            light: direction towards the light, in x and y.
        """
        smooth = ndimage.gaussian_filter(self.relief, 0.8)
        slope = ndimage.sobel(smooth, 1) * -light[0] + ndimage.sobel(smooth, 0) * -light[1]
        shade = np.tanh(-slope * strength)[..., None]
        gleam = np.clip(shade, 0, 1) ** 2
        return np.clip(self.colour * (1 + 0.42 * shade) + 0.10 * gleam, 0, 1)


def scatter(rng: Random, sheet: Sheet, spacing: float, margin: float = 0.03) -> tuple[Array, Array]:
    """Return x and y of positions about `spacing` apart over the sheet and a margin, in random order."""
    gx = np.arange(-margin, sheet.right + margin, spacing)
    gy = np.arange(-margin, sheet.bottom + margin, spacing)
    x, y = (plane.ravel() for plane in np.meshgrid(gx, gy))
    x = x + rng.uniform(-0.6, 0.6, x.size) * spacing
    y = y + rng.uniform(-0.6, 0.6, y.size) * spacing
    order = rng.permutation(x.size)
    return x[order].astype(np.float32), y[order].astype(np.float32)
