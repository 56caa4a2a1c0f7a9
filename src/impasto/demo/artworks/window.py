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
COLOURS = np.concatenate([RUBY, BLUE, GOLD, GREEN, VIOLET, PALE])
# Where each kind begins in COLOURS.
_RUBY, _BLUE, _GOLD, _GREEN, _VIOLET, _PALE = (
    int(start) for start in np.cumsum([0, *map(len, (RUBY, BLUE, GOLD, GREEN, VIOLET))])
)
SECTORS = 12
TURN = 2 * np.pi / SECTORS
THIN, THICK = 0.0024, 0.0048  # half the width of the lead between pieces of glass, and between stones


def draw(sheet: Sheet, rng: Random) -> Array:
    """Draw the window, H×W×3."""
    x, y = sheet.grid()
    dx, dy = x - sheet.right / 2, y - sheet.bottom / 2
    plan = _plan(dx, dy)
    number, index = np.unique(plan.piece.ravel(), return_inverse=True)
    index = index.reshape(plan.piece.shape)

    thin, thick = _lead(index, sheet.unit), _lead(plan.stone, sheet.unit)
    glass = _glass(sheet, rng, x, y, index, len(number), COLOURS[number % len(COLOURS)], thin)
    # Daylight is strongest behind the middle, with clouds in it.
    day = 1.02 + 0.42 * np.exp(-((plan.r / 0.36) ** 2)) + 0.10 * sheet.noise(rng, 0.25, 2)
    glass = np.clip(glass * day[..., None], 0, 1.25)
    return _add_lead(sheet, rng, glass, thin, thick)


class _Plan:
    """The plan of the window, drawn piece over piece.

    Args:
        dx: horizontal distance of every pixel from the middle in units, H×W.
        dy: vertical distance, H×W.

    Attributes:
        r: distance from the middle, H×W.
        piece: number of the piece of glass at every pixel: its place × the number of colours + its colour, so that
            neighbours of one colour have different numbers.
        stone: number of the part of the stone frame that the piece is in.
    """

    def __init__(self, dx: Array, dy: Array) -> None:
        self.dx, self.dy, self.r = dx, dy, np.hypot(dx, dy)
        self.piece = np.zeros(self.r.shape, np.int64)
        self.stone = np.zeros(self.r.shape, np.int64)
        self._around = np.arctan2(dy, dx)
        self._layer = 0

    def sector(self, count: int, shift: float = 0.0) -> tuple[NDArray[np.int64], Array]:
        """Return the number of the sector at every pixel, and the angle from its middle."""
        turns = self._around / (2 * np.pi) * count + shift
        which = np.floor(turns).astype(np.int64)
        return which % count, ((turns - which - 0.5) * 2 * np.pi / count).astype(np.float32)

    def cut(
        self,
        mask: NDArray[np.bool_],
        colour: int | NDArray[np.int64],
        place: int | NDArray[np.int64],
        group: int | NDArray[np.int64],
    ) -> None:
        """Cut pieces out of `mask`, with their colours, places in this layer and parts of the frame."""
        self._layer += 1
        value = (self._layer * 4096 + place) * len(COLOURS) + colour
        self.piece[mask] = np.broadcast_to(value, self.r.shape)[mask]
        self.stone[mask] = np.broadcast_to(group, self.r.shape)[mask]


