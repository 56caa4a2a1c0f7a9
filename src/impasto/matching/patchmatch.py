"""PatchMatch: an approximate search for the most similar patch of a style, in little more than linear time.

Barnes et al. 2009, "PatchMatch: A Randomized Correspondence Algorithm for Structural Image Editing". Matches f(p) are
improved by propagation, which tries ``f(p + d) − d`` for the four neighbours p + d, and by random search, which tries
patches near f(p). A candidate is taken if its score ``⟨P, S⟩ / ‖S‖`` is greater.

Features of a network vary sharply between positions. From a random first match, or a match of features at half the
size, only about 0.8 of the exact match's score is reached. So the first match is a search in fewer dimensions, as in
Olonetsky & Avidan 2012, "TreeCANN", but by matrix products. Up to `MAX_PAIRS` all pairs are compared. Of larger
pictures, the style's patches are grouped into cells around randomly chosen ones, and each patch of the photo is
compared with those in the nearest cells.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ..control import worked
from ..strips import ranges
from .exact import AT_ONCE, Source, max_and_first, products
from .pairs import Grid, PairScores

PRINCIPAL = 288
"""Dimensions of a patch in the search for the first match: 32 principal channels of 3×3 positions."""

MAX_PAIRS = 2**30
"""Most pairs of patches that are all compared in the search for the first match."""

_MIN_CHANNELS = 8  # smallest number of principal channels, for large patches
_PROBES = 4  # cells that each patch of the photo is compared with
_LARGEST_CELL = 4096  # most patches of a cell to compare; larger cells hold near copies, as of an even sky
_ROUNDS = 2  # of propagation and random search
_RADIUS = 1  # of the random search, in patches
_SAMPLED = 2**12  # positions of photo and style each, from which the principal channels are computed
_SPARE_VECTORS, _ITERATIONS = 16, 3  # of the subspace iteration
_SIZE_MULTIPLE = 256  # sizes of products are multiples of this: oneDNN compiles, and keeps, code for every size
_FEW_ROWS = 512  # patches of the photo to compare with all of the style's at a time; cancelling waits for them
_ROWS = 4096  # most patches to compare at a time in the search for the first match


def _channels(channels: int, patch: int) -> int:
    """Number of principal channels in the search for the first match."""
    return min(channels, max(_MIN_CHANNELS, PRINCIPAL // patch**2))


def projection_bytes(positions: int, source: Source, patch: int) -> int:
    """Bytes of the projections of a style, and of a photo with so many positions, to principal channels."""
    height, width, channels = source.features.shape
    item = min(source.dtype.itemsize, source.features.dtype.itemsize)
    return (positions + height * width) * _channels(channels, patch) * item


def search_work(patches: int, others: int, channels: int, patch: int) -> float:
    """Multiply-adds of the search for the first match, by the numbers of patches of a photo and of a style."""
    if patches * others <= MAX_PAIRS:
        return float(patches * others * _channels(channels, patch) * patch**2)
    return 3.0 * patches * _cells(others) * _channels(channels, patch) * patch**2


def _cells(patches: int) -> int:
    """The number of cells at which finding the nearest cells costs as much as comparing the patches in them."""
    return max(1, round(math.sqrt(_PROBES * patches / 2)))


def budget_left(budget: float, copied: int) -> float:
    """The part of a budget that is left beside `copied` bytes of projections; at least a quarter."""
    return max(budget - copied, budget / 4)


def search(
    vectors: Tensor, source: Source, patch: int, stride: int, budget: float, seed: int, *, improve: bool = True
) -> tuple[Tensor, Tensor]:
    """Find a nearly best patch of one style for every patch of a photo.

    Args:
        vectors: the photo's vectors, H×W×C, contiguous; H×W×(C+1) with a tone.
        source: the style.
        patch: side of a patch.
        stride: positions between patches.
        budget: working memory in bytes; see `budget_left`.
        seed: seed of the random choices.
        improve: improve a first match even if it is the best of all patches in principal channels.

    Returns:
        Score and number of a patch, both ny×nx; see `exact.best_patches`.
    """
    generator = torch.Generator().manual_seed(seed)
    photo = Grid(vectors, patch, stride)
    budget = budget_left(budget, projection_bytes(vectors[..., 0].numel(), source, patch))
    index = _first_match(photo, source, budget, generator)
    rounds = _ROUNDS if not _are_few(photo, source) else 1 if improve else 0
    return _improve(index.view(photo.shape), photo, source, budget, generator, rounds)


def _are_few(photo: Grid, source: Source) -> bool:
    """Whether all pairs of patches are compared in principal channels."""
    return math.prod(photo.shape) * source.inverse.numel() <= MAX_PAIRS


def _first_match(photo: Grid, source: Source, budget: float, generator: torch.Generator) -> Tensor:
    """The best patch in principal channels for each patch of the photo: of all, or of those in the nearest cells."""
    photo, style = _project(photo, source, budget, generator)
    lengths, dtype = source.inverse.flatten(), source.dtype
    if _are_few(photo, source):
        return _best_of_all(photo, style, lengths, dtype, budget)
    cells = _cells(len(lengths))
    drawn = torch.randperm(len(lengths), generator=generator)[:cells].to(lengths.device)
    centres = F.normalize(style.patches(drawn).float(), dim=1).to(dtype)
    best = lengths.new_full((math.prod(photo.shape),), -torch.inf)
    index = torch.zeros_like(best, dtype=torch.int64)
    style_cells = _group_by_cell(style, centres, 1, budget)
    photo_cells = _group_by_cell(photo, centres, min(_PROBES, cells), budget)
    for in_cell, photo_patches in zip(style_cells, photo_cells, strict=True):
        if len(in_cell) > _LARGEST_CELL:
            in_cell = in_cell[torch.arange(_LARGEST_CELL, device=in_cell.device) * len(in_cell) // _LARGEST_CELL]
        if not len(in_cell):
            continue
        in_cell = _pad_indices(in_cell)  # the first of equals is taken, so never a repetition
        filters = (style.patches(in_cell) * lengths[in_cell, None]).to(dtype)
        for some in photo_patches.split(_rows(budget, filters)):
            found = max_and_first(products(photo.patches(_pad_indices(some)).to(dtype), filters))
            value, place = (each[: len(some)] for each in found)
            better = value > best[some]
            best[some[better]] = value[better].float()
            index[some[better]] = in_cell[place[better]]
            worked(some.numel() * filters.numel())
    return index


def _best_of_all(photo: Grid, style: Grid, lengths: Tensor, dtype: torch.dtype, budget: float) -> Tensor:
    """The best of all patches of a style for each patch of the photo, in principal channels."""
    count = math.prod(photo.shape)
    best = lengths.new_full((count,), -torch.inf)
    index = torch.zeros_like(best, dtype=torch.int64)
    per_patch = 2 * style.patch**2 * style.positions.shape[2] * dtype.itemsize
    for low, high in ranges(len(lengths), max(_SIZE_MULTIPLE, int(budget / 4 / per_patch))):
        numbers = torch.arange(low, high, device=lengths.device)
        filters = (style.patches(numbers) * lengths[numbers, None]).to(dtype)
        for first, end in ranges(count, min(_FEW_ROWS, _rows(budget, filters))):
            own = photo.patches(torch.arange(first, end, device=lengths.device)).to(dtype)
            value, place = max_and_first(products(own, filters))
            better = value > best[first:end]
            best[first:end] = torch.where(better, value.float(), best[first:end])
            index[first:end] = torch.where(better, place + low, index[first:end])
            worked(own.numel() * len(filters))
    return index


def _pad_indices(which: Tensor) -> Tensor:
    """Repeat the last number until there are a multiple of `_SIZE_MULTIPLE`."""
    more = -len(which) % _SIZE_MULTIPLE
    return torch.cat([which, which[-1:].expand(more)]) if more else which


def _project(photo: Grid, source: Source, budget: float, generator: torch.Generator) -> tuple[Grid, Grid]:
    """Project photo and style to the principal channels of both: the eigenvectors of their Gram matrix."""
    vectors = photo.positions
    channels = vectors.shape[2]

    def gram(count: int, take: Callable[[Tensor], Tensor]) -> Tensor:
        numbers = torch.randint(count, (_SAMPLED,), generator=generator).to(vectors.device)
        sample = take(numbers).float()
        return (sample.T @ sample).cpu().double()

    of_photo = gram(vectors[..., 0].numel(), lambda some: vectors.flatten(0, 1)[some])
    of_style = gram(source.features[..., 0].numel(), source.vectors)
    kept = _channels(channels, photo.patch)
    basis = _leading_eigenvectors(of_photo + of_style, kept, generator).to(source.dtype).to(vectors.device)
    stored = min(vectors.dtype, source.features.dtype, source.dtype, key=lambda dtype: dtype.itemsize)

    def projected(like: Tensor, take: Callable[[slice], Tensor]) -> Grid:
        made = vectors.new_empty(*like.shape[:2], kept, dtype=stored)
        for first, end in ranges(len(like), min(AT_ONCE, int(budget / 32)) // like[0].numel()):
            made[first:end] = take(slice(first, end)).to(source.dtype) @ basis
        return Grid(made, photo.patch, photo.stride)

    return projected(vectors, lambda rows: vectors[rows]), projected(source.features, source.vectors)


def _leading_eigenvectors(gram: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Eigenvectors of the `count` largest eigenvalues of a Gram matrix, C×C -> C×count, nearly if C is large.

    Those of a large matrix are found by subspace iteration (Halko et al. 2011, "Finding Structure with Randomness"),
    in a fraction of the time.
    """
    if len(gram) <= 2 * count:
        return torch.linalg.eigh(gram).eigenvectors[:, -count:]
    basis = torch.randn(len(gram), count + _SPARE_VECTORS, generator=generator, dtype=gram.dtype)
    for _ in range(_ITERATIONS):
        basis = torch.linalg.qr(gram @ basis).Q
    vectors = torch.linalg.eigh(basis.T @ gram @ basis).eigenvectors[:, -count:]
    return basis @ vectors


