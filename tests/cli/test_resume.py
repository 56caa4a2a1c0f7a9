"""--state and --resume: killed at any moment, a painting goes on and ends as if it had not been."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from impasto.losses.descent import Descent

from .conftest import Cli

# The real command line, with a small encoder; each state is written at once, each step takes a while.
_PROGRAM = """
import sys, time
from impasto.cli import main
from impasto.losses.descent import Descent
from impasto.methods.common import loader, resume
from impasto.weights.canonical import tiny_weights
loader.load = lambda name, **_: tiny_weights()
resume.StateFile.due = lambda self: True
step = Descent.step
def slowly(self):
    time.sleep(float(sys.argv[1]))
    return step(self)
Descent.step = slowly
sys.exit(main(sys.argv[2:]))
"""
_STEPS = ("--size", "40", "--schedule", "0.5:4,1:16", "--lbfgs-history", "5")


def _start(pause: float, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _PROGRAM, str(pause), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.usefixtures("tiny_encoder")
def test_killed_and_resumed(cli: Cli, photo: Path, style: Path, tmp_path: Path) -> None:
    state, log = tmp_path / "run.safetensors", tmp_path / "log.jsonl"
    paint = ("gatys", photo, style, *_STEPS, "--json", "-o")
    killed = _start(0.1, *paint, tmp_path / "killed.png", "--state", state, "--loss-log", log)
    try:
        deadline = time.monotonic() + 120
        while not (log.exists() and len(log.read_text().splitlines()) >= 7):
            assert killed.poll() is None, killed.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        killed.kill()
    assert killed.wait() == -signal.SIGKILL
    assert not (tmp_path / "killed.png").exists()

    whole = cli(*paint, tmp_path / "whole.png")
    resumed = cli(*paint, tmp_path / "resumed.png", "--resume", state)
    assert [ran.status for ran in (whole, resumed)] == [0, 0]
    reports = [ran.json for ran in (whole, resumed)]
    assert [report["steps"] for report in reports] == [20, 20]
    assert reports[1]["losses"]["total"] == pytest.approx(reports[0]["losses"]["total"], rel=1e-3)
    with Image.open(tmp_path / "whole.png") as one, Image.open(tmp_path / "resumed.png") as other:
        assert np.abs(np.asarray(one, int) - np.asarray(other, int)).max() <= 1


@pytest.mark.usefixtures("tiny_encoder")
class TestInProcess:
    def test_ctrl_c_keeps_the_state(
        self, cli: Cli, photo: Path, style: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = Descent.step

        def interrupting(self: Descent) -> dict[str, float]:
            losses = real(self)
            if self.steps == 3:
                signal.raise_signal(signal.SIGINT)
            return losses

        paint = ("gatys", photo, style, "--size", 40, "--steps", 6, "--state", "a.safetensors", "--overwrite", "-o")
        monkeypatch.setattr(Descent, "step", interrupting)
        # A process started in the background may have been told to ignore it.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            ran = cli(*paint, "a.png", "--quiet")
        finally:
            signal.signal(signal.SIGINT, before)
        assert ran.status == 130
        assert "continue with --resume a.safetensors" in ran.err
        assert Path("a.safetensors").is_file()

    def test_a_finished_painting_is_written_again(self, cli: Cli, photo: Path, style: Path) -> None:
        paint = ("gatys", photo, style, "--size", 40, "--steps", 3, "--json", "-o")
        first = cli(*paint, "a.png", "--state", "a.safetensors")
        assert first.status == 0, first.err
        again = cli(*paint, "b.png", "--resume", "a.safetensors")
        assert (again.status, again.json["steps"], again.json["losses"]) == (0, 3, first.json["losses"])
        with Image.open("a.png") as one, Image.open("b.png") as other:
            assert np.array_equal(np.asarray(one), np.asarray(other))
        longer = ("gatys", photo, style, "--size", 40, "--steps", 5, "--json", "-o", "c.png")
        assert cli(*longer, "--resume", "a.safetensors").json["steps"] == 5

    def test_what_cannot_be_resumed_is_refused_in_one_line(self, cli: Cli, photo: Path, style: Path) -> None:
        paint = ("gatys", photo, style, "--size", 40, "--steps", 3, "--quiet", "-o", "out.png")
        cli(*paint, "--resume", "none.safetensors").refused(2, "no state none.safetensors", "--state")
        cli(*paint, "--state", "run.pt").refused(2, "run.pt", ".safetensors")
        Path("bad.safetensors").write_bytes(b"garbage")
        cli(*paint, "--resume", "bad.safetensors").refused(2, "bad.safetensors", "not a whole state")
        cli(*paint, "--state", "bad.safetensors").refused(2, "bad.safetensors", "--overwrite")
        assert not Path("out.png").exists()
        assert cli(*paint, "--state", "a.safetensors").status == 0
        other = ("gatys", style, photo, "--size", 40, "--steps", 3, "--quiet", "-o", "b.png")
        cli(*other, "--resume", "a.safetensors").refused(2, "another painting", "photo was")
        changed = (*paint[:-1], "b.png", "--content-weight", 3)
        cli(*changed, "--resume", "a.safetensors").refused(2, "content_weight was 0.3, now it is 3.0")

    def test_methods_without_a_state_refuse_to_keep_one(
        self, cli: Cli, photo: Path, style: Path, tiny_nets: dict[str, Path]
    ) -> None:
        adain = ("adain", photo, style, "--net", tiny_nets["adain"], "--size", 40, "-o", "out.png", "--quiet")
        cli(*adain, "--state", "a.safetensors").refused(2, "adain has no state", "--state")
        assert not list(Path.cwd().iterdir())
