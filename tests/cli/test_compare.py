"""Methods and strengths side by side."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import impasto
from impasto.cli import comparing
from impasto.comparison.sheets import Trial, strength_sheet
from impasto.errors import ImpastoWarning
from impasto.images.picture import Picture
from impasto.methods.adain import painter as adain
from impasto.methods.common.loader import Nets
from impasto.methods.gatys import painter as gatys
from impasto.methods.swap import painter as swap
from impasto.painter import Step
from impasto.session.painting import Painting
from impasto.session.session import Session

from .conftest import Cli

pytestmark = pytest.mark.usefixtures("tiny_encoder")


@pytest.fixture(autouse=True)
def _one_pass_paints_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    """The nets inside the package fit no tiny encoder."""

    class Plain(impasto.Painter):
        def __init__(self, recipe: impasto.Recipe, nets: Nets, *_: Any) -> None:
            self.recipe, self.device = recipe, nets.device

        def run(self, content: Tensor, *_: Any) -> Iterator[Step]:
            side = self.recipe.size or 0
            grey = getattr(self.recipe.options, "alpha", 1)
            yield Step(torch.full((1, 3, math.ceil(side * 0.75), side), float(grey)), 1, 1)

    for module, painter in ((adain, "AdainPainter"), (swap, "SwapPainter")):
        monkeypatch.setattr(module, "load", lambda _, loader: Nets(loader.device, loader.dtype, {}))
        monkeypatch.setattr(module, painter, Plain)


def _trial(photo: Picture, image: Tensor) -> Trial:
    """Of a painting, 1×3×H×W, at full strength."""
    recipe = impasto.make_recipe("adain", settings={"size": None})
    return Trial("adain", Painting(Step(image, 1, 1), recipe, photo, seconds=1.0))


FAST = ("--methods", "adain,swap,gatys:quick", "--size", 40)


def test_a_sheet_of_methods_and_strengths(cli: Cli, photo: Path, style: Path) -> None:
    ran = cli("compare", photo, style, *FAST, "--strengths", "0.5,1")
    assert ran.status == 0, ran.err
    assert ran.out.startswith("photo.style.sheet.png  ")
    assert "3 paintings" in ran.out
    with Image.open("photo.style.sheet.png") as sheet:
        assert sheet.width == 3 * 40 + 4 * 12  # photo and style, and two strengths
        assert sheet.height > 3 * 30
    cli("compare", photo, style, *FAST).refused(2, "exists already")


def test_json_lists_the_times(cli: Cli, photo: Path, style: Path) -> None:
    report = cli("compare", photo, style, *FAST, "--strengths", "1", "-o", "a.png", "--json", "-q").json
    assert [(p["method"], p["preset"]) for p in report["paintings"]] == [
        ("adain", None),
        ("swap", None),
        ("gatys", "quick"),
    ]
    assert all(painting["seconds"] >= 0 for painting in report["paintings"])
    assert (report["output"], report["strengths"]) == ("a.png", [1])


def test_a_column_is_a_strength() -> None:
    photo = Picture(torch.zeros(1, 3, 40, 40))
    made = strength_sheet(photo, [], [_trial(photo, torch.ones(1, 3, 40, 40))], (0, 0.5, 1))
    values = np.asarray(made.convert("L"))
    top = int(np.argmax(values[:, 30] == 0))  # where the photo begins
    shown = [int(values[top + 20, 12 + 20 + 52 * column]) for column in range(4)]
    assert shown == [0, 0, 128, 255]


def test_more_styles_than_methods_and_of_any_shape() -> None:
    photo = Picture(torch.zeros(1, 3, 30, 40))
    styles = [
        Picture(torch.rand(1, 3, 64, 8), source="tall.png"),
        Picture(torch.rand(1, 3, 8, 64), source="wide.png"),
    ]
    one = strength_sheet(photo, [], [_trial(photo, torch.ones(1, 3, 30, 40))], (1,))
    made = strength_sheet(photo, styles, [_trial(photo, torch.ones(1, 3, 30, 40))], (1,))
    assert made.width == one.width
    assert made.height > 2.5 * (one.height - 40)


def test_from_python(photo: Path, style: Path) -> None:
    sheet = impasto.compare(photo, style, methods=["adain"], strengths=[0.2, 1], size=40)
    assert sheet.mode == "RGB"
    assert sheet.width == 3 * 40 + 4 * 12


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--methods", "adian"], ["did you mean adain"]),
        (["--methods", "johnson"], ["takes no style picture", "johnson:great-wave"]),
        (["--methods", "gatys:quik"], ["did you mean quick"]),
        (["--methods", ","], ["expected at least one"]),
        (["--methods", "adain,adain"], ["each once"]),
        (["--strengths", "0.5,much"], ["'much'", "from 0 to 1"]),
        (["--strengths", "0.5,2"], ["2", "from 0 to 1"]),
        (["--strengths", "nan"], ["nan", "from 0 to 1"]),
        (["--size", "3"], ["size", "16"]),
        (["-o", "sheet.gif"], [".gif"]),
        (["--methods", "adain:style_scal=2"], ["did you mean style_scale"]),
        (["--methods", "adain", "--methods", "adain"], ["each once"]),
        (["--methods", "adain:strength=0.5"], ["strength is 0.5", "columns"]),
        (["--methods", "gatys:init=photo.png"], ["--start photo.png"]),
        (["--cell", "4"], ["cell is 4", "16 to 4096"]),
        (["--key", "key.json"], ["--key is given without --blind"]),
        (["--seed", "1"], ["--seed is given without --blind"]),
        (["--blind", "--strengths", "1"], ["--strengths"]),
        (["--blind", "--seed", "-1"], ["seed is -1"]),
        (["--blind", "-o", "a.png", "--key", "a.png"], ["expected two files"]),
        (["--pairs", "pairs.csv"], ["photo.png", "--pairs are both given"]),
        (["--paintings", "no/such/folder"], ["folder", "no/such"]),
    ],
)
def test_bad_requests(cli: Cli, photo: Path, style: Path, arguments: list[str], words: list[str]) -> None:
    ran = cli("compare", photo, style, "--quiet", *arguments)
    ran.refused(2, *words)
    assert not list(Path.cwd().iterdir())


def test_a_style_is_needed(cli: Cli, photo: Path) -> None:
    cli("compare", photo).refused(2, "no style picture")
    cli("compare", "-", "-").refused(2, "given twice")


def test_a_network_is_named_where_a_method_paints_by_one(
    cli: Cli, photo: Path, style: Path, tiny_nets: dict[str, Path]
) -> None:
    ran = cli("compare", photo, style, "--methods", f"adain,johnson:{tiny_nets['johnson']}", "--size", 40)
    assert ran.status == 0, ran.err
    assert "2 paintings" in ran.out


FAILING = ("--methods", "adain,gatys:pystiche", "--size", 40)


@pytest.fixture
def without_gatys(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise impasto.ImpastoError("no such weights")

    monkeypatch.setattr(gatys, "load", refuse)


@pytest.mark.usefixtures("without_gatys")
def test_what_fails_is_left_out_and_said(cli: Cli, photo: Path, style: Path) -> None:
    ran = cli("compare", photo, style, *FAILING, "--json", "--quiet", "-o", "a.png")
    assert ran.status == 1
    assert ran.err == "impasto: gatys pystiche is left out: no such weights\n"
    assert [p.get("error") for p in ran.json["paintings"]] == [None, "no such weights"]
    assert Path("a.png").exists()
    with pytest.warns(ImpastoWarning, match="gatys is left out: no such weights"):
        impasto.compare(photo, style, methods=["adain", "gatys"], size=40)


@pytest.mark.usefixtures("without_gatys")
def test_where_all_fail_there_is_no_sheet(cli: Cli, photo: Path, style: Path) -> None:
    cli("compare", photo, style, "--methods", "gatys", "--size", 40, "--quiet").refused(1, "no such weights")
    with pytest.warns(ImpastoWarning), pytest.raises(impasto.ImpastoError, match="no such weights"):
        impasto.compare(photo, style, methods=["gatys"], size=40)
    assert not list(Path.cwd().iterdir())


def test_ctrl_c_keeps_the_rows_that_are_done(
    cli: Cli, photo: Path, style: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(gatys, "load", interrupted)
    ran = cli("compare", photo, style, *FAILING, "--quiet", "-o", "a.png")
    assert ran.status == 130
    assert "a.png shows what was done: adain" in ran.err
    assert Path("a.png").exists()
    monkeypatch.setattr(adain, "load", interrupted)
    cli("compare", photo, style, *FAILING, "--quiet", "-o", "b.png").refused(130, "nothing was written")
    assert not Path("b.png").exists()


GREYS = ("--methods", "adain:alpha=0,adain:alpha=0.4", "--methods", "adain:alpha=0.8", "--size", 40)


@pytest.fixture
def pairs(photo: Path, style: Path, tmp_path: Path) -> Path:
    """A table of two pairs."""
    Image.open(photo).rotate(90, expand=True).save(tmp_path / "turned.png")
    table = tmp_path / "pairs.csv"
    table.write_text("photo,style\nphoto.png,style.png\nturned.png,style.png\n")
    return table


def test_a_row_is_a_pair(cli: Cli, pairs: Path) -> None:
    report = cli("compare", "--pairs", pairs, *GREYS, "--json", "-q").json
    assert report["output"] == "pairs.sheet.png"
    assert [Path(row["photo"]).name for row in report["pairs"]] == ["photo.png", "turned.png"]
    for row in report["pairs"]:
        assert Path(row["style"]).name == "style.png"
        assert [painting["way"] for painting in row["paintings"]] == [f"adain alpha={a}" for a in ("0", "0.4", "0.8")]
        assert all(painting["seconds"] >= 0 for painting in row["paintings"])
    with Image.open("pairs.sheet.png") as sheet:
        assert sheet.width == 5 * 40 + 6 * 12
        assert sheet.height > 30 + 40
        across = np.asarray(sheet.convert("L"))[-60, :]
    assert [int(across[12 + 20 + 52 * column]) for column in (2, 3, 4)] == [0, 102, 204]
    ran = cli("compare", "--pairs", pairs, *GREYS, "-o", "b.png", "--cell", 80)
    assert "6 paintings" in ran.out
    with Image.open("b.png") as sheet:
        assert sheet.width == 5 * 80 + 6 * 12
    cli("compare", "--pairs", pairs, *GREYS).refused(2, "exists already")


def test_one_session_keeps_nets_and_styles(cli: Cli, pairs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sessions: list[Session] = []
    begin = Session.__init__

    def counted(self: Session, **more: Any) -> None:
        sessions.append(self)
        begin(self, **more)

    monkeypatch.setattr(Session, "__init__", counted)
    assert cli("compare", "--pairs", pairs, *GREYS).status == 0
    assert len(sessions) == 1


@pytest.mark.parametrize("one", [True, False])
def test_blind(cli: Cli, photo: Path, style: Path, pairs: Path, one: bool) -> None:
    what = (photo, style) if one else ("--pairs", pairs)
    ran = cli("compare", *what, *GREYS, "--blind", "--seed", 5, "--paintings", "done", "-o", "a.png")
    assert ran.status == 0, ran.err
    assert "alpha" not in ran.out + ran.err and "adain" not in ran.out + ran.err
    assert "a.key.json" in ran.out
    key = json.loads(Path("a.key.json").read_text())
    assert key["seed"] == 5 and len(key["rows"]) == (1 if one else 2)
    for row in key["rows"]:
        assert sorted(row["columns"]) == ["A", "B", "C"]
        for letter, found in row["columns"].items():
            file = Path("done") / f"{Path(row['photo']).stem}.{Path(row['style']).stem}.{letter}.png"
            with Image.open(file) as painting:
                assert painting.getpixel((20, 20))[0] == round(float(found["way"].partition("=")[2]) * 255)
            assert b"adain" not in file.read_bytes()
            assert found["seconds"] >= 0
    ways = [[row["columns"][letter]["way"] for letter in "ABC"] for row in key["rows"]]
    assert all(sorted(each) == [f"adain alpha={a}" for a in ("0", "0.4", "0.8")] for each in ways)
    with Image.open("a.png") as sheet:
        across = np.asarray(sheet.convert("L"))[-60 if not one else -45, :]
    shown = [int(across[12 + 20 + 52 * column]) for column in (2, 3, 4)]
    assert shown == [round(float(way.partition("=")[2]) * 255) for way in ways[-1]]

    cli("compare", *what, *GREYS, "--blind", "-o", "b.png", "--key", "a.key.json").refused(2, "exists already")
    cli("compare", *what, *GREYS, "--blind", "-o", "b.png", "--paintings", "done").refused(2, "exists already")
    again = cli("compare", *what, *GREYS, "--blind", "--seed", 5, "-o", "a.png", "--overwrite", "--json", "-q")
    assert set(again.json) == {"output", "seconds", "key"}
    repeated = json.loads(Path("a.key.json").read_text())
    assert [{k: v["way"] for k, v in row["columns"].items()} for row in repeated["rows"]] == [
        dict(zip("ABC", each, strict=True)) for each in ways
    ]


def test_orders_differ_from_row_to_row(cli: Cli, pairs: Path) -> None:
    orders: set[tuple[str, ...]] = set()
    for seed in range(4):
        cli("compare", "--pairs", pairs, *GREYS, "--blind", "--seed", seed, "-o", f"{seed}.png", "-q")
        for row in json.loads(Path(f"{seed}.key.json").read_text())["rows"]:
            orders.add(tuple(found["way"] for found in row["columns"].values()))
    assert len(orders) >= 4


def test_blind_progress_tells_no_way(cli: Cli, pairs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    class Spy:
        def say(self, text: str) -> None:
            said.append(text)

        def step(self, step: Step) -> None:
            said.append(f"step {step.note}")

        def progress(self, progress: impasto.Progress) -> None:
            said.append(progress.note)

    @contextlib.contextmanager
    def display(**_: Any) -> Iterator[Spy]:
        yield Spy()

    monkeypatch.setattr(comparing, "display", display)
    assert cli("compare", "--pairs", pairs, *GREYS, "--blind").status == 0
    assert said == ["painting pair 1 of 2", "painting pair 2 of 2"]
    assert cli("compare", "--pairs", pairs, *GREYS, "--overwrite").status == 0
    assert "loading adain alpha=0, pair 1 of 2" in said


def test_paintings_are_written(cli: Cli, photo: Path, style: Path, pairs: Path) -> None:
    assert cli("compare", "--pairs", pairs, *GREYS, "--paintings", "done").status == 0
    greys = ("0", "0.4", "0.8")
    expected = sorted(f"{name}.style.adain-alpha={grey}.png" for name in ("photo", "turned") for grey in greys)
    assert sorted(path.name for path in Path("done").iterdir()) == expected
    assert 'method = "adain"' in cli("show", f"done/{expected[0]}").out
    assert cli("compare", photo, style, *GREYS, "--paintings", "one").status == 0
    assert sorted(path.name for path in Path("one").iterdir()) == expected[:3]
    cli("compare", photo, style, *GREYS, "--paintings", "one", "-o", "b.png").refused(2, "exists already")


@pytest.mark.usefixtures("without_gatys")
def test_what_fails_of_a_pair_is_left_out(cli: Cli, pairs: Path) -> None:
    ran = cli("compare", "--pairs", pairs, *FAILING, "--json")
    assert ran.status == 1
    assert ran.err.count("gatys pystiche of ") == 2 and "no such weights" in ran.err
    assert [[p.get("error") for p in row["paintings"]] for row in ran.json["pairs"]] == [
        [None, "no such weights"]
    ] * 2
    ran = cli("compare", "--pairs", pairs, *FAILING, "--blind", "-o", "blind.png")
    assert ran.status == 1
    assert "gatys" not in ran.err and ran.err.count("1 left out; the key says why") == 2
    columns = json.loads(Path("blind.key.json").read_text())["rows"][0]["columns"]
    assert {found["way"]: found.get("error") for found in columns.values()} == {
        "adain": None,
        "gatys pystiche": "no such weights",
    }
    ran = cli("compare", "--pairs", pairs, "--methods", "gatys", "-o", "none.png", "-q")
    assert ran.status == 1 and ran.err.endswith("impasto: no such weights\n")
    assert not Path("none.png").exists()


def test_a_pair_that_cannot_be_read_is_left_out(cli: Cli, pairs: Path) -> None:
    (pairs.parent / "turned.png").write_bytes(b"no picture")
    ran = cli("compare", "--pairs", pairs, *GREYS, "--json")
    assert ran.status == 1
    assert "turned.png and style.png are left out: " in ran.err
    assert "turned.png" in ran.json["pairs"][1]["error"]
    with Image.open("pairs.sheet.png") as sheet:
        assert sheet.height < 40 + 2 * 40  # one row
    (pairs.parent / "photo.png").write_bytes(b"no picture")
    ran = cli("compare", "--pairs", pairs, *GREYS, "-o", "none.png", "-q")
    assert ran.status == 2 and not Path("none.png").exists()


@pytest.mark.parametrize("hidden", [(), ("--blind", "--seed", 1)])
def test_ctrl_c_keeps_the_pairs_that_are_done(
    cli: Cli, pairs: Path, monkeypatch: pytest.MonkeyPatch, hidden: tuple[object, ...]
) -> None:
    loads: list[int] = []
    real = adain.load

    def load(*arguments: Any) -> Any:
        loads.append(1)
        if len(loads) == 5:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(adain, "load", load)
    ran = cli("compare", "--pairs", pairs, *GREYS, *hidden, "-o", "a.png", "--paintings", "done", "-q")
    assert ran.status == 130
    assert "a.png shows what was done: 1 of 2 pairs" in ran.err
    assert Path("a.png").exists() and Path("a.key.json").exists() == bool(hidden)
    assert len(list(Path("done").iterdir())) == 4
    loads[:] = [1] * 4
    cli("compare", "--pairs", pairs, *GREYS, *hidden, "-o", "b.png", "-q").refused(130, "nothing was written")
    assert not Path("b.png").exists()


def test_pairs_from_python(photo: Path, style: Path, pairs: Path) -> None:
    ways = ["adain:alpha=0", "swap"]
    sheet = impasto.compare(pairs=pairs, methods=ways, size=40)
    assert (
        sheet.size
        == impasto.compare(
            pairs=[(photo, style), (Image.open(photo).rotate(90, expand=True), style)], methods=ways, size=40
        ).size
    )
    blind = impasto.compare_blind([(photo, style)], methods=ways, size=40, seed=3)
    assert blind.key["seed"] == 3
    assert {found["way"] for found in blind.key["rows"][0]["columns"].values()} == {"adain alpha=0", "swap"}
    assert blind.sheet.width == sheet.width
    with pytest.raises(impasto.RequestError, match="expected pairs alone"):
        impasto.compare(photo, style, pairs=pairs)
    with pytest.raises(impasto.RequestError, match="no pairs"):
        impasto.compare(pairs=[])
    with pytest.raises(impasto.RequestError, match="no style picture"):
        impasto.compare(photo)


@pytest.mark.usefixtures("without_gatys")
def test_what_fails_of_a_pair_is_warned_of_in_python(photo: Path, style: Path) -> None:
    with pytest.warns(ImpastoWarning, match="gatys of photo.png and style.png is left out: no such weights"):
        impasto.compare(pairs=[(photo, style)], methods=["adain", "gatys"], size=40)
    with pytest.warns(ImpastoWarning, match="1 left out; the key says why"):
        impasto.compare_blind([(photo, style)], methods=["adain", "gatys"], size=40)
