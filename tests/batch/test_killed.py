"""A batch that is killed at any moment goes on where it was."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import impasto
from impasto.images.header import is_whole

from .conftest import picture

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals")

SCRIPT = Path(__file__).parent / "tiny_batch.py"


def command(tiny: dict[str, Any], *more: str) -> list[str]:
    named = [f"--{name}={value}" for name, value in tiny.items()]
    return [sys.executable, str(SCRIPT), "photos", "--style=a.png", "-o", "out", "--device=cpu", *named, *more]


def start(tiny: dict[str, Any], *more: str) -> subprocess.Popen[str]:
    source = str(Path(impasto.__file__).parents[1])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": source}
    return subprocess.Popen(
        command(tiny, *more), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def painted() -> dict[str, int]:
    """The whole pictures that are there, with the times they were written."""
    found = sorted(Path("out").glob("*.jpg")) if Path("out").is_dir() else []
    assert all(is_whole(path.read_bytes()) for path in found)
    return {path.name: path.stat().st_mtime_ns for path in found}


def wait_for(count: int, process: subprocess.Popen[str]) -> None:
    while process.poll() is None and len(list(Path("out").glob("*.jpg"))) < count:
        time.sleep(0.005)


def many(photos: Path, count: int) -> None:
    for path in photos.rglob("*.*"):
        path.unlink()
    for number in range(count):
        picture(photos / f"{number:03}.jpg", number, (60, 40))


def test_killed_once(photos: Path, tiny: dict[str, Any]) -> None:
    many(photos, 25)
    process = start({**tiny, "size": 200})
    wait_for(4, process)
    process.kill()
    process.communicate()
    before = painted()
    assert 4 <= len(before) < 25
    process = start({**tiny, "size": 200}, "--json", "--quiet")
    out, errors = process.communicate()
    assert process.returncode == 0, errors
    rows = [json.loads(line) for line in out.splitlines()]
    after = painted()
    assert len(after) == 25
    assert before.items() <= after.items()  # none is painted twice
    assert sorted(row["status"] for row in rows) == ["painted"] * (25 - len(before)) + ["skipped"] * len(before)
    assert {path.name for path in Path("out").iterdir()} - set(after) <= {".impasto-batch"} | {
        path.name for path in Path("out").glob(".impasto-*.part")
    }


def test_ctrl_c_finishes_the_picture_in_hand(photos: Path, tiny: dict[str, Any]) -> None:
    many(photos, 25)
    process = start({**tiny, "size": 200})
    wait_for(2, process)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert process.returncode == 130, errors
    assert "stopping after the picture in hand" in errors
    assert "the same command goes on" in errors
    assert 2 <= len(painted()) < 25
    assert not list(Path("out").glob(".impasto-*"))


@pytest.mark.slow
def test_killed_ten_times_at_random(photos: Path, tiny: dict[str, Any]) -> None:
    many(photos, 100)
    moments = random.Random(35)
    known: dict[str, int] = {}
    for _ in range(10):
        process = start({**tiny, "size": 200})
        wait_for(len(known) + moments.randrange(0, 9), process)
        time.sleep(moments.uniform(0, 0.1))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        now = painted()
        assert known.items() <= now.items()
        known = now
    assert len(known) < 100
    process = start({**tiny, "size": 200})
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    assert len(painted()) == 100
    assert known.items() <= painted().items()
