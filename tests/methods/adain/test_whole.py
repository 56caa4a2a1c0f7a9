"""The whole method as one module paints as the painter does, whatever the decoder and the sizes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from impasto.encoders.vgg import VGG
from impasto.errors import RequestError, WeightsError
from impasto.methods.adain.painter import AdainNets
from impasto.methods.adain.whole import MIN_SIDE, WholeAdain, paint_without_grain, whole_nets
from impasto.methods.common import loader
from impasto.nets.files import ADAIN_KIND, load_decoder
from impasto.weights.canonical import tiny_weights

CPU = torch.device("cpu")
DEEP = {"layer": "relu4_1", "inject": ("relu3_1", "relu1_1"), "skip": ("relu3_1",)}
KINDS = {
    "correlations": ({"covariance": 0.6}, DEEP),
    "most correlations": ({"covariance": 0.9}, DEEP),
    "moments alone": ({}, DEEP),
    "nothing imposed inside": ({"covariance": 0.3}, {"layer": "relu4_1", "padding": "zeros"}),
    "from relu3_1": ({"covariance": 0.6}, {"layer": "relu3_1", "inject": ("relu1_1",), "norm": "instance"}),
    "from relu2_1": ({}, {"layer": "relu2_1", "inject": ("relu1_1",), "transposed": True, "output": "sigmoid"}),
}
SIZES = ((64, 64, 64, 48), (MIN_SIDE, 101, 101, 77), (127, 40, 90, 127), (75, 120, 120, MIN_SIDE))


def nets_of(net: Path, **encoder: Any) -> AdainNets:
    """The nets of a decoder with the tiny encoder; its fields may be changed."""
    weights = tiny_weights()
    trained = load_decoder(str(net), kind=ADAIN_KIND, weights=weights, layer=None, device=CPU, dtype=torch.float32)
    return AdainNets(CPU, torch.float32, {}, VGG(weights, **{**trained.encoder, **encoder}), trained)


def difference(nets: AdainNets, photo: Tensor, style: Tensor, alpha: float) -> float:
    expected = paint_without_grain(nets, photo, style, alpha)
    assert expected.std() > 0.01
    with torch.no_grad():
        return float((WholeAdain(nets)(photo, style, torch.tensor([alpha])) - expected).abs().max())


@pytest.mark.numeric
@pytest.mark.parametrize("kind", KINDS)
def test_it_paints_as_the_painter_does(
    kind: str, tiny_net: Callable[..., Path], picture: Callable[..., Tensor]
) -> None:
    recipe, fields = KINDS[kind]
    nets = nets_of(tiny_net(ADAIN_KIND, recipe=recipe, **fields))
    for number, (height, width, style_height, style_width) in enumerate(SIZES):
        photo, style = picture(height, width, 1), picture(style_height, style_width, 2)
        assert difference(nets, photo, style, (1.0, 0.5, 0.0)[number % 3]) < 1e-3


@pytest.mark.numeric
@pytest.mark.parametrize("encoder", [{"padding": "reflect"}, {"padding": "replicate-first"}, {"pool_ceil": True}])
def test_the_encoder_pads_and_pools_as_in_training(
    encoder: dict[str, Any], tiny_net: Callable[..., Path], picture: Callable[..., Tensor]
) -> None:
    nets = nets_of(tiny_net(ADAIN_KIND, recipe={"covariance": 0.6}, **DEEP), **encoder)
    assert difference(nets, picture(51, 70, 1), picture(70, 45, 2), 1.0) < 1e-3


def test_what_cannot_be_made_whole_is_refused(tiny_net: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    bold, net = tiny_net(ADAIN_KIND, recipe={"covariance": 0.95}, **DEEP), tiny_net(ADAIN_KIND, **DEEP)
    with pytest.raises(WeightsError, match="no weights file"):
        whole_nets(net, "none.pth")
    weights = tiny_weights()
    monkeypatch.setattr(loader, "load", lambda name, **more: weights)
    with pytest.raises(RequestError, match=r"covariance 0\.95; expected at most 0\.9 .*leave out --whole"):
        whole_nets(bold, None)
    other = dataclasses.replace(weights, sha256="1" * 64)
    monkeypatch.setattr(loader, "load", lambda name, **more: other)
    with pytest.raises(WeightsError, match=r"trained against .* give the former with --encoder"):
        whole_nets(net, None)
