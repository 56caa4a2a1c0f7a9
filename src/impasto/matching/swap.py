"""Style-swap: rebuild a photo's features out of the most similar patches of a style's features.

Chen & Schmidt 2016, "Fast Patch-based Style Transfer of Arbitrary Style". The definition, over two searches for the
most similar patch: `patches` compares all with all, `patchmatch` finds nearly as similar ones where that takes hours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import ImpastoError, RequestError
from ..memory import is_out_of_memory
from ..statistics.moments import Gathered, Moments, affine, blend, moments
from ..strips import empty, ranges
from . import patchmatch, score_table
from .coherence import coherent
from .exact import Source, best_of, normalise, squared_lengths

Match = Literal["plain", "normalised"]
Keep = Literal["keep", "style"]
Search = Literal["auto", "exact", "patchmatch"]

MAX_PATCH = 15
BUDGET_MB = 512.0
"""Working memory of the match, beside the features themselves, in MiB."""

COMPARISONS = 2**33
"""Pairs of patches up to which ``auto`` is exact: about 1200 px with as large a style, a minute on two busy cores."""

_LUMINANCE = (0.299, 0.587, 0.114)  # of sRGB as it is stored, ITU-R BT.601
_LEAST_SPREAD = 0.02  # of a picture's brightness, of the range 0 to 1
_EPSILON = 1e-8  # added to a style patch's length, as the original does: a patch of zeros has none
_AT_ONCE = 2**24  # values of features that are worked on together beside the match


@dataclass(frozen=True)
class SwapStyle:
    """One or several styles encoded once, for any number of photos. Made by `prepare`.

    Attributes:
        patch: side of a patch, in positions of the features.
        stride: positions between neighbouring patches, of the style and of the photo.
        match: what is compared, see `prepare`.
        search: how, see `prepare`.
        seed: of PatchMatch's draws.
        weights: of the styles, summing to 1.
        moments: the styles' channel moments, mixed by `weights`.
        table: all styles' features, position by position, one after another: P×C.
        tone_gain: what tones are multiplied with before they are compared; 0 where they are not.
        coherence: see `prepare`.
    """

    patch: int
    stride: int
    match: Match
    search: Search
    seed: int
    weights: tuple[float, ...]
    moments: Moments
    table: Tensor
    tone_gain: float
    coherence: float
    sources: tuple[Source, ...]

    def is_approximate(self, height: int, width: int) -> bool:
        """Whether a photo of so many positions is matched by PatchMatch."""
        if self.search == "exact":
            return False
        patches = sum(source.inverse.numel() for source in self.sources)
        ny, nx = ((side - self.patch) // self.stride + 1 for side in (height, width))
        return self.search == "patchmatch" or ny * nx * patches > COMPARISONS

    def excess(self, height: int, width: int, budget_mb: float) -> float:
        """Bytes that the match of a photo of so many positions takes beyond its budget: none but of huge pictures."""
        if not self.is_approximate(height, width):
            return 0
        budget = budget_mb * 2**20
        copies = max(patchmatch.copies(height * width, source, self.patch) for source in self.sources)
        return copies + patchmatch.left(budget, copies) - budget


def prepare(
    styles: Sequence[Tensor],
    weights: Sequence[float] | None = None,
    *,
    patch: int = 3,
    stride: int = 1,
    match: Match = "plain",
    search: Search = "exact",
    seed: int = 0,
    tones: Sequence[Tensor] = (),
    luminance_weight: float = 0.0,
    coherence: float = 0.0,
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
        search: ``exact`` compares every patch of the photo with every one of the style; ``patchmatch`` finds nearly
            the same score in a fraction of the time, see `patchmatch`; ``auto`` is exact up to `COMPARISONS`.
        seed: of PatchMatch's draws.
        tones: of each style's picture, from `tone`; not needed without a weight.
        luminance_weight: what a position's tone counts beside its features: 1 for as much as all of them. Even areas
            have features that are alike, dark or bright: compared by those alone, they come out in blots.
        coherence: what it counts that a patch's neighbours are its neighbours in the style, beside its similarity, a
            cosine: see `coherence`.
        dtype: arithmetic of the match's products; sums are made in float32.

    Raises:
        RequestError: a setting out of range, or a style smaller than one patch.
    """
    if not 1 <= patch <= MAX_PATCH:
        raise RequestError(f"patch is {patch}; expected 1 … {MAX_PATCH}")
    if not 1 <= stride <= patch:
        raise RequestError(f"stride is {stride} with patches of {patch}; expected 1 … {patch}, or patches leave gaps")
    if not styles:
        raise RequestError("no style is given; expected one or more")
    if luminance_weight and len(tones) != len(styles):
        raise RequestError(f"there are {len(styles)} styles and {len(tones)} tones; expected one each to weigh them")
    weights = [1.0] * len(styles) if weights is None else list(weights)
    for style in styles:
        if style.dim() != 4 or style.shape[0] != 1:
            raise RequestError(f"style features have shape {tuple(style.shape)}; expected 1×C×h×w")
        _refuse_small(style, patch, "style")
    stats = [_moments(style) for style in styles]
    mixed = blend(stats, weights)
    positions = [_positions(style) for style in styles]
    tables = [each.flatten(0, 1) for each in positions]
    table = tables[0] if len(tables) == 1 else torch.cat(tables)
    taken = [stat if match == "normalised" else None for stat in stats]
    lengths = [squared_lengths(each, stat) for each, stat in zip(positions, taken, strict=True)]
    typical = math.sqrt(sum(map(float, map(torch.sum, lengths))) / sum(map(torch.numel, lengths)))
    gain = luminance_weight * typical
    sources: list[Source] = []
    offset = 0
    for number, squares in enumerate(lengths):
        height, width = squares.shape
        features = table[offset : offset + height * width].unflatten(0, (height, width))
        shade = tones[number][0, 0].to(squares) * gain if gain else None
        if shade is not None:
            squares.add_(shade.square())
        length = F.avg_pool2d(squares[None, None], patch, stride, divisor_override=1).sqrt()
        inverse = 1 / (length[0, 0] + _EPSILON)
        sources.append(Source(features, taken[number], shade, dtype, inverse, offset))
        offset += height * width
    total = sum(weights)
    shares = tuple(weight / total for weight in weights)
    return SwapStyle(patch, stride, match, search, seed, shares, mixed, table, gain, coherence, tuple(sources))


