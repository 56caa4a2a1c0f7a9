"""Styles as text, where files have odd names."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from impasto.images import source
from impasto.recipe import PICTURES, Style
from impasto.session.inputs import parse_style


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def make(*names: str) -> None:
    for name in names:
        Path(name).write_bytes(b"x")


ODD = ["style:2", "a.jpg@b.jpg", "star.jpg:0.5", " star.jpg", "star.jpg ", "a@b:3.jpg", "me@home", "50%:1@alpha"]


@pytest.mark.parametrize("name", ODD)
def test_a_file_of_the_whole_name_wins(name: str) -> None:
    make(name, "star.jpg", "a.jpg", "b.jpg", "style")
    assert parse_style(name) == Style(path=name)
    assert parse_style(f"{name}:0.25") == Style(path=name, weight=0.25)
    assert parse_style(f"{name}@sky.png") == Style(path=name, mask="sky.png")
    assert parse_style(f"{name}:3@alpha") == Style(path=name, weight=3, mask="alpha")


def test_without_such_a_file_the_parts_are_what_they_seem() -> None:
    make("star.jpg", "a.jpg", "odd mask")
    assert parse_style("star.jpg:0.5") == Style(path="star.jpg", weight=0.5)
    assert parse_style("a.jpg@b.jpg") == Style(path="a.jpg", mask="b.jpg")
    assert parse_style(" star.jpg ") == Style(path="star.jpg")
    assert parse_style("a.jpg@odd mask") == Style(path="a.jpg", mask="odd mask")
    assert parse_style("-:0.5@sky.png") == Style(path="-", weight=0.5, mask="sky.png")
    assert parse_style("x" * 5000) == Style(path="x" * 5000)


@pytest.mark.parametrize("suffix", sorted(PICTURES))
def test_a_mask_may_have_any_format_that_is_read(suffix: str) -> None:
    for text in (f"star{suffix}@sky{suffix}", f"star{suffix.upper()}@sky{suffix.upper()}"):
        path, mask = text.split("@")
        assert parse_style(text) == Style(path=path, mask=mask)


def test_every_format_that_is_read_is_known_by_its_extensions() -> None:
    read = {suffix for suffix, form in Image.registered_extensions().items() if form in source.FORMATS}
    assert read - PICTURES == set()
