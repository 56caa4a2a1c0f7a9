"""The exact search: for every patch of a photo's features, the most similar patch of one style's features.

Similarity is that of style-swap (Chen & Schmidt 2016): ``⟨P, S⟩ / ‖S‖`` for a patch P of the photo and a patch S of
the style. The photo's length ‖P‖ does not change which patch is best.

The table of all photo positions by all style positions is never stored. One row of the photo's positions is
multiplied with a band of the style's single positions by a matrix product. The product of p×p patches is the sum of
p² diagonal shifts of it: p² additions, where a convolution with the patches as filters takes p² matrix products.
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
"""Values of features to process at a time."""

_GROUP = 128  # scores in a group of `max_and_first`
_CACHE_MB = 64.0  # aim for the memory of a block; larger ones do not fit the processor's cache

# PyTorch computes float32 products with MKL. On processors that are not Intel's it takes nearly twice the time of
# oneDNN. Builds without oneDNN do not have this operator.
_onednn_linear = getattr(torch.ops.mkldnn, "_linear_pointwise", None)


@dataclass(frozen=True)
class Source:
    """One style picture, ready to be matched. It has nv×nu patches, numbered row by row.

    Attributes:
        features: h×w×C, a view of the table of all styles.
        stat: moments to normalise features with before they are compared; None to compare them as they are.
        tone: h×w, one more channel to compare; None for none.
        dtype: type of the products.
        inverse: nv×nu, the inverse length of each patch.
        offset: row of the table of all styles where this style begins.
    """

    features: Tensor
    stat: Moments | None
    tone: Tensor | None
    dtype: torch.dtype
    inverse: Tensor
    offset: int

    @property
    def width(self) -> int:
        """Positions in a row."""
        return self.features.shape[1]

    def vectors(self, where: slice | Tensor) -> Tensor:
        """The vectors to compare of some rows, or of some positions by number: …×C, or …×(C+1) with a tone."""

        def chosen(x: Tensor) -> Tensor:
            return x[where] if isinstance(where, slice) else x.flatten(0, 1)[where]

        features = chosen(self.features)
        if self.stat is not None:  # computed each time: stored, they would take as much memory as the features
            features = normalise(features, self.stat)
        features = features.to(self.dtype)
        if self.tone is None:
            return features
        return torch.cat([features, chosen(self.tone)[..., None].to(self.dtype)], -1)


def normalise(positions: Tensor, stat: Moments) -> Tensor:
    """Scale …×C features to zero mean and unit deviation, in float32."""
    return (positions.float() - stat.mean.flatten()) / stat.std.flatten()


def squared_lengths(positions: Tensor, stat: Moments | None = None) -> Tensor:
    """The squared length of the vector at each position: h×w×C -> h×w float32. For `stat` see `Source`."""
    squares = torch.empty(positions.shape[:2], device=positions.device)
    for first, end in ranges(len(positions), AT_ONCE // positions[0].numel()):
        part = positions[first:end]
        squares[first:end] = (part.float() if stat is None else normalise(part, stat)).square().sum(2)
    return squares


def best_patches(vectors: Tensor, source: Source, patch: int, stride: int, budget: float) -> tuple[Tensor, Tensor]:
    """Find the best patch of one style for every patch of a photo: ``argmax_S ⟨P, S⟩ / ‖S‖`` (Chen & Schmidt 2016).

    Args:
        vectors: the photo's vectors, H×W×C; H×W×(C+1) with a tone.
        source: the style.
        patch: side of a patch.
        stride: positions between patches.
        budget: working memory in bytes; the result does not depend on it.

    Returns:
        Score and number of the best patch, both ny×nx; the first of several equal ones.
    """
    height, width, _ = vectors.shape
    ny, nx = (height - patch) // stride + 1, (width - patch) // stride + 1
    best = vectors.new_full((ny, nx), -torch.inf, dtype=torch.float32)
    index = torch.zeros(ny, nx, dtype=torch.int64, device=vectors.device)
    for y, x, first, scores in _scores(vectors, source, patch, stride, budget):
        value, place = max_and_first(scores)
        place = place + first
        here = slice(x, x + len(value))
        # Blocks of the style come in order, so ">" keeps the first of equals.
        better = value > best[y, here]
        best[y, here] = torch.where(better, value, best[y, here])
        index[y, here] = torch.where(better, place, index[y, here])
        worked(scores.numel() * stride**4 * vectors.shape[2])  # also positions between patches
    return best, index


def split(count: int, most: int) -> list[tuple[int, int]]:
    """Split `count` items into the fewest nearly equal ranges of at most `most`."""
    groups = -(-count // max(1, min(count, most)))
    edges = [count * i // groups for i in range(groups + 1)]
    return list(pairwise(edges))


Scores = Iterator[tuple[int, int, int, Tensor]]
"""Row and first column of a block of photo patches, first style patch, and scores: columns × style patches."""


def _scores(vectors: Tensor, source: Source, patch: int, stride: int, budget: float) -> Scores:
    """Compute the scores of all pairs of patches, block by block."""
    width = vectors.shape[1]
    nx = (width - patch) // stride + 1
    nv, nu = source.inverse.shape
    style_width = source.width
    # In memory at a time: `patch` rows of sums over columns, the products, and the sum over rows, in float32.
    per_position = (patch + 3) * 4 * style_width
    positions = max(1, int(min(budget, max(_CACHE_MB * 2**20, budget / 16)) / per_position))

    def span(count: int) -> int:
        return (count - 1) * stride + patch

    # First the photo's columns are split, down to 32, then the style's rows, then the columns again.
    columns = max(1, min(nx, max((positions // span(nv) - patch) // stride + 1, 32)))
    rows = positions // span(columns)
    if source.features.dtype != source.dtype:  # a band is copied to the type of the products
        rows = min(rows, int(budget / 2 / (style_width * source.features.shape[2] * source.dtype.itemsize)))
    bands = max(1, min(nv, (rows - patch) // stride + 1))
    if bands == 1:
        columns = max(1, min(columns, (positions // patch - patch) // stride + 1))
    for v0, v1 in split(nv, bands):
        band = source.vectors(slice(v0 * stride, v0 * stride + span(v1 - v0)))
        flat = band.flatten(0, 1)
        inverse = source.inverse[v0:v1]
        for x0, x1 in split(nx, columns):
            column_sums: deque[Tensor] = deque(maxlen=patch)
            for y in range(vectors.shape[0]):
                row = vectors[y, x0 * stride : x0 * stride + span(x1 - x0)].to(source.dtype)
                product = products(row, flat).view(len(row), len(band), style_width)
                column_sums.append(_sum_over_columns(product, patch, stride, x1 - x0, nu))
                top = y - patch + 1
                if top < 0 or top % stride:
                    continue
                total = column_sums[0][:, : (v1 - v0 - 1) * stride + 1 : stride]
                for dy in range(1, patch):
                    total = _add_to(total, column_sums[dy][:, dy : dy + (v1 - v0 - 1) * stride + 1 : stride], dy > 1)
                yield top // stride, x0, v0 * nu, (total * inverse).flatten(1)


def products(one: Tensor, other: Tensor) -> Tensor:
    """The inner products of all pairs of rows: m×C and n×C -> m×n."""
    if _onednn_linear is not None and one.device.type == "cpu" and one.dtype == torch.float32:
        return _onednn_linear(one, other, None, "none", [], "")
    return one @ other.T


def _sum_over_columns(product: Tensor, patch: int, stride: int, nx: int, nu: int) -> Tensor:
    """The sum over dx of ``product[x+dx, :, u+dx]`` at every `stride`-th x and u: nx × rows × nu float32."""
    product = product.float()  # at once: otherwise each slice below would be converted, element by element
    total = product[: (nx - 1) * stride + 1 : stride, :, : (nu - 1) * stride + 1 : stride]
    for dx in range(1, patch):
        part = product[dx : dx + (nx - 1) * stride + 1 : stride, :, dx : dx + (nu - 1) * stride + 1 : stride]
        total = _add_to(total, part, dx > 1)
    return total


def _add_to(total: Tensor, part: Tensor, in_place: bool) -> Tensor:
    """The sum of two tensors, in place if `total` may be overwritten."""
    return total.add_(part) if in_place else total + part


def max_and_first(scores: Tensor) -> tuple[Tensor, Tensor]:
    """The largest value of each row and its first index: what ``scores.max(1)`` returns, several times faster.

    A maximum without index is vectorised, one with index is not. So the group is found first, then the index in it.
    """
    rows, count = scores.shape
    whole = count // _GROUP * _GROUP
    if whole < 2 * _GROUP:
        return scores.max(1)
    groups = scores[:, :whole].unflatten(1, (-1, _GROUP))
    value, group = groups.amax(2).max(1)
    place = groups[torch.arange(rows, device=scores.device), group].argmax(1) + group * _GROUP
    if whole < count:
        rest, rest_index = scores[:, whole:].max(1)
        place = torch.where(rest > value, rest_index + whole, place)
        value = torch.maximum(value, rest)
    return value, place
