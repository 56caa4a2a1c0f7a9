"""New photos are taken when they are whole."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from impasto.batch import watch
from impasto.batch.rows import Stop
from impasto.batch.watch import Arrivals
from impasto.errors import RequestError

from .conftest import picture


def names(arrivals: Arrivals) -> list[str]:
    return [Path(photo.path).name for photo in arrivals.look().photos]


def test_photos_are_taken_once_when_they_no_longer_change(photos: Path) -> None:
    arrivals = Arrivals(["photos"], Path("out"))
    assert names(arrivals) == []
    assert names(arrivals) == ["one.jpg", "two.png", "three.jpg"]
    assert names(arrivals) == []
    picture(photos / "new.jpg", 9)
    assert names(arrivals) == []
    assert names(arrivals) == ["new.jpg"]
    picture(photos / "one.jpg", 10, (30, 30))
    assert names(arrivals) == []
    assert names(arrivals) == ["one.jpg"]


@pytest.mark.parametrize("form", ["jpg", "png", "webp", "tif"])
def test_half_a_file_is_waited_for(photos: Path, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = picture(Path(f"new.{form}"), 9).read_bytes()
    arrivals = Arrivals(["photos/new.*"], Path("out"))
    path = photos / f"new.{form}"
    for share in (0.1, 0.5, 0.99):
        path.write_bytes(whole[: int(share * len(whole))])
        assert [names(arrivals) for _ in range(3)] == [[], [], []]
    path.write_bytes(whole)
    names(arrivals)
    assert names(arrivals) == [path.name]
    path.write_bytes(whole[:-9])  # for good
    names(arrivals)
    assert names(arrivals) == []
    monkeypatch.setattr(watch, "_PATIENCE", 0.0)
    assert names(arrivals) == [path.name]


def test_an_old_file_is_not_read_again(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in photos.rglob("*.*"):
        os.utime(path, (time.time() - 3600,) * 2)
    monkeypatch.setattr(watch, "load_bytes", None)
    arrivals = Arrivals(["photos"], Path("out"))
    names(arrivals)
    assert len(names(arrivals)) == 3


def test_what_is_missing_is_said_once(photos: Path) -> None:
    arrivals = Arrivals(["photos", "gone"], Path("out"))
    assert [[each.name for each in arrivals.look().problems] for _ in range(3)] == [["gone"], [], []]


def test_it_ends_when_it_is_stopped(photos: Path) -> None:
    stop = Stop()
    for found in Arrivals(["photos"], Path("out")).wait(stop, 0.01):
        assert len(found.photos) == 3
        stop.press()


@pytest.mark.parametrize("inputs", [[], ["-"], ["@list.txt"]])
def test_what_cannot_be_watched_is_refused(inputs: list[str]) -> None:
    with pytest.raises(RequestError, match="--watch"):
        Arrivals(inputs, Path("out"))
