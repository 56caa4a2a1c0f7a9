"""Names of paintings stay inside the output folder."""

from __future__ import annotations

import pytest

import impasto
from impasto.batch.inputs import Photo
from impasto.batch.names import Pattern
from impasto.batch.ways import Way
from impasto.errors import RequestError


def name(
    pattern: str, photo: str = "in/photo.jpg", folder: str = "", style: str = "s", form: str | None = None
) -> str:
    way = Way(impasto.make_recipe("adain", [impasto.Style(path="x.png")]), style)
    return Pattern(pattern, form).name(Photo(photo, folder), way)


@pytest.mark.parametrize(
    ("made", "wanted"),
    [
        (name("{photo}.{style}.{ext}"), "photo.s.jpg"),
        (name("{photo}.{style}.{ext}", folder="x/y"), "x/y/photo.s.jpg"),
        (name("{style}/{photo}.{ext}", form="PNG"), "s/photo.png"),
        (name("{photo}.{ext}", "in/photo.heic"), "photo.png"),
        (name("{name}-{method}.webp"), "photo.jpg-adain.webp"),
        (name("{folder}-{photo}.{ext}", "/a/b/c.png"), "b-c.png"),
        (name("{{{photo}}}.{ext}"), "{photo}.jpg"),
        (name("{photo}.{style}.{ext}", style="../../etc/x"), "photo..._.._etc_x.jpg"),
        (name("{photo}.{style}.{ext}", "写真.jpg", style="é"), "写真.é.jpg"),
        (name("{photo}.{ext}", "a{style}b.jpg"), "a{style}b.jpg"),
    ],
)
def test_patterns(made: str, wanted: str) -> None:
    assert made == wanted


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("../{photo}.{ext}", "leads out"),
        ("a/../../{photo}.{ext}", "leads out"),
        ("/tmp/{photo}.{ext}", "leads out"),
        ("{foto}.{ext}", "did you mean photo"),
        ("{photo.__class__}.{ext}", "unknown"),
        ("{photo[0]}.{ext}", "unknown"),
        ("{0}.{ext}", "unknown"),
        ("{photo!r}.{ext}", "takes nothing"),
        ("{photo:>99}.{ext}", "takes nothing"),
        ("{photo", "expected"),
        ("{photo}", "does not end"),
        ("{name}", "does not end"),
        ("{photo}{ext}", "no dot"),
        ("{photo}.txt", "does not end"),
        ("", "names no file"),
        ("{photo}/", "names no file"),
    ],
)
def test_wrong_patterns_are_refused(pattern: str, words: str) -> None:
    with pytest.raises(RequestError, match=r"--pattern") as caught:
        Pattern(pattern)
    assert words in str(caught.value)


@pytest.mark.parametrize(("pattern", "style"), [("{style}/{photo}.{ext}", ".."), ("{style}/../{photo}.{ext}", "x")])
def test_values_lead_nowhere_else(pattern: str, style: str) -> None:
    with pytest.raises(RequestError, match="leads out"):
        name(pattern, style=style)


def test_formats() -> None:
    with pytest.raises(RequestError, match="did you mean jpeg"):
        Pattern(extension="jpegg")
    with pytest.raises(RequestError, match=r"ends in \.png, and the format jpg"):
        Pattern("{photo}.png", "jpg")


@pytest.mark.parametrize("letter", ["x", "é", "写"])
def test_long_names_are_cut(letter: str) -> None:
    made = name("{photo}.{style}.{ext}", f"{letter * 200}.jpg", style=letter * 200)
    assert len(made.encode()) <= 240
    assert made.endswith(".jpg")
    assert made.count(".") == 2
