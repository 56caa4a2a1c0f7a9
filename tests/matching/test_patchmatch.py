"""PatchMatch against the exact search: nearly its scores, from any shapes, the same for a seed, in bounded memory."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.errors import ImpastoError
from impasto.matching import patchmatch
from impasto.matching import styles as styles_room
from impasto.matching.exact import best_patches
from impasto.matching.pairs import Grid
from impasto.matching.styles import Match, prepare
from impasto.matching.swap import match_patches
from impasto.statistics.moments import moments

pytestmark = pytest.mark.numeric


@pytest.fixture(autouse=True, params=["cells", "all pairs"])
def first_match(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How the first match is found: small pictures are searched as large ones are, and as they are."""
    if request.param == "cells":
        monkeypatch.setattr(patchmatch, "MAX_PAIRS", 0)
    return request.param


def scene(height: int, width: int, seed: int, channels: int = 24) -> Tensor:
    """1×C×h×w rectified features with structure at several scales, unlike from seed to seed."""
    generator = torch.Generator().manual_seed(seed)
    total = torch.zeros(1, 8, height, width)
    for cells in (3, 9, 27):
        coarse = torch.randn(1, 8, cells, cells, generator=generator)
        total += F.interpolate(coarse, (height, width), mode="bicubic", align_corners=True)
    filters = torch.randn(channels, 8, 3, 3, generator=torch.Generator().manual_seed(99))
    return F.conv2d(total, filters, padding=1).relu() + 0.1


def scores(found: Tensor, content: Tensor, style: Tensor, patch: int, stride: int, match: Match = "plain") -> Tensor:
    """Of the patches found at ny×nx rows of one style's table, by the definition."""
    if match == "normalised":
        content, style = ((x - moments(x).mean) / moments(x).std for x in (content, style))
    pool = F.unfold(style, patch)[0].T
    corner = found.div(style.shape[3], rounding_mode="floor") * (style.shape[3] - patch + 1) + found % style.shape[3]
    chosen = pool[corner.flatten()]
    return (F.unfold(content, patch, stride=stride)[0].T * chosen).sum(1) / chosen.norm(dim=1)


@pytest.mark.parametrize("match", ["plain", "normalised"])
@pytest.mark.parametrize(
    ("patch", "stride", "least"), [(3, 1, 0.98), (1, 1, 0.98), (3, 2, 0.97), (4, 3, 0.97), (7, 2, 0.95), (15, 5, 0.9)]
)
def test_scores_are_nearly_the_exact_ones(patch: int, stride: int, least: float, match: Match) -> None:
    content, style = scene(61, 48, 1), scene(53, 66, 2)
    near, exact = (
        match_patches(content, prepare([style], patch=patch, stride=stride, match=match, search=search))[0]
        for search in ("patchmatch", "exact")
    )
    assert near.shape == exact.shape
    got, best = (scores(found, content, style, patch, stride, match) for found in (near, exact))
    assert (got <= best + 1e-3 * best.abs()).all()
    assert float(got.mean()) >= least * float(best.mean())


