"""impasto's own files: safetensors whose header says, as JSON under ``impasto``, what the tensors are."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..errors import WeightsError
from .files import checked_file, replace_atomically

_HEADER = "impasto"


def save(
    path: str | Path,
    tensors: Mapping[str, Tensor],
    metadata: Mapping[str, Any],
    *,
    half: bool,
    overwrite: bool = False,
) -> Path:
    """Write tensors and what they are, atomically.

    Args:
        path: ends in ``.safetensors``.
        tensors: at least one; floating-point ones are stored in float32, or in float16 where `half`.
        metadata: JSON data; ``kind`` says what the file is.
        half: store floats in 16 bits (relative error up to 2⁻¹¹).
        overwrite: replace a file that is there.

    Raises:
        WeightsError: no tensors, values that are not finite or do not fit 16 bits, or another suffix.
        OutputError: it cannot be written there.
    """
    path = Path(path).expanduser()
    if path.suffix != ".safetensors":
        raise WeightsError(f"{path} ends in {path.suffix!r}; expected .safetensors")
    if not tensors:
        raise WeightsError(f"nothing to save in {path}: no tensors")
    dtype = torch.float16 if half else torch.float32
    stored: dict[str, Tensor] = {}
    storages: set[int] = set()
    for name, tensor in tensors.items():
        value = tensor.detach().cpu()
        value = (value.to(dtype) if value.is_floating_point() else value).contiguous()
        # safetensors refuses tensors that share memory; the others are not copied, they may be gigabytes.
        storage = value.untyped_storage().data_ptr()
        if storage in storages:
            value = value.clone()
        storages.add(storage)
        if value.is_floating_point() and not torch.isfinite(value).all():
            why = "do not fit float16" if half and torch.isfinite(tensor).all() else "are not finite"
            raise WeightsError(f"{name} holds values that {why}; {path} was not written")
        stored[name] = value
    header = {_HEADER: json.dumps(metadata, sort_keys=True, allow_nan=False)}
    with replace_atomically(path, overwrite=overwrite) as draft:
        save_file(stored, draft, header)
    return path


def load(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any] | None]:
    """Tensors as stored, and impasto's metadata (None where another program wrote the file).

    Raises:
        WeightsError: missing, empty, cut short or not safetensors.
    """
    path = checked_file(path)
    with _opened(path) as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        return tensors, _metadata(path, file)


def load_metadata(path: str | Path) -> dict[str, Any] | None:
    """As `load`, without reading the tensors."""
    path = checked_file(path)
    with _opened(path) as file:
        return _metadata(path, file)


@contextlib.contextmanager
def _opened(path: Path) -> Generator[Any]:
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except WeightsError:  # a ValueError too, and already says what is wrong
        raise
    except (SafetensorError, OSError, ValueError):
        raise WeightsError(f"{path} is not a safetensors file, or is cut short: get it again") from None


def _metadata(path: Path, file: Any) -> dict[str, Any] | None:
    header = (file.metadata() or {}).get(_HEADER)
    if header is None:
        return None
    try:
        metadata: Any = json.loads(header)
    except ValueError:
        metadata = None
    if not isinstance(metadata, dict) or not isinstance(metadata.get("kind"), str):
        raise WeightsError(f"{path}: its impasto header is damaged; get the file again")
    return cast(dict[str, Any], metadata)
