"""``impasto train``: from folders to a net that paints."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from impasto.cli.app import build
from impasto.training import run
from impasto.training.loop import CHECKPOINT
from impasto.training.tasks import adain as train_adain
from impasto.training.tasks import adain_options, johnson_options
from impasto.training.tasks import johnson as train_johnson
from impasto.training.tasks import swap as train_swap
from impasto.training.tasks import swap_steps as train_swap_steps
from impasto.weights.canonical import tiny_weights

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
