"""Photos are found wherever they are named."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

from impasto.batch.inputs import Photo, find_photos
from impasto.errors import RequestError

OUT = Path("out")


@pytest.fixture(autouse=True)
def _tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("in/b.jpg", "in/a.PNG", "in/notes.txt", "in/.hidden.jpg", "in/._a.png", "in/x/y/c.webp", "lone.jpg"):
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def found(*inputs: str, out: Path = OUT) -> list[tuple[str, str]]:
    return [(photo.path, photo.folder) for photo in find_photos(inputs, out).photos]


def test_folders_keep_their_sub_folders_and_leave_out_what_is_hidden_or_no_picture() -> None:
    assert found("in") == [("in/a.PNG", ""), ("in/b.jpg", ""), ("in/x/y/c.webp", "x/y")]


def test_files_and_patterns() -> None:
    assert found("lone.jpg", "in/b.jpg") == [("lone.jpg", ""), ("in/b.jpg", "")]
    assert found("in/**/*.*") == [("in/a.PNG", ""), ("in/b.jpg", ""), ("in/x/y/c.webp", "x/y")]
    assert found("in/x/*/*.webp") == [("in/x/y/c.webp", "y")]
    assert found("in", "in/b.jpg", "./in/b.jpg")[1:] == [("in/b.jpg", ""), ("in/x/y/c.webp", "x/y")]


@pytest.mark.parametrize("separator", ["\n", "\r\n", "\0"])
def test_lists(separator: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = separator.join(["in/b.jpg", "", "./lone.jpg", str(Path("in/a.PNG").absolute())]).encode()
    wanted = [("in/b.jpg", "in"), ("./lone.jpg", ""), (str(Path("in/a.PNG").absolute()), "")]
    Path("list.txt").write_bytes(data)
    assert found("@list.txt") == wanted
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert found("-") == wanted


@pytest.mark.parametrize("name", ["नमस्ते.jpg", "写真.png", "ف.jpg", "é e\u0301.jpg", "a\nb.jpg", "-o.jpg", "[x]*.jpg"])
def test_names_in_every_script(name: str) -> None:
    Path("in", name).touch()
    assert (str(Path("in", name)), "") in found("in")
    assert found(str(Path("in", name))) == [(str(Path("in", name)), "")]


@pytest.mark.skipif(sys.platform != "linux", reason="names are Unicode elsewhere")
def test_names_that_are_not_unicode() -> None:
    Path(os.fsdecode(b"in/\xff.jpg")).touch()
    assert (os.fsdecode(b"in/\xff.jpg"), "") in found("in")


def test_links_that_lead_back_are_not_followed() -> None:
    Path("in/x/loop").symlink_to(Path("in").absolute())
    Path("in/self").symlink_to("self")
    Path("in/twin").symlink_to("x", target_is_directory=True)
    here = find_photos(["in"], OUT)
    assert [photo.folder for photo in here.photos if photo.path.endswith("webp")] == ["twin/y", "x/y"]
    assert any("leads back" in note for note in here.notes)


def test_the_output_is_left_out_where_it_is_inside() -> None:
    for name in ("in/out/p.jpg", "in/out/deep/p.jpg"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    here = find_photos(["in"], Path("in/out"))
    assert not any("out" in photo.path for photo in here.photos)
    assert any("is left out" in note for note in here.notes)
    assert not any("out" in path for path, _ in found("in/**/*.jpg", out=Path("in/out")))
    assert Photo("in/out/p.jpg", "out") in find_photos(["in"], Path("in")).photos  # the plan decides


@pytest.mark.parametrize(
    ("name", "words"),
    [("in/bb.jpg", "did you mean b.jpg"), ("nowhere/*.jpg", "no photo matches"), ("nowhere", "no file or folder")],
)
def test_what_is_not_there_is_a_problem(name: str, words: str) -> None:
    here = find_photos([name, "lone.jpg"], OUT)
    assert [photo.path for photo in here.photos] == ["lone.jpg"]
    assert words in here.problems[0].message


def test_lists_that_name_nothing() -> None:
    with pytest.raises(RequestError, match=r"list missing\.txt cannot be read"):
        find_photos(["@missing.txt"], OUT)
    Path("list.txt").write_text("in/b.jpg\nin/gone.jpg\nin\n")
    here = find_photos(["@list.txt"], OUT)
    assert len(here.photos) == 1
    assert [each.message for each in here.problems] == [
        "list.txt, line 2: in/gone.jpg is not there; did you mean b.jpg?",
        "list.txt, line 3: in is a folder; expected a photo",
    ]
