"""Encoders of painting commands: presets whose encoder is missing, and files that need a layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from impasto.methods.common import loader
from impasto.session.provenance import read_provenance
from impasto.weights.layers import CHANNELS, conv_names, layer_names
from impasto.weights.load import load

from .conftest import Cli

FEW = ("--size", 40, "--steps", 2)


def _pixels(path: str) -> np.ndarray:
    return np.asarray(Image.open(path))


@pytest.fixture
def first_layers(tmp_path: Path) -> Path:
    """The first two convolutions of some VGG-19, in a file that tells no layout."""
    generator = torch.Generator().manual_seed(5)
    state: dict[str, torch.Tensor] = {}
    inputs = 3
    for name in conv_names("vgg19")[:2]:
        place = f"features.{layer_names('vgg19').index(name)}"
        state[f"{place}.weight"] = torch.randn(CHANNELS[0], inputs, 3, 3, generator=generator) * 0.05
        state[f"{place}.bias"] = torch.zeros(CHANNELS[0])
        inputs = CHANNELS[0]
    path = tmp_path / "mine.safetensors"
    save_file(state, path)
    return path


@pytest.mark.parametrize("method", ["gatys", "nnst"])
def test_a_preset_paints_with_what_is_here_and_replays(
    method: str, cli: Cli, photo: Path, style: Path, tiny_encoder: object
) -> None:
    preset, encoder = {"gatys": ("crowsonkb", "vgg19-torchvision"), "nnst": ("nnst-2022", "vgg16")}[method]
    few = ("--size", 32, "--steps", 2, "--first-steps", 2)
    ran = cli(method, photo, style, "--preset", preset, *few, "--precision", "exact", "-o", "a.png", "--quiet")
    assert ran.status == 0 and not ran.err
    ran = cli(method, photo, style, "--preset", preset, *few, "--precision", "exact", "-o", "b.png", "--json")
    said = [line for line in ran.err.splitlines() if line.startswith("impasto: ")]
    assert len(said) == 1 and f"impasto weights fetch {encoder}" in said[0]
    assert ran.json["recipe"]["encoder"] == "vgg19" and ran.json["recipe"]["preset"] == preset
    ran = cli("replay", "a.png", "--inputs", photo.parent, "-o", "c.png", "--json")
    assert ran.status == 0 and "impasto: " not in ran.err
    assert ran.json["recipe"] == read_provenance("a.png").recipe
    assert (_pixels("a.png") == _pixels("b.png")).all() and (_pixels("a.png") == _pixels("c.png")).all()


@pytest.mark.parametrize(("method", "preset"), [("gatys", "vgg16-relu3_3"), ("nnst", "nnst-2022")])
def test_an_exact_preset_is_refused(method: str, preset: str, cli: Cli, photo: Path, style: Path) -> None:
    ran = cli(method, photo, style, "--preset", preset, *FEW, "--exact-preset", "-o", "a.png")
    ran.refused(2, "vgg16 is not on this machine", "impasto weights fetch vgg16")
    assert not Path("a.png").exists()


def test_a_replayed_recipe_never_switches(
    cli: Cli, photo: Path, style: Path, tiny_encoder: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("--preset", "pystiche", "--encoder", "vgg19-torchvision", *FEW)
    assert cli("gatys", photo, style, *arguments, "-o", "a.png").status == 0
    shown = cli("show", "a.png").out
    assert 'encoder = "vgg19-torchvision"' in shown and 'preset = "pystiche"' in shown
    Path("a.toml").write_text(shown, encoding="utf-8")
    monkeypatch.setattr(loader, "load", load)
    for source in ("a.png", "a.toml"):
        ran = cli("replay", source, "--inputs", photo.parent, "-o", "b.png")
        ran.refused(2, "vgg19-torchvision is not on this machine", "impasto weights fetch vgg19-torchvision")
        assert not Path("b.png").exists()


def test_a_name_with_a_layout_paints_and_replays(cli: Cli, photo: Path, style: Path, first_layers: Path) -> None:
    layers = ("--content-layers", "relu1_2", "--style-layers", "relu1_1,relu1_2", "--init", "style")
    few = (*layers, *FEW, "--precision", "exact")
    cli("gatys", photo, style, "--encoder", first_layers, *few).refused(2, "FILE#torchvision or FILE#caffe")
    cli("gatys", photo, style, "--encoder", f"{first_layers}#cafe", *few).refused(2, "did you mean caffe")
    for layout in ("caffe", "torchvision"):
        ran = cli(
            "gatys", photo, style, "--encoder", f"{first_layers}#{layout}", *few, "-o", f"{layout}.png", "--json"
        )
        assert ran.status == 0, ran.err
        assert ran.json["recipe"]["encoder"] == f"mine.safetensors#{layout}"
        ran = cli("replay", f"{layout}.png", "--inputs", photo.parent, "-o", "again.png", "--overwrite")
        assert ran.status == 0 and "impasto: " not in ran.err
        assert (_pixels(f"{layout}.png") == _pixels("again.png")).all()
    assert (_pixels("caffe.png") != _pixels("torchvision.png")).any()


def test_a_session_keeps_layouts_of_one_file_apart(photo: Path, style: Path, first_layers: Path) -> None:
    from impasto import Session, Style, make_recipe

    with Session(device="cpu") as session:
        settings = {"content_layers": "relu1_2", "style_layers": "relu1_2", "init": "style", "size": 40, "steps": 2}
        means = [
            session.bind(
                make_recipe(
                    "gatys", [Style(path=str(style))], settings={**settings, "encoder": f"{first_layers}#{layout}"}
                )
            ).painter.encoder.spec.mean
            for layout in ("caffe", "torchvision")
        ]
    assert means[0] != means[1]


@pytest.mark.parametrize("flag", ["--layout", "--kernel-order"])
@pytest.mark.parametrize("command", ["paint", "gatys", "adain"])
def test_flags_of_a_conversion_are_told_to_be_in_the_name(
    command: str, flag: str, cli: Cli, photo: Path, style: Path
) -> None:
    cli(command, photo, style, flag, "caffe").refused(2, "--encoder FILE#")


def test_a_state_is_of_its_layout_and_replaces_no_encoder(
    cli: Cli, photo: Path, style: Path, first_layers: Path
) -> None:
    layers = ("--content-layers", "relu1_2", "--style-layers", "relu1_2", "--init", "style")
    paint = ("gatys", photo, style, *layers, *FEW, "--overwrite", "-o", "a.png", "--encoder")
    whole = first_layers.read_bytes()
    cli(*paint, f"{first_layers}#caffe", "--state", first_layers).refused(2, "mine.safetensors")
    assert first_layers.read_bytes() == whole
    assert cli(*paint, f"{first_layers}#caffe", "--state", "s.safetensors").status == 0
    again = (*paint, f"{first_layers}#torchvision", "--resume", "s.safetensors")
    cli(*again).refused(2, "s.safetensors", "encoder")
    assert cli(*paint, f"{first_layers}#caffe", "--resume", "s.safetensors").status == 0
