"""The exact search for pictures small enough that the scores of all pairs of patches fit in one table: for GPUs.

A row of a photo at a time, as `exact` has it, is thousands of small operations, each of which costs a GPU as much
as one over the whole table. So is `coherence`, and it asks how many patches are left. Here several photos are matched
in some hundreds of operations, and nothing is waited for.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .coherence import BESIDE, QUARTERS, ROUNDS, landed, neighbours, shifts, worth_of_one
from .exact import Source, products

COPIES = 4
"""Tables that are in memory at once."""


def scores_of_all(pixels: Tensor, source: Source, patch: int, stride: int) -> Tensor:
    """Of every patch of photos, N×H×W×C, with every patch of a style: N×ny×nx×nv×nu float32."""
    count, height, width, channels = pixels.shape
    style = source.pixels(slice(None))
    every = products(pixels.reshape(-1, channels), style.flatten(0, 1)).view(count, height, width, *style.shape[:2])
    ny, nx = (height - patch) // stride + 1, (width - patch) // stride + 1
    nv, nu = source.inverse.shape

    def along(first: int, patches: int) -> slice:
        return slice(first, first + (patches - 1) * stride + 1, stride)

    total = every.new_zeros(count, ny, nx, nv, nu, dtype=torch.float32)
    for dy in range(patch):
        for dx in range(patch):
            total += every[:, along(dy, ny), along(dx, nx), along(dy, nv), along(dx, nu)]
    return total.mul_(source.inverse)


def matched(pixels: Tensor, source: Source, patch: int, stride: int, coherence: float) -> Tensor:
    """What `best_of` finds, and `coherent` makes of it, for photos of one size: indices N×ny×nx."""
    scores = scores_of_all(pixels, source, patch, stride).flatten(3)
    score, index = scores.max(3)
    if not coherence:
        return index
    worth = worth_of_one(pixels.float().square().sum(3), patch, stride, coherence)
    shift, here, span = shifts(index, source)
    recent = torch.ones_like(index, dtype=torch.bool)
    for _ in range(ROUNDS):
        moved = torch.zeros_like(recent)
        for top, left in QUARTERS:
            own = (..., slice(top, None, 2), slice(left, None, 2))
            if not shift[own].numel():
                continue
            around = neighbours(shift, own)
            candidates = around[: len(BESIDE)]
            tried, inside = landed(candidates + here[own], span, source)
            fits = inside & (F.max_pool2d((recent | moved).float(), 3, 1, 1)[own] > 0)
            choice = scores[:, top::2, left::2].movedim(3, 0)
            got = choice.gather(0, tried.clamp(0, len(choice) - 1))
            agreeing = (around[:, None] == candidates).sum(0)
            mine = shift[own]
            for candidate, *new, agree, fit in zip(candidates, got, tried, agreeing, fits, strict=True):
                gain = (agree - (around == mine).sum(0)) * worth[own]
                better = fit & (candidate != mine) & (new[0] + gain > score[own])
                for into, value in zip((mine, score[own], index[own]), (candidate, *new), strict=True):
                    torch.where(better, value, into, out=into)
                moved[own].logical_or_(better)
        recent = moved
    return index
