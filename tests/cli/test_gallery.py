"""``impasto johnson``: its gallery, listed, drawn and painted with."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from impasto.methods.johnson.gallery import gallery

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
