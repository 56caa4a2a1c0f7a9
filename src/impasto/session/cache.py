"""What was loaded or encoded, kept up to a bound in bytes, the longest unused given up first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping, MutableMapping
from typing import Any, TypeVar

from .. import memory

Made = TypeVar("Made")


class Cache:
    """Values by key, at most `limit` bytes of them. Threads may share it.

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
        """What is kept under a key, or else what `make` makes, kept from now on."""
        found = self.find(key)
        if found is None:
            found = make()
            self.put(key, found)
        return found

    def find(self, key: Hashable) -> Any:
        """What is kept under a key, or None."""
        with self._lock:
            self._used.add(key)
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key][0]

    def put(self, key: Hashable, value: Any) -> None:
        """Keep a value, in place of others where there is no room; one larger than the bound is not kept."""
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
        """Keep a value no longer."""
        with self._lock:
            _, size = self._kept.pop(key, (None, 0))
            self.bytes -= size

    def __iter__(self) -> Iterator[Hashable]:
        """The keys of what is kept, the longest unused first."""
        with self._lock:
            return iter(list(self._kept))

    def begin(self) -> None:
        """A painting begins: nothing is in use yet."""
        with self._lock:
            self._used.clear()

    def drop_unused(self) -> None:
        """Keep only what the painting under way has used: memory is needed for it."""
        with self._lock:
            for key in [key for key in self._kept if key not in self._used]:
                self.drop(key)

    def clear(self) -> None:
        """Keep nothing of what is kept now."""
        with self._lock:
            self._kept.clear()
            self.bytes = 0


class CacheView(MutableMapping[Hashable, Any]):
    """The part of a cache whose keys begin alike, as a mapping by the rest of them."""

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
    """Bytes of the tensors that a value holds, each counted once."""
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
