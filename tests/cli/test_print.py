"""Paintings for prints, by every command that paints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.ExifTags import Base

from impasto import memory
from impasto.images.metadata import read_metadata
from impasto.images.read import read, stated_size
from impasto.images.write import FORMATS

from .conftest import Cli, Ran

pytestmark = pytest.mark.usefixtures("tiny_shipped")

Inputs = Callable[[str], tuple[Any, ...]]
SMALL = ("--print", "9x4cm", "--dpi", 25.4)  # 90×40 pixels; the photo has 4:3
COMMANDS: dict[str, tuple[Any, ...]] = {
    "paint": ("--effort", "draft"),
    "adain": (),
    "swap": (),
    "johnson": (),
    "gatys": ("--steps", 2, "--min-size", "none"),
    "nnst": ("--steps", 1),
    "cascade": ("--rungs", "adain:40,swap"),
}


def done(ran: Ran) -> Ran:
    assert ran.status == 0, ran.err
    return ran


@pytest.fixture
def inputs(photo: Path, style: Path, tiny_nets: dict[str, Path]) -> Callable[[str], tuple[Any, ...]]:
    """The pictures that a command is called with."""
    return lambda command: (photo, "--net", tiny_nets["johnson"]) if command == "johnson" else (photo, style)


@pytest.mark.parametrize("crop", [False, True])
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command(cli: Cli, photo: Path, inputs: Inputs, command: str, crop: bool) -> None:
    more = (*COMMANDS[command], *SMALL, *(["--print-crop"] if crop else []), "--precision", "exact")
    done(cli(command, *inputs(command), "-o", "out.png", *more))
    back = read("out.png")
    assert back.size == ((90, 40) if crop else (53, 40))
    assert back.dpi == pytest.approx((25.4, 25.4), abs=0.02)
    kept = read_metadata("out.png")
    assert kept is not None
    assert (kept["recipe"]["print"], kept["recipe"]["dpi"], kept["recipe"]["print_crop"]) == ("9x4cm", 25.4, crop)
    assert "size" not in kept["recipe"]
    done(cli("replay", "out.png", "--inputs", photo.parent))
    assert Path("out.replay.png").read_bytes() == Path("out.png").read_bytes()


@pytest.mark.parametrize("command", COMMANDS)
def test_more_memory_than_there_is(cli: Cli, inputs: Inputs, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    cli(command, *inputs(command), *COMMANDS[command], "-o", "a.png", "--size", 32)  # what is loaded is in use
    monkeypatch.setattr(memory, "in_use", lambda _: 1_000_000_000)
    monkeypatch.setattr(memory, "available", lambda _: 100_000_000)
    more = ("--print", "40x30cm", "--dpi", 100, "-o", "b.png")
    ran = cli(command, *inputs(command), *COMMANDS[command], *more)
    ran.refused(
        2, "40x30cm takes 1575×1181 pixels at 100 dpi", "at most 1.08 GB may be used", "allow more with --memory"
    )
    assert not Path("b.png").exists()


@pytest.mark.parametrize("extension", sorted(FORMATS))
def test_the_resolution_is_in_every_format(cli: Cli, photo: Path, style: Path, extension: str) -> None:
    done(cli("adain", photo, style, "-o", f"out{extension}", "--print", "1x1in", "--dpi", 72))
    back = read(f"out{extension}")
    assert back.size == (72, 54) and back.dpi == pytest.approx((72, 72), rel=1e-3)
    assert "1x1in" in done(cli("show", f"out{extension}")).out


def test_the_print_that_is_meant_by_default(cli: Cli, photo: Path, style: Path) -> None:
    done(cli("adain", photo, style, "-o", "out.png", "--print", "5x5mm"))
    assert read("out.png").size == (59, 44) and read("out.png").dpi == pytest.approx((300, 300), rel=1e-3)
    done(cli("adain", photo, style, "-o", "sized.png", "--size", 32, "--dpi", 150))
    assert read("sized.png").size == (32, 24) and read("sized.png").dpi == pytest.approx((150, 150), rel=1e-3)


def test_another_photo_takes_the_same_print(cli: Cli, photo: Path, style: Path) -> None:
    done(cli("adain", photo, style, "-o", "out.png", *SMALL))
    Image.open(photo).rotate(90, expand=True).save("tall.png")
    found = ("--inputs", style.parent)
    done(cli("replay", "out.png", "--photo", "tall.png", "-o", "tall-out.png", *found))
    assert read("tall-out.png").size == (30, 40)
    for flags, size in (
        (("--size", 32), (32, 24)),
        (("--size", "none"), (60, 45)),
        (("--print", "none", "--size", 40), (40, 30)),
        (("--print", "3x3cm"), (30, 22)),
        (("--dpi", 50.8), (107, 80)),
        (("--print-crop",), (90, 40)),
    ):
        done(cli("replay", "out.png", *flags, "-o", "again.png", "--overwrite", *found, photo.parent))
        assert read("again.png").size == size, flags
    done(cli("replay", "again.png", "--size", 32, "-o", "sized.png", *found, photo.parent))
    assert read("sized.png").size == (32, 24)


def test_the_centre_with_masks_and_transparency(cli: Cli, photo: Path, style: Path) -> None:
    values = np.asarray(Image.open(photo).convert("RGBA")).copy()
    values[:, :30, 3] = 0
    Image.fromarray(values).save("half.png")
    mask = np.zeros((45, 60), np.uint8)
    mask[:, 30:] = 255
    Image.fromarray(mask).save("mask.png")
    done(
        cli(
            "adain", "half.png", f"{style}@mask.png", "-o", "a.png", "--print", "3x6cm", "--dpi", 25.4, "--print-crop"
        )
    )
    back = read("a.png")
    assert back.size == (30, 60) and back.alpha is not None
    assert back.alpha[..., :13].max() == 0 and back.alpha[..., 17:].min() == 1
    done(cli("replay", "a.png", "--inputs", ".", style.parent, "--strength", 0, "-o", "photo.png"))
    shown = read("photo.png").pixels
    assert float((shown - back.pixels)[..., :10].abs().max()) < 0.01  # outside of the mask the photo shows
    assert float((shown - back.pixels)[..., 20:].abs().max()) > 0.05


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--print", "0x0cm"), ("print", "a side is 0", "60x40cm")),
        (("--print", "60x40"), ("print", "no unit", "60x40cm")),
        (("--print", "60x40cm", "--dpi", 0), ("dpi", "10")),
        (("--print", "60x40cm", "--dpi", "nan"), ("dpi",)),
        (("--print", "60x40cm", "--size", 512), ("size", "print", "expected one")),
        (("--print", "3x2m"), ("400 megapixels", "--dpi", "--print")),
        (("--print", "200x1cm", "--print-crop", "-o", "a.webp"), (".webp", "--dpi 208", "write a.png")),
        (("--print", "1x1mm"), ("at least 16",)),
        (("--print-crop",), ("print_crop", "--print 60x40cm")),
        (("--print", "60x40cm", "--memory", "600MB"), ("may be used", "--memory")),
    ],
)
def test_bad_requests(cli: Cli, photo: Path, style: Path, flags: tuple[Any, ...], words: tuple[str, ...]) -> None:
    flags = flags if "-o" in flags else (*flags, "-o", "a.png")
    cli("adain", photo, style, *flags).refused(2, *words)
    assert not list(Path().iterdir())


def test_a_sheet_is_no_print(cli: Cli, photo: Path) -> None:
    cli("johnson", photo, "--sheet", "a.png", "--print", "A4").refused(2, "--print is given with --sheet")


@pytest.mark.parametrize("extension", [".jpg", ".png", ".tif", ".webp", ".avif"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_the_size_of_a_photo_is_upright(tmp_path: Path, extension: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[Base.Orientation] = orientation
    path = tmp_path / f"a{extension}"
    Image.new("RGB", (20, 10)).save(path, exif=exif)
    assert stated_size(path) == read(path).size == ((20, 10) if orientation == 1 else (10, 20))
