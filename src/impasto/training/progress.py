"""How far a training run is: what the loop reports after each step, and how a person sees it."""

from __future__ import annotations

import contextlib
import math
import sys
import time
from collections.abc import Callable, Generator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass

_teller: ContextVar[Callable[[str], None] | None] = ContextVar("teller", default=None)

_LINE_SECONDS = 10.0  # between lines where there is no terminal


@dataclass(frozen=True)
class Progress:
    """Where a run stands after a step.

    Attributes:
        step: steps done.
        total: steps in all.
        losses: weighted loss terms by name; None after most steps, since reading them makes a GPU wait.
        images_per_second: crops of photos and paintings that all processes train on, each second.
        seconds_left: estimate from the last steps.
        saving: the files that are written next, such as "net" and "checkpoint"; empty after most steps.
    """

    step: int
    total: int
    losses: Mapping[str, float] | None
    images_per_second: float
    seconds_left: float
    saving: tuple[str, ...] = ()


class Clock:
    """Measures the speed of a run.

    Args:
        steps: steps to do.
        images: images a step, of all processes together.
        spent: images and seconds of earlier sittings of the run.

    Attributes:
        steps_left: steps to do.
        measured: whether the speed was told.
    """

    def __init__(self, steps: int, images: int, spent: Mapping[str, float] | None = None) -> None:
        self.steps_left, self._images = steps, images
        self._spent = spent or {"images": 0, "seconds": 0.0}
        self._started = self._first = self._last = time.monotonic()
        self._steps_done = 0
        self._step_seconds: float | None = None
        self.measured = False

    def tick(self) -> tuple[float, float]:
        """Count a step. Return images a second and seconds left, by the moving average of a step's time."""
        now = time.monotonic()
        took = now - self._last
        self._last = now
        self.steps_left -= 1
        self._steps_done += 1
        if self._steps_done == 1:
            self._first = now
        self._step_seconds = took if self._step_seconds is None else 0.95 * self._step_seconds + 0.05 * took
        return self.speed()

    def speed(self) -> tuple[float, float]:
        """Images a second and seconds left, by the moving average of a step's time."""
        seconds = self._step_seconds or 0.0
        return self._images / max(seconds, 1e-9), self.steps_left * seconds

    def seconds(self) -> float:
        """Seconds since the start of this sitting."""
        return time.monotonic() - self._started

    def pace(self) -> float:
        """Seconds a step in this sitting; the first step, which is slower, counts only where it is alone."""
        if self._steps_done < 2:
            return self._last - self._started
        return (self._last - self._first) / (self._steps_done - 1)

    def spent(self) -> dict[str, float]:
        """Images and seconds of all sittings, with the time of validation."""
        images = self._spent["images"] + self._images * self._steps_done
        return {"images": images, "seconds": self._spent["seconds"] + self._last - self._started}

    def mean(self) -> float:
        """Images a second of all sittings, with the time of validation."""
        spent = self.spent()
        return round(spent["images"] / max(spent["seconds"], 1e-9), 2)


def tell(text: str) -> None:
    """Show a line to the person who watches the run, if there is a `display`."""
    if (teller := _teller.get()) is not None:
        teller(text)


@contextlib.contextmanager
def display(*, quiet: bool = False) -> Generator[Callable[[Progress], None]]:
    """A function to give `train` as `report`: it shows loss, speed and time left on standard error.

    On a terminal it draws a bar. Elsewhere it prints a line after the first and the last step, whenever files are
    saved, and otherwise at most every ten seconds. It shows nothing where `quiet`.
    """
    if quiet:
        yield lambda _: None
    elif sys.stderr.isatty():
        with _bar() as report:
            yield report
    else:
        with _telling(lambda text: print(text, file=sys.stderr, flush=True)):
            yield _Lines()


@contextlib.contextmanager
def _telling(teller: Callable[[str], None]) -> Generator[None]:
    """Make `tell` call a function inside the block."""
    before = _teller.set(teller)
    try:
        yield
    finally:
        _teller.reset(before)


class _Lines:
    """Prints a line of text now and then."""

    def __init__(self) -> None:
        self._printed = -math.inf
        self._loss = ""  # read since the last line

    def __call__(self, at: Progress) -> None:
        self._loss = _loss(at) or self._loss
        now = time.monotonic()
        if at.saving or at.step == at.total or now - self._printed >= _LINE_SECONDS:
            parts = [f"step {at.step}/{at.total}", self._loss, *_speed(at)]
            if at.saving:
                parts.append(f"saving {', '.join(at.saving)}")
            print("  ".join(part for part in parts if part), file=sys.stderr, flush=True)
            self._printed, self._loss = now, ""


@contextlib.contextmanager
def _bar() -> Generator[Callable[[Progress], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bar

    bar = Bar(
        TextColumn("[progress.description]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        console=Console(stderr=True),
    )
    row = bar.add_task("training", total=None, note="")
    loss = ""

    def report(at: Progress) -> None:
        nonlocal loss
        bar.start()  # not before the first step: a run that is refused draws nothing
        loss = _loss(at) or loss
        note = "  ".join(part for part in (loss, *_speed(at)) if part)
        bar.update(row, total=at.total, completed=at.step, note=note)

    try:
        with _telling(lambda text: bar.console.print(text, markup=False, highlight=False, soft_wrap=True)):
            yield report
    finally:
        if bar.live.is_started:
            bar.stop()


def _loss(at: Progress) -> str:
    return "" if at.losses is None else f"loss {sum(at.losses.values()):.3f}"


def _speed(at: Progress) -> tuple[str, str]:
    minutes, seconds = divmod(round(at.seconds_left), 60)
    return f"{at.images_per_second:.1f} images/s", f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d} left"
