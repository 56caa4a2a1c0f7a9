"""Any encoder file -> impasto's ``.safetensors``: a fraction of the size, and safe to read."""

from __future__ import annotations

from pathlib import Path

from . import native
from .catalogue import by_sha256
from .load import load


def convert(
    name_or_path: str | Path,
    target: str | Path,
    *,
    layout: str | None = None,
    half: bool = False,
    overwrite: bool = False,
) -> Path:
    """Write the convolutions of a catalogue encoder or a file as impasto's ``.safetensors``.

    The header records the preprocessing, where the numbers came from, the sha256 of that file and its licence
    where the catalogue knows it. The result has a sha256 of its own, so nets trained against the original
    ask for the original.

    Args:
        name_or_path: as for `load`.
        target: file to write, ending in ``.safetensors``.
        layout: as for `load`.
        half: store 16-bit floats: half the size, relative error up to 2⁻¹¹.
        overwrite: replace a file that is there.

    Raises:
        WeightsError: the source cannot be read, or the target is not named ``.safetensors``.
        OutputError: the target is there already or cannot be written.
    """
    weights = load(name_or_path, layout=layout)
    entry = by_sha256(weights.sha256)
    metadata = {
        "source": entry.name if entry else Path(weights.source).name,
        "source_sha256": weights.sha256,
        "licence": entry.licence if entry else None,
    }
    return native.write(target, weights, metadata, half=half, overwrite=overwrite)
