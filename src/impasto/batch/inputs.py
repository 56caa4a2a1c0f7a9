"""Finds photos: files, folders with sub-folders, globs, and lists of names."""

from __future__ import annotations

import glob
import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath, PurePosixPath

from ..errors import RequestError, near_misses
from ..images.source import STANDARD_STREAM
from ..recipe import is_picture
from ..untrusted import MOST_STREAMED, irregular, read_stream
from . import clip_names, storage
from .problems import Problem

LIST = "@"
"""What stands before the name of a file with a list of photos."""

_MAGIC = re.compile(r"[*?\[]")
_MOST_LIST = 256_000_000  # bytes of a list; a million names have about 60 MB


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo, and the sub-folder of the output that its paintings go to, with ``/``; empty for none."""

    path: str
    folder: str = ""


@dataclass
class Found:
    """What `find_photos` found.

    Attributes:
        photos: each once, in the order of the inputs, sorted by name inside each folder.
        problems: inputs that are not there, and folders that cannot be read.
        notes: what was left out, for people.
    """

    photos: list[Photo] = field(default_factory=list[Photo])
    problems: list[Problem] = field(default_factory=list[Problem])
    notes: list[str] = field(default_factory=list[str])


def find_photos(inputs: Sequence[str], out: str | Path) -> Found:
    """Find the photos that inputs name.

    Args:
        inputs: files, folders, addresses of object storage, globs, ``@FILE`` for a list of names in a file, and ``-``
            for one on standard input.
            Of a folder, and of a glob, the sub-folders are kept; of a list, those of relative names.
        out: folder of the paintings; if it is inside an input, it is left out.

    Raises:
        RequestError: a list cannot be read.
    """
    found = Found()
    seen: set[str] = set()
    for text in inputs:
        for photo in _photos_of(text, Path(out), found):
            key = storage.absolute(photo.path)  # two names of a file are two photos
            if key not in seen:
                seen.add(key)
                found.photos.append(photo)
    return found


def _photos_of(text: str, out: Path, found: Found) -> Iterator[Photo]:
    if storage.is_remote(text):
        for name, inside in storage.files_below(text):
            if is_picture(name) and not any(part.startswith(".") for part in PurePosixPath(inside).parts):
                kept = PurePosixPath(inside).parent.as_posix()
                yield Photo(name, "" if kept == "." else kept)
    elif text == STANDARD_STREAM or (text.startswith(LIST) and not os.path.lexists(text)):
        yield from _listed(text, found)
    elif Path(text).is_dir():
        yield from _walk(Path(text), out, found)
    elif Path(text).exists() or irregular(text):
        yield Photo(text)
    elif _MAGIC.search(text):
        yield from _matching(text, out, found)
    else:
        found.problems.append(Problem(text, f"there is no file or folder {text}{_near(text)}"))


def _walk(top: Path, out: Path, found: Found) -> Iterator[Photo]:
    """The pictures in a folder and its sub-folders, without hidden ones. A link that leads back is not followed."""
    skipped = _identity(out) if _identity(out) != _identity(top) else None
    above = {_identity(top)}
    waiting: list[tuple[str, str, frozenset[tuple[int, int] | None]]] = [(str(top), "", frozenset(above))]
    while waiting:
        folder, kept, above = waiting.pop()
        try:
            with os.scandir(folder) as entries:
                inside = sorted((each for each in entries if not each.name.startswith(".")), key=lambda e: e.name)
        except OSError as error:
            found.problems.append(Problem(folder, f"the folder {folder} cannot be read: {error.strerror or error}"))
            continue
        deeper: list[tuple[str, str, frozenset[tuple[int, int] | None]]] = []
        for entry in inside:
            if _is_folder(entry):
                one = _identity(entry.path)
                if skipped is not None and one == skipped:
                    found.notes.append(f"{entry.path}, the output, is left out of the photos in {top}")
                elif one in above:
                    found.notes.append(f"{entry.path} leads back to a folder that it is in; it is left out")
                else:
                    deeper.append((entry.path, f"{kept}{entry.name}/", above | {one}))
            elif is_picture(entry.name) or _is_clip_to_paint(entry.path, found):
                yield Photo(entry.path, kept.rstrip("/"))
        waiting += reversed(deeper)


def _is_clip_to_paint(path: str, found: Found) -> bool:
    """Whether a file is a clip that can be painted. Without the extra for it, a note says so once."""
    if not clip_names.is_clip(path):
        return False
    if clip_names.can_be_painted():
        return True
    note = "clips are left out; they need the extra video: pip install 'impasto[video]'"
    found.notes += [] if note in found.notes else [note]
    return False


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _identity(path: str | Path) -> tuple[int, int] | None:
    """What tells a folder from all others, by whatever name; None if it is not there."""
    try:
        stat = Path(path).stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino


def _matching(pattern: str, out: Path, found: Found) -> Iterator[Photo]:
    """The pictures that a glob matches; folders among them are searched."""
    base = Path(*_fixed_parts(pattern))
    count = 0
    for name in sorted(glob.iglob(pattern, recursive=True)):  # noqa: PTH207 (that one resolves no absolute pattern)
        path = Path(name)
        kept = path.parent.relative_to(base).as_posix() if path.is_relative_to(base) else ""
        if path.is_dir():
            continue
        if (is_picture(name) or _is_clip_to_paint(name, found)) and not path.resolve().is_relative_to(out.resolve()):
            count += 1
            yield Photo(name, "" if kept == "." else kept)
    if not count:
        found.problems.append(Problem(pattern, f"no photo matches {pattern}; expected one: check the pattern"))


def _fixed_parts(pattern: str) -> list[str]:
    """The folders at the beginning of a glob, up to the first with a wildcard."""
    parts = PurePath(pattern).parts[:-1]
    fixed = next((count for count, part in enumerate(parts) if _MAGIC.search(part)), len(parts))
    return list(parts[:fixed])


def _listed(text: str, found: Found) -> Iterator[Photo]:
    """The photos of a list, one name in each line, or separated by NUL as ``find -print0`` writes them."""
    data, where = _read_list(text)
    names = data.split(b"\0") if b"\0" in data else data.splitlines()
    for number, raw in enumerate(names, 1):
        name = os.fsdecode(raw.strip(b"\r") if b"\0" not in data else raw)
        if not name.strip():
            continue
        path = Path(name)
        if path.is_dir() or not os.path.lexists(name):
            what = "is a folder; expected a photo" if path.is_dir() else f"is not there{_near(name)}"
            found.problems.append(Problem(name, f"{where}, line {number}: {name} {what}"))
        else:
            parts = [part for part in path.parent.parts if part not in (".", "..")]
            yield Photo(name, "" if path.is_absolute() else "/".join(parts))


def _read_list(text: str) -> tuple[bytes, str]:
    """The bytes of a list, and what to call it.

    Raises:
        RequestError: it cannot be read.
    """
    if text == STANDARD_STREAM:
        if not hasattr(sys.stdin, "buffer"):
            raise RequestError("standard input is closed; expected a list of photos: pipe one in, or name a file")
        return read_stream(sys.stdin.buffer, MOST_STREAMED), "standard input"
    name = text.removeprefix(LIST)
    try:
        if irregular(name):
            raise ValueError("it is no file")
        with Path(name).open("rb") as file:
            return read_stream(file, _MOST_LIST), name
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise RequestError(
            f"the list {name or '(no name)'} cannot be read ({reason}); expected a file with a photo in each line"
        ) from None


def _near(name: str) -> str:
    try:
        return near_misses(Path(name).name, [entry.name for entry in Path(name).parent.iterdir()], limit=1)
    except (OSError, ValueError):
        return ""
