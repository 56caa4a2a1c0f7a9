"""PatchMatch: a nearly most similar patch of a style for each of a photo's, in little more than linear time.

Barnes et al. 2009, "PatchMatch: A Randomized Correspondence Algorithm for Structural Image Editing": a match that is
good here, shifted by one, is likely good next door, and a better one may lie near it. Features of a network vary too
sharply from one position to the next for that to do from a random start, or from a match of features halved in size:
both end near 0.8 of the exact match's score. So the start is searched for among few values of each patch, as in
Olonetsky & Avidan 2012, "TreeCANN", but by matrix products: the style's patches are put into cells round some drawn
among them, and each of the photo's is compared with those in the cells nearest to it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ..control import worked
from ..strips import ranges
from .exact import AT_ONCE, Source, first_largest, products
from .pairs import Grid, PairScores

PRINCIPAL = 288
"""Values that stand for a patch while the start is searched for: 32 principal channels of 3×3 positions."""

_FEWEST = 8  # principal channels of larger patches
_PROBES = 4  # cells each patch of the photo looks into
_LARGEST_CELL = 4096  # patches of a cell that are looked at; more are near copies of each other, as of a plain sky
_ROUNDS = 2  # of propagation and random search
_RADIUS = 1  # of the random search, in patches
_DRAWN = 2**12  # positions that the principal channels are found from, of photo and style each
_ROUND = 256  # sizes of products are multiples of it: oneDNN makes, and keeps, code for every size it meets
_ROWS = 4096  # patches that are worked on together in the search for a start


def _channels(channels: int, patch: int) -> int:
    """Principal channels in which the start is searched for."""
    return min(channels, max(_FEWEST, PRINCIPAL // patch**2))


def copies(positions: int, source: Source, patch: int) -> int:
    """Bytes of the copies, in principal channels, of a style and of a photo of so many positions."""
    height, width, channels = source.features.shape
    item = min(source.dtype.itemsize, source.features.dtype.itemsize)
    return (positions + height * width) * _channels(channels, patch) * item


def work(patches: int, others: int, channels: int, patch: int) -> float:
    """Multiply-adds of the search for a start, for so many patches of a photo and of a style."""
    return 3.0 * patches * _cells(others) * _channels(channels, patch) * patch**2


def _cells(patches: int) -> int:
    """As many cells as make finding the nearest of them cost what looking into them does."""
    return max(1, round(math.sqrt(_PROBES * patches / 2)))


def left(budget: float, copied: int) -> float:
    """What the copies leave of a budget, for all else; a quarter at least."""
    return max(budget - copied, budget / 4)


def search(
    pixels: Tensor, source: Source, patch: int, stride: int, budget: float, seed: int
) -> tuple[Tensor, Tensor]:
    """As `exact.best_of`, nearly: score and index of a patch that is all but the best, both ny×nx.

    Args:
        pixels: H×W×C of the photo, contiguous, as they are compared; H×W×(C+1) with a tone.
        source: the style.
        patch: side of a patch.
        stride: positions between patches.
        budget: working memory in bytes; see `left`.
        seed: of what is drawn.
    """
    generator = torch.Generator().manual_seed(seed)
    photo = Grid(pixels, patch, stride)
    budget = left(budget, copies(pixels[..., 0].numel(), source, patch))
    index = _start(photo, source, budget, generator)
    return _refined(index.view(photo.shape), photo, source, budget, generator)


def _start(photo: Grid, source: Source, budget: float, generator: torch.Generator) -> Tensor:
    """For each patch of the photo the best of the nearest cells, in principal channels."""
    photo, style = _principal(photo, source, budget, generator)
    lengths, dtype = source.inverse.flatten(), source.dtype
    cells = _cells(len(lengths))
    drawn = torch.randperm(len(lengths), generator=generator)[:cells].to(lengths.device)
    centres = F.normalize(style.patches(drawn).float(), dim=1).to(dtype)
    best = lengths.new_full((math.prod(photo.shape),), -torch.inf)
    index = torch.zeros_like(best, dtype=torch.int64)
    there = _by_cell(style, centres, 1, budget)
    looking = _by_cell(photo, centres, min(_PROBES, cells), budget)
    for inside, lookers in zip(there, looking, strict=True):
        if len(inside) > _LARGEST_CELL:
            inside = inside[torch.arange(_LARGEST_CELL, device=inside.device) * len(inside) // _LARGEST_CELL]
        if not len(inside):
            continue
        inside = _padded(inside)  # the first of equals is found, never a repetition
        filters = (style.patches(inside) * lengths[inside, None]).to(dtype)
        for some in lookers.split(_rows(budget, filters)):
            found = first_largest(products(photo.patches(_padded(some)).to(dtype), filters))
            value, place = (each[: len(some)] for each in found)
            better = value > best[some]
            best[some[better]] = value[better].float()
            index[some[better]] = inside[place[better]]
            worked(some.numel() * filters.numel())
    return index


def _padded(which: Tensor) -> Tensor:
    """Indices, the last repeated until there are a multiple of `_ROUND`."""
    more = -len(which) % _ROUND
    return torch.cat([which, which[-1:].expand(more)]) if more else which


def _principal(photo: Grid, source: Source, budget: float, generator: torch.Generator) -> tuple[Grid, Grid]:
    """Photo and style in the few channels, turned, that hold most of both."""
    pixels = photo.positions
    channels = pixels.shape[2]

    def gram(count: int, take: Callable[[Tensor], Tensor]) -> Tensor:
        some = torch.randint(count, (_DRAWN,), generator=generator).to(pixels.device)
        drawn = take(some).float()
        return (drawn.T @ drawn).cpu().double()

    of_photo = gram(pixels[..., 0].numel(), lambda some: pixels.flatten(0, 1)[some])
    of_style = gram(source.features[..., 0].numel(), source.pixels)
    kept = _channels(channels, photo.patch)
    basis = torch.linalg.eigh(of_photo + of_style).eigenvectors[:, -kept:].to(source.dtype).to(pixels.device)
    stored = min(pixels.dtype, source.features.dtype, source.dtype, key=lambda dtype: dtype.itemsize)

    def turned(like: Tensor, take: Callable[[slice], Tensor]) -> Grid:
        made = pixels.new_empty(*like.shape[:2], kept, dtype=stored)
        for first, end in ranges(len(like), min(AT_ONCE, int(budget / 32)) // like[0].numel()):
            made[first:end] = take(slice(first, end)).to(source.dtype) @ basis
        return Grid(made, photo.patch, photo.stride)

    return turned(pixels, lambda rows: pixels[rows]), turned(source.features, source.pixels)


def _rows(budget: float, others: Tensor) -> int:
    """Patches that are compared with `others` at a time."""
    values = 4 * len(others) + 2 * others.shape[1]  # scores, what their largest is found by, and patches
    return max(1, min(_ROWS, int(budget / 2 / (values * others.dtype.itemsize))))


def _by_cell(grid: Grid, centres: Tensor, nearest: int, budget: float) -> tuple[Tensor, ...]:
    """For each cell the patches it is among the nearest to, ascending."""
    count = math.prod(grid.shape)
    cells = torch.empty(count, nearest, dtype=torch.int16, device=centres.device)
    for first, end in ranges(count, _rows(budget, centres)):
        scores = products(grid.patches(torch.arange(first, end, device=centres.device)).to(centres.dtype), centres)
        for n in range(nearest):
            cells[first:end, n] = place = first_largest(scores)[1]
            scores.scatter_(1, place[:, None], -torch.inf)
        worked((end - first) * centres.numel())
    cells = cells.flatten()
    sizes = torch.bincount(cells, minlength=len(centres))
    return cells.argsort(stable=True).div_(nearest, rounding_mode="floor").split(sizes.tolist())


def _refined(
    index: Tensor, photo: Grid, source: Source, budget: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Propagation and random search from a first match; a candidate is taken where its score is greater."""
    scores = PairScores(photo, source, budget)
    nv, nu = source.inverse.shape
    everywhere = torch.arange(index.numel(), device=index.device)
    best = scores(everywhere, index.flatten()).view(index.shape)
    recent = torch.ones_like(index, dtype=torch.bool)  # matches that their neighbours have not tried yet
    for _ in range(_ROUNDS):
        moved = torch.zeros_like(recent)

        def attempt(down: Tensor, along: Tensor, moved: Tensor = moved) -> None:
            tried = down * nu + along
            fits = (down >= 0) & (down < nv) & (along >= 0) & (along < nu) & (tried != index)
            where = fits.flatten().nonzero()[:, 0]
            tried = tried.flatten()[where]
            score = scores(where, tried)
            better = score > best.flatten()[where]
            where = where[better]
            best.view(-1)[where] = score[better]
            index.view(-1)[where] = tried[better]
            moved.view(-1)[where] = True

        for step in ((0, 1), (0, -1), (1, 0), (-1, 0)):
            # Across the border comes what the opposite border has found: a candidate like any other.
            theirs = index.roll(step, (0, 1))
            known = ~(recent | moved).roll(step, (0, 1))
            down = theirs.div(nu, rounding_mode="floor").add_(step[0]).masked_fill_(known, -1)
            attempt(down, theirs.remainder(nu).add_(step[1]))
        aside = torch.randint(-_RADIUS, _RADIUS + 1, (2, *index.shape), generator=generator).to(index.device)
        attempt(index.div(nu, rounding_mode="floor").add_(aside[0]), index.remainder(nu).add_(aside[1]))
        recent = moved
    return best, index
