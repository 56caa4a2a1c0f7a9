import pytest
import torch
from torch import Tensor

from impasto.statistics import transport as room
from impasto.statistics.moments import Moments, RunningMoments, adain, blend, moments, stack_rows
from impasto.statistics.transport import transport

pytestmark = pytest.mark.numeric


def features(channels: int = 5, *, seed: int = 0, height: int = 20, width: int = 15, count: int = 1) -> Tensor:
    """N×C×H×W of channels that depend on each other, means and deviations of every size."""
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(channels, channels, generator=generator)
    noise = torch.randn(count, channels, height, width, generator=generator)
    return torch.einsum("dc,nchw->ndhw", mixing, noise) + 3 * torch.randn(1, channels, 1, 1, generator=generator)


def gathered(x: Tensor, weights: Tensor | None = None) -> Moments:
    found = RunningMoments(correlations=True)
    found.add(x, weights)
    return found.moments()


def carried(x: Tensor, style: Moments, share: float, alpha: float = 1.0) -> Tensor:
    matrix, aim = transport(gathered(x), style, share, alpha)
    return (matrix @ (x - gathered(x).mean).flatten(2)).view_as(x) + aim


def correlation(x: Tensor) -> Tensor:
    return torch.stack([torch.corrcoef(each.flatten(1)) for each in x])


def test_gathers_what_numpy_calls_correlation_coefficients() -> None:
    x = features(count=2)
    got = gathered(x)
    torch.testing.assert_close(got.correlation, correlation(x), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(got[:2], moments(x)[:2])


def test_parts_and_weights_make_no_difference() -> None:
    x = features(count=2) + torch.linspace(0, 9, 20)[:, None]
    parts = RunningMoments(correlations=True)
    for rows in (slice(0, 3), slice(3, 4), slice(4, 20)):
        parts.add(x[:, :, rows])
    torch.testing.assert_close(parts.moments(), gathered(x), atol=1e-5, rtol=1e-5)
    only = torch.zeros(1, 1, 20, 15)
    only[:, :, 5:12] = 1
    torch.testing.assert_close(gathered(x, only), gathered(x[:, :, 5:12]), atol=1e-5, rtol=1e-4)


def test_gives_means_deviations_and_correlations() -> None:
    x, style = features(count=2), features(seed=1, height=9)
    got = gathered(carried(x, gathered(style), 1.0))
    for found, wanted in zip(got, gathered(style), strict=True):
        assert found is not None and wanted is not None
        torch.testing.assert_close(found, wanted.expand_as(found), atol=2e-3, rtol=2e-3)


def test_a_share_lies_between_and_none_of_it_is_adain() -> None:
    x, style = features(), features(seed=1)
    wanted = gathered(style)
    torch.testing.assert_close(carried(x, wanted, 0.0), adain(x, wanted), atol=1e-4, rtol=1e-4)
    apart = [(correlation(carried(x, wanted, share)) - correlation(style)).norm() for share in (0.0, 0.3, 0.6, 0.9)]
    assert apart == sorted(apart, reverse=True) and apart[-1] < 0.5 * apart[0]


def test_moves_features_least_of_all_maps_to_that_style() -> None:
    x, style = features(), gathered(features(seed=1))
    matrix, _ = transport(gathered(x), style, 1.0)
    straight = matrix * gathered(x).std.flatten(2).transpose(1, 2) / style.std.flatten(2)
    torch.testing.assert_close(straight, straight.transpose(1, 2), atol=1e-4, rtol=1e-4)  # as optimal maps are
    assert float(torch.linalg.eigvalsh(straight).min()) > 0


@pytest.mark.parametrize("share", [0.0, 0.6, 1.0])
def test_own_moments_and_no_strength_change_nothing(share: float) -> None:
    x = features()
    torch.testing.assert_close(carried(x, gathered(x), share), x, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(carried(x, gathered(features(seed=1)), share, alpha=0.0), x)
    whole = carried(x, gathered(features(seed=1)), share)
    torch.testing.assert_close(carried(x, gathered(features(seed=1)), share, 0.25), 0.75 * x + 0.25 * whole)


def test_fewer_positions_than_channels_and_flat_ones_stay_finite() -> None:
    few, flat = features(40, height=2, width=3), torch.full((1, 40, 4, 4), 2.0)
    for x in (few, flat):
        for style in (few, flat):
            for share in (0.6, 1.0):
                assert torch.isfinite(carried(x, gathered(style), share)).all()
    torch.testing.assert_close(carried(flat, gathered(few), 0.6).mean((2, 3)), few.mean((2, 3)))


def test_blends_and_stacks_keep_correlations_where_all_have_them() -> None:
    one, two = gathered(features()), gathered(features(seed=1))
    assert one.correlation is not None and two.correlation is not None
    torch.testing.assert_close(blend([one, two], [3, 1]).correlation, 0.75 * one.correlation + 0.25 * two.correlation)
    assert torch.equal(stack_rows([one, two]).correlation, torch.cat([one.correlation, two.correlation]))
    assert stack_rows([one, moments(features())]).correlation is None
    assert blend([one, moments(features())], [1, 1]).correlation is None


@pytest.mark.parametrize("share", [0.0, 0.6, 0.9])
def test_roots_by_products_are_those_by_eigenvalues(share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    own, style = (gathered(features(96, seed=seed, height=5, width=7, count=2)) for seed in (0, 1))  # of rank 34
    wanted, _ = room.transport(own, style, share)
    monkeypatch.setattr(room, "_roots", room.newton_schulz_roots)
    got, _ = room.transport(own, style, share)
    assert float((got - wanted).norm() / wanted.norm()) < 1e-3


def test_roots_by_products_stay_finite_where_channels_are_one() -> None:
    alike = 0.9 * torch.ones(1, 128, 128) + 0.1 * torch.eye(128)
    root, inverse = room.newton_schulz_roots(alike)
    torch.testing.assert_close(root @ root, alike, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(inverse @ root, torch.eye(128)[None], atol=1e-3, rtol=1e-3)
