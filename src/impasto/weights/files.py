"""Files on disk: checked before they are read, hashed once, written atomically. Imports no torch."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import stat
import tempfile
from collections.abc import Generator
from pathlib import Path

from ..errors import OutputError, WeightsError
from ..untrusted import irregular

TRAINED = "net.safetensors"
"""What a training run calls its net."""

CHECKPOINT = "checkpoint.pt"
"""What a training run calls the state that it can be continued from."""


def checked_file(path: str | Path) -> Path:
    """Return `path` if it is a readable file that is not empty.

    Raises:
        WeightsError: it is not.
    """
    path = Path(path).expanduser()
    try:
        if path.is_dir():
            inside = f", such as {path / TRAINED}" if (path / TRAINED).exists() else ""
            raise WeightsError(f"{path} is a folder; expected a weights file{inside}")
        if not path.exists():
            if path.name == TRAINED:
                raise WeightsError(
                    f"no weights file {path}; training writes it every 500 steps (--validate-every), and when Ctrl-C "
                    "stops the run"
                )
            raise WeightsError(
                f"no weights file {path}; `impasto weights list` names encoders, `impasto johnson --list` styles"
            )
        if kind := irregular(path):
            raise WeightsError(f"{path} is {kind}; expected a weights file")
        if path.stat().st_size == 0:
            raise WeightsError(f"{path} is empty (0 bytes); get it again")
        with path.open("rb"):
            return path
    except OSError as error:
        raise WeightsError(f"cannot read {path}: {error.strerror or error}") from None


def sha256_of(path: str | Path) -> str:
    """Return the sha256 of a file in hexadecimal digits. It is cached until the file's size or time changes."""
    path = checked_file(path).resolve()
    stat = path.stat()
    return _hash("sha256", path, stat.st_size, stat.st_mtime_ns)


def matches(path: str | Path, digest: str) -> bool:
    """Whether a file has a digest, written ``algorithm:hex``; the first digits are enough."""
    path = checked_file(path).resolve()
    algorithm, _, digits = digest.partition(":")
    stat = path.stat()
    return _hash(algorithm, path, stat.st_size, stat.st_mtime_ns).startswith(digits)


@functools.lru_cache(maxsize=64)
def _hash(algorithm: str, path: Path, _size: int, _mtime: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


@contextlib.contextmanager
def replace_atomically(target: str | Path, *, overwrite: bool = False) -> Generator[Path]:
    """Give a temporary path in the same folder, which replaces `target` if the block succeeds.

    A file that is replaced keeps its permissions. A symbolic link stays, and the file it leads to is replaced.

    Args:
        target: the file to write.
        overwrite: replace an existing file.

    Raises:
        OutputError: the target exists and `overwrite` is false, or it cannot be written.
    """
    target = Path(os.path.realpath(Path(target).expanduser()))
    if target.is_dir():
        raise OutputError(f"{target} is a folder; give a file name")
    if target.exists() and not overwrite:
        raise OutputError(f"{target} is there already; choose another name, or ask to overwrite it")
    draft: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.stem}-", suffix=target.suffix)
        os.close(handle)
        draft = Path(name)
        yield draft
        draft.chmod(_mode_for(target))
        draft.replace(target)
    except OSError as error:
        raise cannot_write(target, error.strerror or str(error)) from None
    finally:
        if draft is not None:
            draft.unlink(missing_ok=True)


def cannot_write(path: Path, reason: str) -> OutputError:
    """Make the error of a file that the system does not write."""
    return OutputError(
        f"{path} cannot be written ({reason}); expected a writable folder with free space: choose another or make "
        "room"
    )


def _mode_for(target: Path) -> int:
    """The permissions of the file that is there, or else those that new files have: mkstemp's are for the owner."""
    if target.exists():
        return stat.S_IMODE(target.stat().st_mode)
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask
