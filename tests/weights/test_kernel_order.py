"""The order of kernels in ``.mat`` files, the layout in an encoder's name, and ``.mat`` files that are no VGG."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io
import torch
from safetensors import safe_open

from impasto.cli import main
from impasto.errors import ImpastoWarning, WeightsError
from impasto.weights import kernel_order, locate
from impasto.weights.convert import convert
from impasto.weights.load import load

from .conftest import Pairs, features_state, write_codebook, write_h5, write_mat

AXES = {"height-first": (2, 3, 1, 0), "width-first": (3, 2, 1, 0)}
OTHER = {"height-first": "width-first", "width-first": "height-first"}


@pytest.fixture
def installed(pairs: Pairs, monkeypatch: pytest.MonkeyPatch) -> None:
    """The installed VGG-19 has the kernels of `pairs`, with less precision than float32."""
    kernel = pairs["conv1_1"][0].half().float()
    monkeypatch.setattr(kernel_order, "_installed", lambda: kernel.flip(1).permute(2, 3, 1, 0))


def kernel(name: str | Path, **more: Any) -> torch.Tensor:
    return load(name, **more).tensors["conv1_2"][0]


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("order", AXES)
def test_a_copy_of_the_installed_network_tells_its_order(
    order: str, old: bool, tmp_path: Path, pairs: Pairs, installed: None
) -> None:
    path = tmp_path / "a.mat"
    write_mat(path, pairs, axes=AXES[order], old=old)
    with pytest.warns(ImpastoWarning, match=f"its kernels lie {order}, as conv1_1 .*FILE#{OTHER[order]} reads"):
        assert torch.equal(kernel(path), pairs["conv1_2"][0])


@pytest.mark.vgg
@pytest.mark.parametrize("order", AXES)
def test_oxfords_network_tells_its_order(order: str, tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    whole = dict(load("vgg19", until="relu2_2").tensors)
    write_mat(path, whole, axes=AXES[order])
    with pytest.warns(ImpastoWarning, match=f"its kernels lie {order}"):
        assert torch.equal(kernel(path), whole["conv1_2"][0])


@pytest.mark.parametrize("order", AXES)
def test_another_network_is_read_as_asked(order: str, tmp_path: Path, pairs: Pairs) -> None:
    path = tmp_path / "a.mat"
    write_mat(path, pairs, axes=AXES[order])
    with pytest.warns(ImpastoWarning, match=r"nothing tells .* read height-first.*--kernel-order width-first"):
        assert torch.equal(kernel(path), pairs["conv1_2"][0]) == (order == "height-first")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name, more in ((path, {"kernel_order": order}), (f"{path}#{order}", {}), (Path(f"{path}#{order}"), {})):
            assert torch.equal(kernel(name, **more), pairs["conv1_2"][0])
            assert not torch.equal(kernel(path, kernel_order=OTHER[order]), pairs["conv1_2"][0])


@pytest.mark.parametrize("order", AXES)
def test_what_is_asked_for_overrides_what_is_told(order: str, tmp_path: Path, pairs: Pairs, installed: None) -> None:
    path = tmp_path / "a.mat"
    write_mat(path, pairs, axes=AXES[OTHER[order]])
    assert torch.equal(kernel(path, kernel_order=order), pairs["conv1_2"][0].transpose(2, 3))
    assert torch.equal(kernel(f"{path}#{order}"), pairs["conv1_2"][0].transpose(2, 3))


def test_without_the_installed_network_nothing_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.bin"
    for place in (None, damaged, tmp_path / "missing.bin"):
        damaged.write_bytes(b"x" * 100)
        monkeypatch.setattr(kernel_order, "expected_path", lambda _, place=place: place)
        assert kernel_order.tell(torch.rand(3, 3, 3, 64)) is None


@pytest.mark.parametrize("values", [torch.zeros(3, 3, 3, 64), torch.full((3, 3, 3, 64), torch.nan)])
def test_kernels_without_a_correlation_tell_nothing(values: torch.Tensor, installed: None) -> None:
    assert kernel_order.tell(values) is None


def test_a_conversion_says_the_order(
    tmp_path: Path, pairs: Pairs, installed: None, capsys: pytest.CaptureFixture[str]
) -> None:
    path, target = tmp_path / "a.mat", tmp_path / "out.safetensors"
    write_mat(path, pairs, axes=AXES["width-first"])
    assert main(["weights", "convert", str(path), str(target)]) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("impasto: ") and "lie width-first" in line
    assert torch.equal(kernel(target), pairs["conv1_2"][0])
    with safe_open(target, "pt") as file:
        assert "WHIO" in str(file.metadata())
    asked = ["weights", "convert", str(path), str(target), "--overwrite", "--kernel-order", "height-first"]
    assert main(asked) == 0
    assert not capsys.readouterr().err
    assert torch.equal(kernel(target), pairs["conv1_2"][0].transpose(2, 3))


def test_orders_that_do_not_fit(tmp_path: Path, pairs: Pairs) -> None:
    path = tmp_path / "a.mat"
    write_mat(path, pairs)
    with pytest.raises(WeightsError, match="is 'hight'; expected height-first or width-first"):
        load(path, kernel_order="hight")
    with pytest.raises(WeightsError, match=r"the layout caffe and the kernel order width-first.*only .mat"):
        convert(path, tmp_path / "b.safetensors", layout="caffe", kernel_order="width-first")
    write_h5(tmp_path / "a.h5", pairs)
    with pytest.raises(WeightsError, match=r"cannot be laid out as matconvnet-width-first; expected keras"):
        load(tmp_path / "a.h5", kernel_order="width-first")


# --- the layout in a name


def test_a_name_states_the_layout(tmp_path: Path, pairs: Pairs) -> None:
    path = tmp_path / "mine.pth"
    torch.save(features_state(pairs), path)
    with pytest.raises(WeightsError, match="FILE#torchvision or FILE#caffe"):
        load(path)
    for layout, channels in (("torchvision", "rgb"), ("caffe", "bgr")):
        for name in (f"{path}#{layout}", Path(f"{path}#{layout}")):
            assert load(name).spec.channels == channels
            assert load(name).source == str(path)
    assert load(f"{path}#caffe", layout="torchvision").spec.channels == "rgb"
    for wrong, says in {
        "cafe": "no layout is called 'cafe'; did you mean caffe",
        "zzz": "known: caffe, .*, height-first, width-first",
        "": "no layout is called ''",
        "keras": "cannot be laid out as keras; expected torchvision or caffe",
    }.items():
        with pytest.raises(WeightsError, match=says):
            load(f"{path}#{wrong}")
    with pytest.raises(WeightsError, match="cannot be laid out as caffe"):
        load("vgg19#caffe")


def test_a_name_with_a_hash_is_a_name(tmp_path: Path, pairs: Pairs) -> None:
    for name in ("a#1.bin", "a#caffe"):
        path = tmp_path / name
        write_codebook(path, pairs)
        assert locate.split_layout(str(path)) == (str(path), None)
    assert load(tmp_path / "a#1.bin").tensors
    assert locate.split_layout("vgg19") == ("vgg19", None)
    assert locate.split_layout("a/b#1/c.pth") == ("a/b#1/c.pth", None)


# --- .mat files of something else


def _struct(**variables: Any) -> Callable[[Path], None]:
    return lambda path: scipy.io.savemat(path, variables)


def _cells(*names: str) -> Any:
    cells = np.empty((1, len(names)), dtype=object)
    for number, name in enumerate(names):
        cells[0, number] = {"name": name, "type": name[:4]}
    return cells


def _hdf5(path: Path) -> None:
    with h5py.File(path, "w", userblock_size=512) as file:
        file["layers"] = [1.0]


def _cut(length: int) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        scipy.io.savemat(path, {"layers": _cells(*(f"conv1_{n}" for n in range(50)))})
        path.write_bytes(path.read_bytes()[:length])

    return write


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (_struct(layers=_cells("conv1", "relu1", "fc6")), r"no layer of a VGG \(it has conv1, relu1, fc6\)"),
        (_struct(layers=[[1.0, 2.0]]), "no layer of a VGG .*no named layers.*expected conv1_1"),
        (_struct(layers=_cells("conv1_1")), "conv1_1 holds no weights"),
        (_struct(layers="text"), "no layer of a VGG"),
        (_struct(layers=np.empty((0, 0))), "no layer of a VGG"),
        (_struct(layers={"name": "conv1_1", "weights": [1.0, 2.0]}), "conv1_1 has shape"),
        (_struct(net={"layers": _cells("conv1_1")}), "no variable 'layers'"),
        (_hdf5, "MATLAB 7.3 file; expected version 5.*-v7"),
        (lambda path: path.write_bytes(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(600)), "7.3 file"),
        (_cut(128), "ends before its first variable: it is cut short"),
        (_cut(100), "not a MATLAB 5 file, or is cut short"),
        (_cut(150), "cut short"),
        (_cut(2000), "cut short"),
    ],
)
def test_mat_files_of_something_else(write: Callable[[Path], Any], says: str, tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    write(path)
    for order in (None, "height-first", "width-first"):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(WeightsError, match=says) as caught:
                load(path, kernel_order=order)
        assert "\n" not in str(caught.value) and str(path) in str(caught.value)
