"""A cache of networks, pictures and statistics, limited in bytes: the least recently used is dropped first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping, MutableMapping
from typing import Any, TypeVar

from .. import memory

Made = TypeVar("Made")


class Cache:
    """A mapping that keeps at most `limit` bytes of values. Threads may share it.

    Args:
        limit: in bytes; 0 keeps nothing.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.bytes = 0
        self._lock = threading.RLock()
        self._kept: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._used: set[Hashable] = set()
        memory.release_on_shortage(self.drop_unused)

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, key: Hashable, make: Callable[[], Made], /) -> Made:
        """Return the value of a key; if there is none, make it and keep it.

        Args:
            key: states everything that determines the value.
            make: makes the value.
        """
        found = self.find(key)
        if found is None:
            found = make()
            self.put(key, found)
        return found

    def find(self, key: Hashable) -> Any:
        """Return the value of a key, or None."""
        with self._lock:
            self._used.add(key)
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key][0]

    def put(self, key: Hashable, value: Any) -> None:
        """Keep a value and drop others if there is no room. A value larger than the limit is not kept."""
        size = bytes_of(value)
        with self._lock:
            self.drop(key)
            self._used.add(key)
            if size > self.limit:
                return
            self._kept[key] = value, size
            self.bytes += size
            while self.bytes > self.limit:
                self.drop(next(iter(self._kept)))

    def drop(self, key: Hashable) -> None:
        """Drop the value of a key, if there is one."""
        with self._lock:
            _, size = self._kept.pop(key, (None, 0))
            self.bytes -= size

    def __iter__(self) -> Iterator[Hashable]:
        """Iterate over the keys, the least recently used first."""
        with self._lock:
            return iter(list(self._kept))

    def begin(self) -> None:
        """Note that a painting begins, which has used nothing yet."""
        with self._lock:
            self._used.clear()

    def drop_unused(self) -> None:
        """Drop what the current painting has not used, because it needs the memory."""
        with self._lock:
            for key in [key for key in self._kept if key not in self._used]:
                self.drop(key)

    def clear(self) -> None:
        """Drop everything."""
        with self._lock:
            self._kept.clear()
            self.bytes = 0


class CacheView(MutableMapping[Hashable, Any]):
    """The part of a cache whose keys begin with `prefix`, as a mapping by the rest of the key.

    Args:
        cache: the cache.
        prefix: first part of the keys.
    """

    def __init__(self, cache: Cache, prefix: Hashable) -> None:
        self._cache, self._prefix = cache, prefix

    def __getitem__(self, key: Hashable) -> Any:
        found = self._cache.find((self._prefix, key))
        if found is None:
            raise KeyError(key)
        return found

    def __setitem__(self, key: Hashable, value: Any) -> None:
        self._cache.put((self._prefix, key), value)

    def __delitem__(self, key: Hashable) -> None:
        self._cache.drop((self._prefix, key))

    def __iter__(self) -> Iterator[Hashable]:
        for key in self._cache:
            if isinstance(key, tuple) and len(key) == 2 and key[0] == self._prefix:
                yield key[1]

    def __len__(self) -> int:
        return sum(1 for _ in self)


def bytes_of(value: Any) -> int:
    """The bytes of all tensors inside a value; shared memory is counted once."""
    import torch

    found: dict[int, int] = {}
    seen: set[int] = set()
    left = [value]
    while left:
        one = left.pop()
        if id(one) in seen or one is None or isinstance(one, str | bytes | int | float | type):
            continue
        seen.add(id(one))
        if isinstance(one, torch.Tensor):
            storage = one.untyped_storage()
            found[storage.data_ptr()] = storage.nbytes()
        elif isinstance(one, Mapping):
            left += one.values()
        elif isinstance(one, list | tuple | set | frozenset):
            left += one
        else:
            left += getattr(one, "__dict__", {}).values()
            left += [getattr(one, name, None) for name in getattr(type(one), "__slots__", ())]
    return sum(found.values())
