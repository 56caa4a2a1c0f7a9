"""Files on this machine, and files in object storage by addresses such as ``s3://bucket/photo.jpg`` (fsspec)."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import ImageError, MissingExtraError, OutputError, RequestError
from ..images.source import load_bytes

_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE)
_WEB = ("http", "https", "ftp", "data")


def is_remote(name: str | os.PathLike[str]) -> bool:
    """Say whether a name is an address in object storage."""
    match = _ADDRESS.match(str(name))
    return match is not None and match[1].lower() not in _WEB


def join(folder: str, name: str) -> str:
    """Return the name of a file in a folder."""
    return f"{folder.rstrip('/')}/{name}" if is_remote(folder) else str(Path(folder) / name)


def absolute(name: str) -> str:
    """Return the absolute path of a file, with links as they are; an address in object storage as it is."""
    return name if is_remote(name) else os.path.abspath(name)  # noqa: PTH100 (`resolve` follows links)


def exists(name: str) -> bool:
    """Say whether there is something of a name; a link that leads nowhere counts.

    Raises:
        RequestError: the storage cannot be asked.
    """
    if not is_remote(name):
        return os.path.lexists(name)
    system, path = _system(name)
    with _explained(name, RequestError):
        system.invalidate_cache()
        return bool(system.exists(path))


def load(name: str) -> bytes:
    """Read a file.

    Raises:
        ImageError: it cannot be read.
    """
    if not is_remote(name):
        return load_bytes(name)[0]
    system, path = _system(name)
    with _explained(name, ImageError):
        return system.cat_file(path)


def write(name: str, save: Callable[[Path], None], make_folder: Callable[[Path], None]) -> None:
    """Write a file whole or not at all.

    Args:
        name: the file.
        save: writes it to a path of this machine, with the ending of `name`.
        make_folder: makes a folder of this machine.

    Raises:
        OutputError: it cannot be written.
    """
    if not is_remote(name):
        make_folder(Path(name).parent)
        save(Path(name))
        return
    system, path = _system(name)
    with tempfile.TemporaryDirectory(prefix="impasto-") as folder:
        local = Path(folder) / f"painting{PurePosixPath(name).suffix}"
        save(local)
        with _explained(name, OutputError):
            system.put_file(str(local), path)


def files_below(folder: str) -> Iterator[tuple[str, str]]:
    """Yield the address of each file below a folder in object storage, and its path inside the folder.

    Raises:
        RequestError: the storage cannot be listed.
    """
    system, path = _system(folder)
    with _explained(folder, RequestError):
        system.invalidate_cache()
        found = sorted(system.find(path))
    scheme = folder.partition("://")[0]
    for each in found:
        inside = PurePosixPath(each).relative_to(path) if each != path else PurePosixPath(PurePosixPath(each).name)
        yield f"{scheme}://{each.lstrip('/') if scheme != 'file' else each}", str(inside)


def _system(name: str) -> tuple[Any, str]:
    """The file system of an address, and its path there.

    Raises:
        RequestError: there is no such storage.
        MissingExtraError: its library is not installed.
    """
    try:
        import fsspec

        return fsspec.core.url_to_fs(name)
    except ImportError:
        raise MissingExtraError("fsspec with s3fs", "ray", name.partition("://")[0] + "://") from None
    except ValueError as error:
        raise RequestError(f"{name} is in no known storage ({error}); expected an address such as s3://...") from None


@contextlib.contextmanager
def _explained(name: str, kind: type[ImageError | OutputError | RequestError]) -> Generator[None]:
    """Turn what a storage's library raises into one line."""
    try:
        yield
    except FileNotFoundError:
        raise kind(f"there is no {name}; expected one that exists: check the address") from None
    except Exception as error:  # each library has errors of its own
        reason = " ".join(str(error).split()) or type(error).__name__
        repair = "check the address, and the credentials in the environment of every machine"
        raise kind(f"{name} cannot be reached ({reason}); expected storage that answers: {repair}") from None
