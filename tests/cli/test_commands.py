"""The commands around painting."""

from __future__ import annotations

import itertools
import re
import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from PIL import Image

from impasto.cli.app import build
from impasto.demo.styles import STYLES
from impasto.methods import METHODS
from impasto.methods.effort import way
from impasto.weights.catalogue import CATALOGUE

from .conftest import Cli


def test_version(cli: Cli) -> None:
    assert cli("--version").out.strip() == version("impasto")


def test_presets(cli: Cli) -> None:
    shown = cli("presets").out
    for method in METHODS.values():
        for name in method.presets:
            assert name in shown
    listed = cli("presets", "gatys", "--json").json
    assert set(listed) == {"gatys"}
    assert listed["gatys"]["pytorch-tutorial"]["options"]["steps"] == 300


def test_presets_of_trainers(cli: Cli) -> None:
    shown = " ".join(cli("presets", "train").out.split())
    for name in ("adain", "swap", "swap-steps", "johnson"):
        assert f"impasto train {name} --preset NAME" in shown
    listed = cli("presets", "train", "johnson", "--json").json
    assert set(listed) == {"train johnson"} and listed["train johnson"]["impasto"]["description"]
    cli("presets", "train", "jonson").refused(2, "did you mean johnson")
    cli("presets", "gatys", "johnson").refused(2, "johnson", "expected one name")


def test_weights_list(cli: Cli) -> None:
    shown = cli("weights", "list").out
    assert all(name in shown for name in CATALOGUE)
    listed = {entry["name"]: entry for entry in cli("weights", "list", "--json").json["weights"]}
    assert listed["vgg19"]["present"]
    assert not listed["vgg16"]["present"]


def test_weights_verify(cli: Cli) -> None:
    (checked,) = cli("weights", "verify", "--json").json["weights"]
    assert (checked["name"], checked["intact"]) == ("vgg19", True)
    cli("weights", "verify", "vgg16").refused(2, "impasto weights fetch vgg16")
    cli("weights", "verify", "vgg20").refused(2, "did you mean")


