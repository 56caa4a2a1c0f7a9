"""Evening on a river, in dots of pure colours (after Seurat and Signac, about 1886)."""

from __future__ import annotations

import numpy as np
from skimage.color import rgb2lab

from .tools import Array, Paint, Random, Sheet, over, palette, ramp, scatter, smoothstep, vary

PIGMENTS = palette(
    "fff6dc ffe98a ffc83c ff9a3c f26a3a d63f4c e88aa0 b04a94 6a3f9c 3a3fa6 2f6fc4 6fb4e0 bfe0e6 "
    "2a9a9a 1f7a54 5aa83c a8cc4a e4e070 23285c 14402f 5a2a4a"
)
SKY = palette("4a70bc 7c9cd6 b4b4dc f0bfae ffb65e ff8f48")
HILLS = palette("7a78b8 a58fb4")
GRASS = palette("2c6a44 5f9a3c b7c850 f0d860")
LEAVES = palette("10283c 1c4a44 2f7040 6fa03c d8c04a")
SUN = (0.60, 0.385)


def draw(sheet: Sheet, rng: Random) -> Array:
    """Paint the river, H×W×3."""
    scene = _scene(sheet, rng)
    paint = Paint(sheet, palette("efe3c6")[0])
    lab = rgb2lab(PIGMENTS).astype(np.float32)
    level = 0 * scene[..., 0]
    for size, cover, spread, pure in (
        (0.0170, 2.0, 9, 0.30),
        (0.0125, 1.7, 15, 0.62),
        (0.0088, 1.15, 19, 0.80),
    ):
        px, py = scatter(rng, sheet, size / cover**0.5)
        target = vary(rng, sheet.sample(scene, px, py), 3, 3)
        # Each dot has the pigment nearest to its colour after a random shift in CIE Lab. Over neighbouring dots the
        # shifts cancel out, so that the eye mixes the right colour, and complementary colours are side by side.
        push = rng.standard_normal((px.size, 3)).astype(np.float32) * np.array([0.55, 1.15, 1.15], np.float32)
        wanted = rgb2lab(target).astype(np.float32) + spread * push
        gap = ((wanted[:, None] - lab) * np.array([1.25, 1, 1], np.float32)) ** 2
        pigment = PIGMENTS[gap.sum(-1).argmin(1)]
        colour = np.clip(target * (1 - pure) + pigment * pure, 0, 1)
        angle = level + rng.uniform(0, 3.14)
        broad = (size * rng.uniform(0.75, 1.15, px.size)).astype(np.float32)
        path = paint.make_paths(px, py, angle, (broad * 1.2).astype(np.float32), knots=3)
        paint.draw_strokes(rng, path, broad, colour, colour, bristle=0.03, ragged=0.05, blunt=2)
    return paint.shaded(0.035)


def _scene(sheet: Sheet, rng: Random) -> Array:
    """Return what the dots show: sky, hills, the far bank and its reflection, the near bank with a tree."""
    x, y = sheet.grid()
    u, v = x / sheet.right, y / sheet.bottom
    shore = 0.50
    upper = _far(sheet, rng, u, v, shore)

    # The water reflects everything above the shore, squeezed and broken by ripples.
    depth = np.clip(v - shore, 0, 1)
    ripple = sheet.noise(rng, 0.03, 2, (3.5, 0.5)) * (0.006 + 0.05 * depth)
    mirrored = sheet.sample(upper, x + ripple * 0.6, (shore - depth * 0.92 - ripple) * sheet.bottom)
    water = over(mirrored, palette("3f6ea8")[0], 0.16 + 0.45 * depth)
    glint = smoothstep(0.75, 1.5, sheet.noise(rng, 0.028, 1, (4, 0.4)))
    near_sun = np.exp(-(((u - SUN[0]) / (0.05 + 0.20 * depth)) ** 2))
    water = over(water, palette("ffdf8a")[0], np.clip(glint * (0.10 + 0.90 * near_sun) + 0.25 * near_sun, 0, 0.9))
    scene = np.where((v > shore)[..., None], water, upper)
    _boats(scene, u, v, sheet)
    _near_bank(scene, sheet, rng, u, v)
    return scene.astype(np.float32)


