"""`impasto batch` on the command line."""

from __future__ import annotations

import io
import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from PIL import Image

import impasto
from tests.cli import conftest as command_line
from tests.cli.conftest import Cli, Ran

from .conftest import files, picture

cli = command_line.cli
"""The fixture."""

pytestmark = pytest.mark.usefixtures("tiny_encoder")


@pytest.fixture
def run(cli: Cli, tiny_nets: dict[str, Path]) -> Cli:
    """Run `impasto batch` on a folder ``photos`` of three photos, with a tiny net."""
    for number, name in enumerate(("one.jpg", "two.png", "sub/three.jpg"), 1):
        picture(Path("photos") / name, number)
    for number, name in enumerate(("a.png", "b.png"), 11):
        picture(Path(name), number, (20, 26))

    def batch(*arguments: object) -> Ran:
        method = () if any(str(each).startswith(("--method", "--recipe")) for each in arguments) else METHOD
        net = ("--net", tiny_nets["adain"]) if method else ()
        return cli("batch", *arguments, *method, *net, "--device", "cpu", *(() if method == () else ("--size", 32)))

    return batch


METHOD = ("--method", "adain")
PLAIN = ("photos", "--style", "a.png", "-o", "out")


def test_a_folder(run: Cli) -> None:
    ran = run(*PLAIN)
    assert ran.status == 0, ran.err
    assert "3 paintings to make (3 photos, 1 style); about" in ran.out
    assert "3 painted; " in ran.out
    assert files() == {"one.a.jpg", "two.a.png", "sub/three.a.jpg"}
    ran = run(*PLAIN, "--style", "b.png")
    assert "3 paintings to make" in ran.out
    assert "3 painted already" in ran.out
    assert "3 painted; 3 painted before" in ran.out


def test_a_dry_run_paints_nothing(run: Cli) -> None:
    ran = run(*PLAIN, "--dry-run")
    assert ran.status == 0
    assert "photos/one.jpg -> out/one.a.jpg" in ran.out
    assert "multiply-adds" in ran.out
    assert not Path("out").exists()
    Path("photos/bad.jpg").write_bytes(b"no")
    ran = run(*PLAIN, "--dry-run", "--json")
    assert ran.status == 2
    assert sorted(json.loads(line)["status"] for line in ran.out.splitlines()) == ["failed", *["planned"] * 3]
    assert "bad.jpg" in ran.err


def test_json_is_a_line_a_picture(run: Cli) -> None:
    ran = run(*PLAIN, "--json")
    rows = [json.loads(line) for line in ran.out.splitlines()]
    assert [row["status"] for row in rows] == ["painted"] * 3
    assert rows[0]["photo"] == "photos/one.jpg"
    assert rows[0]["output"] == "out/one.a.jpg"
    assert rows[0]["size"] == [32, 24]


def test_errors_come_as_they_happen_and_in_a_table_at_the_end(run: Cli) -> None:
    data = picture(Path("photos/cut.png"), 5, (90, 80)).read_bytes()
    Path("photos/cut.png").write_bytes(data[: len(data) // 2])
    Path("photos/bad.jpg").write_bytes(b"no")
    refused = run(*PLAIN)
    assert refused.status == 2
    assert refused.err.count("\n") == 1
    assert not Path("out").exists()
    ran = run(*PLAIN, "--keep-going")
    assert ran.status == 1
    assert "2 failed" in ran.out
    assert "impasto: what could not be painted:" in ran.err
    assert ran.err.count("cut.png") >= 2
    assert len(files()) == 3


def test_lists_and_standard_input(run: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"photos/one.jpg\nphotos/sub/three.jpg\n")))
    assert run("-", "--style", "a.png", "-o", "out").status == 0
    assert files() == {"photos/one.a.jpg", "photos/sub/three.a.jpg"}


def test_tables(run: Cli) -> None:
    Path("t.csv").write_text("photo,style,alpha\nphotos/one.jpg,b.png,0.5\nphotos/two.png,,\n", "utf-8")
    assert run("--table", "t.csv", "--style", "a.png", "-o", "out").status == 0
    assert files() == {"one.b.jpg", "two.a.png"}
    Path("t.csv").write_text("photo,alfa\nphotos/one.jpg,1\n", "utf-8")
    run("--table", "t.csv", "--style", "a.png", "-o", "out").refused(2, "'alfa'", "did you mean alpha")


