"""The data that ``impasto weights list`` and ``verify`` show. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .catalogue import CATALOGUE, Entry
from .files import matches
from .locate import entry_of, expected_path


@dataclass(frozen=True)
class Status:
    """An encoder of the catalogue on this machine.

    Attributes:
        entry: the encoder.
        path: where its file is or would be; None if it belongs to a package that is not installed.
        present: whether the file exists.
        size: bytes of the file; if it is absent, the catalogue's size, which may be approximate.
        intact: whether its hash is the published one; None if it is absent or was not checked.
    """

    entry: Entry
    path: Path | None
    present: bool
    size: int
    intact: bool | None = None


def list_weights() -> list[Status]:
    """List every encoder of the catalogue, present or not. Nothing is hashed."""
    return [_status(entry, verify=False) for entry in CATALOGUE.values()]


def verify_weights(name: str | None = None) -> list[Status]:
    """Check the hash of the encoder of that name, or of every one that is present.

    Raises:
        WeightsError: the name is unknown.
    """
    if name is not None:
        return [_status(entry_of(name), verify=True)]
    statuses = [_status(entry, verify=True) for entry in CATALOGUE.values()]
    return [status for status in statuses if status.present]


def _status(entry: Entry, *, verify: bool) -> Status:
    path = expected_path(entry)
    if path is None or not path.is_file():
        return Status(entry, path, present=False, size=entry.size)
    size = path.stat().st_size
    intact = (size > 0 and matches(path, entry.digest)) if verify else None
    return Status(entry, path, present=True, size=size, intact=intact)
