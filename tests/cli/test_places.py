"""Where results go: checked before work, against each other and the inputs; a finished painting is never lost."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Sequence
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import torch
from PIL import Image

from impasto.errors import OutputError
from impasto.images import write
from impasto.images.metadata import read_metadata
from impasto.methods.adain.painter import AdainPainter
from impasto.session import records
from impasto.weights import container

from .conftest import Cli

pytestmark = pytest.mark.usefixtures("tiny_shipped")

GATYS = ("--size", 32, "--steps", 2, "--min-size", "none")


@pytest.mark.parametrize(
    "flags",
    [
        ["-o", "q.png", "--loss-plot", "q.png"],
        ["-o", "q.png", "--loss-log", "q.png"],
        ["-o", "q.png", "--loss-log", "sub/../q.png"],
        [
            "-o",
            "q.png",
            "--loss-log",
            "l",
            "--loss-plot",
            "q.svg",
            "--state",
            "s.safetensors",
            "--snapshot-every",
            1,
            "--snapshot-dir",
            "q.png",
        ],
        ["-o", "q-steps/film.png", "--snapshot-every", 1, "--snapshot-dir", "q-steps"],
        ["-o", "q.png", "--loss-log", "same.svg", "--loss-plot", "same.svg"],
    ],
)
def test_two_results_in_one_place(cli: Cli, photo: Path, style: Path, flags: Sequence[object]) -> None:
    Path("sub").mkdir()
    cli("gatys", photo, style, *GATYS, "--overwrite", *flags).refused(2, "both", "expected two names")
    assert not Path("q.png").exists()


@pytest.mark.parametrize("flag", ["--loss-log", "--loss-plot"])
@pytest.mark.parametrize("what", ["photo", "style", "mask", "start", "a link"])
def test_an_input_is_no_place(cli: Cli, photo: Path, style: Path, flag: str, what: str) -> None:
    inputs = {"photo": photo, "style": style, "mask": Path("mask.png"), "start": Path("start.png")}
    inputs["a link"] = Path("link.png")
    Image.new("L", (32, 24), 255).save("mask.png")
    Image.open(photo).save("start.png")
    inputs["a link"].symlink_to(photo)
    before = inputs[what].read_bytes()
    place = inputs[what]
    pair = ("--start", "start.png", "-o", "q.png", flag, place, "--overwrite")
    ran = cli("gatys", photo, f"{style}@mask.png", *GATYS, *pair)
    ran.refused(2, f"{flag} {place} would replace", "which is read")
    assert inputs[what].read_bytes() == before


def test_the_state_that_is_resumed_may_be_replaced(cli: Cli, photo: Path, style: Path) -> None:
    state = ("--state", "s.safetensors")
    assert cli("gatys", photo, style, *GATYS, "-o", "a.png", *state).status == 0
    assert cli("gatys", photo, style, *GATYS, "-o", "b.png", "--resume", "s.safetensors").status == 0


@pytest.mark.parametrize("size", ["the photo's", 16_400])
def test_a_format_too_small_for_the_picture(cli: Cli, style: Path, size: object) -> None:
    Image.new("RGB", (16_400, 4)).save("wide.png")
    asked = "none" if size == "the photo's" else size
    ran = cli("adain", "wide.png", style, "-o", "out.webp", "--size", asked)
    ran.refused(2, "16400 pixels", "16383", "write .png")


def test_exif_too_large_for_jpeg_is_left_out(cli: Cli, photo: Path, style: Path) -> None:
    exif = Image.Exif()
    exif[0x8769] = {0xA430: "x" * 70_000}
    with Image.open(photo) as image:
        image.save("big.png", exif=exif)
    ran = cli("adain", "big.png", style, "-o", "out.jpg", "--size", 32, "-q")
    assert ran.status == 0
    assert read_metadata("out.jpg")
    ran = cli("adain", "big.png", style, "-o", "again.jpg", "--size", 32)
    assert "larger than the 64 kB that JPEG holds" in ran.err


@pytest.mark.parametrize("json_too", [False, True])
def test_a_file_that_appears_while_painting(
    cli: Cli, photo: Path, style: Path, monkeypatch: pytest.MonkeyPatch, json_too: bool
) -> None:
    run = AdainPainter.run

    def another_writes(self: AdainPainter, *inputs: object) -> object:
        Path("out.png").write_bytes(b"another's")
        Path("out-2.png").write_bytes(b"another's")
        return run(self, *inputs)

    monkeypatch.setattr(AdainPainter, "run", another_writes)
    ran = cli("adain", photo, style, "-o", "out.png", "--size", 32, *(["--json"] if json_too else []))
    assert ran.status == 1
    assert "out.png exists already" in ran.err
    assert "the picture is out-3.png" in ran.err
    assert Path("out.png").read_bytes() == b"another's"
    assert read_metadata("out-3.png")
    if json_too:
        assert json.loads(ran.out)["output"] == "out-3.png"


def test_a_folder_that_refuses_the_picture(
    cli: Cli, photo: Path, style: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "room").mkdir()
    real = write.write_atomically

    def full(path: Path, data: bytes, *, overwrite: bool) -> None:
        if path.parent.name == "full" or path.suffix == ".jpg":
            raise OutputError(f"{path} cannot be written (No space left on device); make room")
        real(path, data, overwrite=overwrite)

    monkeypatch.setattr(write, "write_atomically", full)
    monkeypatch.chdir(tmp_path / "room")
    ran = cli("adain", photo, style, "-o", tmp_path / "full" / "out.jpg", "--size", 32)
    assert ran.status == 1
    assert "the picture is out-2.png" in ran.err
    assert read_metadata("out-2.png")


def test_a_replaced_file_keeps_its_mode_and_its_link(cli: Cli, photo: Path, style: Path) -> None:
    target = Path("target.png")
    target.write_bytes(b"old")
    target.chmod(0o600)
    Path("link.png").symlink_to(target)
    assert cli("adain", photo, style, "-o", "link.png", "--size", 32, "--overwrite").status == 0
    assert Path("link.png").is_symlink()
    assert read_metadata(target)
    if os.name != "nt":
        assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_a_net_that_is_replaced_keeps_its_mode_and_its_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    target = Path("target.safetensors")
    target.write_bytes(b"old")
    target.chmod(0o600)
    Path("link.safetensors").symlink_to(target)
    container.save("link.safetensors", {"x": torch.ones(2)}, {"kind": "test"}, half=False, overwrite=True)
    assert Path("link.safetensors").is_symlink()
    assert container.load(target)[1] == {"kind": "test"}
    if os.name != "nt":
        assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_a_link_to_nowhere(cli: Cli, photo: Path, style: Path) -> None:
    Path("link.png").symlink_to(Path("missing") / "x.png")
    cli("adain", photo, style, "-o", "link.png", "--size", 32).refused(2, "link.png is a link", "does not exist")
    Path("new.png").symlink_to("made.png")
    assert cli("adain", photo, style, "-o", "new.png", "--size", 32).status == 0
    assert read_metadata("made.png")


@pytest.mark.parametrize("flags", [["--loss-log", "l.jsonl"], ["--snapshot-every", 1], ["--loss-plot", "p.png"]])
def test_a_record_that_cannot_be_written_costs_no_painting(
    cli: Cli, photo: Path, style: Path, monkeypatch: pytest.MonkeyPatch, flags: list[object]
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OutputError("it cannot be written (No space left on device); make room")

    monkeypatch.setattr(records, "write", full)
    monkeypatch.setattr(records, "write_atomically", full)
    monkeypatch.setattr(records.LossLog, "step", full)
    ran = cli("gatys", photo, style, *GATYS, "-o", "q.png", "-q", *flags)
    assert ran.status == 0
    ran = cli("gatys", photo, style, *GATYS, "-o", "r.png", *flags)
    assert ran.status == 0
    assert ran.err.count("No space left") == 1
    assert "painting goes on without it" in ran.err
    assert read_metadata("q.png")


def test_a_state_that_cannot_be_written_costs_no_painting(
    cli: Cli, photo: Path, style: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OutputError("cannot write s.safetensors: No space left on device")

    monkeypatch.setattr(container, "save", full)
    ran = cli("gatys", photo, style, *GATYS, "-o", "q.png", "--state", "s.safetensors")
    assert ran.status == 0
    assert ran.err.count("No space left") == 1
    assert "no state to resume from" in ran.err
    assert read_metadata("q.png")


@pytest.mark.parametrize("target", ["x.png/", "sub/x.png/"])
def test_a_folder_is_no_output(cli: Cli, photo: Path, style: Path, target: str) -> None:
    cli("adain", photo, style, "-o", target).refused(2, "is the name of a folder", "painting.png")


def test_a_photo_whose_size_only_decoding_tells(cli: Cli, photo: Path, style: Path) -> None:
    with Image.open(photo) as image:
        Path("photo.qoi").write_bytes(imagecodecs.qoi_encode(np.asarray(image.convert("RGB"))))
    flags = ("-o", "out.jpg", "--size", "none")
    assert cli("adain", "photo.qoi", style, *flags).status == 0
    cli("adain", "photo.qoi", style, *flags).refused(2, "out.jpg exists already")
    cli("show", "photo.qoi").refused(2, "recipe")


@pytest.mark.parametrize("ending", [".jfif", ".jpe"])
def test_other_names_of_jpeg_are_written(cli: Cli, photo: Path, style: Path, ending: str) -> None:
    assert cli("adain", photo, style, "-o", f"out{ending}", "--size", 32).status == 0
    with Image.open(f"out{ending}") as image:
        assert image.format == "JPEG"


@pytest.mark.parametrize("where", ["photo", "style", "output"])
def test_home_is_expanded(
    cli: Cli, photo: Path, style: Path, where: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    named = {"photo": photo, "style": style, "output": tmp_path / "out.png"}
    given = {name: f"~/{path.relative_to(tmp_path)}" if name == where else path for name, path in named.items()}
    assert cli("adain", given["photo"], given["style"], "-o", given["output"], "--size", 32).status == 0
    assert read_metadata(tmp_path / "out.png")


@pytest.mark.parametrize(
    "address", ["https://example.org/a.jpg", "http://example.org/a.jpg", "FTP://example.org/a.jpg"]
)
@pytest.mark.parametrize("place", ["photo", "style"])
def test_an_address_is_no_file(cli: Cli, photo: Path, style: Path, address: str, place: str) -> None:
    pictures = [address, style] if place == "photo" else [photo, address]
    cli("adain", *pictures, "-o", "out.png").refused(2, "address on the web", "nothing is downloaded")


@pytest.mark.parametrize("place", ["photo", "style"])
def test_an_empty_name(cli: Cli, photo: Path, style: Path, place: str) -> None:
    pictures = ["", style] if place == "photo" else [photo, ""]
    cli("adain", *pictures, "-o", "out.png").refused(2, "empty", "expected a path")