@pytest.mark.parametrize("match", ["plain", "normalised"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("patch", "stride"), [(3, 1), (4, 3), (1, 1)])
@pytest.mark.parametrize("weight", [0.0, 0.5])
def test_its_scores_are_those_of_the_definition(
    match: Match, dtype: torch.dtype, patch: int, stride: int, weight: float
) -> None:
    content, style = scene(21, 26, 1), scene(30, 19, 2)
    tones = [scene(*x.shape[2:], 3, channels=1) for x in (content, style)]
    ready = prepare(
        [style], patch=patch, stride=stride, match=match, tones=tones[1:], luminance_weight=weight, dtype=dtype
    )
    (source,) = ready.sources
    if match == "normalised":
        content, style = ((x - moments(x).mean) / moments(x).std for x in (content, style))
    if weight:
        content, style = (
            torch.cat([x, t * ready.tone_gain], 1) for x, t in zip((content, style), tones, strict=True)
        )
    pixels = content[0].permute(1, 2, 0)
    best, index = patchmatch.search(pixels.to(dtype).contiguous(), source, patch, stride, 2**20, 0)
    columns = source.inverse.shape[1]
    found = index.div(columns, rounding_mode="floor") * stride * source.width + index % columns * stride
    expected = scores(found, content, style, patch, stride)
    rough = 0.02 if dtype == torch.bfloat16 else 1e-4
    torch.testing.assert_close(best.flatten(), expected, atol=rough * float(expected.abs().mean()), rtol=rough)


def test_a_picture_finds_itself() -> None:
    features = scene(50, 37, 3)
    found = match_patches(features, prepare([features], match="normalised", search="patchmatch"))
    itself = match_patches(features, prepare([features], match="normalised"))
    assert float((found == itself).float().mean()) > 0.98


def test_a_seed_decides(first_match: str) -> None:
    content, style = scene(40, 40, 1), scene(40, 40, 2)
    first, same, other = (
        match_patches(content, prepare([style], search="patchmatch", seed=seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(first, same)
    assert torch.equal(first, other) == (first_match == "all pairs")  # that leaves nothing to chance here


def test_the_best_of_all_patches_in_all_channels_is_the_exact_match() -> None:
    content, style = scene(40, 30, 1), scene(33, 40, 2)
    ready = prepare([style], search="patchmatch")
    (source,) = ready.sources
    vectors = content[0].permute(1, 2, 0).contiguous()
    photo = Grid(vectors, 3, 1)
    found = patchmatch._best_of_all(photo, Grid(source.features, 3, 1), source.inverse.flatten(), source.dtype, 2**18)
    exact = best_patches(vectors, source, 3, 1, 2**30)[1]
    assert float((found == exact.flatten()).float().mean()) > 0.999


@pytest.mark.parametrize("stride", [1, 2])
def test_the_budget_changes_nothing(stride: int) -> None:
    content, style = scene(33, 40, 1), scene(37, 30, 2)
    ready = prepare([style], stride=stride, match="normalised", search="patchmatch")
    expected = match_patches(content, ready)
    for budget_mb in (4.0, 0.3):
        assert torch.equal(match_patches(content, ready, budget_mb=budget_mb), expected)


def test_memory_stays_within_the_budget(peak_of) -> None:
    """Every tensor that the match makes is counted; the full table here would take 1 GiB."""
    content, style = (scene(130, 130, seed, channels=64) for seed in (1, 2))
    ready = prepare([style], search="patchmatch")
    budget = 8.0
    peak = peak_of(lambda: match_patches(content, ready, budget_mb=budget))
    pixels = content.numel() * 4
    whole, scarce = (ready.cost(130, 130, each).at((0, 0)) - each * 2**20 for each in (budget, budget / 8))
    assert whole == 0 < scarce  # what is taken beyond the budget
    assert peak < budget * 2**20 + pixels


def test_cells_of_equal_patches_are_cut_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plain sky puts a large part of both pictures into one cell."""
    content, style = scene(40, 40, 1), scene(40, 40, 2)
    content[..., 20:, :], style[..., 20:, :] = content[..., 20:21, :1], style[..., 20:21, :1]
    monkeypatch.setattr(patchmatch, "_LARGEST_CELL", 20)
    near, exact = (match_patches(content, prepare([style], search=way))[0] for way in ("patchmatch", "exact"))
    got, best = (scores(found, content, style, 3, 1) for found in (near, exact))
    assert float(got.mean()) >= 0.98 * float(best.mean())


def test_flat_features_are_matched() -> None:
    flat = torch.zeros(1, 4, 9, 9)
    for content, style in ((flat, scene(9, 9, 1, 4)), (scene(9, 9, 1, 4), flat), (flat, flat)):
        found = match_patches(content, prepare([style], match="normalised", search="patchmatch"))
        assert found.shape == (1, 7, 7) and (found >= 0).all() and (found < 81).all()


@pytest.mark.parametrize(("height", "width"), [(3, 40), (4, 5)])
def test_a_photo_or_a_style_of_few_patches_is_matched(height: int, width: int) -> None:
    small, large = scene(height, width, 1), scene(20, 21, 2)
    for content, style in ((small, large), (large, small), (small, small)):
        found = match_patches(content, prepare([style], search="patchmatch"))
        got = scores(found[0], content, style, 3, 1)
        exact = scores(match_patches(content, prepare([style]))[0], content, style, 3, 1)
        assert float(got.mean()) >= 0.97 * float(exact.mean())


def test_several_styles_compete_by_score_and_weight() -> None:
    content, one, two = scene(40, 40, 1), scene(30, 41, 2), scene(37, 28, 3)
    for weights in (None, [3.0, 1.0]):
        near, exact = (
            match_patches(content, prepare([one, two], weights, search=search)) for search in ("patchmatch", "exact")
        )
        of_two = [(found >= 30 * 41).float() for found in (near, exact)]
        assert float((of_two[0] == of_two[1]).float().mean()) > 0.85
        assert float(of_two[0].mean()) == pytest.approx(float(of_two[1].mean()), abs=0.05)
    # A picture found whole in one of the styles is taken from there.
    found = match_patches(two, prepare([one, two], search="patchmatch"))
    assert float((found >= 30 * 41).float().mean()) > 0.98


def test_auto_is_exact_up_to_a_number_of_comparisons(first_match: str, monkeypatch: pytest.MonkeyPatch) -> None:
    content, styles = scene(20, 22, 1), [scene(18, 18, 2), scene(12, 30, 3)]
    exact = match_patches(content, prepare(styles))
    auto = prepare(styles, search="auto")
    comparisons = 18 * 20 * (16 * 16 + 10 * 28)
    monkeypatch.setattr(styles_room, "MAX_EXACT_PAIRS", comparisons)
    assert not auto.is_approximate(20, 22)
    assert torch.equal(match_patches(content, auto), exact)
    monkeypatch.setattr(styles_room, "MAX_EXACT_PAIRS", comparisons - 1)
    assert auto.is_approximate(20, 22)
    near = match_patches(content, auto)
    assert torch.equal(near, match_patches(content, prepare(styles, search="patchmatch")))
    assert first_match == "all pairs" or not torch.equal(near, exact)


def test_running_out_of_memory_is_answered_by_smaller_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    budgets: list[float] = []
    honest = patchmatch.search

    def limited(*arguments, **named):
        budgets.append(arguments[4])
        if arguments[4] > limit:
            raise MemoryError
        return honest(*arguments, **named)

    monkeypatch.setattr(patchmatch, "search", limited)
    content, ready = scene(20, 22, 1), prepare([scene(18, 18, 2)], search="patchmatch")
    limit = 2**30
    expected = match_patches(content, ready)
    limit = 2**23
    assert torch.equal(match_patches(content, ready), expected)
    assert budgets == sorted(budgets, reverse=True) and len(budgets) > 3
    limit = 0
    with pytest.raises(ImpastoError, match="smaller --size"):
        match_patches(content, ready)


@pytest.mark.parametrize(("size", "count"), [(40, 30), (300, 32), (700, 100)])
def test_leading_eigenvectors_hold_nearly_all_that_a_projection_can(size: int, count: int) -> None:
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(size, size, generator=generator, dtype=torch.float64)
    rows *= torch.arange(1, size + 1, dtype=torch.float64) ** -0.7
    gram = rows.T @ rows
    found = patchmatch._leading_eigenvectors(gram, count, generator)
    torch.testing.assert_close(found.T @ found, torch.eye(count, dtype=torch.float64), atol=1e-9, rtol=0)
    held, most = torch.trace(found.T @ gram @ found), torch.linalg.eigvalsh(gram)[-count:].sum()
    assert 0.995 * most <= held <= most * (1 + 1e-9)
