"""Atomic writing: a file appears complete or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterable, Mapping
from itertools import combinations
from pathlib import Path

from ..errors import OutputError, RequestError


def check_place(path: Path, *, overwrite: bool) -> None:
    """Check before long work that `path` can be written.

    Raises:
        RequestError: the folder is missing, or the file exists and may not be overwritten, or it is not a plain file.
        OutputError: no file can be created in the folder.
    """
    path = path.expanduser()
    try:
        end = end_of_links(path)
        if end.is_symlink():
            raise RequestError(
                f"output {path} is a link that leads back to itself; expected a file: give another name"
            )
        folder = end.parent
        if not folder.is_dir():
            found = "is not a folder" if folder.exists() else "does not exist"
            link = f", to which {path} is a link," if path.is_symlink() else ""
            raise RequestError(f"output folder {folder}{link} {found}; expected a folder: make it with mkdir -p")
        if path.exists():
            if not path.is_file():
                raise RequestError(f"output {path} is not an ordinary file; expected the name of one")
            if not overwrite:
                raise _exists(path)
        # Permission bits are not enough: only an attempt shows read-only mounts, quotas and what root may do.
        probe = _temporary(folder / path.name)
        probe.touch(exist_ok=False)
        probe.unlink()
    except OSError as error:
        raise _unwritable(path, error) from None


def make_folder(path: Path) -> None:
    """Make a folder, and those above it, if they are missing.

    Raises:
        OutputError: the system refuses.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path} cannot be made: {error.strerror or error}") from None


def write_atomically(path: Path, data: bytes, *, overwrite: bool) -> None:
    """Write `data` to `path` atomically. Without `overwrite`, an existing file is never replaced.

    A file that is replaced keeps its permissions. A symbolic link stays, and the file it leads to is written.

    Raises:
        RequestError: the file exists and `overwrite` is false.
        OutputError: the system refuses (full disk, read-only folder).
    """
    path = end_of_links(path)
    part = _temporary(path)
    try:
        with part.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # some file systems report a full disk only here
        if overwrite:
            if path.exists():
                part.chmod(stat.S_IMODE(path.stat().st_mode))
            part.replace(path)
            return
        _give_name(part, path)
    except FileExistsError:
        raise _exists(path) from None
    except OSError as error:
        raise _unwritable(path, error) from None
    finally:
        part.unlink(missing_ok=True)


def _give_name(part: Path, path: Path) -> None:
    """Give a whole file its name, which nothing may have yet; in one step where the file system has hard links.

    Raises:
        FileExistsError: something has this name.
        OSError: the system refuses.
    """
    try:
        path.hardlink_to(part)
        return
    except FileExistsError:
        raise
    except OSError:  # no hard links, as on FAT: a kill between the next steps leaves an empty file
        path.touch(exist_ok=False)
    try:
        part.replace(path)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def check_apart(places: Mapping[str, Path], inputs: Iterable[Path] = ()) -> None:
    """Check before long work that no two places are one file, and that none is a file that is read.

    Args:
        places: what is written, by what to call it in a message. A folder stands for all files in it.
        inputs: the files that are read.

    Raises:
        RequestError: two of them are one file.

    Examples:
        >>> check_apart({"the output": Path("a.png"), "--loss-plot": Path("plot.png")}, [Path("photo.jpg")])
    """
    ends = {name: end_of_links(place) for name, place in places.items()}
    for (one, first), (other, second) in combinations(ends.items(), 2):
        if _overlap(first, second):
            raise RequestError(f"{one} and {other} are both {places[other]}; expected two names: give another one")
    for path in inputs:
        for name, place in ends.items():
            if _overlap(place, end_of_links(path)):
                raise RequestError(
                    f"{name} {places[name]} would replace {path}, which is read; expected another name: --overwrite "
                    "replaces results, never inputs"
                )


def end_of_links(path: Path) -> Path:
    """Return where a path leads, absolute, without ``~`` and symbolic links; a file need not exist there."""
    return Path(os.path.realpath(path.expanduser()))


def _overlap(one: Path, other: Path) -> bool:
    """Whether two resolved paths are the same file, or one is in the other."""
    if one == other or one in other.parents or other in one.parents:
        return True
    try:
        return one.samefile(other)
    except OSError:  # one does not exist; names that differ in case may still be one file
        return os.path.normcase(one) == os.path.normcase(other)


def _temporary(path: Path) -> Path:
    """An unused name in the same folder, so that it is on the same file system."""
    return path.with_name(f".impasto-{secrets.token_hex(6)}.part")


def _exists(path: Path) -> RequestError:
    return RequestError(f"{path} exists already; expected a new name, or --overwrite to replace it")


def _unwritable(path: Path, error: OSError) -> OutputError:
    if error.errno == errno.ENAMETOOLONG:
        return OutputError(f"{path} cannot be written (name too long); expected a shorter one: choose another")
    return OutputError(
        f"{path} cannot be written ({error.strerror or error}); "
        "expected a writable folder with free space: choose another or make room"
    )
