"""Work that can be stopped, tells how far it is, and lets other work go first.

Whatever takes long calls `worked` between its parts: strips, layers, blocks of a match. `Control.active` says whose
work it is. Outside of one, `worked` does nothing.

    >>> control = Control(watch=lambda progress: print(f"{progress.done:.0%}"))
    >>> with control.active():
    ...     expect(200)
    ...     worked(100)
    50%
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

from .errors import Cancelled, RequestError


class Cancel(Protocol):
    """Whether to stop; a `threading.Event` is one."""

    def is_set(self) -> bool:
        """True from the moment that work is to end."""
        ...


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a painting is.

    Attributes:
        done: share of the work, 0 to 1.
        note: what is being done.
    """

    done: float
    note: str = ""


Watch = Callable[[Progress], None]


class Control:
    """What a piece of work is told, and tells.

    Args:
        cancel: work ends soon after it is set, with `Cancelled`.
        watch: is called with the progress, from the thread that works.
        pause: is called between parts, and returns when work may go on.
    """

    def __init__(
        self, cancel: Cancel | None = None, watch: Watch | None = None, pause: Callable[[], None] | None = None
    ) -> None:
        if cancel is not None and not hasattr(cancel, "is_set"):
            raise RequestError(f"cancel is {cancel!r}; expected what has is_set(), such as a threading.Event")
        self._cancel, self._watch, self._pause = cancel, watch, pause
        self._total = self._done = 0.0
        self._span = (0.0, 1.0, "")
        self._note = ""

    @contextlib.contextmanager
    def active(self) -> Generator[None]:
        """Have what is done inside controlled by this, in this thread."""
        before = _current.set(self)
        try:
            yield
        finally:
            _current.reset(before)

    def check(self) -> None:
        """Let other work go first; then end where that is asked for.

        Raises:
            Cancelled: it is.
        """
        if self._pause is not None:
            self._pause()
        if self._cancel is not None and self._cancel.is_set():
            raise Cancelled("cancelled; nothing was written")

    def expect(self, total: float, note: str = "") -> None:
        """Begin to count: so much work is to be done."""
        self._total, self._done = total, 0.0
        self.say(note)

    def say(self, note: str) -> None:
        """Tell what is being done now."""
        self._note = note
        self._tell()
        self.check()

    def worked(self, amount: float) -> None:
        """Count a part of the work."""
        self._done += amount
        if amount:
            self._tell()
        self.check()

    @contextlib.contextmanager
    def part(self, begin: float, end: float, note: str = "") -> Generator[None]:
        """Count what is done inside, which calls `expect` itself, as a share of the whole.

        Args:
            begin: of this work, 0 to 1, what is done before.
            end: what is done after it.
            note: what it is; its own notes follow.
        """
        outer, (low, high, above) = self._span, self._span
        self._span = (low + (high - low) * begin, low + (high - low) * end, _joined(above, note))
        self._total = self._done = 0.0
        try:
            yield
        finally:
            self._span = outer
            self._total, self._done = 1.0, end

    def _tell(self) -> None:
        if self._watch is not None:
            done = min(1.0, self._done / self._total) if self._total else 0.0
            begin, end, note = self._span
            self._watch(Progress(begin + (end - begin) * done, _joined(note, self._note)))


def _joined(*notes: str) -> str:
    return ": ".join(filter(None, notes))


_current: ContextVar[Control | None] = ContextVar("control", default=None)


def expect(total: float, note: str = "") -> None:
    """See `Control.expect`, of the work under way."""
    if (control := _current.get()) is not None:
        control.expect(total, note)


def say(note: str) -> None:
    """See `Control.say`, of the work under way."""
    if (control := _current.get()) is not None:
        control.say(note)


def worked(amount: float = 0.0) -> None:
    """See `Control.worked`, of the work under way."""
    if (control := _current.get()) is not None:
        control.worked(amount)


def part(begin: float, end: float, note: str = "") -> contextlib.AbstractContextManager[None]:
    """See `Control.part`, of the work under way."""
    control = _current.get()
    return contextlib.nullcontext() if control is None else control.part(begin, end, note)
