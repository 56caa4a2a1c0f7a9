import pytest
import torch
from torch import Tensor

from impasto.errors import RequestError
from impasto.painter import Regions
from impasto.statistics.moments import Moments, RunningMoments, adain, blend, moments, moments_over
from impasto.statistics.transfer import impose_correlations, impose_moments

pytestmark = pytest.mark.numeric


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def test_moments_are_the_mean_and_biased_deviation() -> None:
    x = noise(2, 3, 5, 7) * 4
    got = moments(x)
    torch.testing.assert_close(got.mean, x.mean((2, 3), keepdim=True))
    torch.testing.assert_close(got.std, x.std((2, 3), correction=0, keepdim=True), atol=1e-4, rtol=1e-4)


def test_output_has_the_styles_moments() -> None:
    content, style = noise(2, 4, 9, 8), noise(1, 4, 6, 11, seed=1) * 5 - 2
    got = moments(adain(content, moments(style)))
    torch.testing.assert_close(got.mean, moments(style).mean.expand(2, -1, -1, -1), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(got.std, moments(style).std.expand(2, -1, -1, -1), atol=1e-3, rtol=1e-3)


def test_own_moments_change_nothing_and_alpha_mixes() -> None:
    content, style = noise(1, 4, 9, 8), moments(noise(1, 4, 6, 6, seed=1) * 3)
    torch.testing.assert_close(adain(content, moments(content)), content)
    torch.testing.assert_close(adain(content, style, 0.0), content)
    half = 0.5 * adain(content, style) + 0.5 * content
    torch.testing.assert_close(adain(content, style, 0.5), half)


def test_commutes_with_a_channels_scale() -> None:
    content, style = noise(1, 4, 9, 8) * 100, noise(1, 4, 6, 6, seed=1) * 100
    scale = noise(1, 4, 1, 1, seed=2) + 0.5
    whole = adain(content, moments(style))
    torch.testing.assert_close(adain(content / scale, moments(style / scale)) * scale, whole)


def test_a_flat_channel_takes_the_styles_mean() -> None:
    flat = torch.full((1, 2, 4, 4), 3.0)
    style = moments(noise(1, 2, 5, 5))
    torch.testing.assert_close(adain(flat, style), style.mean.expand_as(flat))


def test_keeps_the_type_of_the_content() -> None:
    content = noise(1, 2, 4, 4).bfloat16()
    before = content.clone()
    assert adain(content, moments(noise(1, 2, 4, 4, seed=1))).dtype == torch.bfloat16
    assert torch.equal(content, before)


def test_blend_is_the_weighted_mean() -> None:
    one, two = moments(noise(1, 3, 5, 5)), moments(noise(1, 3, 5, 5, seed=1))
    got = blend([one, two], [3.0, 1.0])
    torch.testing.assert_close(got.mean, 0.75 * one.mean + 0.25 * two.mean)
    torch.testing.assert_close(got.std, 0.75 * one.std + 0.25 * two.std)
    for weights in ([1.0], [0.0, 0.0], [-1.0, 2.0]):
        with pytest.raises(RequestError):
            blend([one, two], weights)


def test_moments_of_parts_are_those_of_the_whole() -> None:
    x = noise(2, 3, 20, 7) * 4 + torch.linspace(0, 50, 20)[:, None]
    gathered = RunningMoments()
    for first, end in ((0, 3), (3, 4), (4, 20)):
        gathered.add(x[:, :, first:end])
    torch.testing.assert_close(gathered.moments(), moments(x), atol=1e-5, rtol=1e-5)


def test_weights_say_how_much_a_position_counts() -> None:
    x, weights = noise(1, 3, 12, 7) * 4, noise(1, 1, 12, 7, seed=1)
    weights[:, :, :5] = 0  # a whole part that counts for nothing
    shares = weights / weights.sum()
    mean = (x * shares).sum((2, 3), keepdim=True)
    deviation = ((x - mean).square() * shares).sum((2, 3), keepdim=True).sqrt()
    gathered = RunningMoments()
    for rows in (slice(0, 4), slice(4, 9), slice(9, 12)):
        gathered.add(x[:, :, rows], weights[:, :, rows])
    for got in (gathered.moments(), weighed(x, weights)):
        torch.testing.assert_close(got.mean, mean)
        torch.testing.assert_close(got.std, deviation, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(weighed(x, torch.full((1, 1, 12, 7), 0.3)), moments(x))


def weighed(x: torch.Tensor, weights: torch.Tensor) -> Moments:
    gathered = RunningMoments()
    gathered.add(x, weights)
    return gathered.moments()


def test_nothing_that_counts_has_finite_moments() -> None:
    got = weighed(noise(1, 3, 4, 4), torch.zeros(1, 1, 4, 4))
    assert torch.isfinite(got.mean).all() and torch.isfinite(got.std).all()


def test_moments_of_all_at_once_are_those_gathered() -> None:
    x = noise(2, 6, 9, 8) @ noise(8, 8, seed=1) + torch.linspace(0, 50, 9)[:, None]
    gathered = RunningMoments(correlations=True)
    gathered.add(x)
    torch.testing.assert_close(moments(x, correlations=True), gathered.moments(), atol=1e-4, rtol=1e-4)
    assert moments(x).correlation is None


@pytest.mark.parametrize("correlated", [False, True])
def test_a_channel_that_is_even_in_a_region_is_not_blown_up_outside(correlated: bool) -> None:
    x = noise(1, 3, 16, 16) * 400
    x[:, 0, :, :8] = 0
    here = torch.zeros(1, 1, 16, 16)
    here[..., :8] = 1
    style = moments(noise(1, 3, 9, 9, seed=1), correlations=correlated)
    got = x.clone()
    if correlated:
        impose_correlations(got, style, 0.6, regions=Regions(here, here))
    else:
        impose_moments(got, style, regions=Regions(here, here))
    assert got.abs().max() < 100
    torch.testing.assert_close(moments(got[..., :8]).mean, style.mean, atol=1e-4, rtol=1e-4)


def test_regions_that_cover_all_have_their_own_moments() -> None:
    x = noise(1, 3, 16, 16) * 4
    x[:, 0, :, :8] = 0
    left = torch.zeros(1, 1, 16, 16)
    left[..., :8] = 1
    found = moments_over([((0, 16), x)], (16, 16), Regions(torch.cat([left, 1 - left]), torch.ones_like(left)))
    torch.testing.assert_close(found.std[:1], moments(x[..., :8]).std)
    torch.testing.assert_close(found.std[1:], moments(x[..., 8:]).std)
