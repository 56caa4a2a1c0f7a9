from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io
import torch
from safetensors.torch import save_file

from impasto.encoders.vgg import VGG
from impasto.errors import MissingExtraError, WeightsError
from impasto.weights import codebook, keras_h5, matconvnet, native, torch_pth
from impasto.weights.canonical import VGGWeights
from impasto.weights.catalogue import CATALOGUE, Entry
from impasto.weights.files import sha256_of
from impasto.weights.layers import conv_names
from impasto.weights.load import FORMATS, load

from .conftest import (
    WRITERS,
    Pairs,
    block,
    codebook_state,
    features_state,
    write_caffe_pth,
    write_codebook,
    write_h5,
    write_mat,
)

IMAGE = torch.rand(1, 3, 24, 20, generator=torch.Generator().manual_seed(3))
LAYERS = ["conv1_1", "relu1_2", "relu2_2"]


def features(weights: VGGWeights) -> dict[str, torch.Tensor]:
    return VGG(weights)(IMAGE, LAYERS)


def same(weights: VGGWeights, pairs: Pairs) -> None:
    assert list(weights.tensors) == list(pairs)
    for name, (weight, bias) in pairs.items():
        assert weights.tensors[name][0].dtype == torch.float32
        assert torch.equal(weights.tensors[name][0], weight)
        assert torch.equal(weights.tensors[name][1], bias)


@pytest.mark.parametrize("file", WRITERS)
def test_caffe_derived_routes_give_the_same_features(file: str, tmp_path: Path, pairs: Pairs) -> None:
    path = tmp_path / file
    WRITERS[file](path, pairs)
    weights = load(path)
    # The definition, stated without the library: BGR, 0-255, mean subtracted, zero padding.
    bgr = IMAGE.flip(1) * 255 - torch.tensor([103.939, 116.779, 123.68]).view(1, 3, 1, 1)
    expected = torch.nn.functional.conv2d(bgr, *pairs["conv1_1"], padding=1)
    found = features(weights)
    torch.testing.assert_close(found["conv1_1"], expected, rtol=1e-4, atol=1e-3)
    path_b = tmp_path / "reference.pth"
    write_caffe_pth(path_b, pairs)
    for layer, value in features(load(path_b)).items():
        torch.testing.assert_close(found[layer], value, rtol=1e-4, atol=1e-3)
    assert weights.sha256 == sha256_of(path)
    assert weights.source == str(path)


def test_torchvision_differs_from_caffe_for_the_same_numbers(tmp_path: Path, pairs: Pairs) -> None:
    path = tmp_path / "some.pth"
    torch.save(features_state(pairs), path)
    one, other = load(path, layout="torchvision"), load(path, layout="caffe")
    assert one.spec.channels == "rgb" and one.spec.std == (0.229, 0.224, 0.225)
    assert other.spec.channels == "bgr" and other.spec.scale == 255.0
    assert not torch.allclose(features(one)["relu2_2"], features(other)["relu2_2"])


def test_every_suffix_and_layout_is_said_once() -> None:
    suffixes = [suffix for form in FORMATS for suffix in form.suffixes]
    assert len(suffixes) == len(set(suffixes))
    offered = {layout for form in FORMATS for layout in form.layouts}
    assert {entry.layout for entry in CATALOGUE.values()} <= offered


# --- codebook


def test_codebook_decodes_exactly(tmp_path: Path, pairs: Pairs) -> None:
    path = tmp_path / "a.bin"
    write_codebook(path, pairs)
    same(codebook.read(path), pairs)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda s: s.pop("block1_conv1_W_q"), "block1_conv1_W_q is missing"),
        (lambda s: s.pop("block2_conv1_b"), "block2_conv1_b is missing"),
        (lambda s: [s.pop(k) for k in list(s) if k.startswith("block1_conv2")], "conv1_2 is missing"),
        (lambda s: s.update(extra=torch.zeros(1)), "holds extra"),
        (lambda s: s.update(block1_conv1_W_q=s["block1_conv1_W_q"].long()), "expected uint8"),
        (lambda s: s.update(block1_conv1_W_q=s["block1_conv1_W_q"][:, :2]), r"\(64, 2, 3, 3\)"),
        (lambda s: s.update(block1_conv1_W_table=s["block1_conv1_W_table"][:9]), "of a table of 9"),
        (lambda s: s.update(block1_conv1_W_table=s["block1_conv1_W_table"] / 0), "not finite"),
        (lambda s: s.update(block1_conv2_b=torch.zeros(3)), r"block1_conv2_W_q .* bias \(3,\)"),
        (lambda s: s.update(block1_conv2_b=torch.zeros(64).long()), "int64"),
    ],
)
def test_codebook_is_strict(change: Any, says: str, tmp_path: Path, pairs: Pairs) -> None:
    state = codebook_state(pairs)
    change(state)
    torch.save(state, tmp_path / "a.bin")
    with pytest.raises(WeightsError, match=says):
        codebook.read(tmp_path / "a.bin")


