"""Figures in the docs: they are what the results say, and what is wrong in a page is found."""

import re

import pytest
from pydantic import ValidationError

from benchmarks import figures, tables
from benchmarks.figures import FIGURES, Figure, pages, rewrite, update
from benchmarks.shapes import RESULTS, SHAPES, Ladder, read

NUMBERS = {"numbers": Figure("numbers.json", lambda: "| a |\n|---|\n| 1 |")}

MADE = """# A page

<!-- figures: numbers -->
| a |
|---|
| 1 |
<!-- end figures -->

More.
"""


def test_docs_show_what_the_results_say():
    assert update(pages(), FIGURES, check=True) == []


def test_every_figure_is_shown_and_every_name_is_known():
    shown = [name for page in pages() for name in re.findall(r"<!-- figures: (.*?) -->", page.read_text())]
    assert sorted(shown) == sorted(FIGURES)


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*.json")), ids=lambda path: path.stem)
def test_results_have_their_shape(path):
    read(path, SHAPES[path.stem])


def test_a_shape_refuses_other_keys_and_types(tmp_path):
    written = tmp_path / "ladder.json"
    text = (RESULTS / "ladder.json").read_text()
    for changed in (text.replace('"seconds"', '"secnds"', 1), text.replace('"quick"', "1", 1)):
        written.write_text(changed)
        with pytest.raises(ValidationError):
            read(written, Ladder)


def test_a_page_made_once_stays():
    empty = "# A page\n\n<!-- figures: numbers -->\n<!-- end figures -->\n\nMore.\n"
    page = rewrite(empty, NUMBERS)
    assert page == (MADE, ["numbers"], [])
    assert rewrite(page.text, NUMBERS) == (MADE, [], [])
    assert rewrite("no regions", NUMBERS) == ("no regions", [], [])


def test_a_changed_figure_is_found_and_repaired(tmp_path, capsys):
    path = tmp_path / "page.md"
    path.write_text(MADE.replace("| 1 |", "| 2 |"))
    (wrong,) = update([path], NUMBERS, check=True)
    assert wrong == f"{path}: numbers differs from numbers.json; make figures"
    assert "| 2 |" in path.read_text(), "checking writes nothing"
    assert update([path], NUMBERS, check=False) == []
    assert path.read_text() == MADE
    assert capsys.readouterr().out == f"{path}: numbers\n"
    assert update([path], NUMBERS, check=True) == []


@pytest.mark.parametrize(
    ("before", "after", "error"),
    [
        ("figures: numbers", "figures: numbrs", "line 3: no figures are called 'numbrs'; known: numbers"),
        ("<!-- end figures -->\n", "", "line 3: figures 'numbers' are not closed; expected <!-- end figures -->"),
        ("<!-- end figures -->", "<!-- figures: numbers -->", "line 3: figures 'numbers' are not closed"),
        ("<!-- figures: numbers -->\n", "", "line 6: <!-- end figures --> closes nothing"),
    ],
)
@pytest.mark.parametrize("check", [True, False])
def test_a_page_with_wrong_comments_is_left_alone(before, after, error, check, tmp_path):
    path = tmp_path / "page.md"
    written = MADE.replace(before, after).replace("| 1 |", "| 2 |")
    path.write_text(written)
    wrong = update([path], NUMBERS, check=check)
    assert wrong and wrong[0].startswith(f"{path}: {error}")
    assert path.read_text() == written


def test_the_command_line(tmp_path, monkeypatch, capsys):
    path = tmp_path / "page.md"
    path.write_text("<!-- figures: gatys -->\n<!-- end figures -->\n")
    monkeypatch.setattr("sys.argv", ["figures", "--check", str(path)])
    with pytest.raises(SystemExit) as ended:
        figures.main()
    assert ended.value.code == 1
    assert "gatys differs from benchmarks/results/gatys.json" in capsys.readouterr().err
    monkeypatch.setattr("sys.argv", ["figures", str(path)])
    figures.main()
    monkeypatch.setattr("sys.argv", ["figures", "--check", str(path)])
    figures.main()


def test_what_a_table_says_where_something_is_missing():
    recipe = {"crop": 64, "batch": 2}
    metadata = {"kind": "johnson", "network": {"styles": ["a"]}, "steps": 3, "validation": {"loss": 0.5, "a": 0.5}}
    credits = [{"name": "a", "artist": "A", "title": "B", "year": "1900"}]
    files = {
        "first": tables.Net({**metadata, "recipe": recipe}, 10**6),
        "next": tables.Net({**metadata, "recipe": {**recipe, "parent": {"name": "first.safetensors"}}}, 10**6),
        "known": tables.Net({**metadata, "recipe": recipe, "credits": credits}, 10**6),
    }
    first, following, _ = tables.nets(files).splitlines()[2:]
    assert first == "| `first` | johnson | `a` | 3 | 64 px | 2 | 1.0 MB | loss 0.500 | — |"
    assert following.endswith("| `first` |")
    worth = read(RESULTS / "worth.json", SHAPES["worth"])
    assert tables.styles(files, worth).splitlines()[2:] == ["| `known` | A, B, 1900 | `known` | 0.500 | — |"]
    large = read(RESULTS / "large.json", SHAPES["large"])
    large["methods"]["swap"] = {"512": {"failed": "MemoryError"}}
    assert "| `swap` | — | — | — | — |" in tables.peaks(large)
