"""How many steps a run takes: changed on the way, or fitted to the time that there is."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from impasto.errors import RequestError
from impasto.training import loop, progress
from impasto.training.data import Pictures
from impasto.training.options import TrainOptions
from impasto.training.progress import Progress, display
from impasto.training.schedule import Turn, learning_rate, steps_that_fit, turned
from impasto.training.times import describe_time
from impasto.weights.container import load_metadata

from .blur import OPTIONS, checkpoint, start


@pytest.mark.parametrize("steps", [8, 30])
def test_a_run_can_be_shortened_and_lengthened(pictures: Pictures, tmp_path: Path, steps: int) -> None:
    def stop(at: Progress) -> None:
        if at.step == 5:
            raise MemoryError

    every = OPTIONS.model_copy(update={"save_every": 1, "validate_every": 50})
    with pytest.warns(match="after step 5"), pytest.raises(MemoryError):
        start(pictures, tmp_path / "out", every, report=stop)
    done = checkpoint(tmp_path / "out")["step"]
    other = every.model_copy(update={"steps": steps})
    start(pictures, tmp_path / "out", other, resume=True)
    state = checkpoint(tmp_path / "out")
    rate = learning_rate(OPTIONS, done)
    assert state["step"] == steps and state["recipe"]["steps"] == steps
    assert state["recipe"]["turn"] == {"step": done, "rate": rate, "steps": steps}
    assert (load_metadata(tmp_path / "out" / loop.NET) or {})["recipe"]["turn"] == state["recipe"]["turn"]


@pytest.mark.usefixtures("still")
def test_a_lengthened_run_continues_exactly(pictures: Pictures, tmp_path: Path) -> None:
    longer = OPTIONS.model_copy(update={"steps": 30, "save_every": 7})
    for out in ("whole", "parts"):
        start(pictures, tmp_path / out)

    def stop(at: Progress) -> None:
        if at.step == 22:
            raise MemoryError

    start(pictures, tmp_path / "whole", longer, resume=True)
    with pytest.warns(match="after step 22"), pytest.raises(MemoryError):
        start(pictures, tmp_path / "parts", longer, resume=True, report=stop)
    assert checkpoint(tmp_path / "parts")["step"] == 21
    start(pictures, tmp_path / "parts", longer, resume=True)
    for name in (loop.NET, loop.LOG):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_the_rate_turns_without_a_jump_and_ends_at_a_hundredth() -> None:
    options = TrainOptions(steps=100, warmup=0, lr=1e-3)
    turn = turned(options, 50, 400, None)
    rates = [learning_rate(options, step, turn) for step in range(50, 401)]
    assert rates[0] == pytest.approx(learning_rate(options, 50)) and rates[-1] == pytest.approx(1e-5)
    assert rates == sorted(rates, reverse=True)
    again = turned(options, 100, 120, turn)
    assert learning_rate(options, 100, again) == pytest.approx(learning_rate(options, 100, turn))
    for plain in ("constant", "inverse"):
        other = options.model_copy(update={"schedule": plain, "decay": 1e-3})
        turn = turned(other, 50, 400, None)
        assert all(learning_rate(other, n, turn) == learning_rate(other, n) for n in (50, 90, 399))


def test_steps_that_are_done_already_are_refused(pictures: Pictures, tmp_path: Path) -> None:
    start(pictures, tmp_path / "out")
    for steps in (4, 11):
        with pytest.raises(RequestError, match=rf"has done 12 steps; expected --steps above that, got {steps}"):
            start(pictures, tmp_path / "out", OPTIONS.model_copy(update={"steps": steps}), resume=True)
    start(pictures, tmp_path / "out", resume=True)


@pytest.fixture
def ticking(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], Callable[[Progress], None]]:
    """A clock that only a run's steps move: gives `report`, which takes so many seconds."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])

    def each(seconds: float) -> Callable[[Progress], None]:
        def report(at: Progress) -> None:
            now[0] += seconds

        return report

    return each


def limited(most: float, **more: object) -> TrainOptions:
    plain = {"steps": 1000, "validate_every": 5000, "save_every": 5000, "workers": 1}
    return OPTIONS.model_copy(update={**plain, **more, "max_time": timedelta(seconds=most)})


