"""Fixtures for every room: small pictures, and a small encoder in place of VGG-19."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from impasto.weights.canonical import VGGWeights, tiny_weights


def _waves(width: int, height: int, seed: int) -> Image.Image:
    """A smooth, colourful picture: a few random waves."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / max(width, height)
    phase = rng.uniform(0, 6.3, (3, 4))
    waves = rng.uniform(-25, 25, (3, 4, 2))
    values = [sum(np.sin(waves[c, k, 0] * x + waves[c, k, 1] * y + phase[c, k]) for k in range(4)) for c in range(3)]
    return Image.fromarray(np.uint8(np.clip(np.stack(values, -1) / 8 + 0.5, 0, 1) * 255))


@pytest.fixture(autouse=True)
def _nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees what another has loaded by `impasto.paint`."""
    from impasto import api

    monkeypatch.setattr(api, "_sessions", {})


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A photograph of 60×45 pixels."""
    path = tmp_path / "photo.png"
    _waves(60, 45, 1).save(path)
    return path


@pytest.fixture
def style(tmp_path: Path) -> Path:
    """A style picture of 40×52 pixels."""
    path = tmp_path / "style.png"
    _waves(40, 52, 2).save(path)
    return path


@pytest.fixture
def picture() -> Callable[..., torch.Tensor]:
    """Makes seeded pictures: picture(height, width, seed) is smooth with some grain."""

    def make(height: int, width: int, seed: int = 0) -> torch.Tensor:
        generator = torch.Generator().manual_seed(seed)
        coarse = torch.rand(1, 3, 4, 4, generator=generator)
        smooth = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic")
        return (smooth + torch.randn(1, 3, height, width, generator=generator) * 0.05).clamp(0, 1)

    return make


@pytest.fixture
def tiny_encoder(monkeypatch: pytest.MonkeyPatch) -> VGGWeights:
    """Every encoder a painter asks for by name is a tiny random one; files are still read."""
    from impasto.methods.common import loader
    from impasto.weights.catalogue import CATALOGUE

    tiny = tiny_weights()
    real = loader.load
    monkeypatch.setattr(loader, "load", lambda name, **more: tiny if name in CATALOGUE else real(name, **more))
    return tiny


@pytest.fixture
def tiny_net(tmp_path: Path) -> Callable[..., Path]:
    """Saves an inverse net of the tiny encoder, with random weights.

    tiny_net(kind, layer, recipe, **fields of its spec)
    """
    from impasto.encoders.vgg import VGG
    from impasto.nets.decoder import Decoder
    from impasto.nets.decoder_spec import mirror
    from impasto.nets.files import decoder_metadata
    from impasto.weights.shipped import save_net

    def save(kind: str, layer: str, recipe: dict[str, Any] | None = None, **changes: Any) -> Path:
        weights = tiny_weights()
        channels = tuple(pair[0].shape[0] for name, pair in weights.tensors.items() if name.endswith("_1"))
        torch.manual_seed(3)
        net = Decoder(mirror(layer, channels, **changes))
        path = tmp_path / f"{kind}-{len(list(tmp_path.glob('*.safetensors')))}.safetensors"
        metadata = {**decoder_metadata(kind, VGG(weights), net.spec), "recipe": recipe or {}}
        return save_net(path, net.state_dict(), metadata)

    return save


@pytest.fixture
def tiny_nets(tiny_net: Callable[..., Path], tmp_path: Path) -> dict[str, Path]:
    """A net by method that has one: inverse nets of the tiny encoder, and a feed-forward network."""
    from impasto.nets.files import ADAIN_KIND, JOHNSON_KIND, SWAP_KIND
    from impasto.nets.transformer import Transformer
    from impasto.nets.transformer_spec import TransformerSpec
    from impasto.weights.shipped import save_net

    net = Transformer(TransformerSpec("c3s1-4,d6,d8,R8,u6,u4,c3s1-3"))
    metadata = {"kind": JOHNSON_KIND, "encoder_sha256": "0" * 64, "network": net.spec.to_json()}

    inject = ("relu2_1", "relu1_1")
    return {
        "adain": tiny_net(ADAIN_KIND, "relu4_1", {"covariance": 0.6}, inject=inject, skip=("relu2_1",)),
        "swap": tiny_net(SWAP_KIND, "relu3_1", inject=inject),
        "johnson": save_net(tmp_path / "johnson.safetensors", net.state_dict(), metadata),
    }


@pytest.fixture
def tiny_settings(tiny_nets: dict[str, Path]) -> dict[str, dict[str, str]]:
    """By method that has nets, the settings that name tiny ones."""
    adain, swap = tiny_nets["adain"], tiny_nets["swap"]
    named = {name: {"net": str(net)} for name, net in tiny_nets.items()}
    return {**named, "cascade": {"rungs": f"adain:400:net={adain},swap:net={swap}"}}


@pytest.fixture
def tiny_shipped(tiny_encoder: VGGWeights, tiny_nets: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """The nets inside the package, by name, are tiny ones of the tiny encoder."""
    from impasto.methods.common import loader
    from impasto.nets import files
    from impasto.weights import shipped

    real = files.locate_net

    def locate(name: str | Path) -> Path:
        return tiny_nets.get(str(name)) or real(name)

    for module in (loader, files, shipped):
        monkeypatch.setattr(module, "locate_net", locate)


@pytest.fixture
def onnx_extra() -> None:
    """Skips where the libraries of the extra ``onnx`` are not installed."""
    for library in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(library, reason="the extra onnx is not installed")
