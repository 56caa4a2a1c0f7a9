"""Style-swap: rebuild a photo's features out of the most similar patches of a style's features.

Chen & Schmidt 2016, "Fast Patch-based Style Transfer of Arbitrary Style". The match is exact, yet the full
table of photo positions by style positions is never held: one row of the photo's positions is correlated
with a band of the style's *single* positions by a matrix product, and the correlation of p×p patches is the
sum of its p² diagonal shifts, which costs p² additions where convolving with the patches as filters costs p²
matrix products.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import ImpastoError, RequestError
from ..memory import is_out_of_memory
from ..strips import empty, ranges
from .adain import Gathered, Moments, affine, blend

Match = Literal["plain", "normalised"]
Keep = Literal["keep", "style"]

MAX_PATCH = 15
BUDGET_MB = 512.0
"""Working memory of the match, beside the features themselves, in MiB."""

_EPSILON = 1e-8  # added to a style patch's length, as the original does: a patch of zeros has none
_AT_ONCE = 2**24  # values of features that are worked on together beside the match
_RUN = 128  # scores whose maximum is looked for together
_CACHE_MB = 64.0  # a row's working set is kept near this: larger blocks spill the processor's cache and are slower

# PyTorch's float32 products go through MKL, which on processors that are not Intel's takes nearly twice the
# time of oneDNN. Builds without oneDNN lack the operator.
_onednn_linear = getattr(torch.ops.mkldnn, "_linear_pointwise", None)


@dataclass(frozen=True)
class _Source:
    """One style picture, ready to be matched.

    Attributes:
        features: h×w×C, a part of the table of all styles.
        stat: moments that the match takes out of them, or None.
        dtype: arithmetic of the match.
        inverse: nv×nu, one over the length of each patch; zero marks a patch that is not in the pool.
        pool: indices into the nv·nu patches that are in it, ascending, or None for all.
        offset: where this style's positions begin in the table of all styles.
    """

    features: Tensor
    stat: Moments | None
    dtype: torch.dtype
    inverse: Tensor
    pool: Tensor | None
    offset: int

    @property
    def width(self) -> int:
        """Positions a row."""
        return self.features.shape[1]

    def pixels(self, where: slice | Tensor) -> Tensor:
        """What is matched of some rows, or of some positions counted row by row: …×C."""
        chosen = self.features[where] if isinstance(where, slice) else self.features.flatten(0, 1)[where]
        if self.stat is not None:  # made anew each time: whole, they would take as much memory as the features
            chosen = _normalise(chosen, self.stat)
        return chosen.to(self.dtype)


@dataclass(frozen=True)
class SwapStyle:
    """One or several styles encoded once, for any number of photos. Made by `prepare`.

    Attributes:
        patch: side of a patch, in positions of the features.
        stride: positions between neighbouring patches, of the style and of the photo.
        match: what is compared, see `prepare`.
        weights: of the styles, summing to 1.
        moments: the styles' channel moments, mixed by `weights`.
        table: all styles' features, position by position, one after another: P×C.
    """

    patch: int
    stride: int
    match: Match
    weights: tuple[float, ...]
    moments: Moments
    table: Tensor
    sources: tuple[_Source, ...]


def prepare(
    styles: Sequence[Tensor],
    weights: Sequence[float] | None = None,
    *,
    patch: int = 3,
    stride: int = 1,
    match: Match = "plain",
    patches_per_style: int | None = None,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
) -> SwapStyle:
    """Encode the styles' patches once.

    Args:
        styles: features of each style, 1×C×h×w; sizes may differ.
        weights: one a style, default equal. They tilt the split of the photo between the styles, see `swap`.
        patch: side of a patch, 1 … 15.
        stride: positions between patches, at most `patch`.
        match: ``plain`` compares the features (the paper); ``normalised`` compares features scaled to zero mean
            and unit deviation in every channel, so that a photo finds patches by structure, not by brightness.
        patches_per_style: at most so many patches of each style, drawn at random; None for all.
        seed: of that draw.
        dtype: arithmetic of the match's products; sums are made in float32.

    Raises:
        RequestError: a setting out of range, or a style smaller than one patch.
    """
    if not 1 <= patch <= MAX_PATCH:
        raise RequestError(f"patch is {patch}; expected 1 … {MAX_PATCH}")
    if not 1 <= stride <= patch:
        raise RequestError(f"stride is {stride} with patches of {patch}; expected 1 … {patch}, or patches leave gaps")
    if patches_per_style is not None and patches_per_style < 1:
        raise RequestError(f"patches per style is {patches_per_style}; expected 1 or more")
    if not styles:
        raise RequestError("no style is given; expected one or more")
    weights = [1.0] * len(styles) if weights is None else list(weights)
    for style in styles:
        if style.dim() != 4 or style.shape[0] != 1:
            raise RequestError(f"style features have shape {tuple(style.shape)}; expected 1×C×h×w")
        _refuse_small(style, patch, "style")
    stats = [_moments(style) for style in styles]
    mixed = blend(stats, weights)
    tables = [_positions(style).flatten(0, 1) for style in styles]
    table = tables[0] if len(tables) == 1 else torch.cat(tables)
    generator = torch.Generator().manual_seed(seed)
    sources: list[_Source] = []
    offset = 0
    for style, stat in zip(styles, stats, strict=True):
        height, width = style.shape[2:]
        features = table[offset : offset + height * width].unflatten(0, (height, width))
        taken = stat if match == "normalised" else None
        squares = torch.empty(height, width, device=table.device)
        for first, end in ranges(height, _AT_ONCE // features[0].numel()):
            part = features[first:end].float() if taken is None else _normalise(features[first:end], taken)
            squares[first:end] = part.square().sum(2)
        length = F.avg_pool2d(squares[None, None], patch, stride, divisor_override=1).sqrt()
        inverse = 1 / (length[0, 0] + _EPSILON)
        pool = None
        if patches_per_style is not None and patches_per_style < inverse.numel():
            drawn = torch.randperm(inverse.numel(), generator=generator)[:patches_per_style]
            pool = drawn.sort().values.to(inverse.device)
            inverse = (
                torch.zeros_like(inverse).flatten().index_copy(0, pool, inverse.flatten()[pool]).view_as(inverse)
            )
        sources.append(_Source(features, taken, dtype, inverse, pool, offset))
        offset += height * width
    total = sum(weights)
    shares = tuple(weight / total for weight in weights)
    return SwapStyle(patch, stride, match, shares, mixed, table, tuple(sources))


def swap(
    content: Tensor, style: SwapStyle, *, alpha: float = 1.0, restore: Keep = "keep", budget_mb: float = BUDGET_MB
) -> Tensor:
    """The photo's features rebuilt from style patches, overlaps averaged.

    With several styles every patch competes. Their weights tilt the outcome: a style gets positions of the
    photo in proportion to weight × what it would get among equals.

    Args:
        content: N×C×H×W features of photos.
        style: from `prepare`.
        alpha: share of the swapped features; the rest is the photo's own.
        restore: ``keep`` leaves the average of overlapping patches as it is (the paper), which greys it;
            ``style`` gives it the style's channel means and deviations back.
        budget_mb: working memory of the match in MiB; the result does not depend on it.

    Returns:
        N×C×H'×W' in the type of `content`, where H' = (n-1)·stride + patch for the n patches that fit, at most
        stride - 1 less than H.
    """
    found = match_patches(content, style, budget_mb=budget_mb)
    if alpha == 1:  # large features are free from here, where the caller holds them no longer
        content = content.new_empty(*content.shape[:2], 0, 0)
    return torch.cat([_rebuilt(one, content[n : n + 1], style, alpha, restore) for n, one in enumerate(found)])


def match_patches(content: Tensor, style: SwapStyle, *, budget_mb: float = BUDGET_MB) -> Tensor:
    """For each patch of the photo the most similar style patch; the first of equals.

    Returns:
        N×ny×nx int64: the row of `style.table` that holds the patch's upper left position.

    Raises:
        RequestError: the photo is smaller than a patch, or its features are of another layer.
        ImpastoError: memory ran out even for the smallest blocks.
    """
    _refuse_small(content, style.patch, "photo")
    if content.shape[1] != style.table.shape[1]:
        raise RequestError(
            f"photo features have {content.shape[1]} channels, the style's {style.table.shape[1]}; "
            "expected the same layer of the same encoder"
        )
    budget = budget_mb * 2**20
    while True:
        try:
            return torch.stack([_match_one(one[None], style, budget) for one in content])
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            if budget < 2**20:
                raise ImpastoError(
                    "memory ran out while matching patches; use a smaller size or fewer patches per style"
                ) from None
            budget /= 4


def _moments(features: Tensor) -> Moments:
    """A part at a time: a copy of large features in float32 would take more memory than they do."""
    gathered = Gathered()
    gathered.add(features)
    return gathered.moments()


def _refuse_small(features: Tensor, patch: int, what: str) -> None:
    height, width = features.shape[2:]
    if min(height, width) < patch:
        raise RequestError(
            f"the {what} has {height}×{width} positions at this layer, fewer than one patch of {patch}×{patch}; "
            f"use a larger {what}, a smaller patch or a shallower layer"
        )


def _normalise(positions: Tensor, stat: Moments) -> Tensor:
    """…×C float32 of zero mean and unit deviation."""
    return (positions.float() - stat.mean.flatten()) / stat.std.flatten()


def _positions(features: Tensor) -> Tensor:
    """1×C×h×w -> h×w×C, contiguous."""
    return features[0].permute(1, 2, 0).contiguous()


def _match_one(content: Tensor, style: SwapStyle, budget: float) -> Tensor:
    """1×C×H×W -> ny×nx rows of `style.table`."""
    stat = _moments(content) if style.match == "normalised" else None
    pixels = _positions(content)
    if stat is not None:
        whole, pixels = pixels, torch.empty_like(pixels, dtype=style.sources[0].dtype)
        for first, end in ranges(len(whole), _AT_ONCE // whole[0].numel()):
            pixels[first:end] = _normalise(whole[first:end], stat)
    pixels = pixels.to(style.sources[0].dtype)
    scores: list[Tensor] = []
    rows: list[Tensor] = []
    for source in style.sources:
        score, index = _best_of(pixels, source, style.patch, style.stride, budget)
        columns = source.inverse.shape[1]
        top = index.div(columns, rounding_mode="floor") * style.stride
        left = index.remainder(columns) * style.stride
        scores.append(score)
        rows.append(source.offset + top * source.width + left)
    if len(scores) == 1:
        return rows[0]
    choice = _share_out(torch.stack(scores), style.weights)
    return torch.stack(rows).gather(0, choice[None])[0]


def _share_out(scores: Tensor, weights: Sequence[float]) -> Tensor:
    """Which style each position takes, given k×ny×nx best scores: argmax of scores + one bias a style."""
    choice = scores.argmax(0)
    if max(weights) == min(weights):
        return choice
    flat = scores.flatten(1)
    natural = torch.bincount(choice.flatten(), minlength=len(weights)).to(flat)
    shares = natural * flat.new_tensor(weights)
    shares = shares / shares.sum()
    bias = flat.new_zeros(len(weights), 1)
    for _ in range(20):  # each style's bias in turn is the quantile that gives it its share
        for k in range(len(weights)):
            rest = (flat + bias).index_fill(0, torch.tensor(k, device=flat.device), -torch.inf).amax(0)
            lead = (flat[k] - rest).sort(descending=True).values
            count = round(float(shares[k]) * lead.numel())
            edge = lead[max(count - 1, 0) : count + 1]
            if count == 0:
                bias[k] = -lead[0] - 1
            else:
                bias[k] = -edge.mean()
    return (scores + bias[:, :, None]).argmax(0)


def _best_of(pixels: Tensor, source: _Source, patch: int, stride: int, budget: float) -> tuple[Tensor, Tensor]:
    """Score and index of the best patch of one style for every patch of the photo, both ny×nx."""
    height, width, _ = pixels.shape
    ny, nx = (height - patch) // stride + 1, (width - patch) // stride + 1
    best = pixels.new_full((ny, nx), -torch.inf, dtype=torch.float32)
    index = torch.zeros(ny, nx, dtype=torch.int64, device=pixels.device)
    sampled = source.pool is not None and source.pool.numel() * patch**2 < source.features[:, :, 0].numel()
    blocks = _sampled_scores if sampled else _dense_scores
    for y, x, first, scores in blocks(pixels, source, patch, stride, budget):
        value, place = _first_largest(scores)
        if sampled:
            assert source.pool is not None
            place = source.pool[place + first]
        else:
            place = place + first
        here = slice(x, x + len(value))
        # Blocks of the style come in order, so "greater" keeps the first of equals.
        better = value > best[y, here]
        best[y, here] = torch.where(better, value, best[y, here])
        index[y, here] = torch.where(better, place, index[y, here])
    return best, index


def _split(count: int, most: int) -> list[tuple[int, int]]:
    """``count`` things in the fewest nearly equal runs of at most `most`."""
    runs = -(-count // max(1, min(count, most)))
    edges = [count * i // runs for i in range(runs + 1)]
    return list(pairwise(edges))


Scores = Iterator[tuple[int, int, int, Tensor]]
"""Photo row, first photo column, first style patch of a block, and its scores: columns × patches."""


def _dense_scores(pixels: Tensor, source: _Source, patch: int, stride: int, budget: float) -> Scores:
    """Against all patches: the diagonal shifts of single-position products."""
    width = pixels.shape[1]
    nx = (width - patch) // stride + 1
    nv, nu = source.inverse.shape
    style_width = source.width
    # Live at once: `patch` rows of sums over columns, the products, and the sum over rows: float32.
    per_position = (patch + 3) * 4 * style_width
    positions = max(1, int(min(budget, max(_CACHE_MB * 2**20, budget / 16)) / per_position))
    wanted = source.inverse > 0 if source.pool is not None else None

    def span(count: int) -> int:
        return (count - 1) * stride + patch

    # Split the photo's columns down to 32 first, then the style's rows, then the columns again.
    columns = max(1, min(nx, max((positions // span(nv) - patch) // stride + 1, 32)))
    bands = max(1, min(nv, (positions // span(columns) - patch) // stride + 1))
    if bands == 1:
        columns = max(1, min(columns, (positions // patch - patch) // stride + 1))
    for v0, v1 in _split(nv, bands):
        band = source.pixels(slice(v0 * stride, v0 * stride + span(v1 - v0)))
        flat = band.flatten(0, 1)
        inverse = source.inverse[v0:v1]
        left_out = None if wanted is None else ~wanted[v0:v1].flatten()
        for x0, x1 in _split(nx, columns):
            recent: deque[Tensor] = deque(maxlen=patch)
            for y in range(pixels.shape[0]):
                row = pixels[y, x0 * stride : x0 * stride + span(x1 - x0)]
                product = _products(row, flat).view(len(row), len(band), style_width)
                recent.append(_shifted(product, patch, stride, x1 - x0, nu))
                top = y - patch + 1
                if top < 0 or top % stride:
                    continue
                total = recent[0][:, : (v1 - v0 - 1) * stride + 1 : stride]
                for dy in range(1, patch):
                    total = _add(total, recent[dy][:, dy : dy + (v1 - v0 - 1) * stride + 1 : stride], dy > 1)
                scores = (total * inverse).flatten(1)
                if left_out is not None:
                    scores.masked_fill_(left_out, -torch.inf)
                yield top // stride, x0, v0 * nu, scores


def _products(one: Tensor, other: Tensor) -> Tensor:
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


def _first_largest(scores: Tensor) -> tuple[Tensor, Tensor]:
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


def _sampled_scores(pixels: Tensor, source: _Source, patch: int, stride: int, budget: float) -> Scores:
    """Against few drawn patches: one product for each place within the patch."""
    assert source.pool is not None
    height, width, channels = pixels.shape
    ny, nx = (height - patch) // stride + 1, (width - patch) // stride + 1
    nu = source.inverse.shape[1]
    style_width = source.width
    corners = source.pool.div(nu, rounding_mode="floor") * stride * style_width + source.pool.remainder(nu) * stride
    lengths = source.inverse.flatten()[source.pool]
    # For each drawn patch: its features, and scores, products and sums along a row of the photo.
    most = max(1, int(budget / 4 / (patch**2 * channels + 3 * nx)))
    for first, end in _split(len(corners), most):
        chosen = corners[first:end]
        filters = [source.pixels(chosen + dy * style_width + dx).T for dy in range(patch) for dx in range(patch)]
        for y in range(ny):
            scores = pixels.new_zeros(nx, end - first, dtype=torch.float32)
            for place, filtered in enumerate(filters):
                dy, dx = divmod(place, patch)
                row = pixels[y * stride + dy, dx : dx + (nx - 1) * stride + 1 : stride]
                scores += row @ filtered
            yield y, 0, first, scores * lengths[first:end]


def _rebuilt(rows: Tensor, content: Tensor, style: SwapStyle, alpha: float, restore: Keep) -> Tensor:
    """The features that ny×nx rows of the table make, mixed with the photo's; see `swap`. In strips where large."""
    patch, stride = style.patch, style.stride
    ny, nx = rows.shape
    channels = style.table.shape[1]
    height, width = (ny - 1) * stride + patch, (nx - 1) * stride + patch
    parts = ranges(height, _AT_ONCE // (width * channels))

    def strip(first: int, end: int) -> Tensor:
        low, high = max(0, -(-(first - patch + 1) // stride)), min(ny, (end - 1) // stride + 1)
        return _rebuild(rows[low:high], style)[:, :, first - low * stride : end - low * stride]

    whole = strip(0, height) if len(parts) == 1 else None
    gain = shift = None
    if restore == "style":
        gathered = Gathered()
        for first, end in parts:
            gathered.add(strip(first, end) if whole is None else whole)
        gain, shift = affine(gathered.moments(), style.moments)
    made = empty(content, height, width)
    for first, end in parts:
        swapped = strip(first, end) if whole is None else whole
        if gain is not None and shift is not None:
            swapped = (swapped * gain).add_(shift)
        if alpha != 1:
            swapped = swapped.lerp(content[:, :, first:end, :width].to(swapped.dtype), 1 - alpha)
        made[:, :, first:end] = swapped
    return made


def _rebuild(rows: Tensor, style: SwapStyle) -> Tensor:
    """ny×nx rows of the table -> 1×C×H'×W' features in float32, overlapping patches averaged."""
    patch, stride = style.patch, style.stride
    ny, nx = rows.shape
    height, width = (ny - 1) * stride + patch, (nx - 1) * stride + patch
    # Styles differ in width, so a step down the style differs by where the patch comes from.
    step = torch.zeros_like(rows)
    for source in style.sources:
        step = torch.where(rows >= source.offset, source.width, step)
    total = style.table.new_zeros(height, width, style.table.shape[1], dtype=torch.float32)
    count = total.new_zeros(height, width, 1)
    for dy in range(patch):
        for dx in range(patch):
            down = slice(dy, dy + (ny - 1) * stride + 1, stride)
            along = slice(dx, dx + (nx - 1) * stride + 1, stride)
            total[down, along] += style.table[rows + dy * step + dx]
            count[down, along] += 1
    return (total / count).permute(2, 0, 1)[None]
