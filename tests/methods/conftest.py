"""A tiny encoder in place of the VGG, and small pictures."""

import pytest
import torch

from impasto.methods.arbitrary import adain, swap
from impasto.methods.iterative import gatys
from impasto.weights.canonical import tiny_weights


@pytest.fixture
def tiny_encoder(monkeypatch):
    """Every painter gets a small random network with the layers of the one it asks for."""

    def load(name, **_):
        return tiny_weights("vgg16" if "vgg16" in name else "vgg19")

    for module in (gatys, adain, swap):
        monkeypatch.setattr(module, "load", load)


@pytest.fixture
def picture():
    """Makes seeded pictures: picture(height, width, seed) is smooth with some grain."""

    def make(height, width, seed=0):
        generator = torch.Generator().manual_seed(seed)
        coarse = torch.rand(1, 3, 4, 4, generator=generator)
        smooth = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic")
        return (smooth + torch.randn(1, 3, height, width, generator=generator) * 0.05).clamp(0, 1)

    return make
