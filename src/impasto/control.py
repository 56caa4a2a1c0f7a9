"""Work that can be stopped, reports its progress, and lets more urgent work go first.

Long work calls `worked` between its parts: strips, layers, blocks of a match. `Control.active` sets the control that
these calls go to. Without an active control, `worked` does nothing.

Examples:
    >>> control = Control(watch=lambda progress: print(f"{progress.done:.0%}"))
    >>> with control.active():
    ...     expect(200)
    ...     worked(100)
    0%
    50%
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Generator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

from .errors import Cancelled, RequestError


class Cancel(Protocol):
    """Says whether to stop; a `threading.Event` fits."""

    def is_set(self) -> bool:
        """Whether the work should stop."""
        ...


@dataclass(frozen=True, slots=True)
class Progress:
    """How much of a painting is done.

    Attributes:
        done: share of the work, from 0 to 1.
        note: what is being done now; may be empty.

    Examples:
        >>> seen = []
        >>> painting = impasto.paint("photo.jpg", "painting.jpg", effort="draft", watch=seen.append)
        >>> seen[-1].done
        1.0
    """

    done: float
    note: str = ""


Watch = Callable[[Progress], None]


class Control:
    """Connects work to whoever started it: stops it, watches it, pauses it.

    Args:
        cancel: the work ends with `Cancelled` soon after this is set.
        watch: called with the progress, in the thread that works.
        pause: called between parts of the work; it returns when the work may continue.

    Raises:
        RequestError: `cancel` has no ``is_set``, or `watch` cannot be called.
    """

    def __init__(
        self, cancel: Cancel | None = None, watch: Watch | None = None, pause: Callable[[], None] | None = None
    ) -> None:
        if cancel is not None and not hasattr(cancel, "is_set"):
            raise RequestError(f"cancel is {cancel!r}; expected what has is_set(), such as a threading.Event")
        if watch is not None and not callable(watch):
            raise RequestError(f"watch is {watch!r}; expected a function that takes a Progress")
        self._cancel, self._watch, self._pause = cancel, watch, pause
        self._total = self._done = 0.0
        self._span = (0.0, 1.0, "")
        self._note = ""

    @contextlib.contextmanager
    def active(self) -> Generator[None]:
        """Make this the control of the work inside the block, in this thread."""
        before = _current.set(self)
        try:
            yield
        finally:
            _current.reset(before)

    def check(self) -> None:
        """Let more urgent work go first, then stop if asked to.

        Raises:
            Cancelled: `cancel` was set.
        """
        if self._pause is not None:
            self._pause()
        if self._cancel is not None and self._cancel.is_set():
            raise Cancelled("cancelled; nothing was written")

    def expect(self, total: float, note: str = "") -> None:
        """Start counting work: `total` units are expected, and none is done yet.

        Args:
            total: number of units, of any kind that `worked` uses too.
            note: what the work is; may be empty.
        """
        self._total, self._done = total, 0.0
        self.say(note)

    def say(self, note: str) -> None:
        """Report what is being done now."""
        self._note = note
        self._report()
        self.check()

    def worked(self, amount: float) -> None:
        """Count `amount` units of work as done, in the unit of `expect`."""
        self._done += amount
        if amount:
            self._report()
        self.check()

    @contextlib.contextmanager
    def part(self, begin: float, end: float, note: str = "") -> Generator[None]:
        """Count the work inside the block, which calls `expect` itself, as a share of the whole.

        Args:
            begin: share of the whole that is done before the block, from 0 to 1.
            end: share that is done after it.
            note: what the block does; the notes of the work inside follow it.
        """
        outer, (low, high, above) = self._span, self._span
        self._span = (low + (high - low) * begin, low + (high - low) * end, _joined(above, note))
        self._total = self._done = 0.0
        try:
            yield
        finally:
            self._span = outer
            self._total, self._done = 1.0, end

    def _report(self) -> None:
        if self._watch is not None:
            done = min(1.0, self._done / self._total) if self._total else 0.0
            begin, end, note = self._span
            self._watch(Progress(begin + (end - begin) * done, _joined(note, self._note)))


def _joined(*notes: str) -> str:
    return ": ".join(filter(None, notes))


_current: ContextVar[Control | None] = ContextVar("control", default=None)


def expect(total: float, note: str = "") -> None:
    """Call `Control.expect` of the active control, if there is one."""
    if (control := _current.get()) is not None:
        control.expect(total, note)


def say(note: str) -> None:
    """Call `Control.say` of the active control, if there is one."""
    if (control := _current.get()) is not None:
        control.say(note)


def worked(amount: float = 0.0) -> None:
    """Call `Control.worked` of the active control, if there is one."""
    if (control := _current.get()) is not None:
        control.worked(amount)


def part(begin: float, end: float, note: str = "") -> contextlib.AbstractContextManager[None]:
    """Enter `Control.part` of the active control, if there is one."""
    control = _current.get()
    return contextlib.nullcontext() if control is None else control.part(begin, end, note)


def ending_signals() -> list[signal.Signals]:
    """The signals that end a program by default: SIGTERM, and SIGHUP of a connection that is lost.

    One that is ignored is left out, as SIGHUP is after ``nohup``. Windows has no SIGHUP.
    """
    known = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    return [number for number in known if signal.getsignal(number) not in (signal.SIG_IGN, None)]
