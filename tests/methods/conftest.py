"""A tiny encoder in place of the VGG."""

import pytest

from impasto.methods.common import loader
from impasto.weights.canonical import tiny_weights


@pytest.fixture
def tiny_encoder(monkeypatch):
    """Every painter gets a small random network with the layers of the one it asks for."""

    def load(name, **_):
        return tiny_weights("vgg16" if "vgg16" in name else "vgg19")

    monkeypatch.setattr(loader, "load", load)
