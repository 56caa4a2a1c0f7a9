"""Claims: two batches on one folder paint no picture twice.

A claim is a lock on a file in a hidden folder of the output. The system frees it when a
process ends, however it ends.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from pathlib import Path

from filelock import FileLock, Timeout

from ..errors import OutputError
from ..images.atomic import make_folder

FOLDER = ".impasto-batch"
_STALE = 3600  # seconds after which an unfinished file is no one's work


class Claim:
    """The right to paint one picture, until `release`."""

    def __init__(self, lock: FileLock, path: Path) -> None:
        self._lock, self._path = lock, path

    def release(self) -> None:
        """Let others paint the picture. They look first whether it is painted."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)
        self._lock.release()


class Claims:
    """The claims on the pictures of one output folder.

    Args:
        out: the folder; it is made if it is missing.

    Raises:
        OutputError: the folder cannot be made.
    """

    def __init__(self, out: Path) -> None:
        self._out, self._folder = out, out / FOLDER
        make_folder(self._folder)

    def take(self, output: str, *, patience: float = 0.0) -> Claim | None:
        """Claim a picture; return None if another process has it.

        Args:
            output: the file to paint.
            patience: seconds to wait for another process.

        Raises:
            OutputError: the folder cannot be written.
        """
        name = hashlib.sha256(os.fsencode(os.path.relpath(output, self._out))).hexdigest()[:32]
        path = self._folder / f"{name}.lock"
        # One lock is taken in one thread and released in another.
        lock = FileLock(path, thread_local=False)
        try:
            lock.acquire(timeout=patience, poll_interval=0.05)
        except Timeout:
            return None
        except FileNotFoundError:
            make_folder(self._folder)  # another batch has just ended
            return self.take(output, patience=patience)
        except OSError as error:
            raise OutputError(
                f"{self._folder} cannot be written ({error.strerror or error}); expected a writable folder: choose "
                "another"
            ) from None
        return Claim(lock, path)

    def close(self) -> None:
        """Remove the folder of the locks, if no other batch uses it."""
        with contextlib.suppress(OSError):
            self._folder.rmdir()


def remove_unfinished(out: Path) -> None:
    """Remove files that a batch began to write more than an hour ago, before its process was killed."""
    before = time.time() - _STALE
    for path in out.rglob(".impasto-*.part"):
        with contextlib.suppress(OSError):
            if path.stat().st_mtime < before:
                path.unlink()
