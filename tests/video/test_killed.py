"""A film whose process is killed at any moment goes on, and ends the same to the frame."""

from __future__ import annotations

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

from .clips import moving_object, panning, with_cut, write_clip

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals"),
]


def start(film: Path, target: Path, net: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(impasto.__file__).parents[1])}
    flags = ["--method", "johnson", "--net", str(net), "--codec", "ffv1", "--device", "cpu", "-q"]
    command = [sys.executable, "-m", "impasto.cli", "video", str(film), *flags, "-o", str(target)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def parts(target: Path) -> Path:
    return target.with_name(f"{target.name}.parts")


def frames(path: Path) -> list[tuple[Any, bytes]]:
    from impasto.video.sources import open_film

    film = open_film(str(path))
    return [(frame.time, frame.pixels.tobytes()) for frame in film.frames(film.info.size)]


@pytest.fixture
def film(tmp_path: Path) -> Path:
    pictures = [*with_cut(40, (192, 128)), *moving_object(60, (192, 128)), *panning(60, (192, 128))]
    return write_clip(tmp_path / "film.mp4", pictures, sound="aac")


def when_begun(process: subprocess.Popen[bytes], target: Path) -> None:
    """Wait until a process paints."""
    while process.poll() is None and not parts(target).is_dir() and not target.exists():
        time.sleep(0.01)


@pytest.mark.parametrize("seed", range(2))
def test_killed_at_random_moments(film, tmp_path, tiny_nets, seed):
    whole, target = tmp_path / "whole.mkv", tmp_path / "painted.mkv"
    assert start(film, whole, tiny_nets["johnson"]).wait() == 0
    moments, kills = random.Random(seed), 0
    for _ in range(4):
        process = start(film, target, tiny_nets["johnson"])
        when_begun(process, target)
        time.sleep(moments.uniform(0, 2))
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.communicate()
        if target.exists():
            break
        assert not list(tmp_path.glob("painted.mkv")), "nothing that is not whole has the film's name"
    assert kills
    if not target.exists():
        assert start(film, target, tiny_nets["johnson"]).wait() == 0
    assert frames(target) == frames(whole)
    assert not parts(target).exists()


def test_ctrl_c_leaves_what_can_be_played_and_goes_on(film, tmp_path, tiny_nets):
    whole, target = tmp_path / "whole.mkv", tmp_path / "painted.mkv"
    assert start(film, whole, tiny_nets["johnson"]).wait() == 0
    process = start(film, target, tiny_nets["johnson"])
    while process.poll() is None and not list(parts(target).glob("segment-*.part")):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate()
    assert process.returncode == 130 and b"can be played" in told
    made = frames(target)
    assert 0 < len(made) < len(frames(whole)) and made == frames(whole)[: len(made)]
    assert start(film, target, tiny_nets["johnson"]).wait() == 0
    assert frames(target) == frames(whole)
