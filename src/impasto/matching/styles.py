"""Styles ready to be matched: prepared once, for any number of photos."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import RequestError
from ..memory import Cost
from ..statistics.moments import Moments, RunningMoments, blend, moments
from . import patchmatch
from .exact import Source, squared_lengths

Match = Literal["plain", "normalised"]
Search = Literal["auto", "exact", "patchmatch"]

MAX_PATCH = 15
BUDGET_MB = 512.0
"""Working memory of the match, in addition to the features, in MiB."""

MAX_EXACT_PAIRS = 2**24
"""Largest number of pairs of patches for which ``auto`` is exact: those of two pictures of 256 px."""

AT_ONCE = 2**24
"""Values of features to process at a time, outside the search."""

_LUMINANCE = (0.299, 0.587, 0.114)  # of sRGB values, ITU-R BT.601
_MIN_CONTRAST = 0.02  # smallest standard deviation of brightness that `tone` scales to 1, in the range 0 to 1
_EPSILON = 1e-8  # added to the length of style patches, as in the authors' code, since a patch may be zero
_BUDGET_SHARE = 16  # the match may use 1/16 of a budget for everything


@dataclass(frozen=True)
class Cells:
    """The features of a layer at the positions that are matched: `side`² of that layer's positions are in each.

    Attributes:
        table: the features of all positions of all styles, P×(side·side·C): a cell of side×side×C in each row.
        side: side of a cell, in positions of the layer.
        moments: channel moments of the styles at the layer, averaged by weight.
    """

    table: Tensor
    side: int
    moments: Moments


@dataclass(frozen=True)
class SwapStyle:
    """One or several styles, prepared by `prepare` for any number of photos.

    Attributes:
        patch: side of a patch, in positions of the features.
        stride: positions between neighbouring patches, in styles and photo.
        match: what to compare; see `prepare`.
        search: how to search; see `prepare`.
        seed: seed of PatchMatch.
        weights: weights of the styles, with a sum of 1.
        moments: channel moments of the styles, averaged by `weights`.
        table: the features of all positions of all styles, P×C.
        tone_gain: factor of tones when they are compared; 0 if they are not.
        coherence: see `prepare`.
        sources: the styles one by one; their features are views of `table`.
        finer: by shallower layer, its features at the same positions; see `impasto.matching.rebuild.with_finer`.
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
    finer: Mapping[str, Cells] = field(default_factory=dict[str, Cells])

    def is_approximate(self, height: int, width: int) -> bool:
        """Whether a photo with features of this height and width is matched by PatchMatch."""
        if self.search == "exact":
            return False
        patches = sum(source.inverse.numel() for source in self.sources)
        ny, nx = ((side - self.patch) // self.stride + 1 for side in (height, width))
        return self.search == "patchmatch" or ny * nx * patches > MAX_EXACT_PAIRS

    def cost(self, height: int, width: int, budget_mb: float) -> Cost:
        """Memory of the match for a photo of this height and width: the budget, or more for very large pictures."""
        budget = budget_mb * 2**20
        if not self.is_approximate(height, width):
            return Cost.of_bytes(budget)
        copies = max(patchmatch.projection_bytes(height * width, source, self.patch) for source in self.sources)
        return Cost.of_bytes(copies + patchmatch.budget_left(budget, copies))


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
    """Prepare the patches of styles for matching.

    Args:
        styles: features of each style, 1×C×h×w; sizes may differ.
        weights: a weight for each style; None for equal weights. `swap` says what they do.
        patch: side of a patch, 1 to 15.
        stride: positions between patches, 1 to `patch`.
        match: ``plain`` compares the features, as in the paper. ``normalised`` compares features scaled to zero mean
            and unit deviation in each channel, so patches are found by structure, not by brightness.
        search: ``exact`` compares every patch of the photo with every patch of the style. ``patchmatch`` finds nearly
            the same scores in a fraction of the time. ``auto`` is exact up to `MAX_EXACT_PAIRS`.
        seed: seed of PatchMatch.
        tones: `tone` of each style's picture; not needed if `luminance_weight` is 0.
        luminance_weight: weight of the tone of a position relative to its features; with 1 it counts as much. Even
            areas have similar features whether they are dark or bright, so without tones they become blotchy.
        coherence: weight of neighbours that are neighbours in the style too, relative to the cosine similarity; see
            `impasto.matching.coherence`.
        dtype: type of the products; sums are float32.

    Raises:
        RequestError: a setting is out of range, or a style is smaller than one patch.

    Examples:
        >>> style = prepare([torch.rand(1, 8, 12, 10)], patch=3)
        >>> tuple(style.table.shape)
        (120, 8)
    """
    _check_patches(styles, patch, stride)
    if luminance_weight and len(tones) != len(styles):
        raise RequestError(f"there are {len(styles)} styles and {len(tones)} tones; expected one tone for each style")
    weights = [1.0] * len(styles) if weights is None else list(weights)
    stats = [moments_of(style) for style in styles]
    mixed = blend(stats, weights)
    positions = [to_positions(style) for style in styles]
    tables = [each.flatten(0, 1) for each in positions]
    table = tables[0] if len(tables) == 1 else torch.cat(tables)
    stats_to_remove = [stat if match == "normalised" else None for stat in stats]
    squared = [squared_lengths(each, stat) for each, stat in zip(positions, stats_to_remove, strict=True)]
    typical = math.sqrt(sum(map(float, map(torch.sum, squared))) / sum(map(torch.numel, squared)))
    gain = luminance_weight * typical
    sources: list[Source] = []
    offset = 0
    for number, squares in enumerate(squared):
        height, width = squares.shape
        features = table[offset : offset + height * width].unflatten(0, (height, width))
        weighted_tone = tones[number][0, 0].to(squares) * gain if gain else None
        if weighted_tone is not None:
            squares.add_(weighted_tone.square())
        length = F.avg_pool2d(squares[None, None], patch, stride, divisor_override=1).sqrt()
        inverse = 1 / (length[0, 0] + _EPSILON)
        sources.append(Source(features, stats_to_remove[number], weighted_tone, dtype, inverse, offset))
        offset += height * width
    total = sum(weights)
    shares = tuple(weight / total for weight in weights)
    return SwapStyle(patch, stride, match, search, seed, shares, mixed, table, gain, coherence, tuple(sources))


def _check_patches(styles: Sequence[Tensor], patch: int, stride: int) -> None:
    if not 1 <= patch <= MAX_PATCH:
        raise RequestError(f"patch is {patch}; expected 1 to {MAX_PATCH}")
    if not 1 <= stride <= patch:
        raise RequestError(
            f"stride is {stride} with patches of {patch}; expected 1 to {patch}: larger strides leave gaps"
        )
    if not styles:
        raise RequestError("no style is given; expected one or more")
    for style in styles:
        if style.dim() != 4 or style.shape[0] != 1:
            raise RequestError(f"style features have shape {tuple(style.shape)}; expected 1×C×h×w")
        check_holds_patch(style, patch, "style")


def tone(picture: Tensor, height: int, width: int) -> Tensor:
    """The brightness of pictures at each position of their features, scaled to mean 0 and standard deviation 1.

    Args:
        picture: N×3×H×W in [0, 1].
        height: height of the features.
        width: width of the features.

    Returns:
        N×1×height×width float32. If a picture has hardly any contrast, the deviation is less than 1.
    """
    small = F.adaptive_avg_pool2d(picture.float(), (height, width))
    bright = luminance(small)
    spread, mean = torch.std_mean(bright, (2, 3), correction=0, keepdim=True)
    return (bright - mean) / spread.clamp_min(_MIN_CONTRAST)


def luminance(picture: Tensor) -> Tensor:
    """The brightness of sRGB pictures, N×3×H×W -> N×1×H×W (ITU-R BT.601)."""
    shares = torch.tensor(_LUMINANCE).to(picture.device, non_blocking=True)
    return torch.einsum("nchw,c->nhw", picture, shares)[:, None]


def match_work(
    photo: tuple[int, int],
    styles: Sequence[tuple[int, int]],
    channels: int,
    *,
    patch: int = 3,
    stride: int = 1,
    search: Search = "exact",
) -> float:
    """Multiply-adds of matching a photo with styles, by the heights and widths of their features."""

    def patches(size: tuple[int, int]) -> int:
        return math.prod(max(0, side - patch) // stride + 1 for side in size)

    own, others = patches(photo), [patches(style) for style in styles]
    if search == "patchmatch" or (search == "auto" and own * sum(others) > MAX_EXACT_PAIRS):
        return sum(patchmatch.search_work(own, other, channels, patch) for other in others)
    return float(own * sum(others) * stride**4 * channels)


def match_budget(memory: int | None) -> float:
    """Working memory of a match in MiB, if the whole painting may use `memory` bytes."""
    return BUDGET_MB if memory is None else min(BUDGET_MB, memory / _BUDGET_SHARE / 2**20)


def match_cost(styles: Sequence[SwapStyle], height: int, width: int, memory: int | None) -> Cost:
    """Memory of matching a photo of this height and width with each of several styles in turn."""
    budget = match_budget(memory)
    cost = Cost.of_bytes(budget * 2**20)
    for style in styles:
        cost |= style.cost(height, width, budget)
    return cost


def moments_of(features: Tensor) -> Moments:
    """Compute channel moments part by part; a float32 copy of large features would take too much memory."""
    if features.is_cuda and features.numel() <= AT_ONCE:
        return moments(features)
    gathered = RunningMoments()
    gathered.add(features)
    return gathered.moments()


def check_holds_patch(features: Tensor, patch: int, what: str) -> None:
    """Check that features hold at least one patch.

    Args:
        features: 1×C×h×w.
        patch: side of a patch.
        what: what they are features of, for the message.

    Raises:
        RequestError: they are smaller than a patch.
    """
    height, width = features.shape[2:]
    if min(height, width) < patch:
        raise RequestError(
            f"the {what} has {height}×{width} positions at this layer, fewer than one patch of {patch}×{patch}; "
            f"use a larger {what}, a smaller patch or a shallower layer"
        )


def to_positions(features: Tensor) -> Tensor:
    """Reshape 1×C×h×w to h×w×C, contiguous."""
    return features[0].permute(1, 2, 0).contiguous()
