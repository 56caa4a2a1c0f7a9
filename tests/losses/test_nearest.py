"""Directions and moments: against autograd, and in tiles against the whole."""

import pytest
import torch
import torch.nn.functional as F

from impasto.encoders.tiles import Part
from impasto.encoders.vgg import VGG
from impasto.losses.nearest import DirectionTerm, MomentsTerm, SquareMeans, Subgrid
from impasto.losses.tiled import TiledObjective
from impasto.weights.canonical import layer_size, tiny_weights

pytestmark = pytest.mark.numeric

TILE = 96


def noise(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def field(channels, height, width, seed=0):
    """Directions at positions, and how to ask for some of them."""
    found = F.normalize(noise(height, width, channels, seed=seed) - 0.5, dim=-1)
    return found, lambda down, along: found[down, along].flatten(0, 1)


def by_autograd(loss, features):
    leaf = features.clone().requires_grad_()
    value = loss(leaf)
    (gradient,) = torch.autograd.grad(value, leaf)
    return value.detach(), gradient


VIEWS = [
    SquareMeans(1),
    SquareMeans(4),
    SquareMeans(2, ceil=True),
    SquareMeans(4, ceil=True),
    Subgrid(1, 0, 0),
    Subgrid(5, 3, 1),
]


def seen_by_hand(view, features):
    if isinstance(view, SquareMeans):
        return F.avg_pool2d(features, view.side, ceil_mode=view.ceil)
    return features[:, :, view.top :: view.step, view.left :: view.step]


@pytest.mark.parametrize("view", VIEWS, ids=str)
@pytest.mark.parametrize("stressed", [False, True])
def test_a_direction_is_one_minus_the_cosine(view, stressed):
    features, centre = noise(1, 6, 13, 18), noise(6, seed=5) / 2
    height, width = view.size((13, 18))
    directions, targets = field(6, height, width, seed=2)
    position_weights = noise(1, 1, height, width, seed=3) if stressed else None
    term = DirectionTerm("relu1_1", 2.0, view, targets, lambda *_: centre, position_weights)

    def loss(x):
        seen = seen_by_hand(view, x).permute(0, 2, 3, 1)[0] - centre
        apart = 1 - F.cosine_similarity(seen, directions, dim=-1)
        return 2 * (apart if position_weights is None else apart * position_weights[0, 0]).mean()

    expected, gradient = by_autograd(loss, features)
    got, tap = term.evaluate(features)
    torch.testing.assert_close(got, expected)
    torch.testing.assert_close(tap(None), gradient, atol=1e-7, rtol=1e-4)
    torch.testing.assert_close(tap(torch.ones_like(features)), gradient + 1, atol=1e-6, rtol=1e-4)
    part = Part.whole(features)
    apart, slope = term.settle(term.gather(part), part.size)
    torch.testing.assert_close(apart, expected)
    torch.testing.assert_close(slope(part, None), gradient, atol=1e-7, rtol=1e-4)


def test_features_of_no_length_have_no_direction():
    _, targets = field(3, 4, 4)
    term = DirectionTerm("relu1_1", 1.0, SquareMeans(1), targets, lambda *_: torch.zeros(3))
    loss, tap = term.evaluate(torch.zeros(1, 3, 4, 4))
    assert float(loss) == pytest.approx(1)
    assert torch.isfinite(tap(None)).all()


@pytest.mark.parametrize("guided", [False, True])
def test_moments_are_means_and_deviations(guided):
    features, mean, std = noise(1, 5, 12, 9), noise(5, seed=1), noise(5, seed=2) + 0.1
    shares = noise(1, 1, 12, 9, seed=3)
    term = MomentsTerm("relu1_1", mean, std, 3.0, (lambda *_: shares) if guided else None)

    def loss(x):
        weights = (shares if guided else torch.ones_like(shares)).flatten()
        rows = x[0].flatten(1)
        middle = (rows * weights).sum(1) / weights.sum()
        variance = (rows.square() * weights).sum(1) / weights.sum() - middle.square()
        apart = (middle - mean).square().sum() + ((variance + 1e-5).sqrt() - std).square().sum()
        return 3 * weights.mean() * apart / (mean.square().sum() + std.square().sum())

    expected, gradient = by_autograd(loss, features)
    got, tap = term.evaluate(features)
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(tap(None), gradient, atol=1e-6, rtol=1e-3)


@pytest.mark.parametrize("size", [(256, 320), (203, 331)])
@pytest.mark.parametrize("ceil", [False, True])
def test_tiles_give_the_gradient_of_the_whole(size, ceil):
    # In double precision: which of two nearly equal values is pooled is the same, whole and in tiles.
    vgg = VGG(tiny_weights(), pool_ceil=ceil, dtype=torch.float64)
    image = noise(1, 3, *size)
    style = vgg(noise(1, 3, 64, 64, seed=9), ["relu1_1", "relu2_1", "relu3_1", "relu4_1"])
    terms = []
    views = {
        "relu1_1": SquareMeans(4, ceil),
        "relu2_1": Subgrid(7, 2, 5),
        "relu3_1": SquareMeans(1),
        "relu4_1": SquareMeans(1),
    }
    for seed, (layer, view) in enumerate(views.items()):
        channels = vgg.channels(layer)
        _, targets = field(channels, *view.size(layer_size(vgg.spec, layer, *size)), seed=seed)
        std, centre = (each.flatten().float() for each in torch.std_mean(style[layer], (2, 3)))
        terms.append(DirectionTerm(layer, 1.0, view, targets, lambda *_, centre=centre: centre))
        terms.append(MomentsTerm(layer, centre, std * 0.7, 0.5))
    whole, expected = TiledObjective(vgg, terms)(image)
    tiled, got = TiledObjective(vgg, terms, tile=TILE)(image)
    for name, loss in whole.items():
        torch.testing.assert_close(tiled[name], loss, atol=1e-6, rtol=1e-4)
    assert float((got - expected).norm() / expected.norm()) < 1e-4
