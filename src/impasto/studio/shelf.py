"""`Shelf`: things kept for sessions, limited in number, bytes and age."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from .refusals import Refusal

Kept = TypeVar("Kept")


@dataclass
class _Entry(Generic[Kept]):
    owner: str
    thing: Kept
    size: int
    used: float


class Shelf(Generic[Kept]):
    """Keeps things by an unguessable name. Nobody but its owner finds a thing. Threads may share it.

    Beyond the limits of an owner, the oldest things of that owner are dropped. Beyond the limit of all, those of
    owners who have left are, and then the request is refused.

    Args:
        what: what is kept, for messages, such as ``picture``.
        most: things of one owner.
        own_bytes: bytes of one owner.
        all_bytes: bytes of all owners.
        age: seconds after which a thing that nobody used is dropped.
        busy: says of a thing that it must not be dropped.
        clock: the time in seconds.
    """

    def __init__(
        self,
        what: str,
        *,
        most: int,
        own_bytes: int,
        all_bytes: int,
        age: float,
        busy: Callable[[Kept], bool] = lambda _: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._what, self._most, self._own_bytes, self._all_bytes = what, most, own_bytes, all_bytes
        self._age, self._busy, self._clock = age, busy, clock
        self._lock = threading.RLock()
        self._kept: dict[str, _Entry[Kept]] = {}
        self.gone: Callable[[str], bool] = lambda _: False
        """Says of an owner that they have left."""

    @property
    def bytes(self) -> int:
        """Bytes that are kept."""
        with self._lock:
            return sum(entry.size for entry in self._kept.values())

    def __len__(self) -> int:
        return len(self._kept)

    def put(self, owner: str, thing: Kept, size: int) -> str:
        """Keep a thing and return its name.

        Raises:
            Refusal: there is no room.
        """
        if size > self._own_bytes:
            raise Refusal(
                413, f"the {self._what} has {size / 1e6:.0f} MB; expected at most {self._own_bytes / 1e6:.0f}"
            )
        name = secrets.token_urlsafe(12)
        with self._lock:
            self._make_room(owner, size)
            self._kept[name] = _Entry(owner, thing, size, self._clock())
        return name

    def weigh(self, name: str, size: int) -> None:
        """State how many bytes a thing has now, and drop older ones if there is no room. It is kept itself."""
        with self._lock:
            if (entry := self._kept.get(name)) is not None:
                entry.size = 0
                self._make_room(entry.owner, size, but=name, force=True)
                entry.size = size

    def get(self, owner: str, name: str) -> Kept:
        """Return a thing.

        Raises:
            Refusal: there is none of that name, or it is somebody else's.
        """
        with self._lock:
            entry = self._kept.get(name)
            if entry is None or entry.owner != owner:
                raise Refusal(
                    404, f"there is no such {self._what} here; expected the id of one that was sent and is still kept"
                )
            entry.used = self._clock()
            return entry.thing

    def drop(self, owner: str, name: str) -> None:
        """Drop a thing.

        Raises:
            Refusal: see `get`.
        """
        with self._lock:
            self.get(owner, name)
            del self._kept[name]

    def of(self, owner: str) -> list[Kept]:
        """Return the things of an owner, the newest first."""
        with self._lock:
            return [entry.thing for entry in reversed(self._kept.values()) if entry.owner == owner]

    def all(self) -> list[Kept]:
        """Return everything that is kept, the oldest first."""
        with self._lock:
            return [entry.thing for entry in self._kept.values()]

    def sweep(self) -> None:
        """Drop what nobody has used for too long."""
        with self._lock:
            before = self._clock() - self._age
            for name in [name for name, entry in self._kept.items() if entry.used < before]:
                self._drop_unless_busy(name)

    def clear(self) -> None:
        """Drop everything."""
        with self._lock:
            self._kept.clear()

    def _make_room(self, owner: str, size: int, but: str = "", *, force: bool = False) -> None:
        own = [name for name, entry in self._kept.items() if entry.owner == owner and name != but]
        while own and (len(own) + 1 > self._most or self._bytes_of(own) + size > self._own_bytes):
            self._drop_unless_busy(own.pop(0))
        by_age = sorted(self._kept, key=lambda name: self._kept[name].used)
        left = [name for name in by_age if name != but and self.gone(self._kept[name].owner)]
        left += own if force else []
        while left and self.bytes + size > self._all_bytes:
            self._drop_unless_busy(left.pop(0))
        if self.bytes + size > self._all_bytes and not force:
            raise Refusal(503, "the studio is full; expected room for one more picture: try again later")

    def _bytes_of(self, names: list[str]) -> int:
        return sum(self._kept[name].size for name in names)

    def _drop_unless_busy(self, name: str) -> None:
        if name in self._kept and not self._busy(self._kept[name].thing):
            del self._kept[name]
