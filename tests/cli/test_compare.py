"""Methods and strengths side by side."""

from __future__ import annotations

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
from impasto import comparison
from impasto.errors import ImpastoWarning
from impasto.images.picture import Picture
from impasto.methods.adain import painter as adain
from impasto.methods.common.loader import Nets
from impasto.methods.gatys import painter as gatys
from impasto.methods.swap import painter as swap
from impasto.painter import Step
from impasto.session.painting import Painting

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
            yield Step(torch.ones(1, 3, math.ceil(side * 0.75), side), 1, 1)

    for module, painter in ((adain, "AdainPainter"), (swap, "SwapPainter")):
        monkeypatch.setattr(module, "load", lambda _, loader: Nets(loader.device, loader.dtype, {}))
        monkeypatch.setattr(module, painter, Plain)


def _trial(photo: Picture, image: Tensor) -> comparison.Trial:
    """Of a painting, 1×3×H×W, at full strength."""
    recipe = impasto.make_recipe("adain", settings={"size": None})
    return comparison.Trial("adain", Painting(Step(image, 1, 1), recipe, photo, seconds=1.0))


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
    made = comparison.sheet(photo, [], [_trial(photo, torch.ones(1, 3, 40, 40))], (0, 0.5, 1))
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
    one = comparison.sheet(photo, [], [_trial(photo, torch.ones(1, 3, 30, 40))], (1,))
    made = comparison.sheet(photo, styles, [_trial(photo, torch.ones(1, 3, 30, 40))], (1,))
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