# --- PyTorch


def test_pth_of_an_unknown_kind_is_not_guessed(tmp_path: Path, pairs: Pairs) -> None:
    path = tmp_path / "mine.pth"
    torch.save(features_state(pairs), path)
    with pytest.raises(WeightsError, match=r"--layout torchvision or --layout caffe"):
        load(path)
    namesake = tmp_path / CATALOGUE["vgg19-torchvision"].file
    torch.save(features_state(pairs), namesake)
    with pytest.raises(WeightsError, match="named like vgg19-torchvision but is not that file"):
        load(namesake)


def test_pth_is_told_by_its_hash(tmp_path: Path, pairs: Pairs, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mine.pth"
    torch.save(features_state(pairs), path)
    entry = Entry("known", "vgg19", "torchvision", "", "", f"sha256:{sha256_of(path)[:8]}", 1, urls=("http://x/y",))
    monkeypatch.setitem(CATALOGUE, "known", entry)
    assert load(path).spec.channels == "rgb"
    with pytest.raises(WeightsError, match="read as caffe, but it is torchvision"):
        load(path, layout="caffe")


def test_pth_is_told_by_its_classifier(tmp_path: Path, pairs: Pairs) -> None:
    path = tmp_path / "a.pth"
    write_caffe_pth(path, pairs)
    assert torch_pth.read(path).spec.channels == "bgr"
    with pytest.raises(WeightsError, match="read as torchvision, but it is caffe"):
        torch_pth.read(path, layout="torchvision")


def test_both_containers_of_torch_save_are_read(tmp_path: Path, pairs: Pairs) -> None:
    for zipped in (True, False):
        path = tmp_path / f"{zipped}.pth"
        torch.save(features_state(pairs), path, _use_new_zipfile_serialization=zipped)
        same(torch_pth.read(path, layout="caffe"), pairs)


def test_vgg16_is_told_by_the_places_of_its_convolutions(tmp_path: Path) -> None:
    zeros: Pairs = {}
    inputs = 3
    for name in conv_names("vgg16")[:8]:
        outputs = (64, 128, 256, 512)[int(name[4]) - 1]
        zeros[name] = (torch.zeros(outputs, inputs, 3, 3), torch.zeros(outputs))
        inputs = outputs
    torch.save(features_state(zeros, "vgg16"), tmp_path / "a.pth")
    weights = torch_pth.read(tmp_path / "a.pth", layout="torchvision")
    assert weights.spec.arch == "vgg16"
    assert list(weights.tensors)[-1] == "conv4_1"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda s: s.pop("features.2.weight"), "features.2.weight is missing"),
        (lambda s: [s.pop(f"features.2.{k}") for k in ("weight", "bias")], "conv1_2 is missing"),
        (lambda s: s.update({"features.1.weight": torch.zeros(64)}), "no convolution there"),
        (lambda s: s.update({"features.99.weight": torch.zeros(64)}), "no convolution there"),
        (lambda s: s.update({"features.1.running_mean": torch.zeros(64)}), "batch normalisation"),
        (
            lambda s: s.update({"features.0.weight": torch.zeros(64, 3, 5, 5)}),
            r"features.0.weight .*\(64, 3, 5, 5\)",
        ),
        (
            lambda s: s.update({"features.0.bias": torch.full((64,), torch.nan)}),
            "conv1_1 holds values that are not",
        ),
        (lambda s: s.update(epoch=3), "'epoch' is a int"),
        (lambda s: [s.update({f"net.{k}": s.pop(k)}) for k in list(s)], "expected features.0.weight"),
        (lambda s: s.clear(), "expected a state dict"),
    ],
)
def test_pth_is_strict(change: Any, says: str, tmp_path: Path, pairs: Pairs) -> None:
    state: dict[str, Any] = features_state(pairs)
    change(state)
    torch.save(state, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match=says):
        torch_pth.read(tmp_path / "a.pth", layout="caffe")


