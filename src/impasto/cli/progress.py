"""What a person sees while a picture is painted."""

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

_QUIET = 10.0  # seconds without a line after which one says how far the work is
_ENOUGH = 0.02  # of the work, from which on the time left is shown
_TOO_LARGE = 1e6  # losses from there on are not shown on the bar
_LINES = 10  # a painting, where there is no terminal to draw a bar on


class Display(Protocol):
    """Where progress is shown."""

    def say(self, text: str) -> None:
        """What is being done now."""

    def step(self, step: Step) -> None:
        """One more step is done."""

    def progress(self, progress: Progress) -> None:
        """So much of the work is done."""


@contextlib.contextmanager
def display(*, quiet: bool) -> Generator[Display]:
    """A bar on standard error; a line now and then where that is no terminal; nothing where `quiet`."""
    if quiet:
        yield _Silent()
    elif not sys.stderr.isatty():
        yield _Lines()
    else:
        from rich.console import Console
        from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        bar = Bar(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[count]}"),
            TextColumn("[dim]{task.fields[losses]}"),
            TimeElapsedColumn(),
            TextColumn("[dim]left"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        with bar:
            yield _Bar(bar)


class _Silent:
    def say(self, text: str) -> None:
        pass

    def progress(self, progress: Progress) -> None:
        pass

    def step(self, step: Step) -> None:
        pass


class _Bar:
    """Spins with an open end until it is known how much there is to do."""

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
            self._task, description=f"painting {step.note}".rstrip(), count=count, losses=_total(step.losses)
        )


class _Lines:
    def __init__(self) -> None:
        self._began = time.monotonic()
        self._tenths_said = 0
        self._said_at = self._began

    def say(self, text: str) -> None:
        pass

    def progress(self, progress: Progress) -> None:
        """A line now and then, of work that gives no steps for long."""
        seconds = self._seconds()
        if seconds + self._began - self._said_at >= _QUIET and _ENOUGH < progress.done < 1:
            left = seconds * (1 - progress.done) / progress.done
            self._print(f"{progress.done:.0%}", progress.note, f"{seconds:.0f} s, about {left:.0f} s left")

    def step(self, step: Step) -> None:
        tenth = step.index * _LINES // max(step.total, 1)
        if tenth > self._tenths_said:
            self._tenths_said = tenth
            self._print(f"step {step.index}/{step.total}", step.note, _terms(step.losses), f"{self._seconds():.0f} s")

    def _print(self, *parts: str) -> None:
        print("  ".join(part for part in parts if part), file=sys.stderr, flush=True)
        self._said_at = time.monotonic()

    def _seconds(self) -> float:
        return time.monotonic() - self._began


def _total(losses: Mapping[str, float]) -> str:
    """The loss in a word: a bar has no room for its terms, and sums over features are too large to mean anything."""
    total = losses.get("total")
    return "" if total is None or total >= _TOO_LARGE else f"loss {total:.3g}"


def _terms(losses: Mapping[str, float]) -> str:
    """The sum first, then its parts."""
    names = sorted(losses, key=lambda name: name != "total")
    return "  ".join(f"{name} {losses[name]:.3g}" for name in names)
