"""`Folders`: temporary folders of sessions, for what is too large to be kept in memory."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import tempfile
import threading
import weakref
from pathlib import Path

from .refusals import Refusal


class Folder:
    """A temporary folder, which is removed with all that is in it when nothing refers to this object any more.

    Attributes:
        path: the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        weakref.finalize(self, _remove, path)


class Folders:
    """Makes temporary folders. Those of a session lie in a folder of its own, which nobody else may read.

    Args:
        room: bytes that stay free on the disk.
    """

    def __init__(self, room: int) -> None:
        self._room, self._lock = room, threading.Lock()
        self._root: Path | None = None

    def make(self, owner: str) -> Folder:
        """Make a folder for something of a session.

        Raises:
            Refusal: the disk is nearly full.
        """
        with self._lock:
            if self._root is None:
                self._root = Path(tempfile.mkdtemp(prefix="impasto-studio-"))
            parent = self._root / hashlib.sha256(owner.encode()).hexdigest()[:24]
            parent.mkdir(mode=0o700, exist_ok=True)
            folder = Folder(Path(tempfile.mkdtemp(dir=parent)))
        if not self.has_room():
            raise Refusal(503, "the studio's disk is nearly full; expected room for a clip: try again later")
        return folder

    def has_room(self) -> bool:
        """Whether the disk has more free bytes than have to stay."""
        return self._root is None or shutil.disk_usage(self._root).free > self._room

    def close(self) -> None:
        """Remove all folders."""
        with self._lock:
            if self._root is not None:
                shutil.rmtree(self._root, ignore_errors=True)
                self._root = None


def _remove(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
    with contextlib.suppress(OSError):  # others of the session are in it
        path.parent.rmdir()
