"""What a person sees while a picture is painted."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Generator, Mapping
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ..painter import Step

_LINES = 10  # a painting, where there is no terminal to draw a bar on


class Display(Protocol):
    """Where progress is shown."""

    def say(self, text: str) -> None:
        """What is being done now."""

    def step(self, step: Step) -> None:
        """One more step is done."""


@contextlib.contextmanager
def display(*, quiet: bool) -> Generator[Display]:
    """A bar on standard error; a line now and then where that is no terminal; nothing where `quiet`."""
    if quiet:
        yield _Silent()
    elif not sys.stderr.isatty():
        yield _Lines()
    else:
        bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[count]}"),
            TextColumn("[dim]{task.fields[losses]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        with bar:
            yield _Bar(bar)


class _Silent:
    def say(self, text: str) -> None:
        pass

    def step(self, step: Step) -> None:
        pass


class _Bar:
    """Spins with an open end until the first step tells how many there are."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task = bar.add_task("", total=None, count="", losses="")

    def say(self, text: str) -> None:
        self._bar.update(self._task, description=text)

    def step(self, step: Step) -> None:
        self._bar.update(
            self._task,
            completed=step.index,
            total=step.total,
            description=f"painting {step.note}".rstrip(),
            count=f"{step.index}/{step.total}",
            losses=_terms(step.losses),
        )


class _Lines:
    def __init__(self) -> None:
        self._began = time.monotonic()
        self._told = 0

    def say(self, text: str) -> None:
        pass

    def step(self, step: Step) -> None:
        tenth = step.index * _LINES // max(step.total, 1)
        if tenth > self._told:
            self._told = tenth
            parts = (f"step {step.index}/{step.total}", step.note, _terms(step.losses), f"{self._seconds():.0f} s")
            print("  ".join(part for part in parts if part), file=sys.stderr, flush=True)

    def _seconds(self) -> float:
        return time.monotonic() - self._began


def _terms(losses: Mapping[str, float]) -> str:
    """The sum first, then its parts."""
    names = sorted(losses, key=lambda name: name != "total")
    return "  ".join(f"{name} {losses[name]:.3g}" for name in names)
