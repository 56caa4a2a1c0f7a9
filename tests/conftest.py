"""Fixtures for every room: small pictures, and a small encoder in place of VGG-19."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from impasto.encoders.vgg import VGG
from impasto.weights.canonical import VGGWeights, tiny_weights
from impasto.weights.shipped import save_net


def picture(width: int, height: int, seed: int) -> Image.Image:
    """A smooth, colourful picture: a few random waves."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / max(width, height)
    phase = rng.uniform(0, 6.3, (3, 4))
    waves = rng.uniform(-25, 25, (3, 4, 2))
    values = [sum(np.sin(waves[c, k, 0] * x + waves[c, k, 1] * y + phase[c, k]) for k in range(4)) for c in range(3)]
    return Image.fromarray(np.uint8(np.clip(np.stack(values, -1) / 8 + 0.5, 0, 1) * 255))


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A photograph of 60×45 pixels."""
    path = tmp_path / "photo.png"
    picture(60, 45, 1).save(path)
    return path


@pytest.fixture
def style(tmp_path: Path) -> Path:
    """A style picture of 40×52 pixels."""
    path = tmp_path / "style.png"
    picture(40, 52, 2).save(path)
    return path


@pytest.fixture
def tiny_encoder(monkeypatch: pytest.MonkeyPatch) -> VGGWeights:
    """Every encoder a painter asks for by name is a tiny random one; files are still read."""
    from impasto.methods.arbitrary import adain, swap
    from impasto.methods.iterative import gatys
    from impasto.weights.catalogue import CATALOGUE

    tiny = tiny_weights()
    real = gatys.load
    for module in (gatys, adain, swap):
        monkeypatch.setattr(module, "load", lambda name, **more: tiny if name in CATALOGUE else real(name, **more))
    return tiny


def save_tiny_net(path: Path, kind: str, layer: str, **changes: Any) -> Path:
    """An inverse net of the tiny encoder, with random weights."""
    from impasto.methods.arbitrary.inverse import net_metadata
    from impasto.nets.decoder import Decoder, mirror

    weights = tiny_weights()
    channels = tuple(pair[0].shape[0] for name, pair in weights.tensors.items() if name.endswith("_1"))
    torch.manual_seed(3)
    net = Decoder(mirror(layer, channels, **changes))
    return save_net(path, net.state_dict(), net_metadata(kind, VGG(weights), net.spec))


@pytest.fixture
def tiny_nets(tmp_path: Path) -> dict[str, Path]:
    """Inverse nets of the tiny encoder by method."""
    from impasto.methods.arbitrary.inverse import ADAIN_KIND, SWAP_KIND

    inside = {"inject": ("relu2_1", "relu1_1")}
    return {
        "adain": save_tiny_net(tmp_path / "a.safetensors", ADAIN_KIND, "relu4_1", skip=("relu2_1",), **inside),
        "swap": save_tiny_net(tmp_path / "s.safetensors", SWAP_KIND, "relu3_1", **inside),
    }
