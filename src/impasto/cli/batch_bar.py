"""What is printed while a batch is painted: a bar over all pictures, or a line now and then."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Generator
from pathlib import PurePath
from typing import TYPE_CHECKING

from ..batch.jobs import Job, State
from ..batch.rows import Row, Stop
from ..control import Progress, ending_signals
from ..untrusted import printable, shorten
from .progress import make_bar

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

_EVERY = 10.0  # seconds between two lines, if there is no terminal to draw a bar on
_LONGEST_NAME = 40
_LONGEST_ERROR = 300


def counts(row: Row) -> bool:
    """Whether a row is of a painting that was still to be made when the batch was planned."""
    return row.job is not None and row.job.state is not State.DONE


class BatchBar:
    """Shows how far a batch is. This one shows nothing but errors.

    Args:
        total: number of pictures to paint.
    """

    def __init__(self, total: int) -> None:
        self.total, self.ended, self._began = total, 0, time.monotonic()

    def begin(self, job: Job) -> None:
        """Show that a picture is begun."""

    def progress(self, progress: Progress) -> None:
        """Show how far the picture in hand is."""

    def row(self, row: Row) -> None:
        """Show what became of a picture."""
        if counts(row):
            self.ended += 1
        if row.status == "failed":
            self.say(f"impasto: {shorten(row.photo)}: {shorten(row.error or '', _LONGEST_ERROR)}")

    def say(self, line: str) -> None:
        """Print a line on standard error."""
        print(line, file=sys.stderr, flush=True)

    def rate(self) -> float:
        """Return pictures a second so far."""
        return self.ended / max(time.monotonic() - self._began, 1e-6)


class _Lines(BatchBar):
    """A line now and then."""

    def __init__(self, total: int) -> None:
        super().__init__(total)
        self._said = time.monotonic()

    def row(self, row: Row) -> None:
        super().row(row)
        now = time.monotonic()
        if now - self._said >= _EVERY and counts(row):
            self._said = now
            left = (self.total - self.ended) / self.rate()
            name = printable(PurePath(row.photo).name)
            self.say(f"{self.ended}/{self.total}  {name}  {self.rate():.2g} a second, about {left:.0f} s left")


class _Drawn(BatchBar):
    """A bar, drawn by rich."""

    def __init__(self, total: int, bar: Bar) -> None:
        super().__init__(total)
        self._bar = bar
        self._task = bar.add_task("reading", total=total, rate="")

    def begin(self, job: Job) -> None:
        name = shorten(f"{PurePath(job.photo.path).name}, {job.way.style}", _LONGEST_NAME)
        self._bar.update(self._task, description=name.replace("[", r"\["))

    def progress(self, progress: Progress) -> None:
        self._bar.update(self._task, completed=min(self.ended + progress.done, self.total))

    def row(self, row: Row) -> None:
        super().row(row)
        self._bar.update(self._task, completed=self.ended, rate=f"{self.rate():.2g}/s")


@contextlib.contextmanager
def batch_bar(total: int, *, quiet: bool) -> Generator[BatchBar]:
    """Show the progress of a batch on standard error: a bar, or lines if it is not a terminal; none if `quiet`."""
    if quiet or not total:
        yield BatchBar(total)
    elif not sys.stderr.isatty():
        yield _Lines(total)
    else:
        from rich.progress import MofNCompleteColumn, TextColumn

        bar = make_bar(MofNCompleteColumn(), TextColumn("{task.fields[rate]}"))
        with bar:
            yield _Drawn(total, bar)


_STOPPING = b"impasto: stopping after the picture in hand; Ctrl-C again leaves it\n"


@contextlib.contextmanager
def signals_stop() -> Generator[Stop]:
    """Let Ctrl-C finish the picture in hand and, pressed again, leave it. Signals that end a program leave it."""
    stop = Stop()

    def press(*_: object) -> None:
        if not stop.asked.is_set():
            with contextlib.suppress(OSError):
                os.write(2, _STOPPING)  # the handler may run in the midst of a print
        stop.press()

    def end(*_: object) -> None:
        stop.end()

    try:
        before = {signal.SIGINT: signal.signal(signal.SIGINT, press)}
    except ValueError:  # not in the main thread
        yield stop
        return
    before |= {number: signal.signal(number, end) for number in ending_signals()}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
