"""Wind over a village at night, in short strokes along a field of directions (after Van Gogh, 1889)."""

from __future__ import annotations

import numpy as np

from .tools import Array, Paint, Random, Sheet, over, palette, ramp, scatter, smoothstep, vary

SKY = palette("0b1440 142a6e 1f4c9c 3f7fc0 8db9cf d6dfc0")
HALO = palette("fff6c8 ffdf6a f2b632 b9c08a 6fa3b8 2d5fa8")
LAND = palette("081a2c 10374a 1d5a5c 4c7d58 8a9a52")
CYPRESS = palette("07130f 12291c 27432a 4b5a2c")

# Position as fractions of the sheet, radius in units, and for whirls the direction of rotation.
WHIRLS = ((0.47, 0.34, 0.17, 1.0), (0.66, 0.45, 0.10, -1.0), (0.12, 0.12, 0.12, -1.0))
STARS = (
    (0.30, 0.10, 0.055), (0.47, 0.07, 0.040), (0.62, 0.14, 0.050), (0.10, 0.42, 0.045), (0.33, 0.52, 0.050),
    (0.73, 0.31, 0.042), (0.92, 0.44, 0.048), (0.24, 0.29, 0.035), (0.56, 0.56, 0.034),
)  # fmt: skip
MOON = (0.86, 0.15, 0.105)


def draw(sheet: Sheet, rng: Random) -> Array:
    """Paint the night, H×W×3."""
    x, y = sheet.grid()
    hills = _hills(sheet, rng, x)
    scene, angle = _sky(sheet, rng, x, y, hills[0])
    busy = np.zeros_like(x)
    for fx, fy, radius in (*STARS, MOON):
        away = np.hypot(x - fx * sheet.right, y - fy * sheet.bottom)
        busy = np.maximum(busy, 1 - smoothstep(radius * 0.8, radius * 1.8, away))
    scene, angle, busy = _land(sheet, rng, x, y, hills, scene, angle, busy)
    scene, angle, busy = _cypress(sheet, rng, x, y, scene, angle, busy)

    paint = Paint(sheet, palette("15233f")[0])
    for width, length, cover, only_busy in (
        (0.026, 0.110, 2.2, False),
        (0.0155, 0.072, 2.4, False),
        (0.0100, 0.040, 2.0, True),
        (0.0065, 0.026, 1.3, True),
    ):
        px, py = scatter(rng, sheet, (width * length / cover) ** 0.5)
        if only_busy:
            kept = sheet.sample(busy, px, py) > rng.random(px.size) * 0.9 + 0.08
            px, py = px[kept], py[kept]
        reach = (length * rng.uniform(0.65, 1.2, px.size)).astype(np.float32)
        broad = (width * rng.uniform(0.7, 1.15, px.size)).astype(np.float32)
        path = paint.make_paths(px, py, angle + 0.10 * sheet.noise(rng, 0.03), reach)
        here = vary(rng, sheet.sample(scene, px, py), 6.5, 6.5)
        there = vary(rng, sheet.sample(scene, path[0][:, -1], path[1][:, -1]) * 0.5 + here * 0.5, 2.5, 4)
        paint.draw_strokes(rng, path, broad, here, there, bristle=0.085)
    return paint.shaded()


def _hills(sheet: Sheet, rng: Random, x: Array) -> list[Array]:
    """Return the heights y(x) of three ridges, from far to near, each of shape W."""
    across = x[0] / sheet.right
    phase = rng.uniform(0, 6.28, 3)
    far = (
        0.665 - 0.075 * across - 0.030 * np.sin(across * 7 + phase[0] * 0.2) - 0.012 * np.sin(across * 17 + phase[1])
    )
    middle = 0.755 - 0.035 * np.sin(across * 6.5 + 2.2) - 0.010 * np.sin(across * 15 + phase[2])
    near = 0.90 - 0.03 * np.sin(across * 4.5 + 0.6)
    return [(ridge * sheet.bottom).astype(np.float32) for ridge in (far, middle, near)]


