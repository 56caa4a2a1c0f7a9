"""A rose window: coloured glass in lead with daylight behind it (after those of cathedrals of about 1230)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.color import hsv2rgb, rgb2hsv

from .tools import Array, Random, Sheet, over, palette, smoothstep

RUBY = palette("b3121d d8232a 8e0f2e e0442a")
BLUE = palette("12309c 1c52c8 2f7be0 0f1f6e 3a5ad0")
GOLD = palette("ffd23c f7a91e ffe68a ef7f1a")
GREEN = palette("0f7a4a 3aa655 8cc63f 117c7c")
VIOLET = palette("5a1f8e 8a3ab8 c45aa8")
PALE = palette("f6efd0 d8ecf0 ffe9b8")
SECTORS = 12
TURN = 2 * np.pi / SECTORS
THIN, THICK = 0.0024, 0.0048  # half the width of the lead between pieces of glass, and between stones


def draw(sheet: Sheet, rng: Random) -> Array:
    """Draw the window, H×W×3."""
    x, y = sheet.grid()
    dx, dy = x - sheet.right / 2, y - sheet.bottom / 2
    r = np.hypot(dx, dy)
    piece, stone, colours = _plan(dx, dy, r)
    number, index = np.unique(piece.ravel(), return_inverse=True)
    index = index.reshape(piece.shape)

    thin, thick = _lead(index, sheet.unit), _lead(stone, sheet.unit)
    glass = _glass(sheet, rng, x, y, index, len(number), colours[number % len(colours)], thin)
    # Daylight is strongest behind the middle, with clouds in it.
    day = 1.02 + 0.42 * np.exp(-((r / 0.36) ** 2)) + 0.10 * sheet.noise(rng, 0.25, 2)
    glass = np.clip(glass * day[..., None], 0, 1.25)
    return _add_lead(sheet, rng, glass, thin, thick)


def _plan(dx: Array, dy: Array, r: Array) -> tuple[NDArray[np.int64], NDArray[np.int64], Array]:
    """Return the plan of the window: the number of the piece and of the stone at every pixel, and the colours.

    The number of a piece is its place × the number of colours + its colour, so that neighbours of one colour differ.
    """
    colours = np.concatenate([RUBY, BLUE, GOLD, GREEN, VIOLET, PALE])
    starts = np.cumsum([0, len(RUBY), len(BLUE), len(GOLD), len(GREEN), len(VIOLET)])
    ruby, blue, gold, green, violet, pale = (int(s) for s in starts)
    spread = len(colours)
    piece = np.zeros(r.shape, np.int64)
    stone = np.zeros(r.shape, np.int64)
    around = np.arctan2(dy, dx)

    def sector(count: int, shift: float = 0.0) -> tuple[NDArray[np.int64], Array]:
        """Return the number of the sector at every pixel, and the angle from its middle."""
        turns = around / (2 * np.pi) * count + shift
        which = np.floor(turns).astype(np.int64)
        return which % count, ((turns - which - 0.5) * 2 * np.pi / count).astype(np.float32)

    layer = 0

    def cut(
        mask: NDArray[np.bool_],
        colour: int | NDArray[np.int64],
        place: int | NDArray[np.int64],
        group: int | NDArray[np.int64],
    ) -> None:
        nonlocal layer
        layer += 1
        value = (layer * 4096 + place) * spread + colour
        piece[mask] = np.broadcast_to(value, r.shape)[mask]
        stone[mask] = np.broadcast_to(group, r.shape)[mask]

    # The corners outside the rose: a blue trellis with ruby and gold at its crossings.
    pitch = 0.062
    a, b = (dx + dy) / pitch, (dx - dy) / pitch
    ia, ib = np.floor(a).astype(np.int64), np.floor(b).astype(np.int64)
    fa, fb = np.abs(a - ia - 0.5), np.abs(b - ib - 0.5)
    cell = (ia % 61) * 61 + ib % 61
    everywhere = np.ones_like(r, bool)
    cut(everywhere, blue + (ia * 7 + ib * 5) % 5, cell, 1)
    cut(
        np.maximum(fa, fb) < 0.24,
        np.where((ia + ib) % 3 == 0, gold + (ia % 2), ruby + (ia + 2 * ib) % 4),
        cell,
        1,
    )
    # Quatrefoils in these corners.
    for cx, cy in ((-0.41, -0.41), (0.41, -0.41), (-0.41, 0.41), (0.41, 0.41)):
        px, py = dx - cx, dy - cy
        lobes = np.min([np.hypot(px - ox, py - oy) for ox, oy in ((0.03, 0), (-0.03, 0), (0, 0.03), (0, -0.03))], 0)
        quadrant = (px > 0).astype(np.int64) * 2 + (py > 0)
        cut(np.hypot(px, py) < 0.083, violet + quadrant % 2, quadrant, 2)
        diagonal = (np.abs(px) > np.abs(py)).astype(np.int64)
        cut(lobes < 0.034, np.where(diagonal == 1, gold, green + 2), quadrant % 2 * 2 + diagonal, 2)
        cut(np.hypot(px, py) < 0.022, ruby + 1, 0, 2)

    rose = r < 0.492
    k48, _ = sector(48)
    cut(rose, np.where(k48 % 2 == 0, ruby + k48 // 2 % 2, gold + k48 // 2 % 2), k48, 3)
    k24, t24 = sector(24, 0.5)
    k12, t12 = sector(SECTORS, 0.5)
    h12, s12 = sector(SECTORS)
    # A ring of roundels.
    half = (t24 > 0).astype(np.int64)
    cut(
        r < 0.470,
        np.where(half == 0, blue + k24 % 3, blue + 3 + k24 % 2),
        k24 * 4 + half * 2 + (r > 0.422),
        4,
    )
    roundel = np.hypot(r * np.cos(t24) - 0.422, r * np.sin(t24))
    cut(roundel < 0.043, np.where(k24 % 2 == 0, ruby + k24 % 4, green + k24 // 2 % 2), k24 * 2, 5)
    petals = np.floor(np.arctan2(r * np.sin(t24), r * np.cos(t24) - 0.422) / (2 * np.pi) * 6).astype(np.int64) % 6
    cut(roundel < 0.030, np.where(petals % 2 == 0, gold + k24 % 2, pale + k24 % 3), k24 * 8 + petals, 5)
    cut(roundel < 0.012, np.where(k24 % 2 == 0, blue + 1, ruby + 1), k24, 5)
    # Twelve pointed windows between the hub and the roundels.
    rib = 6 + k12
    cut(r < 0.372, blue + (h12 + (r > 0.30)) % 3, h12 * 2 + (r > 0.30), 20 + h12)
    eye = np.hypot(r * np.cos(s12) - 0.337, r * np.sin(s12))
    cut(eye < 0.032, np.where(h12 % 2 == 0, violet + 1, green + 3), h12, 20 + h12)
    cut(eye < 0.017, gold + h12 % 2 * 2, h12, 20 + h12)
    arch = np.clip((0.362 - r) / 0.17, 0, 1) ** 0.55 * 0.78 * TURN / 2
    light = (np.abs(t12) < arch) & (r < 0.362)
    bands = np.floor((r - 0.16) / 0.034 + 0.8 * np.cos(t12 * 11)).astype(np.int64)
    side = (t12 > 0).astype(np.int64)
    cut(
        light,
        np.where(bands % 2 == 0, ruby + (bands + side) % 4, violet + (bands + side) % 2),
        k12 * 64 + bands * 2 + side + 16,
        rib,
    )
    inner = np.abs(t12) < arch - 0.085
    figure = light & inner & (r < 0.335)
    rows = np.floor((r - 0.18) / 0.026 - 0.9 * np.cos(t12 * 14)).astype(np.int64)
    cut(
        figure,
        np.where(rows % 3 == 0, pale + k12 % 3, np.where(rows % 3 == 1, gold + rows % 2, green + (k12 + rows) % 3)),
        k12 * 64 + rows + 8,
        rib,
    )
    # The hub: beads, then a flower with twelve petals round a sun.
    cut(r < 0.190, np.where(k48 % 2 == 0, gold + 2, ruby + 2), k48, 40)
    cut(r < 0.170, blue + k12 % 3, k12 * 2 + side, 41)
    petal = np.abs(s12) < TURN / 2 * np.sqrt(np.clip(np.sin(np.pi * np.clip((r - 0.03) / 0.133, 0, 1)), 0, 1)) * 0.96
    across = (s12 > 0).astype(np.int64)
    cut(petal & (r < 0.163), np.where(h12 % 2 == 0, ruby + across, gold + 3 * across), h12 * 2 + across, 42)
    cut(petal & (r > 0.085) & (r < 0.125) & (np.abs(s12) < 0.10), pale + h12 % 3, h12, 42)
    cut(r < 0.062, gold + k12 % 2, k12, 43)
    k6, _ = sector(6)
    cut(r < 0.040, np.where(k6 % 2 == 0, ruby, violet), k6, 43)
    cut(r < 0.020, np.full(r.shape, pale, np.int64), 0, 43)
    return piece, stone, colours


def _lead(label: NDArray[np.int64], unit: int) -> Array:
    """Return the distance of every pixel from the nearest border between labels, in units."""
    border = np.zeros(label.shape, bool)
    border[:, 1:] |= label[:, 1:] != label[:, :-1]
    border[1:] |= label[1:] != label[:-1]
    pixels = np.asarray(ndimage.distance_transform_edt(~border), np.float32)
    return pixels / unit


def _glass(
    sheet: Sheet,
    rng: Random,
    x: Array,
    y: Array,
    index: NDArray[np.int64],
    count: int,
    base: Array,
    depth: Array,
) -> Array:
    """Return the colours of the glass: each piece has its own shade, gradient and streaks, and painted lines."""
    hsv = rgb2hsv(base).astype(np.float32)
    hsv[:, 0] = (hsv[:, 0] + rng.normal(0, 0.010, count)) % 1
    hsv[:, 1] = np.clip(hsv[:, 1] * rng.uniform(0.86, 1.08, count), 0, 1)
    hsv[:, 2] = np.clip(hsv[:, 2] * rng.uniform(0.72, 1.15, count), 0, 1)
    flat = hsv2rgb(hsv).astype(np.float32)[index]
    # A gradient across each piece.
    size = np.bincount(index.ravel(), minlength=count)
    middle = [np.bincount(index.ravel(), p.ravel(), count) / size for p in (x, y)]
    lean = rng.uniform(0, 2 * np.pi, count)
    slope = (x - middle[0][index]) * np.cos(lean)[index] + (y - middle[1][index]) * np.sin(lean)[index]
    tone = 1 + np.clip(slope * 9, -0.32, 0.32)
    # Streaks of uneven thickness, along one of two directions.
    streaks = np.where(
        (rng.random(count) < 0.5)[index],
        sheet.noise(rng, 0.011, 2, (4, 0.8)),
        sheet.noise(rng, 0.011, 2, (0.8, 4)),
    )
    tone += 0.13 * streaks + 0.07 * sheet.noise(rng, 0.006)
    tone += 0.55 * smoothstep(2.3, 3.0, sheet.noise(rng, 0.008))
    # Painting on the glass: shading towards the lead, and a fine line beside it.
    tone *= 0.66 + 0.34 * smoothstep(0.0, 0.012, depth)
    traced = np.exp(-(((depth - 0.0062) / 0.0010) ** 2)) * (0.26 + 0.16 * sheet.noise(rng, 0.02))
    tone *= 1 - np.clip(traced, 0, 0.75)
    lit = flat * tone[..., None]
    # Colours are paler where much light comes through.
    return over(lit, palette("fff4d8")[0], 0.26 * smoothstep(1.05, 1.6, tone.astype(np.float32))).astype(np.float32)


def _add_lead(sheet: Sheet, rng: Random, glass: Array, thin: Array, thick: Array) -> Array:
    """Draw rounded, dull lead over the glass, with a glow of light around it."""
    reach = np.maximum(1 - thin / THIN, 1 - thick / THICK)
    pixel = 1 / (THIN * sheet.unit)
    cover = smoothstep(-pixel, pixel, reach)
    bump = np.sqrt(np.clip(1 - (1 - np.clip(reach, 0, 1)) ** 2, 0, 1))
    slope = ndimage.sobel(ndimage.gaussian_filter(bump, 1.0), 1) + ndimage.sobel(
        ndimage.gaussian_filter(bump, 1.0), 0
    )
    worn = sheet.noise(rng, 0.012, 2)
    grey = 0.055 + 0.022 * worn + np.clip(0.11 * slope, -0.04, 0.32)
    lead = np.clip(grey, 0.01, 1)[..., None] * palette("d4dcec")[0]
    picture = over(glass, lead, cover)
    sigma = 0.010 * sheet.unit
    halo = np.stack([ndimage.gaussian_filter(np.clip(picture[..., c] - 0.35, 0, 1), sigma) for c in range(3)], -1)
    return np.clip(picture + 0.42 * halo, 0, 1).astype(np.float32)
