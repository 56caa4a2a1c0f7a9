"""Styles ready to be matched: their patches encoded once, for any number of photos."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import RequestError
from ..memory import Cost
from ..statistics.moments import Gathered, Moments, blend, moments
from . import patchmatch
from .exact import Source, squared_lengths

Match = Literal["plain", "normalised"]
Search = Literal["auto", "exact", "patchmatch"]

MAX_PATCH = 15
BUDGET_MB = 512.0
"""Working memory of the match, beside the features themselves, in MiB."""

COMPARISONS = 2**33
"""Pairs of patches up to which ``auto`` is exact: about 1200 px with as large a style, a minute on two busy cores."""

AT_ONCE = 2**24
"""Values of features that are worked on together beside the match."""

_LUMINANCE = (0.299, 0.587, 0.114)  # of sRGB as it is stored, ITU-R BT.601
_LEAST_SPREAD = 0.02  # of a picture's brightness, of the range 0 to 1
_EPSILON = 1e-8  # added to a style patch's length, as the original does: a patch of zeros has none
_SHARE = 16  # one part in so many of a budget for everything goes to the match


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

    def cost(self, height: int, width: int, budget_mb: float) -> Cost:
        """Memory that the match of a photo of so many positions takes: its budget, and more of huge pictures."""
        budget = budget_mb * 2**20
        if not self.is_approximate(height, width):
            return Cost.of_bytes(budget)
        copies = max(patchmatch.copies(height * width, source, self.patch) for source in self.sources)
        return Cost.of_bytes(copies + patchmatch.left(budget, copies))


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
        refuse_small(style, patch, "style")
    stats = [moments_of(style) for style in styles]
    mixed = blend(stats, weights)
    positions = [positions_of(style) for style in styles]
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
    bright = luminance(seen)
    spread, mean = torch.std_mean(bright, (2, 3), correction=0, keepdim=True)
    return (bright - mean) / spread.clamp_min(_LEAST_SPREAD)


def luminance(picture: Tensor) -> Tensor:
    """Brightness of N×3×H×W, sRGB as it is stored, as N×1×H×W (ITU-R BT.601)."""
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
    """Multiply-adds of matching a photo with styles, of their positions: heights and widths."""

    def patches(size: tuple[int, int]) -> int:
        return math.prod(max(0, side - patch) // stride + 1 for side in size)

    own, others = patches(photo), [patches(style) for style in styles]
    if search == "patchmatch" or (search == "auto" and own * sum(others) > COMPARISONS):
        return sum(patchmatch.work(own, other, channels, patch) for other in others)
    return float(own * sum(others) * stride**4 * channels)


def match_budget(memory: int | None) -> float:
    """Working memory of a match in MiB, where all that is painted with is to keep within `memory` bytes."""
    return BUDGET_MB if memory is None else min(BUDGET_MB, memory / _SHARE / 2**20)


def match_cost(styles: Sequence[SwapStyle], height: int, width: int, memory: int | None) -> Cost:
    """Memory that matching a photo of so many positions takes, with each of several styles in turn."""
    budget = match_budget(memory)
    cost = Cost.of_bytes(budget * 2**20)
    for style in styles:
        cost |= style.cost(height, width, budget)
    return cost


def moments_of(features: Tensor) -> Moments:
    """A part at a time: a copy of large features in float32 would take more memory than they do."""
    if features.is_cuda and features.numel() <= AT_ONCE:
        return moments(features)
    gathered = Gathered()
    gathered.add(features)
    return gathered.moments()


def refuse_small(features: Tensor, patch: int, what: str) -> None:
    """Refuse features that hold no patch; `what` they are of."""
    height, width = features.shape[2:]
    if min(height, width) < patch:
        raise RequestError(
            f"the {what} has {height}×{width} positions at this layer, fewer than one patch of {patch}×{patch}; "
            f"use a larger {what}, a smaller patch or a shallower layer"
        )


def positions_of(features: Tensor) -> Tensor:
    """1×C×h×w -> h×w×C, contiguous."""
    return features[0].permute(1, 2, 0).contiguous()
