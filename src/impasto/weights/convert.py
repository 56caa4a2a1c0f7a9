"""Conversion of any encoder file to impasto's ``.safetensors``, which is smaller and safe to read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from . import native
from .catalogue import by_sha256
from .load import load


def convert(
    name_or_path: str | Path,
    target: str | Path,
    *,
    layout: str | None = None,
    kernel_order: str | None = None,
    half: bool = False,
    overwrite: bool = False,
) -> Path:
    """Write the convolutions of a catalogue encoder or a file as impasto's ``.safetensors``.

    The header records the preprocessing, the source of the weights, the sha256 of that file, and its licence if the
    catalogue has it. The result has another sha256, so nets that were trained against the original need the original.

    Args:
        name_or_path: see `load`.
        target: file to write, ending in ``.safetensors``.
        layout: see `load`.
        kernel_order: see `load`.
        half: store 16-bit floats: half the size, with a relative error of up to 2⁻¹¹.
        overwrite: replace an existing file.

    Raises:
        WeightsError: the source cannot be read, or the target does not end in ``.safetensors``.
        OutputError: the target exists or cannot be written.
    """
    weights = load(name_or_path, layout=layout, kernel_order=kernel_order)
    entry = by_sha256(weights.sha256)
    metadata: dict[str, Any] = {
        "source": entry.name if entry else Path(weights.source).name,
        "source_sha256": weights.sha256,
        "licence": entry.licence if entry else None,
        "kernel_order": weights.kernel_order,
    }
    return native.write(target, weights, metadata, half=half, overwrite=overwrite)
