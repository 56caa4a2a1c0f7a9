"""Waves breaking before a mountain: a woodcut in Prussian blue on cream paper (after Hokusai, about 1831)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw
from scipy.interpolate import CubicSpline

from .tools import Array, Random, Sheet, over, palette, ramp, smoothstep

PAPER, INK, FOAM, SHADE = palette("f0e3c4 10203f f7f0dc a9c3cf")
BLUES = palette("142c5e 1f4c86 3f79a8 7fabc0 16376c")
SKY = palette("4c5f74 8d9a9c d8cfb4 f0dfba eec79a")
SUN, SNOW, ROCK = palette("c8452e f6f0de 5f7a92")
SUN_AT, SUN_RADIUS = (0.83, 0.235), 0.082  # as fractions of the sheet; in units

# The outline of a great wave in a box of width 1, with its foot at y = 0 and y upwards: its back and its hollow, both
# from the tip.
BACK = np.array(
    [
        (0.735, 0.50),
        (0.71, 0.63),
        (0.60, 0.755),
        (0.44, 0.80),
        (0.27, 0.70),
        (0.12, 0.48),
        (-0.05, 0.24),
        (-0.30, 0.05),
    ]
)
HOLLOW = np.array(
    [
        (0.735, 0.50),
        (0.67, 0.575),
        (0.57, 0.585),
        (0.475, 0.50),
        (0.445, 0.36),
        (0.50, 0.20),
        (0.66, 0.09),
        (0.95, 0.03),
    ]
)


@dataclass
class Block:
    """A drawing on the pixels of a sheet, in its units."""

    sheet: Sheet
    image: Image.Image
    pen: ImageDraw.ImageDraw = field(init=False)

    def __post_init__(self) -> None:
        self.pen = ImageDraw.Draw(self.image)

    def fill(self, points: Array, colour: Array) -> None:
        """Fill an outline, N×2."""
        self.pen.polygon([(float(px), float(py)) for px, py in points * self.sheet.unit], fill=_ink(colour))

    def cut(self, points: Array, width: float, colour: Array, taper: float = 1.0) -> None:
        """Draw a line, N×2, that is `width` wide in the middle; it tapers to its ends, not at all with `taper` 0."""
        along = np.gradient(points, axis=0)
        normal = np.stack([-along[:, 1], along[:, 0]], 1) / (np.hypot(along[:, 0], along[:, 1])[:, None] + 1e-9)
        swell = np.sin(np.linspace(0.04, np.pi - 0.04, len(points))) ** 0.6
        half = (width / 2 * (1 - taper + taper * swell))[:, None]
        self.fill(np.concatenate([points + normal * half, (points - normal * half)[::-1]]), colour)

    def dots(self, circles: list[tuple[float, float, float]], grow: float, colour: Array) -> None:
        """Draw discs (x, y, radius), each with a radius larger by `grow`."""
        ink, unit = _ink(colour), self.sheet.unit
        for cx, cy, radius in circles:
            r = (radius + grow) * unit
            if r > 0.3:
                self.pen.ellipse((cx * unit - r, cy * unit - r, cx * unit + r, cy * unit + r), fill=ink)


def draw(sheet: Sheet, rng: Random) -> Array:
    """Print the waves, H×W×3."""
    block = Block(sheet, _print_sky(sheet, rng))
    right, bottom = sheet.right, sheet.bottom
    _mountain(block, rng, 0.665 * right, 0.735 * bottom, 0.19)
    for base, tall, count in ((0.735, 0.016, 9), (0.765, 0.024, 7)):
        _swell(block, rng, base * bottom, tall, count, 1)
    _breaker(block, rng, (0.985 * right, 0.90 * bottom), -0.44, 0.40)
    _swell(block, rng, 0.835 * bottom, 0.035, 4, 0)
    _breaker(block, rng, (-0.09 * right, 0.925 * bottom), 0.93 * max(1, 0.85 * right), 0.98 * bottom)
    _breaker(block, rng, (0.40 * right, 0.985 * bottom), 0.42, 0.30)
    _swell(block, rng, 0.925 * bottom, 0.034, 4, 4)
    _swell(block, rng, 0.970 * bottom, 0.024, 5, 0)
    _spray(block, rng)
    _seal(block)
    return _add_texture(sheet, rng, np.asarray(block.image, np.float32) / 255)


def _ink(colour: Array) -> tuple[int, int, int]:
    red, green, blue = (round(255 * float(c)) for c in colour)
    return red, green, blue


def _smooth(knots: Array, count: int = 140) -> Array:
    """Return `count` points of a smooth curve through `knots`, N×2."""
    t = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(knots, axis=0).T) ** 0.6)])
    return CubicSpline(t / t[-1], knots)(np.linspace(0, 1, count)).astype(np.float32)


def _print_sky(sheet: Sheet, rng: Random) -> Image.Image:
    """Return the sky: dark at the top, fading to warm paper (bokashi), with clouds and a low sun."""
    x, y = sheet.grid()
    v = y / sheet.bottom
    grain = sheet.noise(rng, 0.02, 2, (9, 0.35))
    sky = ramp(v + 0.018 * grain, SKY, (0, 0.10, 0.30, 0.48, 0.74))
    drift = sheet.noise(rng, 0.20, 2, (2.4, 0.55))
    # Fine contour lines of the clouds.
    lines = 0.5 + 0.5 * np.cos((drift * 1.1 + v * 9) * 2 * np.pi)
    sky = over(sky, palette("c2b48e")[0], 0.55 * smoothstep(0.86, 0.97, lines) * smoothstep(0.9, 0.2, v))
    away = np.hypot(x - SUN_AT[0] * sheet.right, y - SUN_AT[1] * sheet.bottom)
    red = over(
        np.broadcast_to(SUN, sky.shape),
        palette("e89a5a")[0],
        np.clip(0.10 * grain + 0.15 + 5 * (y - SUN_AT[1] * sheet.bottom), 0, 0.9),
    )
    sky = over(sky, red, 1 - smoothstep(SUN_RADIUS, SUN_RADIUS + 0.002, away))
    return Image.fromarray((np.clip(sky, 0, 1) * 255).astype(np.uint8))


def _mountain(block: Block, rng: Random, cx: float, foot: float, tall: float) -> None:
    """Draw a mountain with snow on its top."""
    t = np.linspace(-1, 1, 90)
    outline = np.stack([cx + t * tall * 2.1, foot - tall * np.clip(1 - np.abs(t), 0, 0.93) ** 1.35], 1).astype(
        np.float32
    )
    block.fill(outline, ROCK)
    block.cut(outline, 0.004, INK, 0.3)
    snow = np.abs(t) < 0.40
    top = outline[snow]
    teeth = np.stack([top[::-1, 0], np.full(len(top), foot - tall * 0.50)], 1)
    teeth[:, 1] += tall * 0.13 * np.sin(np.linspace(0, 1, len(top)) * 31) * rng.uniform(0.6, 1.2, len(top))
    teeth[0], teeth[-1] = top[-1], top[0]
    block.fill(np.concatenate([top, teeth.astype(np.float32)]), SNOW)
    for k in np.linspace(-0.8, 0.8, 17):
        start = np.array([cx + k * 0.55 * tall, foot - tall * (0.52 - 0.1 * abs(k))])
        stop = np.array([cx + k * 1.75 * tall, foot - 0.02 * tall])
        block.cut(_smooth(np.array([start, (start + stop) / 2 + [0, 0.03 * tall], stop]), 20), 0.0032, BLUES[0])


def _swell(block: Block, rng: Random, base: float, tall: float, count: int, caps: int) -> None:
    """Draw a row of low waves across the sheet, with lines that follow them; `caps` of them have foam."""
    right, bottom = block.sheet.right, block.sheet.bottom
    t = np.linspace(-0.05, right + 0.05, 260)
    phase = rng.uniform(0, 2 * np.pi)
    rise = np.abs(np.sin(t / right * count * np.pi / 2 + phase)) ** 1.4
    crest = np.stack([t, base - tall * (rise - 0.5)], 1).astype(np.float32)
    block.fill(
        np.concatenate([crest, np.array([[right + 0.1, bottom + 0.1], [-0.1, bottom + 0.1]], np.float32)]),
        BLUES[1],
    )
    for k in range(1, 12):
        lower = crest.copy()
        lower[:, 1] = crest[:, 1] * (1 - 0.03 * k) + (base + tall) * 0.03 * k + tall * (0.10 + 0.24 * k)
        colour = (BLUES[3], BLUES[0], BLUES[2], FOAM)[k % 4]
        for _ in range(3):
            a = int(rng.integers(0, 200))
            block.cut(lower[a : a + int(rng.integers(40, 130))], 0.0065 if k % 4 else 0.004, colour)
    block.cut(crest, 0.010, FOAM, 0.1)
    block.cut(crest - np.array([0, 0.005], np.float32), 0.0032, INK, 0)
    for _ in range(caps):
        at = int(rng.integers(20, 240))
        fringe: list[tuple[float, float, float]] = []
        for j in range(-9, 10):
            px, py = crest[np.clip(at + j, 0, 259)]
            fringe.append((float(px), float(py) + 0.004, 0.006 * (1.2 - abs(j) / 10) + rng.uniform(0, 0.004)))
        block.dots(fringe, 0.0024, INK)
        block.dots(fringe, 0, FOAM)


def _breaker(block: Block, rng: Random, foot: tuple[float, float], wide: float, tall: float) -> None:
    """Draw a breaking wave; with a negative width it breaks to the left."""
    scale = np.array([wide, -tall], np.float32)
    size = min(abs(wide), tall)
    back, hollow = (
        _smooth((knots + rng.normal(0, 0.006, knots.shape) * (np.arange(len(knots)) > 0)[:, None]) * scale + foot)
        for knots in (BACK, HOLLOW)
    )
    deep = np.array([[hollow[-1, 0], foot[1] + 0.3], [back[-1, 0], foot[1] + 0.3]], np.float32)
    block.fill(np.concatenate([hollow, deep, back[::-1]]), BLUES[1])

    # Lines between hollow and back follow the water up and over.
    spans = np.concatenate([[0], np.cumsum(rng.uniform(0.75, 1.3, 15))])
    spans /= spans[-1]
    order = (FOAM, BLUES[0], BLUES[2], BLUES[4], BLUES[3], BLUES[0], BLUES[1])
    family = [hollow * (1 - s) + back * s for s in spans]
    for k in range(15):
        start = 4 + int(rng.integers(0, 10))
        block.fill(np.concatenate([family[k][start:], family[k + 1][start:][::-1]]), order[k % len(order)])
        middle = (family[k] + family[k + 1]) / 2
        contrast = BLUES[0] if k % len(order) in (0, 2, 4) else BLUES[3]
        for _ in range(2):
            a = int(rng.integers(8, 70))
            block.cut(middle[a : a + int(rng.integers(30, 68))], 0.006 * size**0.5, contrast)
    for curve in family[1:-1]:
        block.cut(curve[6:], 0.0042 * size**0.5, INK, 0.8)
    block.cut(hollow, 0.006 * size**0.5, INK, 0.5)

    # Foam lies on the back and over the lip; claws reach from it into the hollow.
    rim = np.concatenate([hollow[34:0:-1], back[:92]])
    sign = np.sign(wide)
    body: list[tuple[float, float, float]] = []
    claws: list[tuple[float, float, float]] = []
    inward = np.array([-0.35 * sign, 0.9])
    for k, (px, py) in enumerate(rim):
        lip = np.exp(-(((k - 42) / 34) ** 2))
        fat = size * (0.014 + 0.030 * lip) * rng.uniform(0.8, 1.25)
        nudge = rng.normal(0, 0.010 * size, 2) + inward * fat * (0.4 if k > 34 else -0.1)
        body.append((float(px + nudge[0]), float(py + nudge[1]), float(fat)))
        if k % 2 == 0 and k < 100:
            heading = np.arctan2(0.95, sign * (0.75 - 0.012 * k)) + rng.normal(0, 0.35)
            reach = size * (0.055 + 0.095 * lip) * rng.uniform(0.7, 1.2)
            _claw(claws, rng, (float(px), float(py)), float(heading), float(reach), sign, 2)
    edge = 0.0030 * max(size, 0.35) ** 0.5 + 0.0012
    block.dots(claws + body, edge, INK)
    block.dots(claws + body, 0, FOAM)
    # Blue shades in the foam.
    shaded = [(cx + sign * 0.2 * r, cy + 0.35 * r, r * 0.55) for cx, cy, r in body[::2]]
    block.dots(shaded, 0, SHADE)
    block.dots([(cx - sign * 0.10 * r, cy - 0.20 * r, r) for cx, cy, r in shaded], 0, FOAM)
    block.dots([(cx + 0.1 * r, cy + 0.1 * r, r * 0.20) for cx, cy, r in body[1::3]], 0, BLUES[2])


def _claw(
    into: list[tuple[float, float, float]],
    rng: Random,
    at: tuple[float, float],
    heading: float,
    reach: float,
    sign: float,
    depth: int,
) -> None:
    """Add a hooked finger of foam, made of shrinking discs, from which smaller fingers branch."""
    steps = 9
    px, py = at
    curl = sign * rng.uniform(0.16, 0.30)
    for k in range(steps):
        t = k / (steps - 1)
        into.append((px, py, reach * (0.17 * (1 - t) + 0.035)))
        heading += curl * (0.3 + t)
        px, py = px + np.cos(heading) * reach / steps, py + np.sin(heading) * reach / steps
        if depth and k in (3, 6):
            _claw(into, rng, (px, py), heading - curl * 4, reach * 0.52, sign, depth - 1)


def _spray(block: Block, rng: Random) -> None:
    """Draw drops round the great crest, but none in front of the sun."""
    right, bottom = block.sheet.right, block.sheet.bottom
    px = (0.50 + rng.normal(0, 0.17, 110)) * right
    py = (0.15 + np.abs(rng.normal(0, 0.17, 110))) * bottom
    radius = rng.uniform(0.0015, 0.0052, 110)
    clear = np.hypot(px - SUN_AT[0] * right, py - SUN_AT[1] * bottom) > SUN_RADIUS * 1.15
    drops = [(float(a), float(b), float(r)) for a, b, r in zip(px[clear], py[clear], radius[clear], strict=True)]
    block.dots(drops, 0.0012, BLUES[2])
    block.dots(drops, 0, FOAM)


def _seal(block: Block) -> None:
    """Draw a small red seal."""
    x0, y0 = 0.045, 0.05
    box = np.array([(0, 0), (0.042, 0), (0.042, 0.10), (0, 0.10)], np.float32) + np.array((x0, y0))
    block.fill(box, SUN)
    for k in range(4):
        row = y0 + 0.014 + 0.024 * k
        for points in (
            ((0.008, 0), (0.034, 0.002)),
            ((0.012 + 0.004 * k, 0.009), (0.028, 0.008)),
            ((0.021, -0.005), (0.019, 0.014)),
        ):
            block.cut(np.array(points, np.float32) + np.array((x0, row)), 0.0034, PAPER, 0)


def _add_texture(sheet: Sheet, rng: Random, print_: Array) -> Array:
    """Return the print with wood grain and rubbing marks in the ink, and fibres and tones of the paper."""
    _, y = sheet.grid()
    rings = np.sin(
        (y * 46 + 1.7 * sheet.noise(rng, 0.22, 2, (3, 1)) + 0.35 * sheet.noise(rng, 0.03, 1, (6, 0.5))) * 2 * np.pi
    )
    mottle = sheet.noise(rng, 0.010, 3)
    dark = 1 - print_.mean(-1)
    bare = np.clip((0.055 * rings + 0.055 * mottle) * (0.35 + dark), -0.14, 0.20)
    print_ = over(print_, PAPER, np.clip(bare + 0.05, 0, 1))
    print_ = print_ * (1 - np.clip(-bare, 0, 1))[..., None]
    fibre = sheet.noise(rng, 0.0035, 1, (5, 0.8)) + sheet.noise(rng, 0.0035, 1, (0.8, 5))
    tone = 1 + 0.020 * fibre + 0.020 * sheet.noise(rng, 0.3, 2)
    return np.clip(print_ * tone[..., None], 0, 1).astype(np.float32)
