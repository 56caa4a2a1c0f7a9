"""What a stream cannot encode is replaced in what is printed, and decides no exit status."""

from __future__ import annotations

import gc
import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from impasto import cli

pytestmark = pytest.mark.usefixtures("tiny_shipped")


def run(monkeypatch: pytest.MonkeyPatch, encoding: str, *arguments: object) -> tuple[int, str, str]:
    """Run the program as a process of its own would, on streams of an encoding: status, output, errors."""
    raw = io.BytesIO(), io.BytesIO()
    for name, stream in zip(("stdout", "stderr"), raw, strict=True):
        monkeypatch.setattr(sys, name, io.TextIOWrapper(stream, encoding=encoding))
    monkeypatch.setattr(sys, "argv", ["impasto", *map(str, arguments)])
    monkeypatch.setattr(gc, "set_threshold", lambda *_: None)
    monkeypatch.setattr(gc, "freeze", lambda: None)
    status = cli.program()
    sys.stdout.flush()
    sys.stderr.flush()
    out, err = (stream.getvalue().decode(encoding) for stream in raw)
    return status, out, err


@pytest.mark.parametrize("encoding", ["ascii", "cp1251", "cp437", "utf-8"])
@pytest.mark.parametrize("command", [["presets"], ["johnson", "--list"], ["paint", "--help"], ["--help"], []])
def test_lists_and_help_are_printed(monkeypatch: pytest.MonkeyPatch, encoding: str, command: list[str]) -> None:
    status, out, _ = run(monkeypatch, encoding, *command)
    assert status == 0
    assert out.strip()


@pytest.mark.parametrize("encoding", ["ascii", "cp1251", "utf-8"])
def test_a_painting_is_reported(
    monkeypatch: pytest.MonkeyPatch, encoding: str, photo: Path, style: Path, tmp_path: Path
) -> None:
    target = tmp_path / "шторм.png"
    status, out, _ = run(monkeypatch, encoding, "adain", photo, style, "--size", 32, "-o", target)
    assert status == 0
    assert target.exists()
    assert ("32×" if encoding == "utf-8" else "32x") in out


def test_an_error_is_reported(monkeypatch: pytest.MonkeyPatch, style: Path, tmp_path: Path) -> None:
    status, _, err = run(monkeypatch, "ascii", "adain", tmp_path / "нет.png", style)
    assert status == 2
    assert err.startswith("impasto: there is no file")
    assert len(err.splitlines()) == 1


@pytest.mark.skipif(os.name == "nt" or sys.platform == "darwin", reason="names are Unicode on this system")
@pytest.mark.parametrize("more", [[], ["--json"]])
def test_a_name_of_any_bytes(
    monkeypatch: pytest.MonkeyPatch, more: list[str], photo: Path, style: Path, tmp_path: Path
) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png"))
    odd.write_bytes(photo.read_bytes())
    monkeypatch.chdir(tmp_path)
    status, out, _ = run(monkeypatch, "utf-8", "adain", odd, style, "--size", 32, *more)
    assert status == 0
    written = odd.with_name(f"{odd.stem}.{style.stem}.png")
    assert written.exists()
    if more:
        assert json.loads(out)["size"][0] == 32
    assert run(monkeypatch, "utf-8", "show", written)[0] == 0


def onto(path: str | int, **settings: bool) -> io.TextIOWrapper:
    """A stream as Python makes one, onto a file or a descriptor."""
    return io.TextIOWrapper(io.BufferedWriter(io.FileIO(path, "w")), encoding="utf-8", **settings)


def unread() -> int:
    """The writing end of a pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    return writing


FULL = pytest.param(
    "/dev/full", marks=pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
)


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run the program on the streams given by name."""

    def run_on(*arguments: object, **named: object) -> int:
        for name, stream in named.items():
            monkeypatch.setattr(sys, name, stream)
        monkeypatch.setattr(sys, "argv", ["impasto", *map(str, arguments)])
        monkeypatch.setattr(gc, "set_threshold", lambda *_: None)
        monkeypatch.setattr(gc, "freeze", lambda: None)
        return cli.program()

    return run_on


@pytest.mark.parametrize("place", [FULL, unread])
@pytest.mark.parametrize("line_buffering", [True, False])
def test_a_message_that_is_lost_ends_no_painting(
    streams: Callable[..., int], place: object, line_buffering: bool, photo: Path, style: Path, tmp_path: Path
) -> None:
    target = tmp_path / "out.png"
    stderr = onto(place() if callable(place) else place, line_buffering=line_buffering)
    assert streams("adain", photo, style, "--size", 32, "-o", target, stderr=stderr, stdout=io.StringIO()) == 0
    assert target.exists()


@pytest.mark.parametrize("closed", [("stdout",), ("stderr",), ("stdin", "stdout", "stderr")])
def test_closed_streams_end_no_painting(
    streams: Callable[..., int], closed: tuple[str, ...], photo: Path, style: Path, tmp_path: Path
) -> None:
    target = tmp_path / "out.png"
    assert streams("adain", photo, style, "--size", 32, "-o", target, **dict.fromkeys(closed)) == 0
    assert target.exists()


def test_a_closed_stream_is_no_place_for_a_picture(
    streams: Callable[..., int], photo: Path, style: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert streams("adain", photo, style, "--size", 32, "-o", "-", stdout=None) == 2
    assert "standard output, which is closed" in capsys.readouterr().err
    assert streams("adain", "-", style, "--size", 32, "-o", "x.png", stdin=None) == 2
    assert "standard input is empty" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["--help"], ["presets"], ["presets", "--json"]])
def test_a_full_standard_output_is_told(
    streams: Callable[..., int], command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    stdout = onto("/dev/full")
    assert streams(*command, stdout=stdout) == 1
    assert "standard output cannot be written (No space left on device)" in capsys.readouterr().err
    sys.stdout.flush()  # as at the end of the process: it is not told twice


def test_an_error_keeps_its_status_on_a_full_standard_output(streams: Callable[..., int], style: Path) -> None:
    assert streams("adain", "nope.png", style, "--json", stdout=onto(unread())) == 2
    sys.stdout.flush()
