"""Names and folders that are odd, and what the terminal says of itself."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch import Tensor

from impasto.cli.paint import joined_name
from impasto.control import ending_signals
from impasto.methods.gatys import painter as gatys
from impasto.painter import Step

from .conftest import Cli

pytestmark = pytest.mark.usefixtures("tiny_shipped")


@pytest.mark.parametrize(
    "parts",
    [
        ("photo", "style", "png"),
        ("p" * 251, "s", "png"),
        ("p" * 200, "s" * 200, "sheet", "png"),
        ("я" * 120, "ф" * 90, "png"),
    ],
)
def test_a_name_that_is_chosen_fits_every_file_system(parts: tuple[str, ...]) -> None:
    name = joined_name(*parts)
    assert len(os.fsencode(name)) <= 240
    assert name.endswith(".png") and name[0] == parts[0][0]
    assert (name == ".".join(parts)) == (len(os.fsencode(".".join(parts))) <= 240)


def test_pictures_of_the_longest_names_are_painted(cli: Cli, photo: Path, style: Path) -> None:
    for source, letter in ((photo, "p"), (style, "s")):
        shutil.copy(source, letter * 250 + source.suffix)
    ran = cli("adain", "p" * 250 + photo.suffix, "s" * 250 + style.suffix, "--size", 32, "--json")
    assert ran.status == 0, ran.err
    assert Path(ran.json["output"]).is_file()
    assert cli("replay", ran.json["output"], "--json").status == 0


@pytest.mark.parametrize(("place", "status"), [("photo", 2), ("style", 2), ("mask", 2), ("output", 2), ("log", 1)])
def test_a_name_that_is_too_long(cli: Cli, photo: Path, style: Path, place: str, status: int) -> None:
    long = "x" * 300 + ".png"
    given = {"photo": photo, "style": style, "output": "out.png", "log": "log.jsonl"} | {place: long}
    styles = f"{style}@{long}" if place == "mask" else given["style"]
    cli("adain", given["photo"], styles, "--size", 32, "-o", given["output"], "--loss-log", given["log"]).refused(
        status, "too long", "expected a shorter one"
    )


@pytest.mark.parametrize("arguments", [["-p.png", "STYLE"], ["PHOTO", "-p.jpg"]])
def test_a_name_that_looks_like_a_flag(cli: Cli, photo: Path, style: Path, arguments: list[str]) -> None:
    given = [{"PHOTO": photo, "STYLE": style}.get(each, each) for each in arguments]
    cli("adain", *given).refused(2, "expected ./-p.")


def test_an_output_that_links_to_itself(cli: Cli, photo: Path, style: Path) -> None:
    Path("a.png").symlink_to("b.png")
    Path("b.png").symlink_to("a.png")
    cli("adain", photo, style, "-o", "a.png").refused(2, "a.png is a link that leads back to itself")


@pytest.mark.skipif(os.name == "nt", reason="a folder in use cannot be removed")
def test_a_current_folder_that_is_gone(cli: Cli, photo: Path, style: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = Path("gone").absolute()
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    for command in (["adain", photo, style], ["doctor"], ["presets"]):
        cli(*command).refused(2, "the current folder is gone", "cd to another")
    monkeypatch.undo()


@pytest.mark.parametrize("command", [["presets"], ["adain", "--help"]])
def test_a_terminal_of_no_width(cli: Cli, command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "0")
    assert "impasto adain" in cli(*command).out


@pytest.mark.parametrize("kind", ["SIGTERM", "SIGHUP"])
def test_signals_that_end_a_program_keep_the_picture(
    cli: Cli, photo: Path, style: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not hasattr(signal, kind):
        pytest.skip(f"this system has no {kind}")
    number, real = getattr(signal, kind), gatys.GatysPainter.paint

    def paint(self: gatys.GatysPainter, *given: Tensor) -> Iterator[Step]:
        for step in real(self, *given):
            yield step
            os.kill(os.getpid(), number)

    monkeypatch.setattr(gatys.GatysPainter, "paint", paint)
    before = signal.getsignal(number)
    cli("gatys", photo, style, "-o", "out.png", "--size", 48, "--quiet").refused(130, "interrupted at step 1")
    assert Path("out.png").is_file()
    assert signal.getsignal(number) is before


def test_a_signal_that_is_ignored_stays_so() -> None:
    if not hasattr(signal, "SIGHUP"):
        pytest.skip("this system has no SIGHUP")
    assert signal.SIGHUP in ending_signals()
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert signal.SIGHUP not in ending_signals()
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_mask_drawn_by_transparency_alone(cli: Cli, photo: Path, style: Path) -> None:
    drawn = np.zeros((8, 8, 4), np.uint8)
    drawn[:, 4:, 3] = 255
    Image.fromarray(drawn).save("mask.png")
    ran = cli("adain", photo, f"{style}@mask.png", "--size", 32, "--feather", 0, "-o", "out.png")
    assert ran.status == 0 and "its transparency is taken for the mask" in ran.err
    Image.fromarray(drawn[..., 3]).save("grey.png")
    assert cli("adain", photo, f"{style}@grey.png", "--size", 32, "--feather", 0, "-o", "same.png").status == 0
    one, other = (np.asarray(Image.open(name)) for name in ("out.png", "same.png"))
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("header", [True, False])
def test_what_separates_the_cells_of_a_table(cli: Cli, photo: Path, style: Path, mark: str, header: bool) -> None:
    lines = [*([("photo", "style")] if header else []), (str(photo), str(style))]
    Path("pairs.csv").write_text("\n".join(map(mark.join, lines)), encoding="utf-8")
    assert cli("compare", "--pairs", "pairs.csv", "--methods", "adain", "--size", 32, "-o", "sheet.png").status == 0