def _rows(budget: float, others: Tensor) -> int:
    """Number of patches to compare with `others` at a time."""
    values = 4 * len(others) + 2 * others.shape[1]  # scores, what their largest is found by, and patches
    return max(1, min(_ROWS, int(budget / 2 / (values * others.dtype.itemsize))))


def _group_by_cell(grid: Grid, centres: Tensor, nearest: int, budget: float) -> tuple[Tensor, ...]:
    """For each cell, the numbers of the patches that have it among their `nearest` cells, in ascending order."""
    count = math.prod(grid.shape)
    cells = torch.empty(count, nearest, dtype=torch.int16, device=centres.device)
    for first, end in ranges(count, _rows(budget, centres)):
        scores = products(grid.patches(torch.arange(first, end, device=centres.device)).to(centres.dtype), centres)
        for n in range(nearest):
            cells[first:end, n] = place = max_and_first(scores)[1]
            scores.scatter_(1, place[:, None], -torch.inf)
        worked((end - first) * centres.numel())
    cells = cells.flatten()
    sizes = torch.bincount(cells, minlength=len(centres))
    return cells.argsort(stable=True).div_(nearest, rounding_mode="floor").split(sizes.tolist())


def _improve(
    index: Tensor, photo: Grid, source: Source, budget: float, generator: torch.Generator, rounds: int
) -> tuple[Tensor, Tensor]:
    """Improve a match by rounds of propagation and random search; see the module. Also returns the scores."""
    scores = PairScores(photo, source, budget)
    nv, nu = source.inverse.shape
    everywhere = torch.arange(index.numel(), device=index.device)
    best = scores(everywhere, index.flatten()).view(index.shape)
    changed = torch.ones_like(index, dtype=torch.bool)  # matches that changed since their neighbours tried them
    for _ in range(rounds):
        moved = torch.zeros_like(changed)

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
            # At the border this tries the matches of the opposite border: candidates like any others.
            shifted = index.roll(step, (0, 1))
            unchanged = ~(changed | moved).roll(step, (0, 1))
            down = shifted.div(nu, rounding_mode="floor").add_(step[0]).masked_fill_(unchanged, -1)
            attempt(down, shifted.remainder(nu).add_(step[1]))
        offset = torch.randint(-_RADIUS, _RADIUS + 1, (2, *index.shape), generator=generator).to(index.device)
        attempt(index.div(nu, rounding_mode="floor").add_(offset[0]), index.remainder(nu).add_(offset[1]))
        changed = moved
    return best, index
