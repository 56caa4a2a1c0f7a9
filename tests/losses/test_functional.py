"""Losses against independent, slow statements of their definitions."""

import numpy as np
import pytest
import scipy.linalg
import torch

from impasto.errors import RequestError
from impasto.losses import functional as L
from impasto.losses.objective import ContentTerm
from impasto.statistics.moments import mean_and_variance, moments

pytestmark = pytest.mark.numeric


def test_gram_of_a_constant():
    features = torch.full((1, 3, 4, 5), 2.0)
    assert torch.allclose(L.gram(features), torch.full((3, 3), 4.0))
    assert torch.allclose(L.gram(features, "elements"), torch.full((3, 3), 4.0 / 3))
    assert torch.allclose(L.gram(features, "none"), torch.full((3, 3), 80.0))


def test_gram_is_the_double_loop():
    features = torch.randn(1, 4, 3, 5)
    expected = torch.zeros(4, 4)
    for i in range(4):
        for j in range(4):
            for y in range(3):
                for x in range(5):
                    expected[i, j] += features[0, i, y, x] * features[0, j, y, x]
    torch.testing.assert_close(L.gram(features, "none"), expected)


def test_gram_in_blocks_is_close_to_float32():
    torch.manual_seed(0)
    features = torch.rand(1, 16, 130, 128).to(memory_format=torch.channels_last)  # four blocks and a rest
    exact = L.gram(features)
    assert L.relative_distance(L.gram(features.bfloat16()), exact) < 2e-3


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_long_sums_keep_their_digits(dtype):
    features = (0.5 + torch.rand(1, 64, 512, 512)).to(dtype, memory_format=torch.channels_last)  # 2²⁴ values
    other = (0.5 + torch.rand(1, 64, 512, 512)).to(dtype, memory_format=torch.channels_last)
    square, apart = (float(x.double().square().sum()) for x in (features, (other - features).float()))
    assert float(L.sum_of_squares(features)) == pytest.approx(square, rel=1e-6)
    loss, _ = ContentTerm("relu1_1", features, 1.0, "half-sum").evaluate(other)
    assert float(loss) == pytest.approx(apart / 2, rel=1e-6)
    exactly = float((other.double() - features.double()).square().sum() / square) ** 0.5
    assert L.relative_distance(other, features) == pytest.approx(exactly, rel=1e-6)


def test_gram_wants_one_picture():
    with pytest.raises(RequestError, match="batch of 2"):
        L.gram(torch.rand(2, 3, 4, 4))


def test_moments():
    features = torch.randn(2, 3, 6, 7)
    mean, variance = mean_and_variance(features)
    torch.testing.assert_close(mean, features.mean((2, 3), keepdim=True))
    torch.testing.assert_close(variance.sqrt(), features.std((2, 3), correction=0, keepdim=True))


def test_matrix_sqrt_is_scipys():
    torch.manual_seed(0)
    a = torch.randn(8, 20)
    matrix = a @ a.t() / 20 + 0.05 * torch.eye(8)
    expected = torch.from_numpy(np.real(scipy.linalg.sqrtm(matrix.double().numpy()))).float()
    torch.testing.assert_close(L.matrix_sqrt(matrix, 20), expected, rtol=1e-3, atol=1e-3)


def test_wasserstein_of_a_picture_to_itself_is_nothing():
    features = torch.randn(1, 6, 20, 20)
    mean, cov = L.covariance(features)
    assert float(L.wasserstein2(features, mean, cov, L.matrix_sqrt(cov))) == pytest.approx(0, abs=1e-4)


def test_wasserstein_of_shifted_gaussians_is_the_shift():
    features = torch.randn(1, 6, 20, 20)
    mean, cov = L.covariance(features)
    moved = L.wasserstein2(features + 3, mean, cov, L.matrix_sqrt(cov))
    assert float(moved) == pytest.approx(9, rel=1e-3)


def _loops(image, kind):
    height, width = image.shape[2:]
    total, count_x, count_y = 0.0, 3 * height * (width - 1), 3 * (height - 1) * width
    for c in range(3):
        for y in range(height):
            for x in range(width):
                for dy, dx, count in ((0, 1, count_x), (1, 0, count_y)):
                    if y + dy < height and x + dx < width:
                        d = float(image[0, c, y + dy, x + dx] - image[0, c, y, x])
                        total += {"squared": d * d / 2, "absolute": abs(d), "absolute-mean": abs(d) / 2 / count}[kind]
    return total


@pytest.mark.parametrize("kind", ["squared", "absolute", "absolute-mean"])
def test_total_variation_is_the_loop(kind):
    image = torch.rand(1, 3, 5, 4)
    assert float(L.total_variation(image, kind)) == pytest.approx(_loops(image, kind), rel=1e-5)


def test_nine_point_variation_of_a_ramp():
    # Unit steps along x: of six columns with replicated borders five differ, of seven diagonals five too.
    image = torch.arange(6.0).expand(1, 3, 5, 6).contiguous()
    assert float(L.total_variation(image, "nine-point")) == pytest.approx(2 * (5 / 6 / 3 + 2 * 5 / 7 / 12))


@pytest.mark.parametrize("kind", ["squared", "absolute", "absolute-mean", "nine-point"])
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1)])
def test_variation_of_a_flat_picture_is_nothing(kind, size):
    assert float(L.total_variation(torch.full((1, 3, *size), 0.3), kind)) == 0


@pytest.mark.parametrize(
    "loss",
    [
        lambda x: (L.gram(x).square()).sum(),
        lambda x: L.gram(x, "elements").sum(),
        lambda x: sum(part.square().sum() for part in moments(x)[:2]),
        lambda x: L.wasserstein2(x, torch.zeros(3), torch.eye(3), torch.eye(3)),
        lambda x: L.total_variation(x, "squared"),
        lambda x: L.total_variation(x, "nine-point"),
    ],
    ids=["gram", "gram-elements", "moments", "wasserstein", "tv", "tv9"],
)
def test_gradients(loss):
    torch.manual_seed(0)
    x = torch.rand(1, 3, 5, 6, requires_grad=True)
    (analytic,) = torch.autograd.grad(loss(x), x)
    probe = torch.randn_like(x)
    step = 1e-2
    with torch.no_grad():
        numeric = float(loss(x + step * probe) - loss(x - step * probe)) / (2 * step)
    assert float((analytic * probe).sum()) == pytest.approx(numeric, rel=2e-2, abs=1e-3)
