"""``impasto train``: from folders to a net that paints."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from impasto.cli import train as train_command
from impasto.cli.app import build
from impasto.training import run
from impasto.training.loop import CHECKPOINT
from impasto.training.stop import Stop
from impasto.training.tasks import adain as train_adain
from impasto.training.tasks import adain_options, johnson_options
from impasto.training.tasks import johnson as train_johnson
from impasto.training.tasks import swap as train_swap
from impasto.training.tasks import swap_steps as train_swap_steps
from impasto.weights.canonical import tiny_weights
from impasto.weights.container import load_metadata

from .conftest import Cli

QUICK = ("--steps", 4, "--batch", 2, "--crop", 32, "--held-out", 2, "--validate-every", 4, "--save-every", 2)
MODULES = {"adain": train_adain, "swap": train_swap}
ALL = {**MODULES, "swap-steps": train_swap_steps, "johnson": train_johnson}
PRESETS = {
    "adain": adain_options.PRESETS,
    "swap": train_swap.PRESETS,
    "swap-steps": train_swap_steps.PRESETS,
    "johnson": johnson_options.PRESETS,
}


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    place = tmp_path / "pictures"
    place.mkdir()
    for i in range(5):
        pixels = np.random.default_rng(i).integers(0, 256, (6, 5, 3), np.uint8)
        Image.fromarray(pixels).resize((60, 72), Image.Resampling.BICUBIC).save(place / f"{i}.png")
    return place


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch, tiny_encoder: object) -> None:
    for module in ALL.values():
        monkeypatch.setattr(module, "load", lambda name, **_: tiny_weights())
    monkeypatch.setattr(run, "_SCALE_BATCHES", 1)
    monkeypatch.setattr(run, "_SHEET_SIDE", 64)


@pytest.mark.parametrize("name", MODULES)
def test_a_trained_net_paints(name: str, cli: Cli, pictures: Path, photo: Path, style: Path) -> None:
    (pictures / "broken.png").write_text("no picture")
    data = ("--photos", pictures, "--paintings", pictures, f"{pictures}:0.5", "--out", "run", *QUICK)
    data += ("--inject", "relu2_1", *(("--skip", "none") if name == "adain" else ()))
    ran = cli("train", name, *data)
    assert ran.status == 0, ran.err
    net = Path(ran.out.strip())
    assert net.is_file() and (Path("run") / "sheet-000004.png").is_file()
    assert "step 4/4  loss " in ran.err and " left  saving net, sample sheet, checkpoint" in ran.err
    assert "4 steps, " in ran.err and " images/s; unreadable pictures: 1" in ran.err
    assert "crops a second" not in ran.err
    painted = cli(name, photo, style, "--net", net, "--size", 48, "-o", "out.png", "--json")
    assert painted.status == 0, painted.err
    assert painted.json["recipe"]["options"]["net"] == net.name
    cli("train", name, *data).refused(2, "run", "--resume")
    more = cli("train", name, *data, "--resume", "-q")
    assert more.status == 0 and not more.err, more.err


def test_steps_are_added_to_a_net_and_painted_with(cli: Cli, pictures: Path, photo: Path, style: Path) -> None:
    data = ("--photos", pictures, "--paintings", pictures, *QUICK, "-q")
    ran = cli("train", "swap", *data, "--out", "decoder")
    assert ran.status == 0, ran.err
    ran = cli("train", "swap-steps", *data, "--out", "steps", "--net", ran.out.strip(), "--count", 2)
    assert ran.status == 0, ran.err
    net = Path(ran.out.strip())
    painted = cli("swap", photo, style, "--net", net, "--size", 48, "-o", "out.png", "--json")
    assert painted.status == 0, painted.err
    by_lbfgs = cli("swap", photo, style, "--net", net, "--size", 48, "-o", "lbfgs.png", "--optimizer", "lbfgs")
    assert by_lbfgs.status == 0 and Path("out.png").read_bytes() != Path("lbfgs.png").read_bytes()
    cli("train", "swap-steps", *data, "--out", "other").refused(2, "swap.safetensors")  # of another encoder
    cli("train", "swap-steps", *data, "--out", "other", "--norm", "batch").refused(2, "--norm")
    cli("train", "swap", *data, "--out", "other", "--repeats", 1).refused(2, "--repeats")


@pytest.mark.parametrize("name", ALL)
def test_every_training_option_is_a_flag(name: str, cli: Cli) -> None:
    shown = " ".join(cli("train", name, "--help-all").out.split())
    presets = PRESETS[name]
    for field in presets["impasto"].options.__class__.model_fields:
        assert f"--{field.replace('_', '-')}" in shown
    assert all(preset in shown for preset in presets)
    assert name in build("train")["train"] and "train" in cli("--help").out


def test_a_network_of_styles_is_trained_and_paints(cli: Cli, pictures: Path, photo: Path, style: Path) -> None:
    credits = Path("credits.toml")
    credits.write_text('[style]\ntitle = "The Waves"\nartist = "Somebody"\nyear = "1900"\n')
    data = ("--photos", pictures, "--style", style, pictures / "0.png", "--out", "run", *QUICK)
    data += ("--architecture", "c3s1-4,d6,R6,u4,c3s1-3", "--style-size", 40, "-q")
    ran = cli("train", "johnson", *data, "--credits", credits)
    assert ran.status == 0, ran.err
    net = ran.out.strip()
    painted = cli("johnson", photo, "--net", f"{net}#style:3", "--net", f"{net}#0", "--size", 48, "--json")
    assert painted.status == 0, painted.err
    assert painted.json["output"] == "photo.style+0.png"
    assert [share["weight"] for share in painted.json["recipe"]["options"]["net"]] == [3, 1]
    cli("train", "johnson", *data, "--credits", "nowhere.toml").refused(2, "nowhere.toml")
    credits.write_text("[style")
    cli("train", "johnson", *data, "--credits", credits).refused(2, "credits.toml", "TOML")
    wrong = ("--photos", pictures, "--style", style, "--out", "other", "-q", "--architecture", "c9s1-4,x9,c9s1-3")
    cli("train", "johnson", *wrong).refused(2, "block 2 at character 8")


def test_a_preset_can_be_changed_by_flags(cli: Cli, pictures: Path) -> None:
    data = ("--photos", pictures, "--paintings", pictures, "--out", "run", *QUICK, "-q")
    assert cli("train", "adain", *data, "--preset", "adain", "--resize", 40).status == 0
    recipe = json.loads(json.dumps(_metadata(Path("run/net.safetensors"))["recipe"]))
    assert (recipe["preset"], recipe["moments_form"], recipe["steps"], recipe["resize"]) == ("adain", "sum", 4, 40)
    assert recipe["inject"] == []


def _metadata(net: Path) -> dict[str, object]:
    from impasto.weights.shipped import load_net

    return load_net(net, kind=train_adain.KIND, encoder_sha256=None)[1]


def test_bad_requests_are_answered_in_one_line(cli: Cli, pictures: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    (tmp_path / "broken.tar").write_bytes(b"no tar at all")

    def refused(*arguments: object, words: tuple[str, ...], paintings: object = pictures) -> None:
        cli(
            "train", "swap", "--photos", pictures, "--paintings", paintings, "--out", "run", "-q", *QUICK, *arguments
        ).refused(2, *words)

    refused(paintings=empty, words=("empty",))
    refused(paintings=tmp_path / "nowhere", words=("nowhere",))
    refused(paintings=tmp_path / "broken.tar", words=("broken.tar",))
    refused("--preset", "style-swp", words=("did you mean style-swap",))
    refused("--patch", 99, words=("patch", "15"))
    refused("--resume", words=("run",))
    refused("--net", "nothing", words=("nothing",))
    cli("train", "swap", "--photos", pictures, "--out", "run").refused(2, "--paintings")
    cli("train", "johnsen").refused(2, "johnsen", "did you mean johnson")


def test_no_trainer_is_answered_with_all_of_them(cli: Cli) -> None:
    cli("train", "photos/", "style.jpg").refused(
        2, "no trainer 'photos/'", *ALL, "impasto train johnson --photos photos/ --style painting.jpg --out run/"
    )
    cli("train", "photos/").refused(2, *ALL, "impasto train adain --photos photos/ --paintings paintings/ --out run/")


def test_an_interrupted_run_says_how_to_go_on(cli: Cli, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> Path:
        Path("run").mkdir()
        (Path("run") / CHECKPOINT).touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(train_adain, "run", interrupted)
    cli("train", "adain", "--photos", pictures, "--paintings", pictures, "--out", "run", "-q").refused(
        130, "run", "--resume"
    )


STYLES = ("--architecture", "c3s1-4,d6,R6,u4,c3s1-3", "--style-size", 40)


@pytest.fixture
def styles_run(cli: Cli, pictures: Path, style: Path) -> tuple[object, ...]:
    """The arguments of a finished run of johnson in the folder ``run``."""
    data = ("--photos", pictures, "--style", style, *QUICK, *STYLES)
    ran = cli("train", "johnson", *data, "--out", "run", "-q")
    assert ran.status == 0 and not ran.err
    return data


@pytest.mark.parametrize("command", ["johnson", "adain", "swap"])
def test_a_checkpoint_is_no_net_but_says_where_it_is(
    command: str, cli: Cli, photo: Path, style: Path, styles_run: object
) -> None:
    picture = (photo,) if command == "johnson" else (photo, style)
    words = "checkpoint of a training run", "--resume", str(Path("run") / "net.safetensors")
    cli(command, *picture, "--net", "run/checkpoint.pt").refused(2, *words)
    Path("run/net.safetensors").unlink()
    cli(command, *picture, "--net", "run/checkpoint.pt").refused(2, "its net is not there")


def test_a_net_without_a_checkpoint_is_never_trained_over(cli: Cli, styles_run: tuple[object, ...]) -> None:
    Path("run/checkpoint.pt").unlink()
    before = {path.name: path.read_bytes() for path in Path("run").iterdir()}
    net = f"--net {Path('run') / 'net.safetensors'} --out"
    for more in ((), ("--resume",)):
        cli("train", "johnson", *styles_run, "--out", "run", *more).refused(2, "--resume is not possible", net)
    assert {path.name: path.read_bytes() for path in Path("run").iterdir()} == before
    ran = cli("train", "johnson", *styles_run, "--out", "other", "--net", "run/net.safetensors", "-q")
    assert ran.status == 0, ran.err


def test_a_run_is_resumed_with_its_own_pictures_and_kind(
    cli: Cli, pictures: Path, style: Path, styles_run: tuple[object, ...], tmp_path: Path
) -> None:
    more = tmp_path / "more"
    shutil.copytree(pictures, more)
    data = ("--style", style, *QUICK, *STYLES, "--out", "run", "--resume")
    cli("train", "johnson", "--photos", more, *data).refused(2, "pictures (5 at weight 1)", "more (5 at weight 1)")
    cli("train", "johnson", "--photos", pictures, more, *data).refused(2, "photos", "now they are pictures (5")
    (pictures / "0.png").rename(pictures / "other.png")
    cli("train", "johnson", "--photos", pictures, *data).refused(2, "with other files")
    (pictures / "other.png").rename(pictures / "0.png")
    assert cli("train", "johnson", "--photos", pictures, *data, "-q").status == 0
    for name in MODULES:
        other = ("--photos", pictures, "--paintings", more, *QUICK, "--out", "run", "--resume")
        cli("train", name, *other).refused(2, "is a run of `impasto train johnson`", f"impasto train {name}")
    other = ("--photos", pictures, "--style", style, *QUICK, *STYLES, "--out", "run", "--resume")
    cli("train", "johnson", *other, "--preset", "johnson-2016").refused(2, "was made with preset")


def test_steps_that_are_not_given_again_stay(cli: Cli, styles_run: tuple[object, ...]) -> None:
    at = styles_run.index("--steps")
    plain = (*styles_run[:at], *styles_run[at + 2 :], "--out", "run", "--resume", "-q")
    assert cli("train", "johnson", *plain).status == 0
    assert _record("run")["steps"] == 4
    assert cli("train", "johnson", *plain, "--steps", 6).status == 0
    assert cli("train", "johnson", *plain).status == 0
    record = _record("run")
    assert record["steps"] == 6 and record["recipe"]["turn"]["step"] == 4
    cli("train", "johnson", *plain, "--steps", 5).refused(2, "has done 6 steps", "got 5")
    cli("train", "johnson", *plain, "--max-time", 5).refused(2, "max_time", "3h, 90m or 45s")


def test_few_photos_will_do_and_unreadable_ones_are_named(cli: Cli, style: Path, tmp_path: Path) -> None:
    place = tmp_path / "twenty"
    place.mkdir()
    for i in range(20):
        pixels = np.random.default_rng(i).integers(0, 256, (48, 40, 3), np.uint8)
        Image.fromarray(pixels).save(place / f"{i}.png")
    plain = ("--photos", place, "--style", style, *STYLES, "--steps", 30, "--batch", 2, "--crop", 32)
    ran = cli("train", "johnson", *plain, "--out", "run")
    assert ran.status == 0, ran.err
    assert ran.err.count("20 photos will do") == 1 and "unreadable" not in ran.err
    assert "12 photos and 8 held out, 1 style; 30 steps, each with 2 images" in ran.err
    assert "for 10 more steps; memory so far" in ran.err
    assert "will do" not in cli("train", "johnson", *plain, "--out", "run", "--resume").err
    for n in range(7):
        (place / f"bad-{n}.jpg").write_text("no picture")
    (place / "cut.png").write_bytes((place / "0.png").read_bytes()[:3000])
    (line,) = cli("train", "johnson", *plain, "--out", "other", "-q").err.splitlines()
    assert line.startswith("impasto: 8 unreadable pictures left out: ") and line.count("bad-") == 5
    names = Path("other/unreadable.txt").read_text().splitlines()
    assert [Path(name).name for name in names] == [*(f"bad-{n}.jpg" for n in range(7)), "cut.png"]
    loud = cli("train", "johnson", *plain, "--out", "third").err
    assert loud.index("7 unreadable") < loud.index("step 1/30") < loud.index("8 unreadable pictures left out")


OWN = ("--batch", 1, "--crop", 32, "--held-out", 2, "--style-size", 40)
"""Flags of a quick run that begins as impasto's own do."""