class Bomb:
    def __init__(self, marker: str) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.mkdir, (self.marker,)


@pytest.mark.parametrize("how", ["zip", "legacy", "pickle"])
@pytest.mark.parametrize("suffix", [".pth", ".bin"])
def test_a_pickle_with_code_is_refused_and_not_run(how: str, suffix: str, tmp_path: Path) -> None:
    marker, path = tmp_path / "ran", tmp_path / f"evil{suffix}"
    if how == "pickle":
        path.write_bytes(pickle.dumps(Bomb(str(marker))))
    else:
        torch.save(Bomb(str(marker)), path, _use_new_zipfile_serialization=how == "zip")
    with pytest.raises(WeightsError) as caught:
        load(path)
    if how != "pickle":  # a bare pickle is already refused as not being torch.save's
        assert "would run code" in str(caught.value) and "safetensors" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not marker.exists()


def test_a_whole_module_is_refused(tmp_path: Path) -> None:
    torch.save(torch.nn.Conv2d(3, 3, 3), tmp_path / "module.pth")
    with pytest.raises(WeightsError, match="would run code"):
        load(tmp_path / "module.pth")


# --- MatConvNet


@pytest.mark.parametrize("old", [False, True])
def test_mat_reads_height_first_and_rgb(old: bool, tmp_path: Path, pairs: Pairs) -> None:
    write_mat(tmp_path / "a.mat", pairs, old=old)
    weights = matconvnet.read(tmp_path / "a.mat")
    assert weights.spec.channels == "rgb" and weights.spec.mean == (123.68, 116.779, 103.939)
    assert torch.equal(weights.tensors["conv1_1"][0], pairs["conv1_1"][0].flip(1))
    assert torch.equal(weights.tensors["conv2_2"][0], pairs["conv2_2"][0])


def test_mat_width_first_on_request(tmp_path: Path, pairs: Pairs) -> None:
    write_mat(tmp_path / "a.mat", pairs, axes=(3, 2, 1, 0))
    weights = load(tmp_path / "a.mat", layout="matconvnet-width-first")
    assert torch.equal(weights.tensors["conv1_2"][0], pairs["conv1_2"][0])


def test_mat_is_strict(tmp_path: Path, pairs: Pairs) -> None:
    path = tmp_path / "a.mat"
    write_mat(path, {name: pair for name, pair in pairs.items() if name != "conv1_2"})
    with pytest.raises(WeightsError, match="conv1_2 is missing"):
        matconvnet.read(path)
    write_mat(path, pairs, axes=(0, 1, 2, 3))
    with pytest.raises(WeightsError, match=r"conv1_1 has shape \(64, 3, 3, 3\).*expected \(3, 3, 3, 64\) \(HWIO\)"):
        matconvnet.read(path)
    scipy.io.savemat(path, {"faces": [[1.0]]})
    with pytest.raises(WeightsError, match="no variable 'layers'"):
        matconvnet.read(path)
    empty = np.empty((1, 1), dtype=object)
    empty[0, 0] = {"name": "conv1_1", "type": "conv"}
    scipy.io.savemat(path, {"layers": empty})
    with pytest.raises(WeightsError, match="conv1_1 holds no weights"):
        matconvnet.read(path)
    scipy.io.savemat(path, {"layers": [[1.0, 2.0]]})
    with pytest.raises(WeightsError, match="conv1_1"):
        matconvnet.read(path)
    path.write_bytes(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(600))
    with pytest.raises(WeightsError, match="-v7"):
        matconvnet.read(path)


# --- Keras


