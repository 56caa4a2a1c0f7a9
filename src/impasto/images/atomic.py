"""Atomic writing: a file appears complete or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from ..errors import OutputError, RequestError


def check_place(path: Path, *, overwrite: bool) -> None:
    """Check before long work that `path` can be written.

    Raises:
        RequestError: the folder is missing, or the file exists and may not be overwritten, or it is not a plain file.
        OutputError: no file can be created in the folder.
    """
    folder = path.parent
    try:
        if not folder.is_dir():
            found = "is not a folder" if folder.exists() else "does not exist"
            raise RequestError(f"output folder {folder} {found}; expected a folder: make it with mkdir -p")
        if path.exists():
            if not path.is_file():
                raise RequestError(f"output {path} is not an ordinary file; expected the name of one")
            if not overwrite:
                raise _exists(path)
        # Permission bits are not enough: only an attempt shows read-only mounts, quotas and what root may do.
        probe = _temporary(path)
        probe.touch(exist_ok=False)
        probe.unlink()
    except OSError as error:
        raise _unwritable(path, error) from None


def write_atomically(path: Path, data: bytes, *, overwrite: bool) -> None:
    """Write `data` to `path` atomically. Without `overwrite`, an existing file is never replaced.

    Raises:
        RequestError: the file exists and `overwrite` is false.
        OutputError: the system refuses (full disk, read-only folder).
    """
    part = _temporary(path)
    try:
        with part.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # some file systems report a full disk only here
        if overwrite:
            part.replace(path)
            return
        path.touch(exist_ok=False)  # reserves the name
        try:
            part.replace(path)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
    except FileExistsError:
        raise _exists(path) from None
    except OSError as error:
        raise _unwritable(path, error) from None
    finally:
        part.unlink(missing_ok=True)


def _temporary(path: Path) -> Path:
    """An unused name in the same folder, so that it is on the same file system."""
    return path.with_name(f".impasto-{secrets.token_hex(6)}.part")


def _exists(path: Path) -> RequestError:
    return RequestError(f"{path} exists already; expected a new name, or --overwrite to replace it")


def _unwritable(path: Path, error: OSError) -> OutputError:
    return OutputError(
        f"{path} cannot be written ({error.strerror or error}); "
        "expected a writable folder with free space: choose another or make room"
    )
