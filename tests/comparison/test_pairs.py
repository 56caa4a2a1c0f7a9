"""Tables of pairs."""

import pytest

from impasto.comparison.pairs import read_pairs, unique
from impasto.errors import RequestError


@pytest.fixture
def folder(tmp_path):
    for name in ("a.jpg", "b.jpg", "photos/c.jpg", "paintings/d.jpg", "paintings/c.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    "text",
    [
        "photo,style\na.jpg,b.jpg\nc.jpg,d.jpg\n",
        "a.jpg,b.jpg\nphotos/c.jpg, paintings/d.jpg\n",
        '\ufeffStyle,note,Photo\nb.jpg,"one, two",a.jpg\n\nd.jpg,,c.jpg\n',
        "photo,painting\r\na.jpg,b.jpg\r\nc.jpg,d.jpg\r\n",
    ],
)
def test_names_are_found(folder, text):
    (folder / "pairs.csv").write_text(text, encoding="utf-8", newline="")
    expected = [("a.jpg", "b.jpg"), ("photos/c.jpg", "paintings/d.jpg")]
    assert read_pairs(folder / "pairs.csv") == [(str(folder / one), str(folder / other)) for one, other in expected]


def test_a_name_is_looked_for_in_the_folder_of_its_kind(folder):
    (folder / "pairs.csv").write_text("c.jpg,c.jpg\n")
    assert read_pairs(folder / "pairs.csv") == [(str(folder / "photos/c.jpg"), str(folder / "paintings/c.jpg"))]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["columns photo and style"]),
        ("photo,style\n", ["columns photo and style"]),
        ("a.jpg\n", ["columns photo and style"]),
        ("one,two,three\n", ["columns photo and style"]),
        ("photo,style\na.jpg,\n", ["line 2", "'a.jpg,' is no pair"]),
        ("a.jpg,b.jpg\na.jpg,bb.jpg\n", ["line 2", "no file bb.jpg", "paintings", "did you mean b.jpg"]),
        ("a.jpg,b.jpg\na.jpg,b.jpg\n", ["line 2", "each once"]),
    ],
)
def test_what_is_refused(folder, text, words):
    (folder / "pairs.csv").write_text(text)
    with pytest.raises(RequestError) as caught:
        read_pairs(folder / "pairs.csv")
    assert all(word in str(caught.value) for word in words), caught.value


def test_a_missing_table(tmp_path):
    with pytest.raises(RequestError, match=r"none\.csv cannot be read"):
        read_pairs(tmp_path / "none.csv")


def test_names_of_files_are_told_apart():
    assert unique(["a", "b", "a", "a", "a-2"]) == ["a", "b", "a-2", "a-3", "a-2-2"]