def _parent(folder: str) -> str | None:
    parent = _record(folder)["recipe"]["parent"]
    return Path(parent["name"]).stem if parent else None


def test_a_run_begins_with_the_gallery_and_is_resumed(cli: Cli, pictures: Path, style: Path) -> None:
    data = ("--photos", pictures, "--style", style, *OWN)
    ran = cli("train", "johnson", *data, "--steps", 2, "--out", "run")
    assert ran.status == 0, ran.err
    assert _parent("run") == "gallery" and _record("run")["recipe"]["max_time"] is None
    assert "begins with the weights of gallery.safetensors (--net none: with random ones)" in ran.err
    net = Path("run") / "net.safetensors"
    assert f"Ctrl-C at any step leaves a net that paints: impasto johnson photo.jpg --net {net}" in ran.err
    assert f"look at {Path('run') / 'sheet-000002.png'}, and paint: impasto johnson photo.jpg --net {net}" in ran.err
    for more in ((), ("--steps", 3), ("--net", "gallery")):
        ran = cli("train", "johnson", *data, "--out", "run", "--resume", *more)
        assert ran.status == 0, ran.err
    assert _record("run")["steps"] == 3 and _parent("run") == "gallery"
    cli("train", "johnson", *data, "--out", "run", "--resume", "--net", "none").refused(
        2, "began with gallery.safetensors", "not with random weights"
    )


