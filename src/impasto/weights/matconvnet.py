"""MatConvNet's ``imagenet-vgg-verydeep-*.mat``: a cell array of layer structs, RGB, mean pixel subtracted.

Each convolution holds ``weights = {kernel, bias}`` (``filters`` and ``biases`` in the oldest files).

Many scripts transpose the kernels, because MatConvNet's manual writes "FW×FH". But the published VGG-19 file has
height first. Its conv1_1, as printed in public walk-throughs, equals that of the codebook file index by index. And
the codebook file is right as it is: transposing its kernels weakens the strongest responses of relu5_4 to photographs
of a person, a cat and a cup by a fifth to a third. So ``matconvnet`` reads H×W×I×O. ``matconvnet-width-first`` reads
files with width first, and reproduces what those scripts computed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import WeightsError
from .canonical import CAFFE_BGR_MEAN, EncoderSpec, KernelOrder, Stored, VGGWeights, assemble
from .catalogue import Layout
from .files import checked_file, sha256_of
from .layers import Arch

_ORDERS: dict[Layout, KernelOrder] = {"matconvnet": "HWIO", "matconvnet-width-first": "WHIO"}


def matconvnet_spec(arch: Arch) -> EncoderSpec:
    """Oxford's networks as released for MatConvNet: RGB (conv1_1 is reordered), 0-255, mean subtracted."""
    blue, green, red = CAFFE_BGR_MEAN
    return EncoderSpec(arch=arch, channels="rgb", scale=255.0, mean=(red, green, blue))


def read(
    path: Path, *, layout: Layout | None = None, source: str | None = None, until: str | None = None
) -> VGGWeights:
    """Read a ``.mat`` file; see `impasto.weights.load.Reader`."""
    source = source or str(path)
    stored = {name: Stored(name, pair) for name, pair in _convolutions(path, source)}
    return assemble(
        stored,
        spec=matconvnet_spec,
        order=_ORDERS[layout or "matconvnet"],
        source=source,
        sha256=sha256_of(path),
        until=until,
    )


def _convolutions(path: Path, source: str) -> Iterator[tuple[str, Callable[[], Any]]]:
    from scipy.io import loadmat

    checked_file(path)
    with path.open("rb") as file:
        if file.read(19) == b"MATLAB 7.3 MAT-file":
            raise WeightsError(
                f"{source} is a MATLAB 7.3 file; expected version 5: save it again with save(..., '-v7'), "
                "or use the published file (`impasto weights fetch vgg19-matconvnet`)"
            )
    try:
        layers = loadmat(path, variable_names=["layers"])["layers"].ravel()
    except KeyError:
        raise WeightsError(f"{source} has no variable 'layers'; expected a MatConvNet network") from None
    except Exception:  # damaged bytes can break scipy's reader anywhere
        raise WeightsError(f"{source} is not a MATLAB 5 file, or is cut short: get it again") from None
    for cell in layers:
        layer = np.ravel(cell)[0] if np.size(cell) else None
        if not isinstance(layer, np.void) or "name" not in (layer.dtype.names or ()):
            continue
        name, fields = str(np.squeeze(layer["name"])), layer.dtype.names or ()
        if not re.fullmatch(r"conv\d+_\d+", name):
            continue
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
