"""Style-swap: rebuild a photo's features from the most similar patches of a style's features.

Chen & Schmidt 2016, "Fast Patch-based Style Transfer of Arbitrary Style". There are two searches for the most similar
patch: `exact` compares all pairs, and `patchmatch` is approximate, for pictures where that would take too long.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from ..errors import RequestError
from ..memory import with_less
from ..strips import ranges
from . import patchmatch, score_table
from .coherence import make_coherent
from .exact import Source, best_patches, normalise
from .rebuild import Keep as Keep
from .rebuild import rebuild
from .styles import AT_ONCE, BUDGET_MB, SwapStyle, check_holds_patch, moments_of, to_positions

Made = TypeVar("Made")


def swap(
    content: Tensor,
    style: SwapStyle,
    *,
    tones: Tensor | None = None,
    alpha: float = 1.0,
    restore: Keep = "keep",
    budget_mb: float = BUDGET_MB,
    finer: dict[str, Tensor] | None = None,
) -> Tensor:
    """Rebuild photos' features from style patches: each patch P becomes ``argmax_S ⟨P, S⟩ / (‖P‖ ‖S‖)``.

    Overlapping patches are averaged (Chen & Schmidt 2016). With several styles, the best patch of any style is taken.
    Weights change that: the number of patches a style gets is proportional to its weight times the number it would
    get with equal weights.

    Args:
        content: N×C×H×W features of photos.
        style: from `impasto.matching.styles.prepare`.
        tones: tones of the photos, from `tone`; needed if the style compares tones.
        alpha: share of the swapped features, 0 to 1; the rest is the photo's own features.
        restore: ``keep`` leaves the average of overlapping patches as it is (the paper), which has less contrast.
            ``style`` gives it the style's channel means and deviations.
        budget_mb: working memory of the match in MiB; the result does not depend on it. PatchMatch may take more; see
            `SwapStyle.cost`.
        finer: the swapped features of each layer of `style.finer` are put in here. If `alpha` is less than 1, it has
            to hold the photos' features at these layers.

    Returns:
        N×C×H'×W' in the type of `content`. H' is ``(n − 1)·stride + patch`` for the n patches that fit, at most
        stride − 1 less than H.

    Raises:
        RequestError: see `match_patches`.
        ImpastoError: memory ran out even for the smallest blocks.

    Examples:
        >>> from impasto.matching.styles import prepare
        >>> style = prepare([torch.rand(1, 8, 12, 10)], patch=3)
        >>> tuple(swap(torch.rand(1, 8, 16, 20), style).shape)
        (1, 8, 16, 20)
    """
    found = match_patches(content, style, tones=tones, budget_mb=budget_mb)
    if alpha == 1:  # frees large features, if the caller does not hold them
        content = content.new_empty(*content.shape[:2], 0, 0)
    made = rebuild(found, content, style, alpha=alpha, restore=restore)
    if finer is not None:
        for layer in style.finer:
            own = None if alpha == 1 else finer[layer]
            finer[layer] = rebuild(found, own, style, layer, alpha=alpha, restore=restore)
    return made


def match_patches(
    content: Tensor, style: SwapStyle, *, tones: Tensor | None = None, budget_mb: float = BUDGET_MB
) -> Tensor:
    """Find the most similar style patch for each patch of photos: ``argmax_S ⟨P, S⟩ / (‖P‖ ‖S‖)``.

    Args:
        content: N×C×H×W features of photos.
        style: see `swap`.
        tones: see `swap`.
        budget_mb: see `swap`.

    Returns:
        N×ny×nx int64: the row of `style.table` with the upper left position of the patch. If the search is exact, it
        is the first of equally similar patches.

    Raises:
        RequestError: the photo is smaller than a patch, its features are of another layer, or its tone is missing.
        ImpastoError: memory ran out even for the smallest blocks.
    """
    check_holds_patch(content, style.patch, "photo")
    if content.shape[1] != style.table.shape[1]:
        raise RequestError(
            f"photo features have {content.shape[1]} channels, the style's {style.table.shape[1]}; "
            "expected the same layer of the same encoder"
        )
    if not style.tone_gain:
        tones = None
    elif tones is None or (len(tones), *tones.shape[2:]) != (len(content), *content.shape[2:]):
        got = "none" if tones is None else "×".join(map(str, tones.shape))
        raise RequestError(f"the style compares tones, the photo's tones are {got}; expected one for each position")
    weighted_tones = [None] * len(content) if tones is None else [one[0] * style.tone_gain for one in tones]

    def match(budget: float) -> Tensor:
        if content.is_cuda and _fits_a_table(content, style, budget):
            return _match_in_table(content, style, weighted_tones)
        pairs = zip(content, weighted_tones, strict=True)
        return torch.stack([_match_one(one[None], style, budget, tone) for one, tone in pairs])

    return _retry_with_less(match, budget_mb)


def _retry_with_less(work: Callable[[float], Made], budget_mb: float) -> Made:
    """Call ``work(budget)``, and again with a quarter of the budget each time that memory runs out."""
    return with_less(
        work,
        budget_mb * 2**20,
        lambda budget: budget / 4 if budget >= 2**20 else None,
        lambda: "memory ran out while matching patches; use a smaller --size, or close other programs",
    )


def _vectors(content: Tensor, style: SwapStyle, tone: Tensor | None) -> Tensor:
    """The vectors to compare of 1×C×H×W features and H×W weighted tones: H×W×C, or H×W×(C+1) with tones."""
    stat = moments_of(content) if style.match == "normalised" else None
    vectors, dtype = to_positions(content), style.sources[0].dtype
    if stat is None and tone is None:
        if vectors.dtype.itemsize > dtype.itemsize:  # narrower ones are converted later, part by part
            vectors = vectors.to(dtype)
    else:  # part by part, which needs less memory
        whole, channels = vectors, vectors.shape[2]
        vectors = whole.new_empty(*whole.shape[:2], channels + (tone is not None), dtype=dtype)
        for first, end in ranges(len(whole), AT_ONCE // whole[0].numel()):
            part = whole[first:end]
            vectors[first:end, :, :channels] = part if stat is None else normalise(part, stat)
        if tone is not None:
            vectors[:, :, channels] = tone
    return vectors


def _match_one(content: Tensor, style: SwapStyle, budget: float, tone: Tensor | None = None) -> Tensor:
    """Match 1×C×H×W features with H×W weighted tones: ny×nx rows of `style.table`."""
    return choose_styles(*_candidates(content, style, budget, tone), style.weights)


def candidates(
    content: Tensor, style: SwapStyle, *, tone: Tensor | None = None, budget_mb: float = BUDGET_MB
) -> tuple[Tensor, Tensor]:
    """Find the most similar patch of every style for each patch of one photo.

    Args:
        content: 1×C×H×W features of a photo.
        style: from `impasto.matching.styles.prepare`.
        tone: tones times `style.tone_gain`, H×W; None if the style compares no tones.
        budget_mb: see `swap`.

    Returns:
        Scores, k×ny×nx float32, and rows of `style.table`, k×ny×nx int64, of k styles; see `choose_styles`.

    Raises:
        ImpastoError: memory ran out even for the smallest blocks.
    """
    return _retry_with_less(lambda budget: _candidates(content, style, budget, tone), budget_mb)


def _candidates(content: Tensor, style: SwapStyle, budget: float, tone: Tensor | None) -> tuple[Tensor, Tensor]:
    vectors = _vectors(content, style, tone)
    scores: list[Tensor] = []
    rows: list[Tensor] = []
    approximate = style.is_approximate(*vectors.shape[:2])
    # Single positions are hardly improved, and `make_coherent` improves patches.
    improve = style.patch > 1 and not style.coherence
    for source in style.sources:
        if approximate:
            found = patchmatch.search(vectors, source, style.patch, style.stride, budget, style.seed, improve=improve)
        else:
            found = best_patches(vectors, source, style.patch, style.stride, budget)
        if style.coherence:
            found = make_coherent(vectors, source, style.patch, style.stride, found, style.coherence, budget)
        score, index = found
        scores.append(score)
        rows.append(_rows(index, source, style.stride))
    return torch.stack(scores), torch.stack(rows)


def choose_styles(scores: Tensor, rows: Tensor, weights: Sequence[float]) -> Tensor:
    """Choose among the styles' best patches, k×ny×nx from `candidates`: ny×nx rows of the table."""
    return rows[0] if len(rows) == 1 else rows.gather(0, _choose(scores, weights)[None])[0]


