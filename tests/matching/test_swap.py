"""The swap against a nested loop, against the paper's three convolution steps, and its memory."""

import itertools

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.errors import ImpastoError, RequestError
from impasto.matching import exact as patches
from impasto.matching import rebuild
from impasto.matching import swap as room
from impasto.matching.styles import Match, prepare, tone
from impasto.matching.swap import Keep, match_patches, swap
from impasto.statistics import moments as moments_room
from impasto.statistics.moments import moments

pytestmark = pytest.mark.numeric


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def nested_loop(content: Tensor, style: Tensor, patch: int, stride: int) -> Tensor:
    """The definition, one patch at a time; 1×C×H×W each."""

    def corners(x: Tensor) -> list[tuple[int, int]]:
        return list(itertools.product(*(range(0, n - patch + 1, stride) for n in x.shape[2:])))

    def cut(x: Tensor, y: int, x0: int) -> Tensor:
        return x[0, :, y : y + patch, x0 : x0 + patch]

    pool = [cut(style, *at) for at in corners(style)]
    lengths = [other.double().norm() + 1e-8 for other in pool]
    places = corners(content)
    height, width = (max(axis) + patch for axis in zip(*places, strict=True))
    total, count = torch.zeros(1, content.shape[1], height, width), torch.zeros(height, width)
    for y, x in places:
        mine = cut(content, y, x).double()
        scores = [float((mine * other).sum() / length) for other, length in zip(pool, lengths, strict=True)]
        best = max(range(len(pool)), key=lambda k: (scores[k], -k))
        total[0, :, y : y + patch, x : x + patch] += pool[best]
        count[y : y + patch, x : x + patch] += 1
    return total / count


def three_steps(content: Tensor, style: Tensor, patch: int, stride: int) -> Tensor:
    """Correlate, one-hot, transposed convolution: as the paper computes it."""
    pool = F.unfold(style, patch, stride=stride)[0].T.view(-1, style.shape[1], patch, patch)
    unit = pool / (pool.flatten(1).norm(dim=1).view(-1, 1, 1, 1) + 1e-8)
    scores = F.conv2d(content, unit, stride=stride)
    chosen = F.one_hot(scores.argmax(1), len(pool)).permute(0, 3, 1, 2).float()
    overlap = F.conv_transpose2d(torch.ones_like(chosen[:, :1]), torch.ones(1, 1, patch, patch), stride=stride)
    return F.conv_transpose2d(chosen, pool, stride=stride) / overlap


@pytest.mark.parametrize("patch", [1, 2, 3, 4, 5, 15])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_is_the_definition(patch: int, stride: int) -> None:
    stride = min(stride, patch)
    content, style = noise(1, 3, patch + 4, patch + 6), noise(1, 3, patch + 5, patch + 3, seed=1)
    got = swap(content, prepare([style], patch=patch, stride=stride))
    torch.testing.assert_close(got, nested_loop(content, style, patch, stride))
    torch.testing.assert_close(got, three_steps(content, style, patch, stride))


def test_a_batch_is_its_photos_one_by_one() -> None:
    content, style = noise(3, 4, 9, 7), prepare([noise(1, 4, 8, 8, seed=1)])
    torch.testing.assert_close(swap(content, style), torch.cat([swap(one[None], style) for one in content]))


