"""Tells whether kernels in a file lie height-first or width-first, by comparing them with the installed VGG-19."""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import WeightsError
from . import codebook
from .canonical import KernelOrder
from .catalogue import CATALOGUE, DEFAULT
from .files import matches
from .locate import expected_path

_ALIKE = 0.9
"""Least correlation of two copies of one kernel. Copies of Oxford's have more than 0.99."""

_APART = 0.2
"""How much less the other order correlates. Oxford's conv1_1 has 0.34 with itself transposed."""


def tell(kernel: Tensor) -> KernelOrder | None:
    """Tell the order of a first kernel by that of the installed VGG-19.

    Args:
        kernel: conv1_1, 3×3×3×O, for RGB; height and width are the first two axes in either order.

    Returns:
        ``HWIO`` or ``WHIO``; None if the kernel is not that of Oxford's VGG-19 in either order, or if VGG-19 is not
        installed whole.
    """
    reference = _installed()
    if reference is None or kernel.shape != reference.shape:
        return None
    likeness: dict[KernelOrder, float] = {
        "HWIO": _correlation(kernel, reference),
        "WHIO": _correlation(kernel.transpose(0, 1), reference),
    }
    other, best = sorted(likeness, key=lambda order: likeness[order])
    return best if likeness[best] >= _ALIKE and likeness[best] - likeness[other] >= _APART else None


def _installed() -> Tensor | None:
    """The installed conv1_1, height × width × RGB × O; None if it is missing or is not Oxford's."""
    entry = CATALOGUE[DEFAULT]
    path = expected_path(entry)
    try:
        if path is None or not matches(path, entry.digest):
            return None
        weight, _ = codebook.read(path, until="conv1_1").tensors["conv1_1"]
    except WeightsError:
        return None
    return weight.flip(1).permute(2, 3, 1, 0)  # from BGR


def _correlation(one: Tensor, other: Tensor) -> float:
    """The correlation of all values; 0 if it is undefined."""
    both = torch.stack([one.flatten(), other.flatten()]).double()
    return float(torch.corrcoef(both)[0, 1].nan_to_num(0.0))
