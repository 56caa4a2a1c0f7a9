"""Waits for new photos. A photo is taken when it is whole: nothing writes it any more."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..errors import ImpastoError, RequestError
from ..images.header import is_whole
from ..images.source import STANDARD_STREAM, load_bytes
from .clip_names import is_clip
from .inputs import LIST, Found, Photo, find_photos
from .rows import Stop

POLL = 1.0
"""Seconds between two looks at the folders."""

_RECENT = 60.0  # seconds; an older file is whole, or damaged for good
_PATIENCE = 10.0  # seconds that a file without its end is waited for after it last grew

_Stamp = tuple[int, int]  # size and time of change


class Arrivals:
    """Looks again and again for photos that are new or have changed.

    Args:
        inputs: see `find_photos`.
        out: folder of the paintings.

    Raises:
        RequestError: an input is standard input, which ends.
    """

    def __init__(self, inputs: Sequence[str], out: str | Path) -> None:
        if not inputs:
            raise RequestError("--watch is given without a folder; expected one to watch: a table is read only once")
        for text in inputs:
            if text == STANDARD_STREAM or (text.startswith(LIST) and not Path(text).exists()):
                raise RequestError(f"--watch is given with the list {text}; expected folders, files or patterns")
        self._inputs, self._out = inputs, out
        self._taken: dict[str, _Stamp] = {}
        self._seen: dict[str, _Stamp] = {}
        self._complained: set[str] = set()

    def look(self) -> Found:
        """Return the photos that have become whole since the last look, and new problems."""
        found = find_photos(self._inputs, self._out)
        seen: dict[str, _Stamp] = {}
        ready: list[Photo] = []
        for photo in found.photos:
            stamp = _stamp(photo.path)
            if stamp is None or self._taken.get(photo.path) == stamp:
                continue
            seen[photo.path] = stamp
            if self._seen.get(photo.path) == stamp and _complete(photo.path, stamp):
                self._taken[photo.path] = stamp
                ready.append(photo)
        self._seen = seen
        new = [each for each in found.problems if each.name not in self._complained and "*" not in each.name]
        self._complained |= {each.name for each in new}
        return Found(ready, new, [])

    def wait(self, stop: Stop, poll: float = POLL) -> Iterator[Found]:
        """Yield what `look` finds, until it is stopped."""
        while not stop.asked.is_set():
            found = self.look()
            if found.photos or found.problems:
                yield found
            stop.asked.wait(poll)


def _stamp(path: str) -> _Stamp | None:
    try:
        stat = Path(path).stat()
    except OSError:
        return None
    return stat.st_size, stat.st_mtime_ns


def _complete(path: str, stamp: _Stamp) -> bool:
    """Whether a file that did not change between two looks is a whole picture, or will not become one."""
    age = time.time() - stamp[1] / 1e9
    if age > _RECENT or age < 0:
        return True
    if is_clip(path):
        return age > _PATIENCE
    try:
        return is_whole(load_bytes(path)[0]) or age > _PATIENCE
    except ImpastoError:
        return age > _PATIENCE