def _sky(sheet: Sheet, rng: Random, x: Array, y: Array, horizon: Array) -> tuple[Array, Array]:
    """Return the colours and directions of the sky: a wind that whirls and stars bend."""
    u = 1 + 0 * x
    v = 0.35 * np.sin(x / sheet.right * 6.0 + 0.6) + 0.12 * sheet.noise(rng, 0.25)
    glow = np.zeros_like(x)
    for fx, fy, radius, spin in WHIRLS:
        dx, dy = x - fx * sheet.right, y - fy * sheet.bottom
        away = np.hypot(dx, dy) + 1e-4
        pull = 5 * np.exp(-((away / radius) ** 2)) / away
        u += pull * (-dy * spin - 0.18 * dx)
        v += pull * (dx * spin - 0.18 * dy)
        arms = np.cos(2 * np.arctan2(dy, dx) - spin * 9 * np.log(away / radius))
        glow += np.exp(-((away / (radius * 0.95)) ** 4)) * (0.20 + 0.30 * arms)
    for fx, fy, radius in (*STARS, MOON):
        dx, dy = x - fx * sheet.right, y - fy * sheet.bottom
        away = np.hypot(dx, dy) + 1e-4
        pull = 9 * np.exp(-((away / (radius * 1.5)) ** 4)) / away
        u, v = u - pull * dy, v + pull * dx
    angle = np.arctan2(v, u).astype(np.float32)

    # Noise is smeared along the wind, which gives bands in its direction.
    seed = sheet.noise(rng, 0.022)
    smeared = np.zeros_like(x)
    for sign in (-1, 1):
        qx, qy = x, y
        for _ in range(9):
            heading = sheet.sample(angle, qx, qy)
            qx, qy = qx + sign * 0.012 * np.cos(heading), qy + sign * 0.012 * np.sin(heading)
            smeared += sheet.sample(seed, qx, qy)
    smeared /= smeared.std()
    depth = y / horizon
    band = np.exp(-(((depth - 0.86 - 0.06 * np.sin(x / sheet.right * 9)) / 0.11) ** 2))
    tone = 0.14 + 0.22 * depth + 0.42 * band + 0.095 * smeared + glow
    scene = ramp(tone, SKY)
    for fx, fy, radius in STARS:
        away = np.hypot(x - fx * sheet.right, y - fy * sheet.bottom) / radius
        rings = away + 0.07 * np.sin(away * 13)
        scene = over(scene, ramp(rings, HALO, (0, 0.3, 0.5, 0.85, 1.2, 1.7)), 1 - smoothstep(0.9, 1.75, away))
    fx, fy, radius = MOON
    dx, dy = x - fx * sheet.right, y - fy * sheet.bottom
    away = np.hypot(dx, dy) / radius
    rings = away + 0.05 * np.sin(away * 17)
    scene = over(scene, ramp(rings, HALO[1:], (0.3, 0.62, 0.95, 1.3, 1.8)), 1 - smoothstep(1.05, 1.8, away))
    bite = np.hypot(dx + 0.26 * radius, dy + 0.08 * radius) / radius
    crescent = (away < 0.60) & (bite > 0.46)
    scene = over(scene, palette("e8962a")[0], 0.75 * (1 - smoothstep(0.5, 0.7, away)))
    return over(scene, palette("fff8cf")[0], crescent.astype(np.float32)), angle


