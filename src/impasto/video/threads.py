"""Work that goes on beside painting: decoding and flow ahead of it, coding behind it."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar, cast

Item = TypeVar("Item")

_END = object()
_POLL = 0.2  # seconds between two looks at whether to stop


class Ahead(Generic[Item]):
    """An iterator that is run in a thread, at most so many items ahead.

    Args:
        items: the iterator. It is closed in the thread.
        depth: number of items.
    """

    def __init__(self, items: Iterator[Item], depth: int) -> None:
        self._items, self._queue = items, queue.Queue[Any](depth)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Item]:
        while True:
            item = self._queue.get()
            if item is _END:
                return
            if isinstance(item, _Failure):
                raise item.error
            yield item

    def close(self) -> None:
        """Stop the thread."""
        self._stop.set()
        while self._thread.is_alive():
            with contextlib.suppress(queue.Empty):
                self._queue.get(timeout=_POLL / 10)
        self._thread.join()

    def _run(self) -> None:
        try:
            for item in self._items:
                if not self._put(item):
                    break
            else:
                self._put(_END)
        except BaseException as error:
            self._put(_Failure(error))
        finally:
            close = getattr(self._items, "close", None)
            if close is not None:
                close()

    def _put(self, item: object) -> bool:
        while not self._stop.is_set():
            with contextlib.suppress(queue.Full):
                self._queue.put(item, timeout=_POLL)
                return True
        return False


class Behind(Generic[Item]):
    """Does work on items in a thread, in their order. At most so many wait.

    Args:
        work: called with each item.
        depth: number of items.
    """

    def __init__(self, work: Callable[[Item], None], depth: int) -> None:
        self._work, self._queue = work, queue.Queue[Any](depth)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def put(self, item: Item) -> None:
        """Add an item.

        Raises:
            BaseException: what the work on an earlier item raised.
        """
        self._raise()
        self._queue.put(item)

    def finish(self) -> None:
        """Wait until all items are done.

        Raises:
            BaseException: what the work raised.
        """
        self._queue.put(_END)
        self._thread.join()
        self._raise()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        while (item := self._queue.get()) is not _END:
            if self._error is None:
                try:
                    self._work(cast(Item, item))
                except BaseException as error:
                    self._error = error


class _Failure:
    def __init__(self, error: BaseException) -> None:
        self.error = error