@pytest.mark.parametrize("new", [False, True])
@pytest.mark.parametrize("root", ["", "model_weights"])
def test_keras_layouts(new: bool, root: str, tmp_path: Path, pairs: Pairs) -> None:
    write_h5(tmp_path / "a.h5", pairs, new=new, root=root)
    weights = keras_h5.read(tmp_path / "a.h5")
    same(weights, pairs)
    assert weights.spec.channels == "bgr"


def test_keras_is_strict(tmp_path: Path, pairs: Pairs) -> None:
    path = tmp_path / "a.h5"
    write_h5(path, {name: pair for name, pair in pairs.items() if name != "conv1_1"})
    with pytest.raises(WeightsError, match="conv1_1 is missing"):
        keras_h5.read(path)
    write_h5(path, pairs)
    with h5py.File(path, "a") as file:
        del file["block1_conv1/block1_conv1_b_1:0"]
    with pytest.raises(WeightsError, match="block1_conv1's bias is there 0 times"):
        keras_h5.read(path)
    write_h5(path, pairs)
    with h5py.File(path, "a") as file:
        del file["block2_conv1/block2_conv1_W_1:0"]
        file["block2_conv1/block2_conv1_W_1:0"] = pairs["conv2_1"][0].numpy()  # the order Theano wants
    with pytest.raises(WeightsError, match=r"block2_conv1_W_1:0 has shape \(128, 64, 3, 3\)"):
        keras_h5.read(path)
    with h5py.File(path, "w") as file:
        file["something"] = [1.0]
    with pytest.raises(WeightsError, match="something"):
        keras_h5.read(path)


def test_keras_names_the_extra(tmp_path: Path, pairs: Pairs, monkeypatch: pytest.MonkeyPatch) -> None:
    write_h5(tmp_path / "a.h5", pairs)
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(MissingExtraError, match=r"impasto\[keras\]"):
        load(tmp_path / "a.h5")


# --- safetensors


def test_safetensors_keyed_like_torchvision(tmp_path: Path, pairs: Pairs) -> None:
    path = tmp_path / "a.safetensors"
    save_file(features_state(pairs), path)
    with pytest.raises(WeightsError, match="--layout"):
        load(path)
    same(load(path, layout="torchvision"), pairs)
    with pytest.raises(WeightsError, match="no impasto header"):
        native.read(path, layout="impasto")
    save_file({**features_state(pairs), "pre_logits.fc1.weight": torch.zeros(1)}, path)
    assert load(path).spec.channels == "rgb"


# --- what is no weights file at all


@pytest.mark.parametrize("suffix", [suffix for form in FORMATS for suffix in form.suffixes])
def test_files_that_are_no_weights(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    for content in (b"", b"\0" * 300, b"not weights at all\n" * 40, b"\x89PNG\r\n\x1a\n" + bytes(range(256))):
        path.write_bytes(content)
        with pytest.raises(WeightsError) as caught:
            load(path)
        assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    path.unlink()
    with pytest.raises(WeightsError, match="no weights file"):
        load(path)
    path.mkdir()
    with pytest.raises(WeightsError, match="is a folder"):
        load(path)


@pytest.mark.parametrize("file", WRITERS)
def test_truncated_files(file: str, tmp_path: Path, pairs: Pairs) -> None:
    path = tmp_path / file
    WRITERS[file](path, pairs)
    whole = path.read_bytes()
    for length in (1, 100, len(whole) // 3, len(whole) - 5000):
        path.write_bytes(whole[:length])
        with pytest.raises(WeightsError):
            load(path)


@pytest.mark.parametrize("file", WRITERS)
def test_until_leaves_deeper_layers_out_but_checks_they_are_there(file: str, tmp_path: Path, pairs: Pairs) -> None:
    path = tmp_path / file
    WRITERS[file](path, pairs)
    assert list(load(path, until="relu2_1").tensors) == ["conv1_1", "conv1_2", "conv2_1"]
    assert list(load(path, until="relu5_1").tensors) == list(pairs)
    assert list(load(path).tensors) == list(pairs)
    broken = tmp_path / f"broken{path.suffix}"
    WRITERS[file](broken, {name: pair for name, pair in pairs.items() if name != "conv1_2"})
    with pytest.raises(WeightsError, match="conv1_2 is missing"):
        load(broken, until="relu1_1")
    assert block("conv2_1") == "block2_conv1"
