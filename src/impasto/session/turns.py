"""Takes turns between paintings of one process, because each uses most of the memory and all processor cores."""

from __future__ import annotations

import os
import threading
from types import TracebackType

from ..control import Cancel
from ..errors import Cancelled

_POLL = 0.05  # seconds between two checks of whether a waiting painting is cancelled


class Turns:
    """Decides which painting goes on: the highest priority first, and of equals the one that came first."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._painting: list[Turn] = []  # the last one paints; those before it are paused
        self._waiting: list[Turn] = []

    def forget_other_threads(self) -> None:
        """Forget the paintings of other threads, which the child of a fork does not have."""
        self._changed = threading.Condition()
        self._painting = [turn for turn in self._painting if turn.thread == threading.get_ident()]
        self._waiting = []

    def take(self, priority: int = 0, cancel: Cancel | None = None) -> Turn:
        """Wait for a turn. It ends with its ``with`` block, or by `Turn.end`.

        A thread that already has a turn gets another one at once, since it would wait for itself.

        Args:
            priority: see `Turn`.
            cancel: ends the waiting when it is set.

        Raises:
            Cancelled: `cancel` was set while waiting.
        """
        turn = Turn(self, priority, cancel)
        with self._changed:
            self._waiting.append(turn)
            try:
                while not self._may_begin(turn):
                    self._wait(turn)
                self._painting.append(turn)
            finally:
                self._waiting.remove(turn)
                self._changed.notify_all()
        return turn

    def _wait(self, turn: Turn) -> None:
        """Wait for a change.

        Raises:
            Cancelled: the waiting painting was cancelled.
        """
        if turn.cancel is not None and turn.cancel.is_set():
            raise Cancelled("cancelled while waiting for another painting; nothing was written")
        self._changed.wait(None if turn.cancel is None else _POLL)

    def _may_begin(self, turn: Turn) -> bool:
        if not self._painting:
            return self._first() is turn
        now = self._painting[-1]
        if now.thread == turn.thread:
            return True
        return now.resting and turn.priority > now.priority and self._first() is turn

    def _first(self) -> Turn:
        return max(self._waiting, key=lambda turn: turn.priority)  # the first of equals

    def _outranked(self, turn: Turn) -> bool:
        return any(other.priority > turn.priority for other in self._waiting)

    def go_on(self, turn: Turn) -> None:
        """Wait until `turn` may go on."""
        if not turn.resting and not self._waiting:
            return
        turn.thread = threading.get_ident()
        with self._changed:
            turn.resting = True
            self._changed.notify_all()
            while not self._may_go_on(turn):
                self._wait(turn)
            turn.resting = False

    def _may_go_on(self, turn: Turn) -> bool:
        now = self._painting[-1]
        if now is not turn:  # paintings of the same thread do not wait for each other
            return now.thread == turn.thread
        return not self._outranked(turn)

    def rest(self, turn: Turn) -> None:
        """See `Turn.rest`."""
        with self._changed:
            turn.resting = True
            self._changed.notify_all()

    def end(self, turn: Turn) -> None:
        """See `Turn.end`."""
        with self._changed:
            if turn in self._painting:
                self._painting.remove(turn)
            self._changed.notify_all()


class Turn:
    """The right to paint, until `end`.

    Attributes:
        priority: the highest of those that wait goes first, also before a painting of lower priority that has begun.
        cancel: ends the waiting when it is set.
        thread: identifier of the thread that uses it.
        resting: whether a painting of higher priority may begin now.
    """

    def __init__(self, turns: Turns, priority: int, cancel: Cancel | None) -> None:
        self._turns, self.priority, self.cancel = turns, priority, cancel
        self.thread = threading.get_ident()
        self.resting = False

    def give_way(self) -> None:
        """Let paintings of higher priority go first.

        Raises:
            Cancelled: `cancel` was set while waiting.
        """
        self._turns.go_on(self)

    def rest(self) -> None:
        """Allow paintings of higher priority to begin, until the next call of `give_way`."""
        self._turns.rest(self)

    def end(self) -> None:
        """Let the next painting begin."""
        self._turns.end(self)

    def __enter__(self) -> Turn:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()


TURNS = Turns()
"""The turns of this process."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=TURNS.forget_other_threads)