def _plan(dx: Array, dy: Array) -> _Plan:
    """Return the plan of the whole window."""
    plan = _Plan(dx, dy)
    _cut_trellis(plan)
    _cut_quatrefoils(plan)
    k48, _ = plan.sector(48)
    plan.cut(plan.r < 0.492, np.where(k48 % 2 == 0, _RUBY + k48 // 2 % 2, _GOLD + k48 // 2 % 2), k48, 3)
    _cut_roundels(plan)
    _cut_windows(plan)
    _cut_hub(plan)
    return plan


def _cut_trellis(plan: _Plan) -> None:
    """Cut the corners outside the rose: a blue trellis with ruby and gold at its crossings."""
    dx, dy = plan.dx, plan.dy
    pitch = 0.062
    a, b = (dx + dy) / pitch, (dx - dy) / pitch
    ia, ib = np.floor(a).astype(np.int64), np.floor(b).astype(np.int64)
    fa, fb = np.abs(a - ia - 0.5), np.abs(b - ib - 0.5)
    cell = (ia % 61) * 61 + ib % 61
    everywhere = np.ones_like(plan.r, bool)
    plan.cut(everywhere, _BLUE + (ia * 7 + ib * 5) % 5, cell, 1)
    plan.cut(
        np.maximum(fa, fb) < 0.24,
        np.where((ia + ib) % 3 == 0, _GOLD + (ia % 2), _RUBY + (ia + 2 * ib) % 4),
        cell,
        1,
    )


def _cut_quatrefoils(plan: _Plan) -> None:
    """Cut a quatrefoil in each corner."""
    dx, dy = plan.dx, plan.dy
    for cx, cy in ((-0.41, -0.41), (0.41, -0.41), (-0.41, 0.41), (0.41, 0.41)):
        px, py = dx - cx, dy - cy
        lobes = np.min([np.hypot(px - ox, py - oy) for ox, oy in ((0.03, 0), (-0.03, 0), (0, 0.03), (0, -0.03))], 0)
        quadrant = (px > 0).astype(np.int64) * 2 + (py > 0)
        plan.cut(np.hypot(px, py) < 0.083, _VIOLET + quadrant % 2, quadrant, 2)
        diagonal = (np.abs(px) > np.abs(py)).astype(np.int64)
        plan.cut(lobes < 0.034, np.where(diagonal == 1, _GOLD, _GREEN + 2), quadrant % 2 * 2 + diagonal, 2)
        plan.cut(np.hypot(px, py) < 0.022, _RUBY + 1, 0, 2)


def _cut_roundels(plan: _Plan) -> None:
    """Cut the ring of roundels."""
    r = plan.r
    k24, t24 = plan.sector(24, 0.5)
    half = (t24 > 0).astype(np.int64)
    plan.cut(
        r < 0.470,
        np.where(half == 0, _BLUE + k24 % 3, _BLUE + 3 + k24 % 2),
        k24 * 4 + half * 2 + (r > 0.422),
        4,
    )
    roundel = np.hypot(r * np.cos(t24) - 0.422, r * np.sin(t24))
    plan.cut(roundel < 0.043, np.where(k24 % 2 == 0, _RUBY + k24 % 4, _GREEN + k24 // 2 % 2), k24 * 2, 5)
    petals = np.floor(np.arctan2(r * np.sin(t24), r * np.cos(t24) - 0.422) / (2 * np.pi) * 6).astype(np.int64) % 6
    plan.cut(roundel < 0.030, np.where(petals % 2 == 0, _GOLD + k24 % 2, _PALE + k24 % 3), k24 * 8 + petals, 5)
    plan.cut(roundel < 0.012, np.where(k24 % 2 == 0, _BLUE + 1, _RUBY + 1), k24, 5)


def _cut_windows(plan: _Plan) -> None:
    """Cut twelve pointed windows between the hub and the roundels."""
    r = plan.r
    k12, t12 = plan.sector(SECTORS, 0.5)
    h12, s12 = plan.sector(SECTORS)
    rib = 6 + k12
    plan.cut(r < 0.372, _BLUE + (h12 + (r > 0.30)) % 3, h12 * 2 + (r > 0.30), 20 + h12)
    eye = np.hypot(r * np.cos(s12) - 0.337, r * np.sin(s12))
    plan.cut(eye < 0.032, np.where(h12 % 2 == 0, _VIOLET + 1, _GREEN + 3), h12, 20 + h12)
    plan.cut(eye < 0.017, _GOLD + h12 % 2 * 2, h12, 20 + h12)
    arch = np.clip((0.362 - r) / 0.17, 0, 1) ** 0.55 * 0.78 * TURN / 2
    light = (np.abs(t12) < arch) & (r < 0.362)
    bands = np.floor((r - 0.16) / 0.034 + 0.8 * np.cos(t12 * 11)).astype(np.int64)
    side = (t12 > 0).astype(np.int64)
    plan.cut(
        light,
        np.where(bands % 2 == 0, _RUBY + (bands + side) % 4, _VIOLET + (bands + side) % 2),
        k12 * 64 + bands * 2 + side + 16,
        rib,
    )
    inner = np.abs(t12) < arch - 0.085
    figure = light & inner & (r < 0.335)
    rows = np.floor((r - 0.18) / 0.026 - 0.9 * np.cos(t12 * 14)).astype(np.int64)
    plan.cut(
        figure,
        np.where(
            rows % 3 == 0, _PALE + k12 % 3, np.where(rows % 3 == 1, _GOLD + rows % 2, _GREEN + (k12 + rows) % 3)
        ),
        k12 * 64 + rows + 8,
        rib,
    )


def _cut_hub(plan: _Plan) -> None:
    """Cut the hub: beads, then a flower with twelve petals round a sun."""
    r = plan.r
    k48, _ = plan.sector(48)
    k12, t12 = plan.sector(SECTORS, 0.5)
    h12, s12 = plan.sector(SECTORS)
    side = (t12 > 0).astype(np.int64)
    plan.cut(r < 0.190, np.where(k48 % 2 == 0, _GOLD + 2, _RUBY + 2), k48, 40)
    plan.cut(r < 0.170, _BLUE + k12 % 3, k12 * 2 + side, 41)
    petal = np.abs(s12) < TURN / 2 * np.sqrt(np.clip(np.sin(np.pi * np.clip((r - 0.03) / 0.133, 0, 1)), 0, 1)) * 0.96
    across = (s12 > 0).astype(np.int64)
    plan.cut(petal & (r < 0.163), np.where(h12 % 2 == 0, _RUBY + across, _GOLD + 3 * across), h12 * 2 + across, 42)
    plan.cut(petal & (r > 0.085) & (r < 0.125) & (np.abs(s12) < 0.10), _PALE + h12 % 3, h12, 42)
    plan.cut(r < 0.062, _GOLD + k12 % 2, k12, 43)
    k6, _ = plan.sector(6)
    plan.cut(r < 0.040, np.where(k6 % 2 == 0, _RUBY, _VIOLET), k6, 43)
    plan.cut(r < 0.020, np.full(r.shape, _PALE, np.int64), 0, 43)


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
