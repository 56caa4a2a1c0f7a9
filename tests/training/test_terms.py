import gc
import weakref
from functools import partial
from typing import Any

import pytest
import torch

from impasto.encoders.vgg import VGG
from impasto.training.terms import colour_distance, encode, excess, grams, lesson_loss, relative, roughness
from impasto.weights.canonical import tiny_weights

pytestmark = pytest.mark.numeric


def test_what_encode_keeps_to_go_back_again_is_let_go_with_the_features(monkeypatch: pytest.MonkeyPatch) -> None:
    vgg = VGG(tiny_weights(), until="relu2_1")
    kept: list[weakref.ref[torch.Tensor]] = []
    real = vgg.vjp

    def vjp(*args: Any, **more: Any) -> Any:
        features, pullback = real(*args, **more)
        kept.extend(map(weakref.ref, features.values()))
        return features, pullback

    monkeypatch.setattr(vgg, "vjp", vjp)
    picture = torch.rand(1, 3, 16, 16, requires_grad=True)
    found = encode(vgg, picture, ("relu1_1", "relu2_1"), again=True)
    loss = sum(value.square().sum() for value in found.values())
    assert isinstance(loss, torch.Tensor)
    (gradient,) = torch.autograd.grad(loss, picture, retain_graph=True)
    loss.backward()
    assert picture.grad is not None
    torch.testing.assert_close(picture.grad, gradient)
    del found, loss
    gc.collect()
    assert [reference() for reference in kept] == [None, None]


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


def test_relative_keeps_its_digits_over_many_values() -> None:
    torch.manual_seed(0)
    expected = 0.5 + torch.rand(1, 64, 512, 512)  # 2²⁴ values
    got = expected + 0.1 + torch.rand(expected.shape)
    exactly = (got.double() - expected.double()).norm() / expected.double().norm()
    torch.testing.assert_close(relative(got, expected).double(), exactly[None], rtol=1e-5, atol=0)


def test_relative_of_equals_has_a_gradient_of_nothing() -> None:
    expected = torch.rand(2, 3, 4, 5)
    got = expected.clone().requires_grad_()
    relative(got, expected).sum().backward()
    assert got.grad is not None
    assert not got.grad.any()


def test_grams_are_products_of_channels_over_positions() -> None:
    x = torch.rand(2, 3, 4, 5)
    expected = torch.einsum("nchw,ndhw->ncd", x, x) / 20
    torch.testing.assert_close(grams(x), expected)


def test_the_gradient_of_grams_is_autograds() -> None:
    x, towards = torch.randn(2, 3, 4, 5), torch.randn(2, 3, 3)
    ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    (grams(ours) * towards).sum().backward()
    flat = theirs.flatten(2)
    (flat @ flat.transpose(1, 2) / 20 * towards).sum().backward()
    assert theirs.grad is not None
    torch.testing.assert_close(ours.grad, theirs.grad)


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


def test_a_lesson_is_strokes_wherever_they_lie() -> None:
    stripes = (torch.arange(64) // 4 % 2).float().expand(1, 3, 64, 64).contiguous()
    moved, blurred = stripes.roll(4, dims=3), torch.full_like(stripes, 0.5)
    assert float(lesson_loss(VGG(tiny_weights()), stripes, stripes)) == 0.0
    assert lesson_loss(VGG(tiny_weights()), moved, stripes) < 0.5 * lesson_loss(VGG(tiny_weights()), blurred, stripes)
    assert lesson_loss(VGG(tiny_weights()), 0.5 * stripes, stripes) > lesson_loss(VGG(tiny_weights()), moved, stripes)


def test_a_lesson_of_a_crop_of_few_pixels() -> None:
    assert float(lesson_loss(VGG(tiny_weights()), torch.zeros(1, 3, 12, 9), torch.ones(1, 3, 12, 9))) > 1.0
