"""What is said while a picture is painted."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.progress import Progress as Bar
from rich.progress import TextColumn, TimeRemainingColumn

from impasto.cli import progress
from impasto.control import Progress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, to be set."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_without_a_terminal_a_line_now_and_then_says_the_time_left(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with progress.display(quiet=False) as shown:
        for seconds, done in ((1, 0.1), (12, 0.25), (15, 0.3), (24, 0.5)):
            clock[0] = 100.0 + seconds
            shown.progress(Progress(done, "1024 px"))
    assert capsys.readouterr().err.splitlines() == [
        "25%  1024 px  12 s, about 36 s left",
        "50%  1024 px  24 s, about 24 s left",
    ]


def test_quiet_is_quiet(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with progress.display(quiet=True) as shown:
        clock[0] += 60
        shown.progress(Progress(0.5, "1024 px"))
    assert capsys.readouterr().err == ""


def test_a_bar_moves_with_the_work() -> None:
    out = io.StringIO()
    bar = Bar(
        TextColumn("{task.description} {task.percentage:.0f}"), TimeRemainingColumn(), console=Console(file=out)
    )
    shown = progress._Bar(bar)
    shown.progress(Progress(0.0, "loading the networks"))
    assert (bar.tasks[0].description, bar.tasks[0].total) == ("loading the networks", None)
    shown.progress(Progress(0.25, "1024 px"))
    assert (bar.tasks[0].description, bar.tasks[0].percentage) == ("painting 1024 px", 25)
