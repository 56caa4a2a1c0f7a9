"""MatConvNet's ``imagenet-vgg-verydeep-*.mat``: a cell array of layer structs, RGB, mean pixel subtracted.

Each convolution holds ``weights = {kernel, bias}`` (``filters`` and ``biases`` in the oldest files).

Many scripts transpose the kernels, because MatConvNet's manual writes "FW×FH". But the published VGG-19 file has
height first. Its conv1_1, as printed in public walk-throughs, equals that of the codebook file index by index. And
the codebook file is right as it is: transposing its kernels weakens the strongest responses of relu5_4 to photographs
of a person, a cat and a cup by a fifth to a third. So ``matconvnet`` reads H×W×I×O. ``matconvnet-width-first`` reads
files with width first, and reproduces what those scripts computed. Without a layout, conv1_1 is compared with that of
the installed VGG-19 (`impasto.weights.kernel_order`). Where that decides nothing, height is taken to come first.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import ImpastoWarning, WeightsError
from ..untrusted import shorten
from .canonical import CAFFE_BGR_MEAN, EncoderSpec, KernelOrder, Stored, VGGWeights, assemble
from .catalogue import DEFAULT, KERNEL_ORDERS, Layout
from .files import checked_file, sha256_of
from .kernel_order import tell
from .layers import CHANNELS, Arch

_ORDERS: dict[Layout, KernelOrder] = {"matconvnet": "HWIO", "matconvnet-width-first": "WHIO"}
_WORDS: dict[KernelOrder, str] = {_ORDERS[layout]: word for word, layout in KERNEL_ORDERS.items()}
_HEADER = 128  # bytes before the first variable of a MATLAB 5 file
_HDF5 = b"\x89HDF\r\n\x1a\n"
_HDF5_AT = (0, 512)  # where MATLAB 7.3 files, and those of other programs, have it


def matconvnet_spec(arch: Arch) -> EncoderSpec:
    """Oxford's networks as released for MatConvNet: RGB (conv1_1 is reordered), 0-255, mean subtracted."""
    blue, green, red = CAFFE_BGR_MEAN
    return EncoderSpec(arch=arch, channels="rgb", scale=255.0, mean=(red, green, blue))


def read(
    path: Path, *, layout: Layout | None = None, source: str | None = None, until: str | None = None
) -> VGGWeights:
    """Read a ``.mat`` file; see `impasto.weights.load.Reader`."""
    source = source or str(path)
    layers = _layers(path, source)
    stored = {name: Stored(name, pair) for name, pair in _convolutions(layers, source)}
    if not stored:
        names = ", ".join(filter(None, map(_name_of, layers[:9])))
        raise WeightsError(
            f"{source} has no layer of a VGG (it has {shorten(names) or 'no named layers'}); expected conv1_1, "
            "conv1_2 and so on, as in `impasto weights fetch vgg19-matconvnet`"
        )
    return assemble(
        stored,
        spec=matconvnet_spec,
        order=_ORDERS[layout] if layout else _tell_order(stored, source),
        source=source,
        sha256=sha256_of(path),
        until=until,
    )


def _tell_order(stored: Mapping[str, Stored], source: str) -> KernelOrder:
    """Tell the order of the kernels by conv1_1, and say in a warning which it is."""
    kernel = stored["conv1_1"].read()[0] if "conv1_1" in stored else torch.empty(0)
    if tuple(kernel.shape) != (3, 3, 3, CHANNELS[0]):
        return "HWIO"  # `assemble` refuses the file
    order = tell(kernel)
    if order is not None:
        (other,) = (word for each, word in _WORDS.items() if each != order)
        message = (
            f"{source}: its kernels lie {_WORDS[order]}, as conv1_1 of the installed {DEFAULT} tells; "
            f"FILE#{other} reads them the other way"
        )
    else:
        order = "HWIO"
        message = (
            f"{source}: nothing tells how its kernels lie, since its conv1_1 is not that of the installed {DEFAULT}; "
            "they are read height-first, as MatConvNet's are; if they lie width-first, give it as FILE#width-first "
            "(`impasto weights convert`: --kernel-order width-first)"
        )
    warnings.warn(message, ImpastoWarning, stacklevel=2)
    return order


def _layers(path: Path, source: str) -> Any:
    """Read the cells of the variable ``layers``."""
    from scipy.io import loadmat

    checked_file(path)
    with path.open("rb") as file:
        start = file.read(_HDF5_AT[-1] + len(_HDF5))
    if start.startswith(b"MATLAB 7.3 MAT-file") or any(start[at:].startswith(_HDF5) for at in _HDF5_AT):
        raise WeightsError(
            f"{source} is a MATLAB 7.3 file; expected version 5: save it again with save(..., '-v7'), "
            "or use the published file (`impasto weights fetch vgg19-matconvnet`)"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # scipy's, about variables that are not read
            found = loadmat(path, variable_names=["layers"])
    except Exception:  # damaged bytes can break scipy's reader anywhere
        raise WeightsError(f"{source} is not a MATLAB 5 file, or is cut short: get it again") from None
    if "layers" not in found:
        if path.stat().st_size <= _HEADER:
            raise WeightsError(f"{source} ends before its first variable: it is cut short, get it again")
        raise WeightsError(
            f"{source} has no variable 'layers'; expected a MatConvNet network, or else the file is cut short"
        )
    return np.ravel(found["layers"])


def _name_of(cell: Any) -> str | None:
    """The name of a layer; None if the cell is not a layer."""
    layer = np.ravel(cell)[0] if np.size(cell) else None
    if not isinstance(layer, np.void) or "name" not in (layer.dtype.names or ()):
        return None
    return str(np.squeeze(layer["name"]))


def _convolutions(layers: Any, source: str) -> Iterator[tuple[str, Callable[[], Any]]]:
    for cell in layers:
        name = _name_of(cell)
        if name is None or not re.fullmatch(r"conv\d+_\d+", name):
            continue
        layer = np.ravel(cell)[0]
        fields = layer.dtype.names
        if "weights" in fields and np.size(layer["weights"]) >= 2:
            kernel, bias = layer["weights"].ravel()[:2]
        elif "filters" in fields and "biases" in fields:
            kernel, bias = layer["filters"], layer["biases"]
        else:
            raise WeightsError(f"{source}: {name} holds no weights; expected a kernel and a bias")
        yield name, lambda kernel=kernel, bias=bias: (_tensor(kernel), _tensor(bias).flatten())


def _tensor(array: Any) -> torch.Tensor:
    try:
        return torch.from_numpy(np.asarray(array, dtype=np.float32))
    except (TypeError, ValueError):
        return torch.empty(0)  # not numbers; the shape check that follows refuses it by name
