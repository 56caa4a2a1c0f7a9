"""What a person sees of a training run."""

from __future__ import annotations

import re
import sys

import pytest

from impasto.training import progress
from impasto.training.progress import Clock, Progress, display, tell

LOSSES = {"content": 0.5, "style": 1.0}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, to be set."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_without_a_terminal_a_line_now_and_then_says_how_far_the_run_is(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with display() as report:
        for step in range(1, 31):
            clock[0] += 0.9
            losses = LOSSES if step % 10 == 0 or step == 1 else None
            report(Progress(step, 30, losses, 12.34, 3725.0, ("checkpoint",) if step == 15 else ()))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "step 1/30  loss 1.500  12.3 images/s  1:02:05 left"
    assert [int(re.findall(r"\d+", line)[0]) for line in lines] == [1, 13, 15, 27, 30]
    assert lines[2] == "step 15/30  12.3 images/s  1:02:05 left  saving checkpoint"


def test_without_a_terminal_quick_steps_print_at_most_every_ten_seconds(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with display() as report:
        for step in range(1, 1001):
            clock[0] += 0.01
            report(Progress(step, 2000, None, 200.0, 10.0))
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with display() as report:
        report(Progress(3, 10, LOSSES, 12.34, 3725.0))
    shown = capsys.readouterr().err
    assert "3/10" in shown and "loss 1.500" in shown and "12.3 images/s" in shown and "1:02:05 left" in shown
    assert "━" in shown


@pytest.mark.parametrize("terminal", [True, False])
def test_quiet_is_quiet(terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    with display(quiet=True) as report:
        report(Progress(10, 10, LOSSES, 12.34, 0.0, ("net",)))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("terminal", [True, False])
def test_a_run_that_is_refused_shows_nothing(
    terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    with pytest.raises(ValueError, match="refused"), display():
        raise ValueError("refused")
    assert capsys.readouterr().err == ""


def test_speed_is_in_images_a_second(clock: list[float]) -> None:
    timer = Clock(steps=10, images=8)
    for _ in range(4):
        clock[0] += 2
        found = timer.tick()
    assert found == (pytest.approx(4), pytest.approx(12))
    assert timer.mean() == 4


@pytest.mark.parametrize("terminal", [True, False])
def test_lines_are_told_beside_the_progress(
    terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    text = "16 photos [8 held out]; " + "a long line " * 12
    tell("to nobody")
    with display() as report:
        tell(text)
        report(Progress(1, 10, LOSSES, 12.34, 3725.0))
        tell("about 2 h 10 min")
    shown = capsys.readouterr().err
    assert text.strip() in shown and "about 2 h 10 min" in shown and "to nobody" not in shown
    with display(quiet=True):
        tell(text)
    assert capsys.readouterr().err == ""