def _fits_a_table(content: Tensor, style: SwapStyle, budget: float) -> bool:
    """Whether there is one style and its scores fit in the budget as one table."""
    count, _, height, width = content.shape
    if len(style.sources) > 1 or style.is_approximate(height, width):
        return False
    return score_table.COPIES * 4 * count * height * width * len(style.table) <= budget


def _match_in_table(content: Tensor, style: SwapStyle, weighted_tones: Sequence[Tensor | None]) -> Tensor:
    """`match_patches` by `score_table`: N×ny×nx."""
    (source,) = style.sources
    vectors = torch.stack(
        [_vectors(one[None], style, tone) for one, tone in zip(content, weighted_tones, strict=True)]
    )
    index = score_table.match(vectors.to(source.dtype), source, style.patch, style.stride, style.coherence)
    return _rows(index, source, style.stride)


def _rows(index: Tensor, source: Source, stride: int) -> Tensor:
    """The rows of the table of all styles where the patches with these numbers begin."""
    columns = source.inverse.shape[1]
    top = index.div(columns, rounding_mode="floor") * stride
    return source.offset + top * source.width + index.remainder(columns) * stride


def _choose(scores: Tensor, weights: Sequence[float]) -> Tensor:
    """The style for each position, given best scores, k×ny×nx: the argmax of score plus bias of the style."""
    choice = scores.argmax(0)
    if max(weights) == min(weights):
        return choice
    flat = scores.flatten(1)
    natural = torch.bincount(choice.flatten(), minlength=len(weights)).to(flat)
    shares = natural * flat.new_tensor(weights)
    shares = shares / shares.sum()
    bias = flat.new_zeros(len(weights), 1)
    for _ in range(20):  # each bias in turn becomes the quantile at which the style gets its share
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