def test_a_run_from_nothing_is_resumed_as_one(cli: Cli, pictures: Path, style: Path) -> None:
    data = ("--photos", pictures, "--style", style, *OWN, "--out", "run")
    ran = cli("train", "johnson", *data, "--steps", 2, "--net", "none")
    assert ran.status == 0 and "begins with random weights" in ran.err, ran.err
    ran = cli("train", "johnson", *data, "--resume", "--steps", 3)
    assert ran.status == 0 and "the run began with random weights" in ran.err, ran.err
    assert _record("run")["steps"] == 3 and _parent("run") is None
    cli("train", "johnson", *data, "--resume", "--net", "gallery").refused(2, "give --net none")


def test_a_file_that_a_run_began_with_is_named(cli: Cli, pictures: Path, style: Path) -> None:
    data = ("--photos", pictures, "--style", style, *OWN)
    assert cli("train", "johnson", *data, "--steps", 1, "--out", "one", "-q").status == 0
    Path("one/net.safetensors").rename("mine.safetensors")
    assert cli("train", "johnson", *data, "--steps", 1, "--out", "run", "--net", "mine.safetensors", "-q").status == 0
    cli("train", "johnson", *data, "--out", "run", "--resume").refused(2, "mine.safetensors (sha256", "with --net")


@pytest.mark.parametrize(
    ("flags", "net", "time"),
    [
        ((), "gallery", "PT3H"),
        (("--preset", "impasto", "--encoder", "vgg19", "--lr", "1e-4"), "gallery", "PT3H"),
        (("--steps", 5), "gallery", None),
        (("--max-time", "1h"), "gallery", "PT1H"),
        (("--max-time", "none"), "gallery", None),
        (("--net", "gallery"), "gallery", None),
        (("--net", "none"), None, None),
        (("--net", "the-scream-small"), "the-scream-small", None),
        (("--preset", "dumoulin"), None, None),
        (("--encoder", "vgg16"), None, None),
        (("--architecture", "c3s1-4,d6,R6,u4,c3s1-3"), None, None),
        (("--chroma", "sharp"), None, None),
        (("--learn", "styles", "--net", "gallery"), "gallery", None),
    ],
)
def test_what_a_run_begins_with_and_how_long_it_lasts(
    flags: tuple[object, ...],
    net: str | None,
    time: str | None,
    cli: Cli,
    style: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun: list[tuple[str | None, str | None]] = []

    def begin(options: Any, *_: object, init: str | None, **__: object) -> Path:
        begun.append((init, options.model_dump(mode="json")["max_time"]))
        raise KeyboardInterrupt

    johnson = next(trainer for trainer in train_command.TRAINERS if trainer.name == "johnson")
    trainers = (dataclasses.replace(johnson, train=begin),)
    monkeypatch.setattr(train_command, "TRAINERS", trainers)
    cli("train", "johnson", "--photos", "photos", "--style", style, "--out", "run", *flags)
    assert begun == [(net, time)]


def test_a_run_that_was_stopped_at_once_keeps_its_time(
    cli: Cli, pictures: Path, style: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = ("--photos", pictures, "--style", style, *OWN, "--out", "run")
    with monkeypatch.context() as patch:
        patch.setattr(Stop, "asked", True)
        stopped = cli("train", "johnson", *data)
    assert stopped.status == 130
    assert "paint with the net so far: impasto johnson photo.jpg" in stopped.err and "--resume" in stopped.err
    assert "28700 steps at most" in stopped.err and "takes 3 h at most (--max-time changes that)" in stopped.err
    with monkeypatch.context() as patch:
        patch.setattr(Stop, "asked", True)
        again = cli("train", "johnson", *data, "--resume")
    assert "steps 2 to 28700 at most" in again.err and "takes 3 h at most" in again.err
    ran = cli("train", "johnson", *data, "--resume", "--steps", 4)
    assert ran.status == 0 and "3 h" not in ran.err, ran.err


def test_a_style_of_one_colour_gets_a_line(cli: Cli, pictures: Path, style: Path) -> None:
    Image.new("RGB", (40, 30), (200, 30, 30)).save("red.jpg")
    data = ("--photos", pictures, *OWN, "--steps", 1)
    ran = cli("train", "johnson", *data, "--style", style, "red.jpg", "--out", "run")
    assert ran.status == 0 and ran.err.count("impasto: red.jpg has one colour only") == 1, ran.err
    assert f"{style} has" not in ran.err


def _record(folder: str) -> dict[str, Any]:
    return load_metadata(Path(folder) / "net.safetensors") or {}