def test_settings_are_those_of_the_method(run: Cli, cli: Cli) -> None:
    assert "--alpha" in cli("batch", "--method", "adain", "--help-all").out
    assert "--effort" in cli("batch", "--help").out
    assert "--effort" not in cli("batch", "--method=swap", "--help").out
    cli("batch", *PLAIN, "--alpha", "1").refused(2, "--alpha")
    cli("batch", *PLAIN, "--method", "adian").refused(2, "adian", "did you mean adain")
    cli("batch", *PLAIN, "--style", "the-scream").refused(2, "--method johnson --style the-scream")


def test_recipes(run: Cli, cli: Cli) -> None:
    assert run(*PLAIN, "--alpha", "0.5").status == 0
    Path("look.toml").write_text(cli("show", "out/one.a.jpg").out, "utf-8")
    for source in ("look.toml", "out/one.a.jpg"):
        ran = run("photos", "--recipe", source, "-o", "out", "--quiet", "--json")
        if ran.status == 2:  # the net is not beside the recipe
            assert "is not there" in ran.err
    net = next(Path().absolute().parent.glob("adain-*.safetensors"))
    Path(net.name).write_bytes(net.read_bytes())
    for source in ("look.toml", "out/one.a.jpg"):
        ran = run("photos", "--recipe", source, "-o", "out")
        assert "3 painted already" in ran.out, ran.err
    ran = run("photos", "--recipe", "look.toml", "--style", "b.png", "--alpha", "0.25", "-o", "out", "--json", "-q")
    assert [json.loads(line)["status"] for line in ran.out.splitlines()] == ["painted"] * 3
    assert '"alpha": 0.25' in cli("show", "out/one.b.jpg", "--json").out
    run("photos", "--recipe", "look.toml", "--method", "swap", "-o", "out").refused(2, "recipe of adain", "swap")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("photos", "--style", "a.png"), "no folder for the paintings"),
        (("--style", "a.png", "-o", "out"), "no photos are given"),
        (("empty", "--style", "a.png", "-o", "out"), "no photos are found in empty"),
        (("photos", "-o", "out"), "no style is given"),
        (("photos", "--style", "gone.png", "-o", "out"), "there is no file gone.png"),
        (("photos", "--style", "a.png", "-o", "a.png"), "is a file; expected a folder"),
        (("photos", "--style", "a.png", "-o", "out", "--pattern", "../{photo}.{ext}"), "leads out"),
        (("photos", "--style", "a.png", "-o", "out", "--format", "gif"), "--format is 'gif'"),
        (("photos", "--style", "a.png", "-o", "out", "--report", "page.txt"), "ends in .html"),
        (("photos", "--style", "a.png", "-o", "out", "--sheet", "sheet.gif"), ".gif"),
        (("photos", "--style", "a.png", "-o", "out", "--address", "auto"), "--engine ray"),
        (("@gone.txt", "--style", "a.png", "-o", "out"), "list gone.txt cannot be read"),
        (("--table", "gone.csv", "--style", "a.png", "-o", "out"), "table gone.csv cannot be read"),
        (("--table", "t.csv", "--watch", "--style", "a.png", "-o", "out"), "--watch"),
    ],
)
def test_wrong_requests_are_refused_in_one_line(run: Cli, arguments: tuple[str, ...], words: str) -> None:
    Path("empty").mkdir()
    run(*arguments).refused(2, words)
    assert not Path("out").exists()


def test_prune_lists_paintings_without_photos(run: Cli) -> None:
    run(*PLAIN)
    run(*PLAIN[:1], "--style", "b.png", "-o", "out")
    Path("photos/one.jpg").unlink()
    picture(Path("out/other.png"))
    ran = run(*PLAIN, "--prune")
    assert ran.out.splitlines() == ["out/one.a.jpg", "out/one.b.jpg"]
    assert len(files()) == 7


