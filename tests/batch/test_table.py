"""Tables of photos, styles and settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from impasto.batch.table import Row, read_table
from impasto.errors import RequestError


@pytest.fixture(autouse=True)
def _here(photos: Path) -> None:
    """In the folder of the photos' folder."""


def table(text: str) -> Path:
    path = Path("photos/table.csv")
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_rows(mark: str) -> None:
    path = table("photo,style,style-scale\none.jpg,../a.png:0.5,2\n\nsub/three.jpg,,\n".replace(",", mark))
    rows, problems = read_table(path, ["style_scale"])
    assert rows == [
        Row(2, "photos/one.jpg", "photos/../a.png:0.5", (("style_scale", "2"),)),
        Row(4, "photos/sub/three.jpg", None, ()),
    ]
    assert not problems


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("photo,stile\none.jpg,a\n", "column 'stile', which is unknown; did you mean style"),
        ("photo,,\none.jpg,a\n", "(without a name)"),
        ("photo,photo\none.jpg,a\n", "'photo' twice"),
        ("style,seed\na.png,1\n", "no column photo"),
        ("photo,style\n", "no photos"),
        ("", "is empty"),
        ('photo,style\n"one.jpg,a\n', "cannot be read"),
    ],
)
def test_wrong_tables_are_refused(text: str, words: str) -> None:
    with pytest.raises(RequestError) as caught:
        read_table(table(text), ["seed"])
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("line", "words"),
    [("gone.jpg,", "there is no file"), (",a.png", "names no photo"), ("one.jpg,a.png,1,2", "4 cells for 3 columns")],
)
def test_a_broken_row_is_named(line: str, words: str) -> None:
    good = "one.jpg,\n"
    rows, problems = read_table(table("photo,style,seed\n" + good * 15 + line + "\n" + good), ["seed"])
    assert len(rows) == 16
    assert [each.name for each in problems] == ["photos/table.csv, line 17"]
    assert "line 17" in problems[0].message
    assert words in problems[0].message
