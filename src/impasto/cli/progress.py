"""What is printed while a picture is painted."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Protocol

from ..control import Progress
from ..painter import Step

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import ProgressColumn

_SILENCE = 10.0  # seconds without a line after which one is printed
_ENOUGH = 0.02  # share of the work that must be done to estimate the time left
_TOO_LARGE = 1e6  # larger losses are not shown on the bar
_LINES = 10  # lines of a painting, if there is no terminal to draw a bar on


class Display(Protocol):
    """Where progress is shown."""

    def say(self, text: str) -> None:
        """Show what is being done now."""

    def step(self, step: Step) -> None:
        """Show that one more step is done."""

    def progress(self, progress: Progress) -> None:
        """Show how much of the work is done."""


@contextlib.contextmanager
def display(*, quiet: bool) -> Generator[Display]:
    """Show progress on standard error: a bar, or some lines if it is not a terminal. If `quiet`, show nothing."""
    if quiet:
        yield _Silent()
    elif not sys.stderr.isatty():
        yield _Lines()
    else:
        from rich.progress import SpinnerColumn, TextColumn

        columns = TextColumn("{task.fields[count]}"), TextColumn("[dim]{task.fields[losses]}")
        bar = make_bar(*columns, before=SpinnerColumn())
        with bar:
            yield _Bar(bar)


def make_bar(*columns: ProgressColumn, before: ProgressColumn | None = None) -> Bar:
    """Make a bar on standard error, with the time that has passed and the time left.

    Args:
        columns: what stands between the bar and the times.
        before: what stands before everything.
    """
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    shown = [
        *([] if before is None else [before]),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        *columns,
        TimeElapsedColumn(),
        TextColumn("[dim]left"),
        TimeRemainingColumn(),
    ]
    return Bar(*shown, console=Console(stderr=True), transient=True)


class _Silent:
    def say(self, text: str) -> None:
        pass

    def progress(self, progress: Progress) -> None:
        pass

    def step(self, step: Step) -> None:
        pass


class _Bar:
    """A bar that spins without an end until it is known how much there is to do."""

    def __init__(self, bar: Bar) -> None:
        self._bar = bar
        self._task = bar.add_task("", total=None, count="", losses="")

    def say(self, text: str) -> None:
        self._bar.update(self._task, description=text)

    def progress(self, progress: Progress) -> None:
        note = progress.note
        if progress.done:
            self._bar.update(self._task, completed=progress.done, total=1, description=f"painting {note}".rstrip())
        else:
            self.say(note)

    def step(self, step: Step) -> None:
        count = f"{step.index}/{step.total}" if step.total > 1 else ""
        self._bar.update(
            self._task, description=f"painting {step.note}".rstrip(), count=count, losses=_total_loss(step.losses)
        )


class _Lines:
    def __init__(self) -> None:
        self._began = time.monotonic()
        self._tenths_said = 0
        self._said_at = self._began

    def say(self, text: str) -> None:
        pass

    def progress(self, progress: Progress) -> None:
        """Print a line if there was none for a while, as during a long step."""
        seconds = self._seconds()
        if seconds + self._began - self._said_at >= _SILENCE and _ENOUGH < progress.done < 1:
            left = seconds * (1 - progress.done) / progress.done
            self._print(f"{progress.done:.0%}", progress.note, f"{seconds:.0f} s, about {left:.0f} s left")

    def step(self, step: Step) -> None:
        tenth = step.index * _LINES // max(step.total, 1)
        if tenth > self._tenths_said:
            self._tenths_said = tenth
            count, loss = f"step {step.index}/{step.total}", _total_loss(step.losses)
            self._print(count, step.note, loss, f"{self._seconds():.0f} s")

    def _print(self, *parts: str) -> None:
        print("  ".join(part for part in parts if part), file=sys.stderr, flush=True)
        self._said_at = time.monotonic()

    def _seconds(self) -> float:
        return time.monotonic() - self._began


def _total_loss(losses: Mapping[str, float]) -> str:
    """The total loss; a sum over features is too large to be of use. `--loss-log` has the terms."""
    total = losses.get("total")
    return "" if total is None or total >= _TOO_LARGE else f"loss {total:.3g}"
