"""``.safetensors``: impasto's converted encoders, and PyTorch state dicts in that container.

A converted encoder has ``conv1_1.weight`` (O×I×3×3), ``conv1_1.bias``, … in float32 or float16. Its header has the
kind ``encoder`` and the `EncoderSpec` as ``spec``.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from ..errors import WeightsError
from ..untrusted import shorten
from . import container
from .canonical import EncoderSpec, Stored, VGGWeights, assemble
from .catalogue import Layout
from .files import sha256_of
from .torch_pth import from_state_dict

KIND = "encoder"


def read(
    path: Path, *, layout: Layout | None = None, source: str | None = None, until: str | None = None
) -> VGGWeights:
    """Read a ``.safetensors`` file; see `impasto.weights.load.Reader`."""
    source = source or str(path)
    tensors, metadata = container.load(path)
    if metadata is None:
        if layout == "impasto":
            raise WeightsError(f"{source} has no impasto header; convert the original with `impasto weights convert`")
        return from_state_dict(tensors, path, layout=layout, source=source, until=until)
    if metadata["kind"] != KIND:
        raise WeightsError(f"{source} is a trained net ({shorten(metadata['kind'])}); expected an encoder")
    if layout not in (None, "impasto"):
        raise WeightsError(f"{source} was to be read as {layout}, but it is impasto's own; leave the layout out")
    spec = _spec(metadata.get("spec"), source)
    return assemble(
        _stored(tensors, source),
        # The header decides the network: the first layers of both have the same names.
        spec=lambda _: spec,
        order="OIHW",
        source=source,
        sha256=sha256_of(path),
        until=until,
    )


def write(path: str | Path, weights: VGGWeights, metadata: Mapping[str, Any], *, half: bool, overwrite: bool) -> Path:
    """Write an encoder in this layout. The header has `metadata` and the spec."""
    tensors: dict[str, Tensor] = {}
    for name, (weight, bias) in weights.tensors.items():
        tensors[f"{name}.weight"], tensors[f"{name}.bias"] = weight, bias
    header = {**metadata, "kind": KIND, "spec": dataclasses.asdict(weights.spec)}
    return container.save(path, tensors, header, half=half, overwrite=overwrite)


def _spec(data: Any, source: str) -> EncoderSpec:
    known = {field.name for field in dataclasses.fields(EncoderSpec)}
    if not isinstance(data, dict) or set(data) - known:
        raise WeightsError(f"{source}: its spec is {shorten(data)}; expected {', '.join(sorted(known))}")
    try:
        spec = TypeAdapter(EncoderSpec).validate_python(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise WeightsError(
            f"{source}: its spec is wrong at {place} ({shorten(first['msg'])}); convert it again"
        ) from None
    if not all(map(math.isfinite, (spec.scale, spec.pool_gain, *spec.mean, *spec.std))) or 0 in spec.std:
        raise WeightsError(f"{source}: its spec is {shorten(data)}; expected finite numbers: convert it again")
    return spec


def _stored(tensors: Mapping[str, Tensor], source: str) -> dict[str, Stored]:
    stored: dict[str, Stored] = {}
    for key in tensors:
        match = re.fullmatch(r"(conv\d+_\d+)\.(weight|bias)", key)
        if match is None:
            raise WeightsError(
                f"{source}: holds {shorten(key)}; expected only conv1_1.weight, conv1_1.bias and so on"
            )
        name = match[1]
        other = f"{name}.{'bias' if match[2] == 'weight' else 'weight'}"
        if other not in tensors:
            raise WeightsError(f"{source}: {other} is missing; convert it again")
        stored[name] = Stored(
            f"{name}.weight", lambda name=name: (tensors[f"{name}.weight"], tensors[f"{name}.bias"])
        )
    return stored
