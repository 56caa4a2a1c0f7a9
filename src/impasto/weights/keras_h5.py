"""Keras ``*_notop.h5``: Oxford's weights for Caffe (BGR) with kernels H×W×I×O, one group for each layer.

Datasets are called ``block1_conv1/block1_conv1_W_1:0`` and ``…_b_1:0`` in the published files, and
``block1_conv1/block1_conv1/kernel:0`` and ``bias:0`` in files that Keras 2 saves. They are at the root or under
``model_weights``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import MissingExtraError, WeightsError
from .canonical import Stored, VGGWeights, assemble, caffe_spec
from .files import checked_file, sha256_of


def read(path: Path, *, source: str | None = None, until: str | None = None) -> VGGWeights:
    """Read a Keras ``.h5`` file, which needs the extra ``keras``; see `impasto.weights.load.Reader`."""
    try:
        import h5py
    except ImportError:
        raise MissingExtraError("h5py", "keras", "reading Keras weights") from None

    source = source or str(path)
    checked_file(path)
    try:
        file = h5py.File(path, "r")
    except OSError:
        raise WeightsError(f"{source} is not an HDF5 file, or is cut short: get it again") from None
    with file:
        root: Any = file.get("model_weights", file)
        stored: dict[str, Stored] = {}
        for layer in root:
            match = re.fullmatch(r"block(\d+)_conv(\d+)", layer)
            if match is None:
                continue
            kernel = _dataset(root[layer], rf"{layer}_W(_1)?:0|kernel(:0)?", f"{layer}'s kernel", source)
            bias = _dataset(root[layer], rf"{layer}_b(_1)?:0|bias(:0)?", f"{layer}'s bias", source)
            stored[f"conv{match[1]}_{match[2]}"] = Stored(
                kernel.name, lambda kernel=kernel, bias=bias: (_tensor(kernel, source), _tensor(bias, source))
            )
        if not stored:
            raise WeightsError(f"{source}: no group is called block1_conv1; expected a Keras VGG ({', '.join(root)})")
        return assemble(stored, spec=caffe_spec, order="HWIO", source=source, sha256=sha256_of(path), until=until)


def _dataset(group: Any, pattern: str, what: str, source: str) -> Any:
    import h5py

    found: list[Any] = []

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and re.fullmatch(pattern, name.rpartition("/")[2]):
            found.append(item)

    if isinstance(group, h5py.Group):
        group.visititems(visit)
    if len(found) != 1:
        raise WeightsError(f"{source}: {what} is there {len(found)} times; expected once")
    return found[0]


def _tensor(dataset: Any, source: str) -> torch.Tensor:
    try:
        return torch.from_numpy(np.asarray(dataset[()], dtype=np.float32))
    except (OSError, TypeError, ValueError):
        raise WeightsError(f"{source}: {dataset.name} cannot be read as numbers: get the file again") from None
