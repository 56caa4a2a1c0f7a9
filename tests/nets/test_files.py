"""Files of nets from strangers: whatever their header holds, they are read, or refused in one short error."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from impasto.errors import WeightsError
from impasto.methods.johnson import gallery
from impasto.nets.files import ADAIN_KIND, load_decoder, load_transformer
from impasto.weights import native
from impasto.weights.canonical import tiny_weights

Use = Callable[[Path], object]
CPU = torch.device("cpu")
ODD = [None, -1, 10**9, 1.5, float("nan"), "x" * 50_000, [], [10**9], [[None]], {"a": {"b": 1}}, ["relu1_1"] * 3]
HERE = "put a text here"


def use_decoder(path: Path) -> object:
    return load_decoder(str(path), kind=ADAIN_KIND, weights=None, layer=None, device=CPU, dtype=torch.float32)


def use_transformer(path: Path) -> object:
    gallery.find(str(path))
    return load_transformer(path, CPU, torch.float32)


def use_encoder(path: Path) -> object:
    return native.read(path, until="relu1_1")


def encoder_tensors() -> dict[str, torch.Tensor]:
    """Those of a VGG, of its full width only as far as `use_encoder` reads them."""
    names = {"weight": 0, "bias": 1}
    tiny = {f"{name}.{part}": pair[at] for name, pair in tiny_weights().tensors.items() for part, at in names.items()}
    return {**tiny, "conv1_1.weight": torch.ones(64, 3, 3, 3), "conv1_1.bias": torch.ones(64)}


def encoder_header(**changes: Any) -> dict[str, Any]:
    return {"kind": "encoder", "spec": {**dataclasses.asdict(tiny_weights().spec), **changes}}


@pytest.fixture(params=["decoder", "transformer", "encoder"])
def net(request: pytest.FixtureRequest, tiny_nets: dict[str, Path], tmp_path: Path) -> tuple[Path, Use]:
    """A net or an encoder of each kind, and what reads it."""
    if request.param == "decoder":
        return tiny_nets["adain"], use_decoder
    if request.param == "transformer":
        return tiny_nets["johnson"], use_transformer
    path = tmp_path / "vgg.safetensors"
    save_file(encoder_tensors(), path, {"impasto": json.dumps(encoder_header())})
    return path, use_encoder


def places(table: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """The paths of all entries of a table, and of those inside it."""
    for name, value in table.items():
        yield (name,)
        if isinstance(value, dict):
            yield from ((name, *rest) for rest in places(value))


def header_of(path: Path) -> dict[str, Any]:
    with safe_open(path, framework="pt") as file:
        return json.loads(file.metadata()["impasto"])


def changed(header: Mapping[str, Any], place: tuple[str, ...], value: Any) -> dict[str, Any]:
    whole = json.loads(json.dumps(header))
    inner = whole
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    return whole


def test_any_header_is_read_or_refused(net: tuple[Path, Use], tmp_path: Path) -> None:
    path, use = net
    tensors, header = load_file(path), header_of(path)
    use(path)
    texts = ["", "null", "[]", "3", "[" * 100_000, "9" * 5000]
    for place in places(header):
        texts += [json.dumps(changed(header, place, odd)) for odd in ODD]
        deep = "[" * 5000 + "]" * 5000
        texts.append(json.dumps(changed(header, place, HERE)).replace(f'"{HERE}"', deep))
    refused = 0
    other = tmp_path / "other.safetensors"
    for text in texts:
        save_file(tensors, other, {"impasto": text})
        try:
            use(other)
        except WeightsError as error:
            refused += 1
            assert str(other) in str(error) and len(str(error)) < 1000
    assert refused > len(texts) / 2


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_nets_have_finite_numbers(net: tuple[Path, Use], value: float, tmp_path: Path) -> None:
    path, use = net
    tensors = load_file(path)
    name = sorted(tensors)[0]
    tensors[name].view(-1)[-1] = value
    other = tmp_path / "other.safetensors"
    with safe_open(path, framework="pt") as file:
        save_file(tensors, other, file.metadata())
    with pytest.raises(WeightsError, match=r"other\.safetensors: .* not finite"):
        use(other)


def test_an_encoder_prepares_by_finite_numbers(tmp_path: Path) -> None:
    for name, value in (("scale", float("nan")), ("std", [1, 0, 1]), ("mean", [float("inf"), 0, 0])):
        path = tmp_path / "vgg.safetensors"
        save_file(encoder_tensors(), path, {"impasto": json.dumps(encoder_header(**{name: value}))})
        with pytest.raises(WeightsError, match="expected finite numbers"):
            use_encoder(path)


def test_reading_a_net_takes_no_random_numbers(net: tuple[Path, Use]) -> None:
    path, use = net
    before = torch.get_rng_state()
    use(path)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.vgg
def test_no_net_that_ships_loads_a_compiler() -> None:
    """A second of every start: some functions of torch, on its device meta, import torch._dynamo."""
    code = (
        "import sys\n"
        "from impasto import METHODS, Style, make_recipe\n"
        "from impasto.methods.johnson.gallery import gallery\n"
        "from impasto.runtime import pick_device\n"
        "for net in gallery():\n"
        "    METHODS['johnson'].load(make_recipe('johnson', settings={'net': net}), pick_device('cpu'))\n"
        "for name in ('adain', 'swap'):\n"
        "    METHODS[name].load(make_recipe(name, [Style(path='x')]), pick_device('cpu'))\n"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