def test_steps_are_fitted_to_the_time(
    pictures: Pictures, tmp_path: Path, ticking: Callable[..., Callable[[Progress], None]], capsys
) -> None:
    with display():
        start(pictures, tmp_path / "out", limited(100), report=ticking(2.5))
    state = checkpoint(tmp_path / "out")
    assert 25 < state["step"] <= 40 and state["recipe"]["turn"]["steps"] == state["step"]
    told = capsys.readouterr().err
    assert f"{state['step']} steps fit in 2 min" in told and " left" not in told
    assert "about" in told and "memory so far" in told
    lines = [json.loads(line) for line in (tmp_path / "out" / loop.LOG).read_text().splitlines()]
    assert [line for line in lines if "lr" in line][-1]["lr"] < 0.02 * OPTIONS.lr
    start(pictures, tmp_path / "out", limited(1000), resume=True)
    assert checkpoint(tmp_path / "out")["step"] == state["step"], "on resuming the number stays"


def test_a_time_that_is_long_changes_nothing(
    pictures: Pictures, tmp_path: Path, ticking: Callable[..., Callable[[Progress], None]]
) -> None:
    start(pictures, tmp_path / "out", limited(10_000, steps=30), report=ticking(1))
    state = checkpoint(tmp_path / "out")
    assert state["step"] == 30 and "turn" not in state["recipe"]


def test_the_clock_ends_a_run_that_became_slower(
    pictures: Pictures, tmp_path: Path, ticking: Callable[..., Callable[[Progress], None]]
) -> None:
    quick, slow = ticking(1), ticking(30)
    out = tmp_path / "out"
    start(pictures, out, limited(100), report=lambda at: (quick if at.step < 26 else slow)(at))
    state = checkpoint(out)
    assert 26 <= state["step"] <= 30 < state["recipe"]["turn"]["steps"]
    assert (out / loop.NET).exists() and list(out.glob("sheet-*.png")) and (out / "curve.png").exists()


@pytest.mark.parametrize(
    ("text", "seconds"), [("3h", 10_800), ("90m", 5400), ("45s", 45), ("1h30m", 5400), ("1.5 h", 5400), ("5min", 300)]
)
def test_times_are_read(text: str, seconds: float) -> None:
    options = TrainOptions(max_time=text)
    assert options.max_time == timedelta(seconds=seconds)
    assert TrainOptions(**options.model_dump(mode="json")) == options


@pytest.mark.parametrize("text", ["3", "h", "", "-3h", "0s", "3 days", "9" * 30 + "h"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        TrainOptions(max_time=text)


def test_times_are_written_for_people() -> None:
    assert [describe_time(n) for n in (0.2, 45, 59.9, 720, 7800, 10_800)] == [
        "1 s",
        "45 s",
        "1 min",
        "12 min",
        "2 h 10 min",
        "3 h",
    ]


def test_no_more_steps_fit_than_there_is_time() -> None:
    assert steps_that_fit(100, 1) <= 100 and steps_that_fit(-5, 1) == 0
    assert Turn.of({"turn": Turn(3, 0.5, 9).to_json()}) == Turn(3, 0.5, 9)


def test_the_rate_of_a_resumed_net_is_that_of_all_sittings(
    pictures: Pictures, tmp_path: Path, ticking: Callable[..., Callable[[Progress], None]]
) -> None:
    options = OPTIONS.model_copy(update={"validate_every": 50, "save_every": 6})
    start(pictures, tmp_path / "out", options, report=ticking(2))
    first = checkpoint(tmp_path / "out")["spent"]
    longer = options.model_copy(update={"steps": 24})
    start(pictures, tmp_path / "out", longer, resume=True, report=ticking(20))
    spent = checkpoint(tmp_path / "out")["spent"]
    assert first == {"images": 48, "seconds": 22} and spent == {"images": 96, "seconds": 242}
    assert (load_metadata(tmp_path / "out" / loop.NET) or {})["crops_per_second"] == pytest.approx(96 / 242, abs=0.01)