def test_weights_verify_tells_a_damaged_file(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "cache" / "weights" / CATALOGUE["vgg16"].file
    file.parent.mkdir(parents=True)
    file.write_bytes(b"half of it")
    ran = cli("weights", "verify", "vgg16", "--json")
    assert ran.status == 1
    assert ran.json["weights"][0]["intact"] is False
    assert "damaged" in cli("weights", "verify", "vgg16").out


def test_weights_fetch(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Path(cli("weights", "fetch", "vgg19", "--json").json["path"]).is_file()
    monkeypatch.setenv("IMPASTO_OFFLINE", "1")
    cli("weights", "fetch", "vgg16").refused(2, "IMPASTO_OFFLINE")


@pytest.mark.vgg
def test_weights_convert_and_paint_with_the_result(cli: Cli, photo: Path, style: Path) -> None:
    ran = cli("weights", "convert", "vgg19", "small.safetensors", "--half", "--json")
    assert ran.status == 0, ran.err
    assert ran.json["bytes"] == Path("small.safetensors").stat().st_size
    cli("weights", "convert", "vgg19", "small.safetensors").refused(1, "small.safetensors")
    ran = cli(
        "gatys", photo, style, "-o", "out.png", "--encoder", "small.safetensors", "--steps", 1, "--size", 32, "--json"
    )
    assert ran.status == 0, ran.err
    assert list(ran.json["weights"]) == ["small.safetensors"]


@pytest.mark.usefixtures("tiny_shipped")
def test_demo(cli: Cli) -> None:
    ran = cli("demo", "--photo", "coffee", "--style", "wave", "--size", 32, "--json")
    assert ran.status == 0, ran.err
    assert ran.json["output"] == "coffee.wave.png"
    assert ran.json["recipe"]["method"] == way().method
    with Image.open("coffee.wave.png") as image:
        assert max(image.size) == 32
    cli("demo", "--photo", "chelsee").refused(2, "did you mean chelsea")
    cli("demo", "--style", "nigth").refused(2, "did you mean night")


def test_demo_draws_styles(cli: Cli) -> None:
    ran = cli("demo", "--draw-styles", "styles", "--size", 64)
    assert ran.status == 0, ran.err
    assert sorted(path.stem for path in Path("styles").iterdir()) == sorted(STYLES)
    assert ran.out.splitlines() == [str(Path("styles") / f"{name}.png") for name in STYLES]
    cli("demo", "--draw-styles", "styles", "--size", 64).refused(2, "--overwrite")
    cli("demo", "--draw-styles", "more", "-o", "x.png").refused(2, "--draw-styles")


def test_the_program_alone_says_what_to_type(cli: Cli) -> None:
    ran = cli()
    assert ran.status == 0 and len(ran.out.splitlines()) <= 10
    for typed in re.findall(r"^  (impasto .*?)(?:   |$)", ran.out, re.MULTILINE):
        name = shlex.split(typed)[1]
        assert cli(name, "--help").status == 0
    assert "impasto paint photo.jpg painting.jpg" in ran.out


@pytest.mark.parametrize("module", ["impasto", "impasto.cli"])
def test_the_program_as_a_module(module: str) -> None:
    ran = subprocess.run([sys.executable, "-m", module, "--version"], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == version("impasto")


def test_a_picture_in_the_place_of_a_command(cli: Cli) -> None:
    cli("my photo.jpg", "b.png", "--size", 64).refused(2, "impasto paint 'my photo.jpg' b.png --size 64")
    cli("a.jpg").refused(2, "expected impasto paint a.jpg painting.jpg")
    cli("a.jpg", "--size", 64).refused(2, "expected impasto paint a.jpg painting.jpg --size 64")
    cli("pain").refused(2, "did you mean paint", "see impasto --help")
    assert cli("help", "paint").out == cli("paint", "--help").out
    assert cli("help").out == cli("--help").out


def test_an_unknown_command_is_answered_with_all_of_them(cli: Cli) -> None:
    names = [name for name in build() if not name.startswith("-")]
    assert {*METHODS, "paint", "compare", "train", "weights"} <= set(names)
    cli("frame", "photo.jpg").refused(2, "no command 'frame'", f"expected one of {', '.join(names)}")
    cli("weights", "lost").refused(2, "impasto weights has no command 'lost'", "list", "verify", "fetch", "convert")


@pytest.mark.parametrize("name", ["train", "weights", "demo"])
def test_a_command_has_one_summary(cli: Cli, name: str) -> None:
    _, summary, *_ = filter(None, cli(name, "--help").out.splitlines())
    assert summary.endswith(".")
    assert summary in " ".join(re.sub("[│╭╰]", " ", cli("--help").out).split())


@pytest.mark.parametrize("name", ["compare", "score", "export"])
def test_help_is_wrapped_to_the_terminal(cli: Cli, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("COLUMNS", "78")
    paragraphs = cli(name, "--help").out.partition("╭")[0].split("\n\n")
    for paragraph in paragraphs:
        lines = paragraph.splitlines()
        for line, following in itertools.pairwise(lines):  # the next word had no room
            assert len(line.rstrip()) + 1 + len(following.split()[0]) > 78


def test_the_list_of_commands_says_what_each_does(cli: Cli) -> None:
    for ran in (cli("--help"), cli("--help-all")):
        lines = [line.strip("│ ") for line in ran.out.splitlines()]
        commands = next(n for n, line in enumerate(lines) if "Commands" in line)
        for name in (
            "adain",
            "cascade",
            "compare",
            "demo",
            "export",
            "paint",
            "replay",
            "score",
            "show",
            "train",
            "weights",
        ):
            (line,) = [line for line in lines[commands:] if line.split(" ")[0] == name]
            assert len(line.split()) > 3, name
