"""Stops a run between two steps."""

from __future__ import annotations

import signal
import sys
import threading
from typing import Any

from ..control import ending_signals


class Stop:
    """Turns the first Ctrl-C, SIGTERM or SIGHUP into a request to stop after the step; the second stops at once."""

    asked = False

    def __enter__(self) -> Stop:
        self._old_handlers: dict[int, Any] = {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, *ending_signals()):
                self._old_handlers[number] = signal.signal(number, self._ask)
        return self

    def _ask(self, *_: object) -> None:
        self.asked = True
        print("stopping after this step; press Ctrl-C again to stop at once", file=sys.stderr)
        self._restore()

    def _restore(self) -> None:
        while self._old_handlers:
            signal.signal(*self._old_handlers.popitem())

    def __exit__(self, *_: object) -> None:
        self._restore()