def test_the_first_of_equals_wins() -> None:
    content = noise(1, 4, 7, 7)
    tile = noise(1, 4, 5, 5, seed=1)
    style = tile.repeat(1, 1, 2, 2)  # every patch that lies inside a tile occurs four times
    found = match_patches(content, prepare([style], patch=3))
    assert ((found // 10) % 10 < 5).all() and (found % 10 < 5).all()
    flat = prepare([torch.ones(1, 4, 6, 6)], patch=2)
    assert (match_patches(torch.ones(1, 4, 5, 5), flat) == 0).all()


@pytest.mark.parametrize("count", [3, 127, 128, 255, 256, 300, 1024])
def test_the_largest_is_found_where_it_first_occurs(count: int) -> None:
    scores = torch.randint(0, 40, (50, count), generator=torch.Generator().manual_seed(count)).float()
    scores[0] = -torch.inf
    value, place = patches.max_and_first(scores)
    torch.testing.assert_close(value, scores.amax(1))
    first = [row.index(max(row)) for row in scores.tolist()]
    assert place.tolist() == first


@pytest.mark.parametrize("budget_mb", [512.0, 0.05, 0.002])
@pytest.mark.parametrize("stride", [1, 2])
def test_the_budget_changes_nothing(budget_mb: float, stride: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patches, "_CACHE_MB", 0.001)
    content, style = noise(1, 5, 13, 15), noise(1, 5, 12, 11, seed=1)
    ready = prepare([style], stride=stride)
    expected = match_patches(content, ready)
    torch.testing.assert_close(match_patches(content, ready, budget_mb=budget_mb), expected)
    torch.testing.assert_close(swap(content, ready, budget_mb=budget_mb), nested_loop(content, style, 3, stride))


@pytest.mark.parametrize(("patch", "stride"), [(3, 1), (3, 2), (4, 3), (1, 1)])
@pytest.mark.parametrize("restore", ["keep", "style"])
def test_large_features_are_rebuilt_in_strips(
    patch: int, stride: int, restore: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, style = noise(1, 4, 23, 9), noise(1, 4, 17, 12, seed=1)

    def both() -> torch.Tensor:
        ready = prepare([style], patch=patch, stride=stride, match="normalised")
        return swap(content, ready, restore=restore, alpha=0.7)

    whole = both()
    for module in (room, rebuild):
        monkeypatch.setattr(module, "AT_ONCE", 100)  # two or three rows
    torch.testing.assert_close(both(), whole, atol=1e-5, rtol=1e-5)


def test_memory_stays_within_the_budget(monkeypatch: pytest.MonkeyPatch, peak_of) -> None:
    """Every tensor the match makes is counted; the full table here would take 64 MiB."""
    content, style = noise(1, 8, 64, 64), noise(1, 8, 64, 64, seed=1)
    ready = prepare([style], patch=3)
    budget = 2.0
    peak = peak_of(lambda: match_patches(content, ready, budget_mb=budget))
    features = 2 * content.numel() * 4
    assert peak < budget * 2**20 + features


@pytest.mark.parametrize("match", ["plain", "normalised"])
def test_what_is_matched_of_a_photo_is_held_once(match: Match, monkeypatch: pytest.MonkeyPatch, peak_of) -> None:
    content = noise(1, 64, 40, 40).contiguous(memory_format=torch.channels_last)  # as the encoder gives them
    style = noise(1, 64, 5, 5, seed=1)
    ready = prepare([style], match=match, tones=[noise(1, 1, 5, 5)], luminance_weight=0.3)
    shade = noise(1, 1, 40, 40)
    monkeypatch.setattr(room, "AT_ONCE", 2**12)
    monkeypatch.setattr(moments_room, "_BLOCK", 2**12)
    monkeypatch.setattr(
        room, "best_patches", lambda *_: (torch.zeros(38, 38), torch.zeros(38, 38, dtype=torch.int64))
    )
    assert peak_of(lambda: match_patches(content, ready, tones=shade)) < 1.3 * content.numel() * 4


def test_running_out_of_memory_is_answered_by_smaller_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []
    honest = room._match_one

    def limited(content: Tensor, style: room.SwapStyle, budget: float, *shade: Tensor | None) -> Tensor:
        asked.append(budget)
        if budget > limit:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")
        return honest(content, style, budget, *shade)

    monkeypatch.setattr(room, "_match_one", limited)
    content, ready = noise(1, 3, 8, 8), prepare([noise(1, 3, 8, 8, seed=1)])
    limit = 8 * 2**20
    expected = honest(content, ready, limit)
    assert torch.equal(match_patches(content, ready)[0], expected)
    assert asked == sorted(asked, reverse=True) and len(asked) > 2
    limit = 0
    with pytest.raises(ImpastoError, match="smaller --size"):
        match_patches(content, ready)


def test_other_errors_are_not_mistaken_for_want_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> Tensor:
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr(room, "_match_one", broken)
    with pytest.raises(RuntimeError, match="do not fit"):
        match_patches(noise(1, 3, 8, 8), prepare([noise(1, 3, 8, 8)]))


def test_a_picture_swapped_with_itself_is_itself() -> None:
    features = noise(1, 6, 10, 11)
    torch.testing.assert_close(swap(features, prepare([features])), features)


def test_normalised_match_ignores_brightness_and_contrast() -> None:
    features = noise(1, 6, 10, 11)
    other = features * 3 + 2
    found = match_patches(features, prepare([other], match="normalised"))
    expected = match_patches(features, prepare([features]))
    assert torch.equal(found, expected)


def test_restoring_gives_the_styles_moments() -> None:
    content, style = noise(1, 6, 12, 12), noise(1, 6, 14, 10, seed=1) * 2
    ready = prepare([style])
    got = moments(swap(content, ready, restore="style"))
    torch.testing.assert_close(got.mean, moments(style).mean, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(got.std, moments(style).std, atol=1e-3, rtol=1e-3)
    assert moments(swap(content, ready)).std.mean() < 0.9 * moments(style).std.mean()  # averaging greys


def test_alpha_mixes_with_the_photos_own_features() -> None:
    content, ready = noise(1, 3, 9, 9), prepare([noise(1, 3, 8, 8, seed=1)], patch=4, stride=2)
    whole = swap(content, ready)
    assert whole.shape == (1, 3, 8, 8)
    torch.testing.assert_close(swap(content, ready, alpha=0.0), content[:, :, :8, :8])
    torch.testing.assert_close(swap(content, ready, alpha=0.25), 0.25 * whole + 0.75 * content[:, :, :8, :8])


def test_several_styles_pool_their_patches() -> None:
    content, one, two = noise(1, 4, 9, 9), noise(1, 4, 7, 9, seed=1), noise(1, 4, 8, 6, seed=2)
    pooled = swap(content, prepare([one, two]))
    pool = torch.cat([F.unfold(s, 3)[0].T for s in (one, two)])
    scores = F.unfold(content, 3)[0].T @ (pool / (pool.norm(dim=1, keepdim=True) + 1e-8)).T
    patches = pool[scores.argmax(1)].T[None]
    expected = F.fold(patches, 9, 3) / F.fold(torch.ones_like(patches), 9, 3)
    torch.testing.assert_close(pooled, expected)
    # A picture found whole in one of the styles is taken from there.
    torch.testing.assert_close(swap(two, prepare([one, two])), two)


def test_weights_tilt_the_split_between_styles() -> None:
    content = noise(1, 4, 30, 30)
    styles = [noise(1, 4, 12, 12, seed=k) for k in (1, 2, 3)]

    def shares(weights: list[float] | None) -> Tensor:
        found = match_patches(content, prepare(styles, weights))
        return torch.bincount((found // 144).flatten(), minlength=3) / found.numel()

    natural = shares(None)
    assert torch.equal(natural, shares([2.0, 2.0, 2.0]))
    weights = torch.tensor([4.0, 2.0, 1.0])
    expected = natural * weights / (natural * weights).sum()
    torch.testing.assert_close(shares([4.0, 2.0, 1.0]), expected, atol=0.02, rtol=0)
    assert float(shares([1.0, 1e-9, 1e-9])[0]) == 1.0


def test_a_flat_style_gives_finite_features() -> None:
    for match in ("plain", "normalised"):
        got = swap(noise(1, 3, 6, 6), prepare([torch.zeros(1, 3, 6, 6)], match=match), restore="style")
        assert torch.isfinite(got).all()


@pytest.mark.parametrize("match", ["plain", "normalised"])
@pytest.mark.parametrize(("patch", "stride"), [(3, 1), (4, 3), (3, 2)])
@pytest.mark.parametrize("budget_mb", [512.0, 0.002])
def test_brightness_is_compared_as_one_channel_more(
    match: Match, patch: int, stride: int, budget_mb: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patches, "_CACHE_MB", 0.001)
    content, style = noise(2, 5, 19, 23), noise(1, 5, 17, 14, seed=1)
    tones = [tone(noise(len(x), 3, 4 * x.shape[2], 4 * x.shape[3], seed=2), *x.shape[2:]) for x in (content, style)]
    settings = {"patch": patch, "stride": stride}
    ready = prepare([style], match=match, tones=tones[1:], luminance_weight=0.5, **settings)
    found = match_patches(content, ready, tones=tones[0], budget_mb=budget_mb)

    compared = [content, style]
    if match == "normalised":
        each = [moments(x) for x in compared]
        compared = [(x - stat.mean) / stat.std for x, stat in zip(compared, each, strict=True)]
    gain = 0.5 * compared[1].square().sum(1).mean().sqrt()  # half of what all features count together
    photo, painting = (torch.cat([x, t * gain], 1) for x, t in zip(compared, tones, strict=True))
    assert torch.equal(found, match_patches(photo, prepare([painting], **settings)))
    assert not torch.equal(found, match_patches(content, prepare([style], match=match, **settings)))


def test_even_areas_find_what_is_as_dark_or_as_bright() -> None:
    features = noise(1, 6, 1, 1).expand(1, 6, 12, 12) + 1e-3 * noise(1, 6, 12, 12, seed=1)
    halves = torch.zeros(1, 3, 48, 48)
    halves[..., 24:] = 1
    shade = tone(halves, 12, 12)
    for photo_shade, expected in ((shade, 0), (shade.flip(3), 12)):
        ready = prepare([features], patch=1, match="normalised", tones=[shade], luminance_weight=3.0)
        column = match_patches(features.flip(3), ready, tones=photo_shade)[0] % 12
        assert ((column[:, :6] < 6) == (expected == 0)).all() and ((column[:, 6:] < 6) == (expected == 12)).all()


def test_tone_is_brightness_beside_the_rest_of_the_picture() -> None:
    shade = tone(noise(2, 3, 40, 30).round(), 10, 8)
    assert shade.shape == (2, 1, 10, 8)
    torch.testing.assert_close(shade.mean((2, 3)), torch.zeros(2, 1), atol=1e-5, rtol=0)
    torch.testing.assert_close(shade.std((2, 3), correction=0), torch.ones(2, 1), atol=1e-4, rtol=0)
    grey = torch.full((1, 3, 16, 16), 0.4)
    grey[..., 8:] += 0.002  # hardly to be seen
    assert float(tone(grey, 4, 4).abs().max()) < 0.1
    green, blue = (torch.zeros(1, 3, 8, 16) for _ in range(2))
    green[:, 1, :, 8:], blue[:, 2, :, 8:] = 0.05, 0.05
    assert float(tone(green, 2, 4).max()) > 4 * float(tone(blue, 2, 4).max())


def test_refuses_what_it_cannot_do() -> None:
    ok = prepare([noise(1, 3, 8, 8)])
    with pytest.raises(RequestError, match="the style has 8×2 positions"):
        prepare([noise(1, 3, 8, 2)])
    with pytest.raises(RequestError, match="the photo has 2×2 positions"):
        swap(noise(1, 3, 2, 2), ready_style := ok)
    with pytest.raises(RequestError, match="4 channels"):
        swap(noise(1, 4, 8, 8), ready_style)
    for bad in ({"patch": 0}, {"patch": 16}, {"stride": 0}, {"stride": 4}):
        with pytest.raises(RequestError):
            prepare([noise(1, 3, 20, 20)], **bad)
    toned = prepare([noise(1, 3, 8, 8)], tones=[noise(1, 1, 8, 8)], luminance_weight=0.3)
    for tones, got in ((None, "none"), (noise(1, 1, 7, 8), "1×1×7×8")):
        with pytest.raises(RequestError, match=f"the photo's tones are {got}; expected one for each position"):
            match_patches(noise(1, 3, 8, 8), toned, tones=tones)
    with pytest.raises(RequestError, match="1 styles and 0 tones"):
        prepare([noise(1, 3, 8, 8)], luminance_weight=0.3)
    with pytest.raises(RequestError):
        prepare([])
    with pytest.raises(RequestError):
        prepare([noise(1, 3, 8, 8)], [1.0, 2.0])
