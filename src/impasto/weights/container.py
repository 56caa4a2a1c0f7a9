"""impasto's own files: safetensors with JSON under ``impasto`` in the header that describes the tensors."""

from __future__ import annotations

import contextlib
import json
import zipfile
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..errors import WeightsError
from ..untrusted import read_json
from .files import CHECKPOINT, TRAINED, cannot_write, checked_file, replace_atomically

_HEADER = "impasto"


def save(
    path: str | Path,
    tensors: Mapping[str, Tensor],
    metadata: Mapping[str, Any],
    *,
    half: bool,
    overwrite: bool = False,
) -> Path:
    """Write tensors and their description atomically.

    Args:
        path: a file that ends in ``.safetensors``.
        tensors: at least one. Floating-point tensors are stored as float32, or as float16 if `half`.
        metadata: JSON data; ``kind`` says what the file is.
        half: store floats in 16 bits, with a relative error of up to 2⁻¹¹.
        overwrite: replace an existing file.

    Raises:
        WeightsError: there are no tensors, a value is not finite or does not fit 16 bits, or the suffix is wrong.
        OutputError: the file cannot be written.
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
        # safetensors refuses tensors that share memory. Only these are copied: tensors can take gigabytes.
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
        try:
            save_file(stored, draft, header)
        except SafetensorError as error:  # such as a full disk
            raise cannot_write(path, _reason(error)) from None
    return path


def _reason(error: SafetensorError) -> str:
    """What the system said: ``Error while serializing: I/O error: No space left on device (os error 28)``."""
    return str(error).rpartition("I/O error: ")[2].partition(" (os error")[0]


def load(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any] | None]:
    """Read the tensors as stored, and impasto's metadata; None if another program wrote the file.

    Raises:
        WeightsError: the file is missing, empty, cut short or not safetensors.
    """
    path = checked_file(path)
    with _opened(path) as file:
        names: list[str] = file.keys()
        return {name: file.get_tensor(name) for name in names}, _metadata(path, file)


def load_metadata(path: str | Path) -> dict[str, Any] | None:
    """Read the metadata only; see `load`."""
    path = checked_file(path)
    with _opened(path) as file:
        return _metadata(path, file)


@contextlib.contextmanager
def _opened(path: Path) -> Generator[Any]:
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except WeightsError:  # also a ValueError, and its message is complete
        raise
    except (SafetensorError, OSError, ValueError):
        net = path.parent / TRAINED
        if path.name == CHECKPOINT and zipfile.is_zipfile(path):
            there = f"give its net, {net}" if net.exists() else f"its net is not there; --resume writes {net}"
            raise WeightsError(
                f"{path} is the checkpoint of a training run, for `impasto train --resume`; expected a net: {there}"
            ) from None
        repair = f"give the net of the run, {net}" if path.name != TRAINED and net.exists() else "get it again"
        raise WeightsError(f"{path} is not a safetensors file, or is cut short: {repair}") from None


def _metadata(path: Path, file: Any) -> dict[str, Any] | None:
    header = (file.metadata() or {}).get(_HEADER)
    if header is None:
        return None
    try:
        metadata: Any = read_json(header)
    except ValueError:
        metadata = None
    if not isinstance(metadata, dict) or not isinstance(metadata.get("kind"), str):
        raise WeightsError(f"{path}: its impasto header is damaged; get the file again")
    return cast(dict[str, Any], metadata)
