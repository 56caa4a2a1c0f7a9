"""`Row`: what became of one painting; `Report`: of all; `Stop`: ends a batch early."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal

from ..control import Cancel
from .jobs import Job
from .problems import Problem

Status = Literal["painted", "skipped", "failed", "stopped"]
"""``skipped``: it was painted already. ``stopped``: it was begun and left."""


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one painting.

    Attributes:
        photo: the photo, or what else a problem is about.
        status: see `Status`.
        output: the picture's file; None if it has no name.
        style: what the style is called.
        size: width and height of the painting in pixels, if it was painted now.
        seconds: how long it was painted.
        error: why it failed.
        job: what was to be painted, if it was known.
    """

    photo: str
    status: Status
    output: str | None = None
    style: str = ""
    size: tuple[int, int] | None = None
    seconds: float = 0.0
    error: str | None = None
    job: Job | None = None

    @classmethod
    def of(cls, job: Job, status: Status, **more: Any) -> Row:
        """Make the row of a job."""
        return cls(job.photo.path, status, job.output, job.way.style, job=job, **more)

    @classmethod
    def of_problem(cls, problem: Problem) -> Row:
        """Make the row of what cannot be painted."""
        return cls(problem.name, "failed", problem.output, error=problem.message)

    def to_json(self) -> dict[str, Any]:
        """Convert to JSON data, without what is not known."""
        found: dict[str, Any] = {"photo": self.photo, "output": self.output, "style": self.style or None}
        found |= {"status": self.status, "size": self.size and list(self.size), "error": self.error}
        if self.status == "painted":
            found["seconds"] = round(self.seconds, 3)
        return {name: value for name, value in found.items() if value is not None}


@dataclass
class Report:
    """What became of a batch.

    Attributes:
        planned: number of paintings that were planned.
        rows: one for each painting that was begun, skipped or refused, in the order in which they ended.
        trouble: why the batch ended early, or empty.
        interrupted: it was stopped.
        seconds: how long it took.
    """

    planned: int = 0
    rows: list[Row] = field(default_factory=list[Row])
    trouble: str = ""
    interrupted: bool = False
    seconds: float = 0.0
    _began: float = field(default_factory=time.monotonic, repr=False)

    def add(self, row: Row) -> None:
        """Note what became of a painting."""
        self.rows.append(row)
        self.seconds = time.monotonic() - self._began

    def count(self, status: Status) -> int:
        """Return how many paintings had a status."""
        return Counter(row.status for row in self.rows)[status]

    @property
    def failed(self) -> list[Row]:
        """The rows of paintings that failed."""
        return [row for row in self.rows if row.status == "failed"]

    @property
    def left(self) -> int:
        """How many planned paintings were not made because the batch ended early."""
        return self.planned - len(self.rows) + self.count("stopped")


class _Flag(threading.Event):
    """An event that is also set while `cancel` is."""

    def __init__(self, cancel: Cancel | None) -> None:
        super().__init__()
        self._cancel = cancel

    def is_set(self) -> bool:
        """Whether it is set, or `cancel` is."""
        return super().is_set() or (self._cancel is not None and self._cancel.is_set())


class Stop:
    """Ends a batch early: after the picture in hand, or at once.

    Args:
        cancel: leaves the picture in hand when it is set.

    Attributes:
        asked: no other picture is begun.
        now: the picture in hand is left, too.
    """

    def __init__(self, cancel: Cancel | None = None) -> None:
        self.asked, self.now = _Flag(cancel), _Flag(cancel)

    def press(self) -> None:
        """Ask to stop after the picture in hand; asked again, leave it."""
        if self.asked.is_set():
            self.now.set()
        self.asked.set()

    def end(self) -> None:
        """Leave the picture in hand."""
        self.asked.set()
        self.now.set()
