"""What optimising a picture will need, and the tiles and history that keep it within a budget.

The prediction counts what is alive at the busiest moments, in pictures (1×3×H×W float32), features and pairs of
L-BFGS; `benchmarks/memory.py` compares it with what processes really took.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ...encoders.tiles import SMALLEST, halo, largest
from ...encoders.vgg import VGG
from ...errors import RequestError
from ...memory import allowed, describe, in_use
from ...weights.layers import layer_stride

_PICTURE = 3 * 4  # bytes a pixel of a picture
_SPARE = 180e6  # kernels in both directions, matrices, the libraries' own buffers
_SLACK = 1.2  # what the allocator loses between blocks of different sizes
_ENOUGH = 512  # a tile of that side takes 1.7 times the work of its pixels: below, a shorter history saves more
_FEW = 5  # pairs of L-BFGS below which smaller tiles are the better saving

# Pictures alive beside the features, counted in `Descent` and the optimisers at each moment; those of learned steps,
# whose own features come and go, after what processes took at 2048 px.
_WHILE_ENCODING = {"lbfgs": 7, "adam": 7, "learned": 18}
_WHILE_MOVING = {"lbfgs": 12, "adam": 8, "learned": 30}
_TOTAL_VARIATION = 8  # of its autograd


@dataclass(frozen=True)
class Plan:
    """How a stage is worked on.

    Attributes:
        tile: side of a tile in pixels; None for the whole picture at once.
        history: pairs L-BFGS keeps.
        peak: predicted peak memory of the process (on a GPU: of its allocations) in bytes.
    """

    tile: int | None
    history: int
    peak: float


@dataclass(frozen=True)
class Stage:
    """What the memory of a stage depends on.

    Attributes:
        size: height and width of the picture.
        styles: height and width of each style picture.
        steps: to be made; a short stage never fills the history.
        content: canonical layers of the content loss.
        layers: canonical layers of all losses.
    """

    size: tuple[int, int]
    styles: Sequence[tuple[int, int]]
    steps: int
    content: Sequence[str]
    layers: Sequence[str]


@dataclass(frozen=True)
class Optimisation:
    """What its memory depends on beside the stage.

    Attributes:
        optimizer: what moves the picture.
        history: pairs that L-BFGS is to keep.
        pictures: kept all the while, beside the one that is moved.
        copies: bytes for each feature of the statistics' own copies.
        whole_too: whether there are copies where the picture is not in tiles.
        tv: whether total variation is part of the loss.
    """

    optimizer: Literal["lbfgs", "adam", "learned"]
    history: int
    pictures: int = 1
    copies: int = 0
    whole_too: bool = False
    tv: bool = False


def predict(stage: Stage, by: Optimisation, encoder: VGG, tile: int | None, history: int) -> float:
    """Bytes that a stage needs at its peak, beside what the process holds before."""
    pixels = math.prod(stage.size)
    picture = _PICTURE * pixels
    targets = sum(encoder.channels(layer) / layer_stride(layer) ** 2 for layer in stage.content)
    held = targets * encoder.dtype.itemsize * pixels
    held += picture * by.pictures
    kind = by.optimizer
    if kind == "lbfgs":
        held += 2 * picture * min(history + 1, stage.steps)
        held += picture / 6  # the preconditioner's gains
    encoding = picture * _WHILE_ENCODING[kind] + _features(stage, by, encoder, stage.size, tile)
    moments = [encoding, picture * _WHILE_MOVING[kind]]
    if by.tv:
        moments.append(picture * (_WHILE_ENCODING[kind] + _TOTAL_VARIATION))
    busiest = held + max(moments)
    # Before any of it, the style pictures are encoded one after another; a forward pass alone needs less.
    styled = [_PICTURE * math.prod(size) + _features(stage, by, encoder, size, tile) for size in stage.styles]
    return max([busiest, *(2 * picture + each for each in styled)]) * _SLACK + _SPARE


def _features(stage: Stage, by: Optimisation, encoder: VGG, size: tuple[int, int], tile: int | None) -> float:
    """Bytes of the largest tile's features."""
    if not stage.layers:
        return 0.0
    crop, core, tiles = largest(encoder.spec, stage.layers, *size, tile)
    copied = max(encoder.channels(layer) / layer_stride(layer) ** 2 for layer in stage.layers) * by.copies
    return crop * encoder.bytes_per_pixel(stage.layers) + core * copied * (tiles > 1 or by.whole_too)


