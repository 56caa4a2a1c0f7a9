from functools import partial

import torch

from impasto.encoders.vgg import VGG
from impasto.training.terms import colour_distance, encode, excess, grams, lattice, relative, roughness
from impasto.weights.canonical import tiny_weights


def test_encode_has_autograds_gradient() -> None:
    vgg = VGG(tiny_weights(), until="relu3_1")
    layers = ("relu1_1", "relu2_1", "relu3_1")
    gradients = []
    for see in (vgg, partial(encode, vgg)):
        picture = torch.rand(2, 3, 20, 24, generator=torch.Generator().manual_seed(0)).requires_grad_()
        features = see(picture, layers)
        sum((features[layer].square().mean() for layer in layers), torch.zeros(())).backward()
        gradients.append(picture.grad)
    torch.testing.assert_close(*gradients)


def test_relative_is_per_example() -> None:
    expected = torch.tensor([[[[3.0, 4.0]]], [[[1.0, 0.0]]]])
    got = torch.tensor([[[[3.0, 4.0]]], [[[1.0, 2.0]]]])
    torch.testing.assert_close(relative(got, expected), torch.tensor([0.0, 2.0]))


def test_grams_are_products_of_channels_over_positions() -> None:
    x = torch.rand(2, 3, 4, 5)
    expected = torch.einsum("nchw,ndhw->ncd", x, x) / 20
    torch.testing.assert_close(grams(x), expected)


def test_colour_distance_ignores_where_colours_are() -> None:
    blocks = torch.rand(2, 3, 4, 4).repeat_interleave(2, 2).repeat_interleave(2, 3)
    torch.testing.assert_close(colour_distance(blocks, blocks.flip(3), seed=0), torch.tensor(0.0))
    assert colour_distance(blocks, 1 - blocks, seed=0) > 0.01
    assert colour_distance(blocks, 1 - blocks, seed=0) == colour_distance(blocks, 1 - blocks, seed=0)


def test_roughness_and_excess() -> None:
    step = torch.tensor([0.0, 1.0]).expand(1, 3, 2, 2)
    assert float(roughness(step)) == 1.0
    assert float(roughness(torch.full((1, 3, 4, 4), 0.3))) == 0.0
    assert float(excess(step)) == 0.0
    assert float(excess(step * 3)) == 2.0


def test_lattice_is_what_repeats_every_two_or_four_pixels() -> None:
    rows, columns = torch.arange(64.0)[:, None], torch.arange(64.0)[None]
    draw = torch.Generator().manual_seed(0)

    def power(wave: torch.Tensor) -> float:
        return float(lattice((0.5 + 0.1 * wave).expand(1, 3, 64, 64)))

    for wave in (columns % 2, rows % 2, (rows + columns) % 2, columns % 4 == 0, (rows % 4 == 1) & (columns % 4 == 2)):
        assert power(wave.float()) > 1e-4
    for wave in ((columns / 3 * 6.28).cos(), (rows / 8 * 6.28).sin(), torch.randn(64, 64, generator=draw)):
        assert power(wave.expand(64, 64)) < 1e-4
    halves = torch.where(columns < 32, columns % 2, 1 - columns % 2) - 0.5  # out of phase: no one grid's
    assert power(halves) < 1e-2 * power(columns % 2)