def _land(
    sheet: Sheet, rng: Random, x: Array, y: Array, hills: list[Array], scene: Array, angle: Array, busy: Array
) -> tuple[Array, Array, Array]:
    """Add hills, and a village with lit windows in the valley; return the three arrays."""
    rough = sheet.noise(rng, 0.05, 2, (2, 0.6))
    for ridge, tone in zip(hills, (0.26, 0.44, 0.16), strict=True):
        inside = y > ridge
        below = (y - ridge) / 0.16
        folds = 0.5 + 0.5 * np.sin(below * 9 + rough * 0.9 + x * 5)
        colour = ramp(tone + 0.34 * folds + 0.10 * rough - 0.12 * below, LAND)
        if ridge is hills[0]:
            colour = over(colour, palette("3565a6")[0], np.full_like(x, 0.55))
        rim = np.exp(-(((y - ridge) / 0.006) ** 2))
        scene = np.where(inside[..., None], over(colour, palette("06121f")[0], rim * 0.8), scene)
        slope = np.arctan2(np.gradient(ridge) * sheet.unit, np.ones_like(ridge))
        angle = np.where(inside, slope[None] + 0.35 * np.sin(below * 4 + x * 6), angle).astype(np.float32)
        busy = np.where(inside, 0.25, busy)
    # The houses stand in the valley between the second ridge and the nearest one.
    count = int(11 * sheet.right)
    for k in range(count):
        fx = (0.30 + 0.66 * (k + rng.uniform(-0.3, 0.3)) / count) * sheet.right
        foot = float(np.interp(fx, x[0], hills[1])) + (0.065 + rng.uniform(-0.018, 0.045)) * sheet.bottom
        wide, tall = rng.uniform(0.028, 0.045), rng.uniform(0.022, 0.034)
        dx, dy = x - fx, foot - y
        wall = (np.abs(dx) < wide) & (dy > 0) & (dy < tall)
        roof = (dy >= tall) & (dy < tall + (wide * 1.15 - np.abs(dx)) * 0.75)
        shade = palette("2d4a78 3c6388 56779a 7d8f96")[rng.integers(4)]
        tiles = palette("7a3b2a 344a74 28405f 8a5a35")[rng.integers(4)]
        scene[wall], scene[roof] = shade, tiles
        lamp = (np.abs(dx - wide * rng.uniform(-0.4, 0.4)) < 0.0065) & (np.abs(dy - tall * 0.5) < 0.0075)
        scene[lamp] = palette("ffd95a")[0]
        angle[wall], angle[roof & (dx < 0)], angle[roof & (dx >= 0)] = 1.57, -0.65, 0.65
        busy[wall | roof] = 1
    spire = 0.62 * sheet.right
    foot = float(np.interp(spire, x[0], hills[1])) + 0.08 * sheet.bottom
    dx, dy = np.abs(x - spire), foot - y
    nave = (dx < 0.014) & (dy > 0) & (dy < 0.085)
    tip = (dy >= 0.085) & (dy < 0.205) & (dx < 0.016 * (0.205 - dy) / 0.12)
    scene[nave], scene[tip] = palette("55769b")[0], palette("1b2f55")[0]
    angle[nave | tip], busy[nave | tip] = 1.57, 1
    return scene, angle, busy


def _cypress(
    sheet: Sheet, rng: Random, x: Array, y: Array, scene: Array, angle: Array, busy: Array
) -> tuple[Array, Array, Array]:
    """Add two dark cypresses on the left, like flames; return the three arrays."""
    rough = sheet.noise(rng, 0.05, 2, (0.5, 1.4))
    for fx, top, girth in ((0.235, 0.50, 0.045), (0.155, 0.16, 0.085)):
        t = np.clip((y / sheet.bottom - top) / (1.02 - top), 0, 1)
        sway = 0.022 * np.sin(t * 7 + fx * 20)
        half = girth * t**0.75 * (1.05 - 0.35 * t**3) * (1 + 0.16 * np.sin(t * 23 + rough)) + 0.012 * rough * t
        dx = x - fx * sheet.right - sway
        inside = (np.abs(dx) < half) & (t > 0)
        side = dx / np.maximum(half, 1e-4)
        flame = np.sin(side * 5 + t * 26 + rough * 1.2)
        scene[inside] = ramp(0.36 + 0.22 * flame + 0.16 * rough - 0.12 * side, CYPRESS)[inside]
        lick = -np.pi / 2 + 0.45 * np.cos(t * 12 + side * 2) + 0.25 * side
        angle = np.where(inside, lick, angle).astype(np.float32)
        busy = np.where(inside, 0.75, busy)
    return scene, angle, busy