def tone(picture: Tensor, height: int, width: int) -> Tensor:
    """How bright pictures are at each position of their features, of mean 0 and deviation 1.

    Args:
        picture: N×3×H×W in [0, 1].
        height: of the features.
        width: likewise.

    Returns:
        N×1×height×width float32. A picture of hardly any contrast is not brought up to a deviation of 1.
    """
    seen = F.adaptive_avg_pool2d(picture.float(), (height, width))
    shares = torch.tensor(_LUMINANCE).to(seen.device, non_blocking=True)
    bright = torch.einsum("nchw,c->nhw", seen, shares)[:, None]
    spread, mean = torch.std_mean(bright, (2, 3), correction=0, keepdim=True)
    return (bright - mean) / spread.clamp_min(_LEAST_SPREAD)


def swap(
    content: Tensor,
    style: SwapStyle,
    *,
    tones: Tensor | None = None,
    alpha: float = 1.0,
    restore: Keep = "keep",
    budget_mb: float = BUDGET_MB,
) -> Tensor:
    """The photo's features rebuilt from style patches, overlaps averaged.

    With several styles every patch competes. Their weights tilt the outcome: a style gets positions of the
    photo in proportion to weight × what it would get among equals.

    Args:
        content: N×C×H×W features of photos.
        style: from `prepare`.
        tones: of the photos, from `tone`; needed where the style's count.
        alpha: share of the swapped features; the rest is the photo's own.
        restore: ``keep`` leaves the average of overlapping patches as it is (the paper), which greys it;
            ``style`` gives it the style's channel means and deviations back.
        budget_mb: working memory of the match in MiB, but for `SwapStyle.excess`; the result does not depend on it.

    Returns:
        N×C×H'×W' in the type of `content`, where H' = (n-1)·stride + patch for the n patches that fit, at most
        stride - 1 less than H.
    """
    found = match_patches(content, style, tones=tones, budget_mb=budget_mb)
    if alpha == 1:  # large features are free from here, where the caller holds them no longer
        content = content.new_empty(*content.shape[:2], 0, 0)
    made = [_rebuilt(one, content[n : n + 1], style, alpha, restore) for n, one in enumerate(found)]
    return made[0] if len(made) == 1 else torch.cat(made)  # a copy of large features would take as much again


