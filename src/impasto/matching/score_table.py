"""The exact search and coherence for GPUs, if the scores of all pairs of patches fit in one table.

`exact` processes one row of a photo at a time, in thousands of small operations. On a GPU each of them takes as long
as one over the whole table. `coherence` does the same, and makes the host wait for numbers of patches. Here several
photos are match in some hundreds of operations, and the host never waits.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .coherence import NEIGHBOURS_4, PHASES, ROUNDS, neighbour_gain, neighbours, shifted_indices, shifts
from .exact import Source, products

COPIES = 4
"""Number of tables that are in memory at a time."""


def all_scores(vectors: Tensor, source: Source, patch: int, stride: int) -> Tensor:
    """The scores of all pairs of patches of N photos, N×H×W×C, and of a style: N×ny×nx×nv×nu float32."""
    count, height, width, channels = vectors.shape
    style = source.vectors(slice(None))
    every = products(vectors.reshape(-1, channels), style.flatten(0, 1)).view(count, height, width, *style.shape[:2])
    ny, nx = (height - patch) // stride + 1, (width - patch) // stride + 1
    nv, nu = source.inverse.shape

    def strided(first: int, patches: int) -> slice:
        return slice(first, first + (patches - 1) * stride + 1, stride)

    total = every.new_zeros(count, ny, nx, nv, nu, dtype=torch.float32)
    for dy in range(patch):
        for dx in range(patch):
            total += every[:, strided(dy, ny), strided(dx, nx), strided(dy, nv), strided(dx, nu)]
    return total.mul_(source.inverse)


def match(vectors: Tensor, source: Source, patch: int, stride: int, coherence: float) -> Tensor:
    """Match photos of one size, as `best_patches` and then `make_coherent` do.

    Args:
        vectors: the photos' vectors, N×H×W×C.
        source: the style.
        patch: side of a patch.
        stride: positions between patches.
        coherence: weight of agreement; see `make_coherent`.

    Returns:
        Numbers of style patches, N×ny×nx.
    """
    scores = all_scores(vectors, source, patch, stride).flatten(3)
    score, index = scores.max(3)
    if not coherence:
        return index
    gain_of_one = neighbour_gain(vectors.float().square().sum(3), patch, stride, coherence)
    shift, here, span = shifts(index, source)
    changed = torch.ones_like(index, dtype=torch.bool)
    for _ in range(ROUNDS):
        moved = torch.zeros_like(changed)
        for top, left in PHASES:
            own = (..., slice(top, None, 2), slice(left, None, 2))
            if not shift[own].numel():
                continue
            around = neighbours(shift, own)
            candidates = around[: len(NEIGHBOURS_4)]
            new_index, inside = shifted_indices(candidates + here[own], span, source)
            fits = inside & (F.max_pool2d((changed | moved).float(), 3, 1, 1)[own] > 0)
            choice = scores[:, top::2, left::2].movedim(3, 0)
            new_score = choice.gather(0, new_index.clamp(0, len(choice) - 1))
            agreeing = (around[:, None] == candidates).sum(0)
            current = shift[own]
            for candidate, *new, agree, fit in zip(candidates, new_score, new_index, agreeing, fits, strict=True):
                gain = (agree - (around == current).sum(0)) * gain_of_one[own]
                better = fit & (candidate != current) & (new[0] + gain > score[own])
                for into, value in zip((current, score[own], index[own]), (candidate, *new), strict=True):
                    torch.where(better, value, into, out=into)
                moved[own].logical_or_(better)
        changed = moved
    return index
