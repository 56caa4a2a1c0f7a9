"""A tiny encoder in place of the VGG, and a checkpoint in memory."""

import pytest

from impasto.methods.common import loader
from impasto.painter import Checkpoint
from impasto.weights.canonical import tiny_weights


@pytest.fixture
def tiny_encoder(monkeypatch):
    """Every painter gets a small random network with the layers of the one it asks for."""

    def load(name, **_):
        return tiny_weights("vgg16" if "vgg16" in name else "vgg19")

    monkeypatch.setattr(loader, "load", load)


class _InMemory(Checkpoint):
    """Keeps every state, as a file would."""

    def __init__(self, state=None):
        self.state, self.states = state, []

    def load(self, origin):
        return self.state

    def due(self):
        return True

    def save(self, state):
        tensors = {name: tensor.clone() for name, tensor in state.tensors.items()}
        self.states.append(type(state)(tensors, state.facts, state.origin))


@pytest.fixture
def in_memory():
    """Makes checkpoints that save at each step, and load the state that they are given, if any."""
    return _InMemory