def match_patches(
    content: Tensor, style: SwapStyle, *, tones: Tensor | None = None, budget_mb: float = BUDGET_MB
) -> Tensor:
    """For each patch of the photo the most similar style patch; the first of equals where the search is exact.

    Returns:
        N×ny×nx int64: the row of `style.table` that holds the patch's upper left position.

    Raises:
        RequestError: the photo is smaller than a patch, its features are of another layer, or its tone is missing.
        ImpastoError: memory ran out even for the smallest blocks.
    """
    _refuse_small(content, style.patch, "photo")
    if content.shape[1] != style.table.shape[1]:
        raise RequestError(
            f"photo features have {content.shape[1]} channels, the style's {style.table.shape[1]}; "
            "expected the same layer of the same encoder"
        )
    if not style.tone_gain:
        tones = None
    elif tones is None or (len(tones), *tones.shape[2:]) != (len(content), *content.shape[2:]):
        got = "none" if tones is None else "×".join(map(str, tones.shape))
        raise RequestError(f"the style's tones count, and the photo's are {got}; expected one for each position")
    shades = [None] * len(content) if tones is None else [one[0] * style.tone_gain for one in tones]
    budget = budget_mb * 2**20
    while True:
        try:
            if content.is_cuda and _fits_a_table(content, style, budget):
                return _match_in_table(content, style, shades)
            matches = zip(content, shades, strict=True)
            return torch.stack([_match_one(one[None], style, budget, shade) for one, shade in matches])
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            if budget < 2**20:
                raise ImpastoError("memory ran out while matching patches; use a smaller size") from None
            budget /= 4


def _moments(features: Tensor) -> Moments:
    """A part at a time: a copy of large features in float32 would take more memory than they do."""
    if features.is_cuda and features.numel() <= _AT_ONCE:
        return moments(features)
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


def _positions(features: Tensor) -> Tensor:
    """1×C×h×w -> h×w×C, contiguous."""
    return features[0].permute(1, 2, 0).contiguous()


def _pixels(content: Tensor, style: SwapStyle, shade: Tensor | None) -> Tensor:
    """What is matched of 1×C×H×W, and H×W of tones as they count: H×W×C, or H×W×(C+1) with a tone."""
    stat = _moments(content) if style.match == "normalised" else None
    pixels, dtype = _positions(content), style.sources[0].dtype
    if stat is None and shade is None:
        pixels = pixels.to(dtype)
    else:  # a part at a time: whole, what is made on the way would take as much memory again
        whole, channels = pixels, pixels.shape[2]
        pixels = whole.new_empty(*whole.shape[:2], channels + (shade is not None), dtype=dtype)
        for first, end in ranges(len(whole), _AT_ONCE // whole[0].numel()):
            part = whole[first:end]
            pixels[first:end, :, :channels] = part if stat is None else normalise(part, stat)
        if shade is not None:
            pixels[:, :, channels] = shade
    return pixels


def _match_one(content: Tensor, style: SwapStyle, budget: float, shade: Tensor | None = None) -> Tensor:
    """1×C×H×W, and H×W of tones as they count -> ny×nx rows of `style.table`."""
    pixels = _pixels(content, style, shade)
    scores: list[Tensor] = []
    rows: list[Tensor] = []
    approximate = style.is_approximate(*pixels.shape[:2])
    for source in style.sources:
        if approximate:
            found = patchmatch.search(pixels, source, style.patch, style.stride, budget, style.seed)
        else:
            found = best_of(pixels, source, style.patch, style.stride, budget)
        if style.coherence:
            found = coherent(pixels, source, style.patch, style.stride, found, style.coherence, budget)
        score, index = found
        scores.append(score)
        rows.append(_rows(index, source, style.stride))
    if len(scores) == 1:
        return rows[0]
    choice = _share_out(torch.stack(scores), style.weights)
    return torch.stack(rows).gather(0, choice[None])[0]


def _fits_a_table(content: Tensor, style: SwapStyle, budget: float) -> bool:
    """Whether all scores fit in the budget at once; one style only."""
    count, _, height, width = content.shape
    if len(style.sources) > 1 or style.is_approximate(height, width):
        return False
    return score_table.COPIES * 4 * count * height * width * len(style.table) <= budget


def _match_in_table(content: Tensor, style: SwapStyle, shades: Sequence[Tensor | None]) -> Tensor:
    """Of photos, N×C×H×W, what `_match_one` gives of each: N×ny×nx."""
    (source,) = style.sources
    pixels = torch.stack([_pixels(one[None], style, shade) for one, shade in zip(content, shades, strict=True)])
    index = score_table.matched(pixels, source, style.patch, style.stride, style.coherence)
    return _rows(index, source, style.stride)


def _rows(index: Tensor, source: Source, stride: int) -> Tensor:
    """The rows of the table of all styles that patches begin at, of their indices."""
    columns = source.inverse.shape[1]
    top = index.div(columns, rounding_mode="floor") * stride
    return source.offset + top * source.width + index.remainder(columns) * stride


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
        if whole is None:
            gathered = Gathered()
            for first, end in parts:
                gathered.add(strip(first, end))
            own = gathered.moments()
        else:
            own = _moments(whole)
        gain, shift = affine(own, style.moments)
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
