"""What is printed while a film is painted."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..video.film import FilmProgress

_EVERY = 10.0  # seconds between two lines, if there is no terminal to draw a bar on


@contextlib.contextmanager
def film_display(*, quiet: bool) -> Generator[Callable[[FilmProgress], None]]:
    """Show progress on standard error: a bar, or some lines if it is not a terminal. If `quiet`, show nothing."""
    if quiet:
        yield lambda _: None
    elif not sys.stderr.isatty():
        yield _Lines().show
    else:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        bar = Progress(
            SpinnerColumn(),
            TextColumn("painting"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[count]}"),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[left]}"),
            console=Console(stderr=True),
            transient=True,
        )
        task = bar.add_task("", total=None, count="", left="")

        def show(progress: FilmProgress) -> None:
            total = None if progress.total is None else max(progress.total, progress.done)
            left = "" if progress.left is None else f"left {_clock(progress.left)}"
            bar.update(task, total=total, completed=progress.done, count=describe(progress), left=left)

        with bar:
            yield show


def describe(progress: FilmProgress) -> str:
    """Write progress as ``12/240 frames, 3.1 a second``."""
    of = "" if progress.total is None else f"/{max(progress.total, progress.done)}"
    return f"{progress.done}{of} frames, {progress.rate:.2g} a second"


class _Lines:
    def __init__(self) -> None:
        self._said = time.monotonic()

    def show(self, progress: FilmProgress) -> None:
        now = time.monotonic()
        if now - self._said >= _EVERY:
            self._said = now
            left = "" if progress.left is None else f", about {_clock(progress.left)} left"
            print(f"{describe(progress)}{left}", file=sys.stderr, flush=True)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
