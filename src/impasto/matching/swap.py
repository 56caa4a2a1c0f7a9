"""Style-swap: rebuild a photo's features out of the most similar patches of a style's features.

Chen & Schmidt 2016, "Fast Patch-based Style Transfer of Arbitrary Style". The definition, over two searches for the
most similar patch: `exact` compares all with all, `patchmatch` finds nearly as similar ones where that takes hours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypeVar

import torch
from torch import Tensor

from ..errors import RequestError
from ..memory import with_less
from ..statistics.moments import Gathered, affine
from ..strips import empty, ranges
from . import patchmatch, score_table
from .coherence import coherent
from .exact import Source, best_of, normalise
from .styles import AT_ONCE, BUDGET_MB, SwapStyle, moments_of, positions_of, refuse_small

Keep = Literal["keep", "style"]

Made = TypeVar("Made")


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
        style: from `impasto.matching.styles.prepare`.
        tones: of the photos, from `tone`; needed where the style's count.
        alpha: share of the swapped features; the rest is the photo's own.
        restore: ``keep`` leaves the average of overlapping patches as it is (the paper), which greys it;
            ``style`` gives it the style's channel means and deviations back.
        budget_mb: working memory of the match in MiB, on which the result does not depend. PatchMatch may take more:
            see `SwapStyle.cost`.

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
    refuse_small(content, style.patch, "photo")
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

    def matched(budget: float) -> Tensor:
        if content.is_cuda and _fits_a_table(content, style, budget):
            return _match_in_table(content, style, shades)
        pairs = zip(content, shades, strict=True)
        return torch.stack([_match_one(one[None], style, budget, shade) for one, shade in pairs])

    return _with_budget(matched, budget_mb)


def _with_budget(work: Callable[[float], Made], budget_mb: float) -> Made:
    """What is made with so much working memory, or ever less of it while memory runs out."""
    return with_less(
        work,
        budget_mb * 2**20,
        lambda budget: budget / 4 if budget >= 2**20 else None,
        lambda: "memory ran out while matching patches; use a smaller --size, or close other programs",
    )


def _pixels(content: Tensor, style: SwapStyle, shade: Tensor | None) -> Tensor:
    """What is matched of 1×C×H×W, and H×W of tones as they count: H×W×C, or H×W×(C+1) with a tone."""
    stat = moments_of(content) if style.match == "normalised" else None
    pixels, dtype = positions_of(content), style.sources[0].dtype
    if stat is None and shade is None:
        if pixels.dtype.itemsize > dtype.itemsize:  # narrower ones are brought to it a part at a time
            pixels = pixels.to(dtype)
    else:  # a part at a time: whole, what is made on the way would take as much memory again
        whole, channels = pixels, pixels.shape[2]
        pixels = whole.new_empty(*whole.shape[:2], channels + (shade is not None), dtype=dtype)
        for first, end in ranges(len(whole), AT_ONCE // whole[0].numel()):
            part = whole[first:end]
            pixels[first:end, :, :channels] = part if stat is None else normalise(part, stat)
        if shade is not None:
            pixels[:, :, channels] = shade
    return pixels


def _match_one(content: Tensor, style: SwapStyle, budget: float, shade: Tensor | None = None) -> Tensor:
    """1×C×H×W, and H×W of tones as they count -> ny×nx rows of `style.table`."""
    return share_out(*_candidates(content, style, budget, shade), style.weights)


def candidates(
    content: Tensor, style: SwapStyle, *, shade: Tensor | None = None, budget_mb: float = BUDGET_MB
) -> tuple[Tensor, Tensor]:
    """For each patch of one photo the most similar patch of every style.

    Args:
        content: 1×C×H×W features of a photo.
        style: from `impasto.matching.styles.prepare`.
        shade: H×W of tones as they count, where the style's do.
        budget_mb: see `swap`.

    Returns:
        Scores, k×ny×nx float32, and the rows of `style.table`, k×ny×nx int64, of k styles: see `share_out`.

    Raises:
        ImpastoError: memory ran out even for the smallest blocks.
    """
    return _with_budget(lambda budget: _candidates(content, style, budget, shade), budget_mb)


def _candidates(content: Tensor, style: SwapStyle, budget: float, shade: Tensor | None) -> tuple[Tensor, Tensor]:
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
    return torch.stack(scores), torch.stack(rows)


def share_out(scores: Tensor, rows: Tensor, weights: Sequence[float]) -> Tensor:
    """Of every style's best patches, k×ny×nx as from `candidates`, those taken: ny×nx rows of the table."""
    return rows[0] if len(rows) == 1 else rows.gather(0, _choice(scores, weights)[None])[0]


def _fits_a_table(content: Tensor, style: SwapStyle, budget: float) -> bool:
    """Whether all scores fit in the budget at once; one style only."""
    count, _, height, width = content.shape
    if len(style.sources) > 1 or style.is_approximate(height, width):
        return False
    return score_table.COPIES * 4 * count * height * width * len(style.table) <= budget


def _match_in_table(content: Tensor, style: SwapStyle, shades: Sequence[Tensor | None]) -> Tensor:
    """Of photos, N×C×H×W, what `match_patches` gives: N×ny×nx."""
    (source,) = style.sources
    pixels = torch.stack([_pixels(one[None], style, shade) for one, shade in zip(content, shades, strict=True)])
    index = score_table.matched(pixels.to(source.dtype), source, style.patch, style.stride, style.coherence)
    return _rows(index, source, style.stride)


def _rows(index: Tensor, source: Source, stride: int) -> Tensor:
    """The rows of the table of all styles that patches begin at, of their indices."""
    columns = source.inverse.shape[1]
    top = index.div(columns, rounding_mode="floor") * stride
    return source.offset + top * source.width + index.remainder(columns) * stride


def _choice(scores: Tensor, weights: Sequence[float]) -> Tensor:
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
    parts = ranges(height, AT_ONCE // (width * channels))

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
            own = moments_of(whole)
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
