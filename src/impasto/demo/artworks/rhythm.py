"""Overlapping discs in contrasting colours (after Robert and Sonia Delaunay, 1912 to 1938)."""

from __future__ import annotations

import numpy as np

from .tools import Array, Paint, Random, Sheet, over, palette, scatter, vary

WARM = palette("c8281e e8551e f49a1c f8cf3e f3e2b4 a81e4a e87a8c 7a1f2b")
COOL = palette("14306e 1f5fae 3f9ac8 0f6a5a 5aa86a 3a2a7a 7a5ab0 111a33")
INK, CREAM = palette("14131c f4ead2")

# Position as fractions of the sheet, radius in units, number of rings, and rotation in turns. Later discs cover
# earlier ones.
DISCS = (
    (0.50, 0.50, 0.86, 13, 0.35),
    (0.86, 0.16, 0.30, 5, 0.10),
    (0.10, 0.88, 0.33, 6, -0.25),
    (0.84, 0.80, 0.27, 5, 0.62),
    (0.17, 0.20, 0.25, 5, 0.80),
    (0.55, 0.45, 0.315, 7, 0.42),
    (0.335, 0.655, 0.165, 4, -0.15),
    (0.715, 0.615, 0.105, 3, 0.95),
)


def draw(sheet: Sheet, rng: Random) -> Array:
    """Paint the discs, H×W×3."""
    x, y = sheet.grid()
    wobble = 0.0028 * sheet.noise(rng, 0.06)
    scene = np.zeros((sheet.height, sheet.width, 3), np.float32)
    angle = np.zeros_like(x)
    border = np.zeros_like(x)
    edge = np.zeros_like(x)
    for fx, fy, radius, rings, turn in DISCS:
        dx, dy = x - fx * sheet.right + wobble, y - fy * sheet.bottom - wobble
        if radius > 0.8:
            radius *= max(sheet.right, sheet.bottom)
        away = np.hypot(dx, dy) / radius
        bounds = np.concatenate([[0], np.cumsum(rng.uniform(0.7, 1.35, rings))])
        bounds /= bounds[-1]
        ring = np.clip(np.searchsorted(bounds, away, side="right") - 1, 0, rings - 1)
        around = np.arctan2(dy, dx) / (2 * np.pi) + turn
        quarter = np.floor(around * 4).astype(int) % 4
        hues = _hues(rng, rings)
        colour = hues[ring, quarter]
        # In a ring, the colour of each quarter blends a little into that of the next.
        swing = (around * 4) % 1
        colour = over(colour, hues[ring, (quarter + 1) % 4], (0.26 * swing**3).astype(np.float32))
        inside = away < 1
        gap = np.min(np.abs(away[..., None] - bounds), axis=-1) * radius
        side = np.abs(swing - np.round(swing)) * away * radius * np.pi / 2
        scene = np.where(inside[..., None], colour, scene).astype(np.float32)
        angle = np.where(inside, np.arctan2(dy, dx) + np.pi / 2, angle).astype(np.float32)
        edge = np.where(inside, np.exp(-((np.minimum(gap, side) / 0.018) ** 2)), edge)
        # Strokes at borders follow them: round the rings, and outward between quarters.
        border = np.where(inside, np.arctan2(dy, dx) + np.where(side < gap, 0, np.pi / 2), border)
    return _paint_discs(sheet, rng, scene, angle, border.astype(np.float32), edge.astype(np.float32))


def _hues(rng: Random, rings: int) -> Array:
    """Return the colours of a disc, rings×4×3: warm beside cool at every border, sometimes cream or black."""
    table = np.zeros((rings, 4, 3), np.float32)
    for ring in range(rings):
        warm, cool = rng.permutation(len(WARM)), rng.permutation(len(COOL))
        for quarter in range(4):
            side = (ring + quarter) % 2
            table[ring, quarter] = WARM[warm[quarter]] if side else COOL[cool[quarter]]
    for _ in range(max(1, rings // 3)):
        table[rng.integers(rings), rng.integers(4)] = CREAM
    table[rng.integers(rings), rng.integers(4)] = INK
    return table


def _paint_discs(sheet: Sheet, rng: Random, scene: Array, angle: Array, border: Array, edge: Array) -> Array:
    """Paint the discs with strokes round their centres, finer ones at the borders."""
    paint = Paint(sheet, palette("d8c8a4")[0])
    cloud = 0.10 * sheet.noise(rng, 0.12, 2)[..., None]
    scene = np.clip(scene * (1 + cloud), 0, 1)
    sway = 0.22 * sheet.noise(rng, 0.08)
    passes = ((0.024, 0.070, 2.4, False), (0.014, 0.045, 2.0, False), (0.0095, 0.036, 3.4, True))
    for width, length, cover, fine in passes:
        px, py = scatter(rng, sheet, (width * length / cover) ** 0.5)
        if fine:
            kept = sheet.sample(edge, px, py) > rng.random(px.size)
            px, py = px[kept], py[kept]
        reach = (length * rng.uniform(0.6, 1.2, px.size)).astype(np.float32)
        broad = (width * rng.uniform(0.65, 1.15, px.size)).astype(np.float32)
        path = paint.make_paths(px, py, border if fine else angle + sway, reach)
        here = vary(rng, sheet.sample(scene, px, py), 4.5, 4)
        paint.draw_strokes(rng, path, broad, here, vary(rng, here, 3, 4), bristle=0.07)
    return paint.shaded(0.045)
