"""PyTorch state dicts keyed ``features.N.weight``: torchvision's weights, and Oxford's for Caffe.

Both use the same names for their tensors but need different preprocessing: RGB with mean and deviation, or BGR in
0-255 with mean. If one is read as the other, it still paints, but wrongly. So the layout is never guessed. It comes
from the caller, the file's sha256, or the keys of the classifier, which differ. Otherwise the file is refused.
"""

from __future__ import annotations

import pickle
import re
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import WeightsError
from ..untrusted import shorten
from .canonical import EncoderSpec, Stored, VGGWeights, assemble, caffe_spec, torchvision_spec
from .catalogue import CATALOGUE, Layout, by_sha256
from .files import checked_file, sha256_of
from .layers import Arch, layer_names

_SPECS: dict[Layout, Callable[[Arch], EncoderSpec]] = {"torchvision": torchvision_spec, "caffe": caffe_spec}

_REPAIR = (
    "as an encoder FILE#torchvision or FILE#caffe; with `impasto weights convert` also --layout torchvision or "
    "--layout caffe"
)

# jcjohnson's classifier numbers its linear layers 1, 4, 6, and torchvision's 0, 3, 6. Only the former is proof, since
# people rename the layers to the latter. timm has torchvision's VGGs, and another name for the first of these layers.
_LAYOUT_BY_KEY: dict[str, Layout] = {"classifier.1.weight": "caffe", "pre_logits.fc1.weight": "torchvision"}


def read(
    path: Path, *, layout: Layout | None = None, source: str | None = None, until: str | None = None
) -> VGGWeights:
    """Read a ``.pth`` state dict; see `impasto.weights.load.Reader`."""
    return from_state_dict(load_state_dict(path), path, layout=layout, source=source or str(path), until=until)


def load_state_dict(path: Path) -> dict[str, Tensor]:
    """Read the named tensors of a `torch.save` file. Nothing in it is executed.

    Raises:
        WeightsError: it is not such a file, is damaged, holds something else, or would run code.
    """
    checked_file(path)
    zipped = zipfile.is_zipfile(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about formats that torch will drop
            # Mapped, so that the classifier, nine tenths of a VGG, is never read. Older files cannot be mapped.
            state: Any = torch.load(path, map_location="cpu", weights_only=True, mmap=zipped or None)
    except pickle.UnpicklingError as error:
        if re.search(r"GLOBAL|whose module|Unsupported (global|class)|must be .+ to load", str(error)):
            raise WeightsError(
                f"{path} was refused: reading it would run code. Expected a state dict of plain tensors: "
                "get one from a source you trust, best as .safetensors"
            ) from None
        raise WeightsError(f"{path} is not a PyTorch weights file, or is damaged: get it again") from None
    except Exception:  # damaged bytes can break the unpickler anywhere
        raise WeightsError(f"{path} is not a PyTorch weights file, or is cut short: get it again") from None
    if not isinstance(state, Mapping) or not state:
        raise WeightsError(f"{path} holds a {type(state).__name__}; expected a state dict of named tensors")
    others = [key for key, value in state.items() if not (isinstance(key, str) and isinstance(value, Tensor))]
    if others:
        raise WeightsError(
            f"{path}: {shorten(repr(others[0]))} is a {type(state[others[0]]).__name__}; expected a state dict of "
            "named tensors (a training checkpoint keeps one inside: save that alone)"
        )
    return dict(state)


def from_state_dict(
    state: Mapping[str, Tensor], path: Path, *, layout: Layout | None, source: str, until: str | None
) -> VGGWeights:
    """Make VGG weights from tensors keyed ``features.N.weight``; other keys belong to the classifier."""
    if any(key.endswith("running_mean") for key in state):
        raise WeightsError(
            f"{source} is a VGG with batch normalisation; expected a plain one (`impasto weights list`)"
        )
    found = {int(m[1]) for key in state if (m := re.fullmatch(r"features\.(\d+)\.(weight|bias)", key))}
    if not found:
        raise WeightsError(
            f"{source}: holds {shorten(', '.join(list(state)[:3]))} …; expected features.0.weight, features.0.bias …"
        )
    arch = _arch(found)
    names = layer_names(arch)
    stored: dict[str, Stored] = {}
    for index in sorted(found):
        key = f"features.{index}."
        if index >= len(names) or not names[index].startswith("conv"):
            raise WeightsError(f"{source}: holds {key}weight, but a VGG has no convolution there")
        for part in ("weight", "bias"):
            if key + part not in state:
                raise WeightsError(f"{source}: {key}{part} is missing; get the file again")
        stored[names[index]] = Stored(
            f"{key}weight", lambda key=key: (state[f"{key}weight"].clone(), state[f"{key}bias"].clone())
        )
    sha256 = sha256_of(path)
    kind = _kind(state, sha256, path, layout, source)
    return assemble(stored, spec=_SPECS[kind], order="OIHW", source=source, sha256=sha256, until=until)


def _arch(indices: set[int]) -> Arch:
    """The network that has more of its convolutions at these places of ``features``; VGG-19 if both fit."""

    def misplaced(arch: Arch) -> int:
        places = {i for i, name in enumerate(layer_names(arch)) if name.startswith("conv")}
        return len(indices - places)

    return "vgg16" if misplaced("vgg16") < misplaced("vgg19") else "vgg19"


def _kind(state: Mapping[str, Tensor], sha256: str, path: Path, layout: Layout | None, source: str) -> Layout:
    entry = by_sha256(sha256)
    known = entry.layout if entry else None
    for key, kind in _LAYOUT_BY_KEY.items():
        if known is None and key in state:
            known = kind
    if layout and known and layout != known:
        raise WeightsError(f"{source} was to be read as {layout}, but it is {known}; leave the layout out")
    if layout is not None:
        return layout
    if known is not None:
        return known
    namesake = next((e for e in CATALOGUE.values() if e.file == path.name), None)
    if namesake:
        raise WeightsError(
            f"{source} is named like {namesake.name} but is not that file (sha256 {sha256[:8]}…; expected "
            f"{namesake.digest}): get it again, or say what it is: {_REPAIR}"
        )
    raise WeightsError(
        f"{source}: nothing in it tells torchvision's numbers (RGB) from Oxford's for Caffe (BGR), and a "
        f"wrong guess would paint wrongly: say which: {_REPAIR}"
    )
