"""Painting from the command line, with a tiny encoder."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch import Tensor

from impasto.images.metadata import read_metadata
from impasto.methods import METHODS, make_recipe, read_recipe
from impasto.methods.effort import EFFORTS, way
from impasto.methods.gatys import painter as gatys
from impasto.methods.swap import painter as swap
from impasto.painter import Step
from impasto.settings import place_of

from .conftest import Cli

pytestmark = pytest.mark.usefixtures("tiny_encoder")
SHORT = ("--size", 48, "--steps", 2)


def test_paints_and_says_where(cli: Cli, photo: Path, style: Path) -> None:
    ran = cli("gatys", photo, style, "-o", "out.png", *SHORT)
    assert ran.status == 0, ran.err
    assert ran.out.startswith("out.png  48×36, 2 steps")
    assert "step 2/2" in ran.err
    with Image.open("out.png") as image:
        assert image.size == (48, 36)


def test_quiet_is_silent(cli: Cli, photo: Path, style: Path) -> None:
    ran = cli("gatys", photo, style, "-o", "out.png", "--quiet", *SHORT)
    assert (ran.status, ran.out, ran.err) == (0, "", "")


def test_output_is_named_after_the_pictures(cli: Cli, photo: Path, style: Path) -> None:
    assert cli("gatys", photo, f"{style}:2", *SHORT).status == 0
    assert Path("photo.style.png").is_file()
    cli("gatys", photo, style, *SHORT).refused(2, "--overwrite")
    assert cli("gatys", photo, style, "--overwrite", *SHORT).status == 0


def test_a_flag_overrides_a_preset(cli: Cli, photo: Path, style: Path) -> None:
    preset = ("--preset", "quick")
    ran = cli("gatys", photo, style, *preset, "-o", "a.png", "--size", 32, "--json", "--schedule", "0.5:1,1:2")
    recipe = ran.json["recipe"]
    assert recipe["preset"] == "quick"
    assert recipe["options"]["content_weight"] == METHODS["gatys"].presets["quick"].options.content_weight
    assert ran.json["steps"] == 3


@pytest.mark.usefixtures("tiny_shipped")
@pytest.mark.parametrize("effort", EFFORTS)
def test_paint_is_an_effort_and_a_boldness(cli: Cli, photo: Path, style: Path, effort: str) -> None:
    dials = ("--effort", effort, "--boldness", 0.75)
    ran = cli("paint", photo, style, "-o", "a.png", "--size", 32, "--strength", 0.5, "--json", *dials)
    assert ran.status == 0, ran.err
    name, preset, settings = way(effort, 0.75)
    recipe = read_recipe(ran.json["recipe"])
    assert (recipe.method, recipe.preset) == (name, preset)
    expected = make_recipe(name, preset=preset, settings=settings).options
    assert recipe.options == expected
    assert (recipe.size, recipe.strength) == (32, 0.5)
    assert not {"effort", "boldness"} & set(ran.json["recipe"])


@pytest.mark.usefixtures("tiny_shipped")
def test_by_default_paint_is_quick_and_replays(cli: Cli, photo: Path, style: Path) -> None:
    exact = ("--precision", "exact", "--size", "none", "--json")
    ran = cli("paint", photo, style, "-o", "a.png", *exact)
    assert ran.json["size"] == [60, 45]
    assert read_recipe(ran.json["recipe"]).options == make_recipe("cascade", settings=way().settings).options
    assert cli("paint", photo, style, "-o", "b.png", "--effort", "quick", "--boldness", 0.5, *exact).status == 0
    assert cli("replay", "a.png", "--inputs", photo.parent, "-o", "c.png").status == 0
    first, *others = (np.asarray(Image.open(name)) for name in ("a.png", "b.png", "c.png"))
    assert all(np.array_equal(first, other) for other in others)


@pytest.mark.parametrize(
    ("flag", "method"),
    [
        (("--style-scale", "2"), "adain"),
        (("--alpha", "0.5"), "adain"),
        (("--covariance=0.5",), "adain"),
        (("--no-descreen",), "adain"),
        (("--net", "adain"), "adain"),
        (("--preset", "impasto"), "adain"),
        (("--steps", "5"), "gatys"),
        (("--rungs", "adain:64,swap"), "cascade"),
    ],
)
def test_a_flag_of_a_method_is_not_paints(
    cli: Cli, photo: Path, style: Path, flag: tuple[str, ...], method: str
) -> None:
    words = (f"{flag[0]} belongs to a method", "--effort", f"use `impasto {method} {flag[0]}`")
    cli("paint", photo, style, "-o", "out.png", *flag).refused(2, *words)
    cli("paint", *flag, photo, style, "-o", "out.png").refused(2, *words)
    ran = cli("paint", photo, style, "-o", "out.png", *flag, "--json")
    assert f"impasto {method}" in ran.json["error"]


def test_a_flag_of_nothing_names_a_near_one(cli: Cli, photo: Path, style: Path) -> None:
    cli("paint", photo, style, "-o", "out.png", "--siez", 3).refused(2, "--siez", "--size")
    cli("adain", photo, style, "-o", "out.png", "--steps", 3).refused(2, "no flag --steps")


@pytest.mark.parametrize("boldness", ["-0.1", "1.5", "nan", "bold"])
def test_boldness_out_of_range(cli: Cli, photo: Path, style: Path, boldness: str) -> None:
    ran = cli("paint", photo, style, "-o", "out.png", "--boldness", boldness)
    ran.refused(2, f"boldness is '{boldness}'", "from 0", "to 1", "0.5 is the default")


def test_an_effort_that_there_is_not(cli: Cli, photo: Path, style: Path) -> None:
    cli("paint", photo, style, "-o", "out.png", "--effort", "fast").refused(2, "fast", "draft", "best")


@pytest.mark.usefixtures("tiny_shipped")
def test_ctrl_c_keeps_the_rung_that_is_done(
    cli: Cli, photo: Path, style: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(swap.SwapPainter, "run", interrupt)
    ran = cli("paint", photo, style, "-o", "out.png", "--size", 48, "--quiet")
    ran.refused(130, "interrupted at step ", "out.png")
    done, total = map(int, re.findall(r"step (\d+) of (\d+)", ran.err)[0])
    assert done == total - 1  # swap is the last rung, and a single step
    with Image.open("out.png") as image:
        assert image.size == (48, 36)
    assert (read_metadata("out.png") or {})["stopped"] == "interrupted"


def test_the_help_of_paint_is_short(cli: Cli) -> None:
    shown = cli("paint", "--help").out
    flags = set(re.findall(r"--[a-z-]+", shown))
    assert {"--effort", "--boldness", "--size", "--colour", "--output", "--quality"} <= flags
    assert not {"--preset", "--alpha", "--style-scale", "--net", "--rungs"} & flags
    assert "Settings of" not in shown


def test_json_schema(cli: Cli, photo: Path, style: Path) -> None:
    ran = cli("gatys", photo, style, "-o", "out.webp", "--seed", 7, "--json", "--plateau", 0, *SHORT)
    report = ran.json
    assert set(report) == {
        "output", "size", "seconds", "painting_seconds", "steps", "stopped", "losses", "peak_memory_mb",
        "weights", "seed", "device", "files", "recipe", "version",
    }  # fmt: skip
    assert report["output"] == "out.webp"
    assert report["size"] == [48, 36]
    assert report["seconds"] >= report["painting_seconds"] > 0
    assert (report["steps"], report["stopped"], report["seed"]) == (2, "finished", 7)
    assert set(report["losses"]) == {"content", "style", "total"}
    assert report["peak_memory_mb"] > 0
    assert report["weights"] == {"vgg19": "0" * 64}
    assert report["recipe"]["styles"][0]["path"] == "style.png"


def test_early_stop_is_named(cli: Cli, photo: Path, style: Path) -> None:
    ran = cli("gatys", photo, style, "-o", "out.png", "--size", 48, "--max-seconds", "1e-6", "--json")
    assert "time limit" in ran.json["stopped"]
    assert ran.json["steps"] == 1


@pytest.mark.parametrize("name", ["out.png", "out.jpg", "out.webp", "out.tif"])
def test_the_picture_carries_its_recipe(cli: Cli, photo: Path, style: Path, name: str) -> None:
    assert cli("gatys", photo, f"{style}:0.3", "-o", name, *SHORT).status == 0
    kept = read_metadata(name)
    assert kept
    recipe = read_recipe(kept["recipe"])
    assert (recipe.method, recipe.size, recipe.styles[0].weight) == ("gatys", 48, 0.3)
    assert recipe.options.model_dump()["steps"] == 2
    assert kept["losses"]["total"] > 0
    assert cli("show", name, "--json").json == kept


def test_show_refuses_what_has_no_recipe(cli: Cli, photo: Path) -> None:
    cli("show", photo).refused(2, "no recipe")


def test_alpha_and_resolution_are_carried(cli: Cli, photo: Path, style: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.png"
    with Image.open(photo) as image:
        image.putalpha(Image.linear_gradient("L").resize(image.size))
        image.save(cut, dpi=(300, 300))
    assert cli("gatys", cut, style, "-o", "out.png", *SHORT).status == 0
    with Image.open("out.png") as painted:
        assert (painted.mode, painted.size) == ("RGBA", (48, 36))
        assert painted.info["dpi"] == pytest.approx((300, 300), rel=1e-3)
        alpha = np.asarray(painted)[..., 3].mean(axis=1)
    assert alpha[0] < 20
    assert alpha[-1] > 235


def test_standard_streams(cli: Cli, photo: Path, style: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Streams:
        def __init__(self, data: bytes = b"") -> None:
            self.buffer = io.BytesIO(data)

        def isatty(self) -> bool:
            return False

        def flush(self) -> None:
            pass

    monkeypatch.setattr("sys.stdin", Streams(photo.read_bytes()))
    out = Streams()
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdout", out)
        ran = cli("gatys", "-", style, "-o", "-", *SHORT)
    assert ran.status == 0
    assert "on standard output" in ran.err
    assert Image.open(io.BytesIO(out.buffer.getvalue())).size == (48, 36)
    cli("gatys", "-", "-", "-o", "out.png").refused(2, "- is given twice")


def test_json_and_picture_cannot_share_a_stream(cli: Cli, photo: Path, style: Path) -> None:
    ran = cli("gatys", photo, style, "-o", "-", "--json")
    assert ran.status == 2
    assert "standard output" in ran.json["error"]


def test_snapshots_log_and_plot(cli: Cli, photo: Path, style: Path) -> None:
    ran = cli(
        "gatys", photo, style, "-o", "out.png", "--size", 48, "--steps", 5, "--json", "--optimizer", "adam",
        "--snapshot-every", 2, "--loss-log", "losses.jsonl", "--loss-plot", "losses.png",
    )  # fmt: skip
    assert ran.status == 0, ran.err
    kept = sorted(path.name for path in Path("out-steps").iterdir())
    assert kept == ["film.gif", "step-0002.png", "step-0004.png", "step-0005.png", "strip.png"]
    with Image.open("out-steps/film.gif") as film:
        assert (film.n_frames, film.size) == (3, (48, 36))
    lines = [json.loads(line) for line in Path("losses.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5]
    assert lines[-1]["losses"] == ran.json["losses"]
    assert all(line["seconds"] > 0 for line in lines)
    with Image.open("losses.png") as plot:
        assert min(plot.size) > 200
    assert {"losses.jsonl", "losses.png", "out-steps"} <= set(ran.json["files"])
    with Image.open("out.png") as last, Image.open("out-steps/step-0005.png") as snapshot:
        assert np.array_equal(np.asarray(last), np.asarray(snapshot))


def test_places_beside_the_picture_are_checked_first(cli: Cli, photo: Path, style: Path) -> None:
    Path("losses.jsonl").write_text("mine")
    Path("out-steps").mkdir()
    Path("out-steps/a.txt").write_text("mine")
    cli("gatys", photo, style, "-o", "out.png", "--loss-log", "losses.jsonl").refused(2, "losses.jsonl", "exists")
    cli("gatys", photo, style, "-o", "out.png", "--snapshot-every", 1).refused(2, "out-steps", "not empty")
    cli("gatys", photo, style, "-o", "out.png", "--snapshot-dir", "x").refused(2, "--snapshot-every")
    assert not Path("out.png").exists()


Paint = Callable[[gatys.GatysPainter, Tensor], Iterator[Step]]


def interrupted_after(count: int) -> Paint:
    real = gatys.GatysPainter.paint

    def paint(self: gatys.GatysPainter, *given: Tensor) -> Iterator[Step]:
        for number, step in enumerate(real(self, *given)):
            if number == count:
                raise KeyboardInterrupt
            yield step

    return paint


def test_ctrl_c_keeps_the_picture(cli: Cli, photo: Path, style: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gatys.GatysPainter, "paint", interrupted_after(2))
    ran = cli("gatys", photo, style, "-o", "out.png", "--size", 48, "--loss-log", "losses.jsonl", "--quiet")
    ran.refused(130, "interrupted at step 2 of 300", "out.png")
    with Image.open("out.png") as image:
        assert image.size == (48, 36)
    assert len(Path("losses.jsonl").read_text().splitlines()) == 2
    ran = cli("gatys", photo, style, "-o", "again.png", "--size", 48, "--json")
    assert ran.status == 130
    assert (ran.json["stopped"], ran.json["steps"]) == ("interrupted", 2)


def test_ctrl_c_before_the_first_step(cli: Cli, photo: Path, style: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gatys.GatysPainter, "paint", interrupted_after(0))
    cli("gatys", photo, style, "-o", "out.png", "--size", 48, "--quiet").refused(130, "nothing was written")
    assert not list(Path.cwd().iterdir())


def test_sigterm_is_an_interruption(cli: Cli, photo: Path, style: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = gatys.GatysPainter.paint

    def paint(self: gatys.GatysPainter, *given: Tensor) -> Iterator[Step]:
        for step in real(self, *given):
            yield step
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(gatys.GatysPainter, "paint", paint)
    before = signal.getsignal(signal.SIGTERM)
    cli("gatys", photo, style, "-o", "out.png", "--size", 48, "--quiet").refused(130, "interrupted at step 1")
    assert Path("out.png").is_file()
    assert signal.getsignal(signal.SIGTERM) is before


def test_every_method_has_its_command_and_every_option_its_flag(cli: Cli) -> None:
    for method in METHODS.values():
        shown = " ".join(cli(method.name, "--help-all").out.split())
        for name, field in method.options.model_fields.items():
            assert f"--{name.replace('_', '-')}" in shown
            assert (field.description or "").replace("`", "'")[:20] in shown


@pytest.mark.parametrize("command", ["paint", *METHODS])
def test_help_is_short_and_says_where_the_rest_is(command: str, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = cli(command, "--help").out.splitlines()
    assert len(lines) <= 45
    assert sum(f"impasto {command} " in line for line in lines) >= 3  # usage and two examples
    shown, everything = (
        set(re.findall(r"^│ [ *]*(--[a-z0-9-]+)", cli(command, flag).out, re.MULTILINE))
        for flag in ("--help", "--help-all")
    )
    assert {"--size", "--strength", "--colour", "--seed", "--output"} <= shown < everything
    if command in METHODS:
        fields = METHODS[command].options.model_fields
        plain = {name for name, field in fields.items() if place_of(field).level == "plain"}
        assert {name for name in fields if f"--{name.replace('_', '-')}" in shown} == plain
    hidden = int(re.search(r"(\d+) more flags: impasto \S+ --help-all", "\n".join(lines))[1])
    negatives = {flag for flag in everything if flag.startswith("--no-")}
    assert hidden == len(everything - shown - negatives)


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from impasto.cli import main; main(['paint', '--help']);"
        "print([m for m in ('torch', 'scipy', 'skimage', 'matplotlib') if m in sys.modules], file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stderr.strip() == "[]"
    assert "--boldness" in ran.stdout