def least(stage: Stage, by: Optimisation, encoder: VGG) -> float:
    """Bytes that a stage needs in the smallest tiles and with the shortest history, beside what is in use before."""
    return predict(stage, by, encoder, _sides(stage, encoder)[-1], _shortest(by))


def plan_within(memory: int | None, stage: Stage, by: Optimisation, encoder: VGG) -> Plan:
    """A plan within a budget in bytes; without one, within most of what is free.

    Raises:
        RequestError: nothing fits the budget.
    """
    on = encoder.device
    return make_plan(stage, by, encoder, used=in_use(on), budget=allowed(memory, on), strict=memory is not None)


def told(plan: Plan, by: Optimisation, tile: int | None, size: tuple[int, int]) -> list[str]:
    """What a painting should say of how it keeps within bounds, if anything.

    Args:
        plan: as made.
        by: as asked for.
        tile: in use, which may have become smaller.
        size: height and width of the picture.
    """
    parts: list[str] = []
    if tile is not None and tile < max(size):
        parts.append(f"tiles of {tile} px")
    if by.optimizer == "lbfgs" and plan.history < by.history:
        parts.append(f"{plan.history} of {by.history} pairs")
    return parts


def make_plan(stage: Stage, by: Optimisation, encoder: VGG, *, used: float, budget: float, strict: bool) -> Plan:
    """The largest tiles and the longest history that fit.

    Args:
        stage: what is to be painted.
        by: how.
        encoder: as it will be used.
        used: bytes in use before.
        budget: bytes the process may use at most.
        strict: refuse what does not fit, instead of trying with the least.

    Raises:
        RequestError: nothing fits, and the budget is `strict`.
    """
    wanted = by.history
    sides = _sides(stage, encoder)

    def planned(side: int | None, history: int) -> Plan:
        return Plan(side, history, used + predict(stage, by, encoder, side, history))

    # The longest history that fits, by side; 0 where none does.
    longest = {
        side: bisect.bisect_right(range(1, wanted + 1), budget, key=lambda n, side=side: planned(side, n).peak)
        for side in sides
    }
    efficient = [side for side in sides if side is None or side >= _ENOUGH]
    # The history first: a shorter one makes, if hardly, another picture; smaller tiles only take longer.
    for fewest, among in ((_FEW, efficient), (1, sides)):
        side = max(among, key=lambda side: longest[side])  # of equals the first, which is the largest
        if longest[side] >= min(fewest, wanted):
            return planned(side, longest[side])
    smallest = planned(sides[-1], _shortest(by))
    if not strict:
        return smallest
    height, width = stage.size
    raise RequestError(
        f"memory is {describe(budget)}; painting {width}×{height} pixels takes at least "
        f"{describe(smallest.peak * 1.005)}: raise --memory, or paint with a smaller --size"
    )


def _shortest(by: Optimisation) -> int:
    return 1 if by.optimizer == "lbfgs" else by.history


def _sides(stage: Stage, encoder: VGG) -> list[int | None]:
    """Sides of tiles worth trying, the largest first: None for the whole, then each √2 shorter."""
    longest = max(stage.size)
    least = max(SMALLEST, halo(encoder.spec, stage.layers) if stage.layers else SMALLEST)
    sides: list[int | None] = [None]
    side = longest / math.sqrt(2)
    while side >= least:
        sides.append(round(side))
        side /= math.sqrt(2)
    return sides
