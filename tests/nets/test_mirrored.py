"""Convolutions mirrored beyond the border, beside those of padded copies."""

import itertools

import pytest
import torch
import torch.nn.functional as F

from impasto.nets import mirrored as room
from impasto.nets.decoder import Affine
from impasto.nets.mirrored import mirrored


def weights(generator):
    return torch.randn(5, 3, 3, 3, generator=generator), torch.randn(5, generator=generator)


@pytest.mark.parametrize(
    ("size", "edges"),
    [
        *itertools.product([(4, 4), (9, 6), (3, 12)], itertools.product([True, False], repeat=2)),
        ((1, 5), (True, True)),
    ],
)
@torch.no_grad()
def test_is_the_convolution_of_a_padded_copy(size, edges, monkeypatch):
    monkeypatch.setattr(room, "_MANY", 1)
    generator = torch.Generator().manual_seed(0)
    x, (weight, bias) = torch.randn(2, 3, *size, generator=generator), weights(generator)
    before = x.clone()
    got = mirrored(x, weight, bias, edges)
    mode = "reflect" if min(size) > 1 else "replicate"
    padded = F.pad(x, (1, 1, *map(int, edges)), mode=mode)
    torch.testing.assert_close(got, F.conv2d(padded, weight, bias))
    assert torch.equal(x, before)


def test_a_gradient_goes_through():
    generator = torch.Generator().manual_seed(0)
    x, (weight, bias) = torch.randn(1, 3, 260, 260, generator=generator, requires_grad=True), weights(generator)
    mirrored(x, weight, bias).sum().backward()
    assert x.grad is not None and float(x.grad[..., 1, 1].abs().min()) > 0


@pytest.mark.parametrize(("dtype", "most"), [(torch.float32, 1e-5), (torch.bfloat16, 0.01)])
def test_a_gain_and_a_shift_can_be_the_weights(dtype, most):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(1, 3, 12, 10, generator=generator) + 20  # far from zero, where rounding weighs
    weight, bias = (each.to(dtype) for each in weights(generator))
    gain, shift, mean = (torch.randn(1, 3, 1, 1, generator=generator) for _ in range(3))
    mean = mean + 20
    scaled, then = Affine(gain, shift, mean).into(weight, bias)
    exact = F.conv2d(x * gain + shift, weight.float(), bias.float())
    got = F.conv2d(x, scaled.float(), then.float())
    assert scaled.dtype == then.dtype == dtype
    assert float((got - exact).norm() / exact.norm()) < most
