"""Fixtures for every room: small pictures, and a small encoder in place of VGG-19."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from impasto.weights.canonical import VGGWeights, tiny_weights


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
    from impasto.methods.iterative import gatys
    from impasto.weights.catalogue import CATALOGUE

    tiny = tiny_weights()
    real = gatys.load
    monkeypatch.setattr(gatys, "load", lambda name, **more: tiny if name in CATALOGUE else real(name, **more))
    return tiny
