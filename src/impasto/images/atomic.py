"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from ..errors import OutputError, RequestError


def check_place(path: Path, *, overwrite: bool) -> None:
    """Find out before long work whether `path` can be written.

    Raises:
        RequestError: its folder is missing, it exists and may not be overwritten, or it is no plain file.
        OutputError: the folder takes no new files.
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
        # Permission bits do not tell: read-only mounts, quotas and the superuser are decided on trying.
        probe = _temporary(path)
        probe.touch(exist_ok=False)
        probe.unlink()
    except OSError as error:
        raise _unwritable(path, error) from None


def write_atomically(path: Path, data: bytes, *, overwrite: bool) -> None:
    """Write `data` to `path`, whole or not at all; without `overwrite` never over a file that is there.

    Raises:
        RequestError: the file exists and `overwrite` is false.
        OutputError: the system refuses (full disk, read-only folder).
    """
    part = _temporary(path)
    try:
        with part.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # some file systems own up to a full disk only here
        if overwrite:
            part.replace(path)
            return
        path.touch(exist_ok=False)  # takes the name before anyone else can
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
    """A fresh name in the same folder, hence on the same file system."""
    return path.with_name(f".impasto-{secrets.token_hex(6)}.part")


def _exists(path: Path) -> RequestError:
    return RequestError(f"{path} exists already; expected a new name, or --overwrite to replace it")


def _unwritable(path: Path, error: OSError) -> OutputError:
    return OutputError(
        f"{path} cannot be written ({error.strerror or error}); "
        "expected a writable folder with free space: choose another or make room"
    )
