"""Small files in each published layout, all from the same random numbers: conv1_1 … conv2_2 of a VGG-19."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
import torch
from torch import Tensor

from impasto.weights.layers import CHANNELS, conv_names, layer_names

Pairs = dict[str, tuple[Tensor, Tensor]]
DEPTH = 4


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMPASTO_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("IMPASTO_OFFLINE", raising=False)


@pytest.fixture(scope="session")
def pairs() -> Pairs:
    """Kernels of 256 different values, so that a codebook holds them exactly; BGR, as for Caffe."""
    generator = torch.Generator().manual_seed(7)
    found: Pairs = {}
    inputs = 3
    for name in conv_names("vgg19")[:DEPTH]:
        outputs = CHANNELS[int(name[4]) - 1]
        table = torch.randn(256, generator=generator) * 0.05
        index = torch.randint(0, 256, (outputs, inputs, 3, 3), generator=generator)
        found[name] = (table[index], torch.randn(outputs, generator=generator))
        inputs = outputs
    return found


def block(name: str) -> str:
    return f"block{name[4]}_conv{name[6]}"


def codebook_state(pairs: Pairs) -> dict[str, Tensor]:
    state: dict[str, Tensor] = {}
    for name, (weight, bias) in pairs.items():
        table, index = torch.unique(weight, return_inverse=True)
        state[f"{block(name)}_W_q"] = index.to(torch.uint8)
        state[f"{block(name)}_W_table"] = table
        state[f"{block(name)}_b"] = bias
    return state


def write_codebook(path: Path, pairs: Pairs) -> None:
    torch.save(codebook_state(pairs), path, _use_new_zipfile_serialization=False)


def features_state(pairs: Pairs, arch: str = "vgg19") -> dict[str, Tensor]:
    order = layer_names(arch)
    state: dict[str, Tensor] = {}
    for name, (weight, bias) in pairs.items():
        state[f"features.{order.index(name)}.weight"], state[f"features.{order.index(name)}.bias"] = (
            weight,
            bias,
        )
    return state


def write_caffe_pth(path: Path, pairs: Pairs) -> None:
    torch.save({**features_state(pairs), "classifier.1.weight": torch.zeros(2, 2)}, path)


def write_mat(path: Path, pairs: Pairs, axes: tuple[int, ...] = (2, 3, 1, 0), *, old: bool = False) -> None:
    """A cell array of 1×1 structs as MatConvNet saves it, conv1_1 turned round to RGB, kernels H×W×I×O."""
    cells: list[dict[str, object]] = []
    for name in layer_names("vgg19")[: layer_names("vgg19").index("relu2_2") + 1]:
        if name.startswith("conv") and name not in pairs:
            continue
        layer: dict[str, object] = {"name": name, "type": name[:4]}
        if name in pairs:
            weight, bias = pairs[name]
            weight = weight.flip(1) if name == "conv1_1" else weight
            kernel, row = weight.permute(axes).contiguous().numpy(), bias.numpy()[None]
            both = np.empty((1, 2), dtype=object)
            both[0, 0], both[0, 1] = kernel, row
            layer |= {"filters": kernel, "biases": row} if old else {"weights": both}
        cells.append(layer)
    layers = np.empty((1, len(cells)), dtype=object)
    for i, cell in enumerate(cells):
        layers[0, i] = cell
    scipy.io.savemat(path, {"layers": layers})


def write_h5(path: Path, pairs: Pairs, *, new: bool = False, root: str = "") -> None:
    with h5py.File(path, "w") as file:
        top = file.create_group(root) if root else file
        top.create_group("block1_pool")
        for name, (weight, bias) in pairs.items():
            layer = block(name)
            kernel_name, bias_name = ("kernel:0", "bias:0") if new else (f"{layer}_W_1:0", f"{layer}_b_1:0")
            group = top.create_group(layer)
            group = group.create_group(layer) if new else group
            group[kernel_name] = weight.permute(2, 3, 1, 0).contiguous().numpy()
            group[bias_name] = bias.numpy()


WRITERS: dict[str, Callable[[Path, Pairs], None]] = {
    "codebook.bin": write_codebook,
    "caffe.pth": write_caffe_pth,
    "matconvnet.mat": write_mat,
    "keras.h5": write_h5,
}
