"""``impasto johnson``: its gallery, listed, drawn and painted with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from impasto.methods.johnson.gallery import gallery
from impasto.recipe import Recipe
from impasto.session.session import Session
from impasto.session.work import Work
from impasto.weights.shipped import locate_net

from .conftest import Cli


def test_the_styles_that_ship_are_listed_with_their_pictures(cli: Cli) -> None:
    ran = cli("johnson", "--list", "--json")
    assert ran.status == 0, ran.err
    assert ran.json.keys() == gallery().keys()
    assert {"starry-night", "great-wave", "the-scream", "composition-viii"} <= ran.json.keys()
    assert len(ran.json) >= 12
    for name, style in ran.json.items():
        assert style["title"] and style["artist"] and style["year"] and len(style["sha256"]) == 64, name
        assert style["validation"]["loss"] > 0
    shown = cli("johnson", "--list").out
    assert "The Great Wave off Kanagawa" in shown and "Katsushika Hokusai" in shown


def test_the_styles_of_a_network_are_listed(cli: Cli, tmp_path: Path) -> None:
    every = cli("johnson", "--list", "--net", "gallery", "--json").json
    assert set(every) < set(gallery()) and len(every) > 5
    assert set(cli("johnson", "--list", "--net", "great-wave", "--json").json) == {"great-wave"}
    file = tmp_path / "mine.safetensors"
    file.write_bytes(locate_net("gallery").read_bytes())
    of_file = cli("johnson", "--list", "--net", file, "--json").json
    assert set(of_file) == {f"{file}#{name}" for name in every}
    one, *_ = of_file
    assert set(cli("johnson", "--list", "--net", one, "--json").json) == {one}
    assert cli("johnson", "--list", "--net", file, "--net", "great-wave", "--json").json.keys() == {
        *of_file,
        "great-wave",
    }
    cli("johnson", "--list", "--net", "great-wve").refused(2, "did you mean great-wave")
    cli("johnson", "--list", "--net", "adain").refused(2, "adain")


def test_a_sheet_shows_a_photograph_in_every_style(cli: Cli, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from impasto.methods.johnson import gallery as room

    two = {name: gallery()[name] for name in ("great-wave", "the-scream")}
    monkeypatch.setattr(room, "gallery", lambda: two)
    ran = cli("johnson", photo, "--sheet", "sheet.png")
    assert ran.status == 0, ran.err
    with Image.open("sheet.png") as sheet:
        assert sheet.width > 3 * 320
    cli("johnson", photo, "--sheet", "sheet.png").refused(2, "--overwrite")
    assert cli("johnson", photo, "--sheet", "sheet.png", "--overwrite").status == 0
    assert not Path("photo.starry-night.png").exists(), "nothing is painted"


@pytest.fixture
def two_styles(monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """A gallery of two styles."""
    from impasto.methods.johnson import gallery as room

    names = ("great-wave", "the-scream")
    two = {name: gallery()[name] for name in names}
    monkeypatch.setattr(room, "gallery", lambda: two)
    return names


def test_the_size_of_a_sheet_is_that_of_each_picture(
    cli: Cli, photo: Path, two_styles: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    painted: list[tuple[int | None, float]] = []
    real = Session.paint

    def paint(self: Session, recipe: Recipe, *more: Any, **others: Any) -> Work:
        painted.append((recipe.size, recipe.strength))
        return real(self, recipe, *more, **others)

    monkeypatch.setattr(Session, "paint", paint)
    ran = cli("johnson", photo, "--sheet", "sheet.webp", "--size", 64, "--strength", 0.5, "--json")
    assert ran.status == 0, ran.err
    assert painted == [(64, 0.5)] * 2
    assert ran.json["output"] == "sheet.webp" and ran.json["styles"] == list(two_styles)
    with Image.open("sheet.webp") as sheet:
        assert sheet.size == tuple(ran.json["size"])
        assert 3 * 64 < sheet.width < 3 * 64 + 60


def test_a_sheet_alone_lists_nothing(cli: Cli, photo: Path, two_styles: tuple[str, str]) -> None:
    ran = cli("johnson", photo, "--sheet", "sheet.png", "--size", 48)
    assert ran.out.startswith("sheet.png  ") and "2 styles" in ran.out
    assert two_styles[0] not in ran.out
    ran = cli("johnson", photo, "--list", "--sheet", "both.png", "--size", 48)
    assert "both.png" in ran.err and two_styles[0] in ran.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--sheet", "sheet.gif"), ("sheet.gif has the extension .gif", "expected one of .png", "write sheet.png")),
        (("--sheet", "sheet"), ("no extension", "write sheet.png")),
        (("--sheet", "nowhere/sheet.png"), ("nowhere", "mkdir")),
        (("--sheet", "sheet.png", "--size", 8), ("size", "16")),
        (("--sheet", "sheet.png", "--size", 8000), ("size is 8000", "4096")),
        (("--sheet", "sheet.webp", "--size", 4000), ("16383", "make --size smaller")),
        (("--sheet", "sheet.png", "--net", "great-wave"), ("--net", "every style")),
        (("--sheet", "sheet.png", "-o", "out.png"), ("-o out.png", "expected one")),
        (("--list", "--sheet", "-"), ("--list", "standard output")),
        (("--sheet", "sheet.png", "--loss-log", "log"), ("--loss-log", "expected one")),
    ],
)
def test_a_sheet_that_cannot_be_is_refused(
    cli: Cli, photo: Path, arguments: tuple[object, ...], words: tuple[str, ...]
) -> None:
    cli("johnson", photo, *arguments).refused(2, *words)
    assert not list(Path.cwd().iterdir())


def test_a_sheet_never_replaces_its_photo(cli: Cli, photo: Path) -> None:
    before = photo.read_bytes()
    cli("johnson", photo, "--sheet", photo, "--overwrite").refused(2, "painted from")
    assert photo.read_bytes() == before


def test_styles_blend(cli: Cli, photo: Path) -> None:
    ran = cli("johnson", photo, "--net", "great-wave:0.7", "--net", "the-scream:0.3", "--size", 64)
    assert ran.status == 0, ran.err
    with Image.open("photo.great-wave+the-scream.png") as image:
        assert max(image.size) == 64


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--net", "great-wav"), ("did you mean great-wave",)),
        (("--net", "great-wave:0"), ("sum to 0",)),
        (("--net", "great-wave:-1"), ("greater than or equal to 0",)),
        (("--net", "adain.safetensors"), ("adain.safetensors",)),
        (("--strength", 2), ("strength",)),
        (("style.png",), ("style.png",)),
    ],
)
def test_bad_requests_are_answered_in_one_line(
    cli: Cli, photo: Path, arguments: tuple[object, ...], words: tuple[str, ...]
) -> None:
    cli("johnson", photo, *arguments, "-o", "out.png").refused(2, *words)
    assert not Path("out.png").exists()


def test_a_photo_is_needed(cli: Cli) -> None:
    cli("johnson").refused(2, "no photo", "--list")