class _Page(HTMLParser):
    """Notes the tags and links of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]


def test_a_sheet_and_a_page(run: Cli) -> None:
    names = ["<script>alert(1)<", '"onerror="x', "a&b #1?%41", "写真", "‮gpj"]
    for number, name in enumerate(names):
        picture(Path("photos") / f"{name}.jpg", number)
    Path("photos/<b>bad.jpg").write_bytes(b"no")
    Path("pages").mkdir()
    ran = run(*PLAIN, "--keep-going", "--sheet", "sheet.png", "--report", "pages/report.html")
    assert ran.status == 1
    with Image.open("sheet.png") as sheet:
        assert sheet.width > 256 * 3
    text = Path("pages/report.html").read_text("utf-8")
    page = _Page(text)
    assert "script" not in page.tags
    assert "b" not in page.tags
    assert "\u202e" not in text
    links = [unquote(link) for link in page.links if not link.startswith("#")]
    assert len(links) == 2 * 2 * 8
    assert all((Path("pages") / link).is_file() for link in links)
    assert not re.search(r"https?:|\s(on\w+)=", re.sub(r'"[^"]*"', '""', text))
    assert "&lt;b&gt;bad.jpg" in text
    assert text.count("<pre>") == 1


def test_sheets_and_pages_replace_only_their_own(run: Cli) -> None:
    reports = ("--sheet", "out/sheet.png", "--report", "out/report.html")
    for _ in range(2):
        assert run(*PLAIN, *reports).status == 0
    assert {"sheet.png", "report.html"} < files()
    assert run(*PLAIN, "--prune").out == ""
    picture(Path("mine.png"))
    Path("mine.html").write_text("mine")
    for flag, name in (("--sheet", "mine.png"), ("--sheet", "photos/two.png"), ("--report", "mine.html")):
        run(*PLAIN, flag, name).refused(2, "exists already")
    assert run(*PLAIN, "--sheet", "mine.png", "--overwrite").status == 0


def test_watching_ends_with_ctrl_c(run: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    from impasto.batch import watch
    from impasto.batch.rows import Stop

    monkeypatch.setattr(watch, "POLL", 0.01)
    looks = [0]
    look = watch.Arrivals.look

    def wait(self: Any, stop: Stop, poll: float = 0.0) -> Any:
        for number in range(6):
            if number == 3:
                picture(Path("photos/new.jpg"), 9)
            found = look(self)
            looks[0] += 1
            if found.photos or found.problems:
                yield found
        stop.press()

    monkeypatch.setattr(watch.Arrivals, "wait", wait)
    ran = run(*PLAIN, "--watch", "--json", "-q")
    assert ran.status == 0, ran.err
    rows = [json.loads(line) for line in ran.out.splitlines()]
    assert [Path(row["photo"]).name for row in rows] == ["one.jpg", "two.png", "three.jpg", "new.jpg"]
    assert {row["status"] for row in rows} == {"painted"}


def test_the_bar_shows_the_picture_the_rate_and_errors_as_text() -> None:
    from rich.console import Console
    from rich.progress import Progress as Bar

    from impasto.batch.inputs import Photo
    from impasto.batch.jobs import Job, State
    from impasto.batch.rows import Row
    from impasto.batch.ways import Way
    from impasto.cli.batch_bar import _Drawn
    from impasto.control import Progress

    out = io.StringIO()
    way = Way(impasto.make_recipe("johnson"), "night")
    with Bar(console=Console(file=out, force_terminal=True, width=200), auto_refresh=False) as bar:
        drawn = _Drawn(2, bar)
        drawn.row(Row.of(Job(Photo("old.jpg"), way, "old.png", state=State.DONE), "skipped"))
        assert not drawn.ended
        for name in ("[red]a.jpg", "b\x1b[31m.jpg"):
            job = Job(Photo(name), way, "out.png")
            drawn.begin(job)
            drawn.progress(Progress(0.5))
            bar.refresh()
            drawn.row(Row.of(job, "painted"))
        bar.refresh()
        (task,) = bar.tasks
    assert task.completed == task.total == 2
    assert task.fields["rate"].endswith("/s")
    assert "[red]a.jpg, night" in out.getvalue()
    assert "b\\x1b[31m.jpg, night" in out.getvalue()
