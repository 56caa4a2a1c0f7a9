"""Convolutions mirrored or repeated beyond the border, beside those of padded copies."""

import itertools

import pytest
import torch
import torch.nn.functional as F

from impasto import borders as room
from impasto.borders import convolve, undo_convolve
from impasto.nets.decoder import Affine

pytestmark = pytest.mark.numeric


def weights(generator):
    return torch.randn(5, 3, 3, 3, generator=generator), torch.randn(5, generator=generator)


@pytest.mark.parametrize(
    ("size", "edges"),
    [
        *itertools.product([(4, 4), (9, 6), (3, 12)], itertools.product([True, False], repeat=2)),
        ((1, 5), (True, True)),
    ],
)
@pytest.mark.parametrize("beyond", ["reflect", "replicate"])
@torch.no_grad()
def test_is_the_convolution_of_a_padded_copy(size, edges, beyond, monkeypatch):
    monkeypatch.setattr(room, "_MANY", 1)
    generator = torch.Generator().manual_seed(0)
    x, (weight, bias) = torch.randn(2, 3, *size, generator=generator), weights(generator)
    before = x.clone()
    got = convolve(x, weight, bias, edges, beyond)
    mode = beyond if min(size) > 1 else "replicate"
    padded = F.pad(x, (1, 1, *map(int, edges)), mode=mode)
    torch.testing.assert_close(got, F.conv2d(padded, weight, bias))
    assert torch.equal(x, before)


@pytest.mark.parametrize("many", [1, 10**9])
@pytest.mark.parametrize("beyond", ["reflect", "replicate"])
@pytest.mark.parametrize("size", [(4, 4), (9, 6), (3, 12), (1, 5)])
def test_the_way_back_is_autograd(size, beyond, many, monkeypatch):
    monkeypatch.setattr(room, "_MANY", many)
    generator = torch.Generator().manual_seed(2)
    x, (weight, bias) = torch.randn(2, 3, *size, generator=generator, requires_grad=True), weights(generator)
    made = convolve(x, weight, bias, mode=beyond)
    above = torch.randn(made.shape, generator=generator)
    (expected,) = torch.autograd.grad(made, x, above)
    got = undo_convolve(above, weight.flip(2, 3).transpose(0, 1).contiguous(), size, beyond)
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)


def test_a_gradient_goes_through():
    generator = torch.Generator().manual_seed(0)
    x, (weight, bias) = torch.randn(1, 3, 260, 260, generator=generator, requires_grad=True), weights(generator)
    convolve(x, weight, bias).sum().backward()
    assert x.grad is not None and float(x.grad[..., 1, 1].abs().min()) > 0


@pytest.mark.parametrize(("dtype", "most"), [(torch.float32, 1e-5), (torch.bfloat16, 0.01)])
def test_a_gain_and_a_shift_can_be_the_weights(dtype, most):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(1, 3, 12, 10, generator=generator) + 20  # far from zero, where rounding weighs
    weight, bias = (each.to(dtype) for each in weights(generator))
    gain, shift, mean = (torch.randn(1, 3, 1, 1, generator=generator) for _ in range(3))
    mean = mean + 20
    scaled, then = Affine(gain, shift, mean).fold_into(weight, bias)
    exact = F.conv2d(x * gain + shift, weight.float(), bias.float())
    got = F.conv2d(x, scaled.float(), then.float())
    assert scaled.dtype == then.dtype == dtype
    assert float((got - exact).norm() / exact.norm()) < most