def _far(sheet: Sheet, rng: Random, u: Array, v: Array, shore: float) -> Array:
    """Return what is above the shore: a sky with clouds and a low sun, violet hills, a row of trees, and poplars."""
    clouds = sheet.noise(rng, 0.16, 3, (2.6, 0.6))
    scene = ramp(v / shore + 0.05 * clouds, SKY)
    bank = smoothstep(0.25, 1.3, clouds) * (0.65 - 0.5 * v)
    scene = over(scene, palette("ffd9c4")[0], np.clip(bank, 0, 1))
    under = smoothstep(0.25, 1.3, np.roll(clouds, -sheet.unit // 40, 0)) * 0.5
    scene = over(scene, palette("9d8fc4")[0], np.clip(under - bank, 0, 1))
    away = np.hypot((u - SUN[0]) * sheet.right, (v - SUN[1]) * sheet.bottom)
    scene = over(scene, palette("ffa038")[0], 0.9 * np.exp(-away / 0.12))
    scene = over(scene, palette("fff6c8")[0], 1 - smoothstep(0.040, 0.046, away))
    rough = sheet.noise(rng, 0.05, 2)
    for height, tone in ((0.085, 0.9), (0.055, 0.1)):
        ridge = shore - height - 0.028 * np.sin(u * 7 + tone * 9) - 0.016 * np.sin(u * 15 + tone)
        scene = over(scene, ramp(np.full_like(u, tone) + 0.2 * rough, HILLS), smoothstep(0, 0.006, v - ridge))
    tree = sheet.noise(rng, 0.045, 3)
    line = shore - 0.030 - 0.016 * tree - 0.045 * smoothstep(0.70, 1.0, u) - 0.03 * smoothstep(0.35, 0.0, u)
    shade = ramp(0.42 + 0.16 * tree + (line - v + 0.05) * 5, LEAVES)
    scene = over(scene, shade, smoothstep(0, 0.008, v - line))
    for fu, top, girth in (
        (0.80, 0.255, 0.018),
        (0.852, 0.205, 0.021),
        (0.905, 0.235, 0.020),
        (0.958, 0.18, 0.023),
    ):
        t = np.clip((v - top) / (shore - top), 0, 1)
        half = girth * np.clip(np.sin(np.pi * t**0.62), 0, 1) ** 0.7 * (1 + 0.22 * rough)
        inside = (np.abs(u - fu) < half / sheet.right) & (v < shore - 0.005)
        lit = 0.48 - 14 * (u - fu) * sheet.right + 0.14 * tree
        scene = np.where(inside[..., None], ramp(lit, LEAVES), scene)
    return scene


def _boats(scene: Array, u: Array, v: Array, sheet: Sheet) -> None:
    """Add three sailing boats with broken reflections."""
    for fu, foot, tall in ((0.455, 0.600, 0.170), (0.715, 0.540, 0.085), (0.345, 0.528, 0.050)):
        du, dv = (u - fu) * sheet.right, foot - v
        t = dv / tall
        sail = (t > 0.10) & (t < 1) & (du > -0.02 * tall) & (du < (1 - t) * tall * 0.46 + 0.003)
        jib = (t > 0.10) & (t < 0.82) & (du < -0.05 * tall) & (-du < (0.84 - t) * tall * 0.36)
        hull = (np.abs(dv) < 0.065 * tall) & (np.abs(du - 0.03 * tall) < (0.36 + dv / tall) * tall)
        mirror = (
            (dv < -0.06 * tall) & (dv > -0.75 * tall) & (du > -0.3 * tall * (1 + t)) & (du < 0.42 * tall * (1 + t))
        )
        scene[mirror & (np.sin(v * 330) > -0.35)] = palette("f2dfc4")[0]
        scene[sail], scene[jib] = palette("fff3da")[0], palette("f4b98a")[0]
        scene[hull] = palette("4a2450")[0]


def _near_bank(scene: Array, sheet: Sheet, rng: Random, u: Array, v: Array) -> None:
    """Add grass with long shadows, a leaning tree on the left, and a woman with a parasol."""
    rough = sheet.noise(rng, 0.04, 3, (1.6, 0.6))
    edge = 0.735 + 0.30 * smoothstep(0.22, 1.05, u) - 0.02 * np.sin(u * 9) + 0.006 * rough
    edge = edge - 0.05 * smoothstep(0.86, 1.0, u)
    grass = v > edge
    shadow = smoothstep(0.1, 0.9, np.sin((u * 1.2 + v * 3.1) * 9 + rough * 0.5))
    tone = 0.74 - 0.55 * shadow + 0.13 * rough
    meadow = over(ramp(tone, GRASS), palette("3d4f9a")[0], 0.38 * shadow)
    scene[grass] = meadow[grass]
    scene[grass & (v < edge + 0.012)] = palette("f0dc78")[0]
    flowers = grass & (sheet.noise(rng, 0.016) > 1.75)
    scene[flowers] = palette("ee6a5a f6f0d8 c46ab0")[rng.integers(3)]

    leaf = sheet.noise(rng, 0.05, 3)
    lean = 0.135 + 0.05 * np.sin((0.9 - v) * 2.6)
    trunk = (np.abs(u - lean) * sheet.right < 0.020 + 0.03 * smoothstep(0.70, 0.92, v)) & (v > 0.12) & (v < 0.90)
    bark = ramp(0.5 + 9 * (u - lean) + 0.16 * leaf, palette("241a4a 54305c a0604a e8a050"))
    scene[trunk] = bark[trunk]
    branch = (np.abs(v - (0.36 - 0.55 * (u - 0.17))) * sheet.bottom < 0.008) & (u > 0.17) & (u < 0.42)
    scene[branch] = palette("43285a")[0]
    crown = np.zeros_like(u)
    for fu, fv, radius in (
        (0.02, 0.05, 0.20), (0.20, 0.03, 0.19), (0.37, 0.04, 0.13), (0.05, 0.25, 0.13), (0.29, 0.17, 0.10),
        (0.44, 0.15, 0.065), (0.17, 0.20, 0.09), (0.51, 0.04, 0.07),
    ):  # fmt: skip
        away = np.hypot((u - fu) * sheet.right, (v - fv) * sheet.bottom) / radius
        crown = np.maximum(crown, 1.25 - away)
    inside = crown + 0.13 * leaf > 0.28
    light = 0.24 + 0.17 * leaf + 0.55 * (u - 0.12) + 0.30 * (0.8 - crown)
    scene[inside] = ramp(light, LEAVES)[inside]

    du, dv = (u - 0.335) * sheet.right, (0.90 - v) * sheet.bottom
    skirt = (dv > 0) & (dv < 0.12) & (np.abs(du) < 0.040 - 0.24 * dv + 0.015 * np.sin(dv * 26))
    bodice = (dv >= 0.105) & (dv < 0.165) & (np.abs(du) < 0.016)
    head = np.hypot(du - 0.002, dv - 0.182) < 0.0125
    hat = (np.abs(dv - 0.193) < 0.006) & (np.abs(du) < 0.021)
    pole = (np.abs(du - 0.030 - (dv - 0.19) * 0.18) < 0.0025) & (dv > 0.11) & (dv < 0.225)
    cx, cy = du - 0.036, dv - 0.215
    parasol = (cx**2 / 0.066**2 + cy**2 / 0.040**2 < 1) & (cy > 0)
    for mask, colour in (
        (skirt, "5a2f86"), (skirt & (du > 0.012), "c06a8c"), (bodice, "3a2f7c"), (head, "f0b48c"),
        (hat, "2a1f5a"), (pole, "3a2448"), (parasol, "e0503c"), (parasol & (cx > 0.01), "ffb04a"),
    ):  # fmt: skip
        scene[mask] = palette(colour)[0]
    cast = (np.abs(dv + 0.006 + 0.03 * (du + 0.12)) < 0.010) & (du < 0) & (du > -0.17)
    scene[cast] = palette("2a3a6c")[0]
