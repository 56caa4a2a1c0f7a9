"""Patches of one style's features, and the exact search for the one most similar to each of a photo's.

The full table of photo positions by style positions is never held: one row of the photo's positions is correlated
with a band of the style's *single* positions by a matrix product, and the correlation of p×p patches is the
sum of its p² diagonal shifts, which costs p² additions where convolving with the patches as filters costs p²
matrix products.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from ..control import worked
from ..statistics.moments import Moments
from ..strips import ranges

AT_ONCE = 2**22
"""Values of features that are worked on together."""

_RUN = 128  # scores whose maximum is looked for together
_CACHE_MB = 64.0  # a row's working set is kept near this: larger blocks spill the processor's cache and are slower

# PyTorch's float32 products go through MKL, which on processors that are not Intel's takes nearly twice the
# time of oneDNN. Builds without oneDNN lack the operator.
_onednn_linear = getattr(torch.ops.mkldnn, "_linear_pointwise", None)


@dataclass(frozen=True)
class Source:
    """One style picture, ready to be matched.

    Attributes:
        features: h×w×C, a part of the table of all styles.
        stat: moments that the match takes out of them, or None.
        tone: h×w, what is compared beside them as one channel more, or None.
        dtype: arithmetic of the match.
        inverse: nv×nu, one over the length of each patch.
        offset: where this style's positions begin in the table of all styles.
    """

    features: Tensor
    stat: Moments | None
    tone: Tensor | None
    dtype: torch.dtype
    inverse: Tensor
    offset: int

    @property
    def width(self) -> int:
        """Positions a row."""
        return self.features.shape[1]

    def pixels(self, where: slice | Tensor) -> Tensor:
        """What is matched of some rows, or of some positions counted row by row: …×C, or …×(C+1) with a tone."""

        def chosen(x: Tensor) -> Tensor:
            return x[where] if isinstance(where, slice) else x.flatten(0, 1)[where]

        features = chosen(self.features)
        if self.stat is not None:  # made anew each time: whole, they would take as much memory as the features
            features = normalise(features, self.stat)
        features = features.to(self.dtype)
        if self.tone is None:
            return features
        return torch.cat([features, chosen(self.tone)[..., None].to(self.dtype)], -1)


def normalise(positions: Tensor, stat: Moments) -> Tensor:
    """…×C float32 of zero mean and unit deviation."""
    return (positions.float() - stat.mean.flatten()) / stat.std.flatten()


def squared_lengths(positions: Tensor, stat: Moments | None = None) -> Tensor:
    """Of what is compared at each position: h×w×C -> h×w float32. `stat` is taken out of them, see `Source`."""
    squares = torch.empty(positions.shape[:2], device=positions.device)
    for first, end in ranges(len(positions), AT_ONCE // positions[0].numel()):
        part = positions[first:end]
        squares[first:end] = (part.float() if stat is None else normalise(part, stat)).square().sum(2)
    return squares


def best_of(pixels: Tensor, source: Source, patch: int, stride: int, budget: float) -> tuple[Tensor, Tensor]:
    """Score and index of the best patch of one style for every patch of the photo, both ny×nx."""
    height, width, _ = pixels.shape
    ny, nx = (height - patch) // stride + 1, (width - patch) // stride + 1
    best = pixels.new_full((ny, nx), -torch.inf, dtype=torch.float32)
    index = torch.zeros(ny, nx, dtype=torch.int64, device=pixels.device)
    for y, x, first, scores in _scores(pixels, source, patch, stride, budget):
        value, place = first_largest(scores)
        place = place + first
        here = slice(x, x + len(value))
        # Blocks of the style come in order, so "greater" keeps the first of equals.
        better = value > best[y, here]
        best[y, here] = torch.where(better, value, best[y, here])
        index[y, here] = torch.where(better, place, index[y, here])
        worked(scores.numel() * stride**4 * pixels.shape[2])  # the positions between patches too
    return best, index


def split(count: int, most: int) -> list[tuple[int, int]]:
    """``count`` things in the fewest nearly equal runs of at most `most`."""
    runs = -(-count // max(1, min(count, most)))
    edges = [count * i // runs for i in range(runs + 1)]
    return list(pairwise(edges))


Scores = Iterator[tuple[int, int, int, Tensor]]
"""Photo row, first photo column, first style patch of a block, and its scores: columns × patches."""


def _scores(pixels: Tensor, source: Source, patch: int, stride: int, budget: float) -> Scores:
    """Against all patches: the diagonal shifts of single-position products."""
    width = pixels.shape[1]
    nx = (width - patch) // stride + 1
    nv, nu = source.inverse.shape
    style_width = source.width
    # Live at once: `patch` rows of sums over columns, the products, and the sum over rows: float32.
    per_position = (patch + 3) * 4 * style_width
    positions = max(1, int(min(budget, max(_CACHE_MB * 2**20, budget / 16)) / per_position))

    def span(count: int) -> int:
        return (count - 1) * stride + patch

    # Split the photo's columns down to 32 first, then the style's rows, then the columns again.
    columns = max(1, min(nx, max((positions // span(nv) - patch) // stride + 1, 32)))
    rows = positions // span(columns)
    if source.features.dtype != source.dtype:  # a band is copied in the arithmetic of the match
        rows = min(rows, int(budget / 2 / (style_width * source.features.shape[2] * source.dtype.itemsize)))
    bands = max(1, min(nv, (rows - patch) // stride + 1))
    if bands == 1:
        columns = max(1, min(columns, (positions // patch - patch) // stride + 1))
    for v0, v1 in split(nv, bands):
        band = source.pixels(slice(v0 * stride, v0 * stride + span(v1 - v0)))
        flat = band.flatten(0, 1)
        inverse = source.inverse[v0:v1]
        for x0, x1 in split(nx, columns):
            recent: deque[Tensor] = deque(maxlen=patch)
            for y in range(pixels.shape[0]):
                row = pixels[y, x0 * stride : x0 * stride + span(x1 - x0)].to(source.dtype)
                product = products(row, flat).view(len(row), len(band), style_width)
                recent.append(_shifted(product, patch, stride, x1 - x0, nu))
                top = y - patch + 1
                if top < 0 or top % stride:
                    continue
                total = recent[0][:, : (v1 - v0 - 1) * stride + 1 : stride]
                for dy in range(1, patch):
                    total = _add(total, recent[dy][:, dy : dy + (v1 - v0 - 1) * stride + 1 : stride], dy > 1)
                yield top // stride, x0, v0 * nu, (total * inverse).flatten(1)


def products(one: Tensor, other: Tensor) -> Tensor:
    """Inner products of all pairs of rows: m×C and n×C -> m×n."""
    if _onednn_linear is not None and one.device.type == "cpu" and one.dtype == torch.float32:
        return _onednn_linear(one, other, None, "none", [], "")
    return one @ other.T


def _shifted(product: Tensor, patch: int, stride: int, nx: int, nu: int) -> Tensor:
    """Sum over dx of product[x+dx, :, u+dx] at the strided x and u, float32: nx × rows × nu."""
    total = product[: (nx - 1) * stride + 1 : stride, :, : (nu - 1) * stride + 1 : stride].float()
    for dx in range(1, patch):
        part = product[dx : dx + (nx - 1) * stride + 1 : stride, :, dx : dx + (nu - 1) * stride + 1 : stride]
        total = _add(total, part, dx > 1)
    return total


def _add(total: Tensor, part: Tensor, own: bool) -> Tensor:
    """The sum, written into `total` where that is the caller's own."""
    return total.add_(part) if own else total + part


def first_largest(scores: Tensor) -> tuple[Tensor, Tensor]:
    """Largest of each row and where it first occurs: what ``scores.max(1)`` gives, several times faster.

    A maximum without its index is vectorised, one with it is not: so first the run, then the place in it.
    """
    rows, count = scores.shape
    whole = count // _RUN * _RUN
    if whole < 2 * _RUN:
        return scores.max(1)
    runs = scores[:, :whole].unflatten(1, (-1, _RUN))
    value, run = runs.amax(2).max(1)
    place = runs[torch.arange(rows, device=scores.device), run].argmax(1) + run * _RUN
    if whole < count:
        rest, late = scores[:, whole:].max(1)
        place = torch.where(rest > value, late + whole, place)
        value = torch.maximum(value, rest)
    return value, place
