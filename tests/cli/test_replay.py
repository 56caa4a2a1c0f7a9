"""A painting painted again from what it carries, and every way in which that cannot be."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

import impasto
from impasto.cli.toml import to_toml
from impasto.images.metadata import read_metadata
from impasto.images.read import read
from impasto.methods.gatys import painter as gatys
from impasto.painter import Step

from .conftest import Cli, Ran

pytestmark = pytest.mark.usefixtures("tiny_encoder")
SHORT = ("--size", 48, "--steps", 2, "--precision", "exact")


def picture(width: int, height: int, seed: int) -> Image.Image:
    """A soft cloud of colours."""
    values = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), np.uint8)
    return Image.fromarray(values).resize((width, height), Image.Resampling.BICUBIC)


def pixels(path: str | Path) -> np.ndarray[Any, Any]:
    return read(path).pixels.numpy()


def done(ran: Ran) -> Ran:
    assert ran.status == 0, ran.err
    return ran


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def painted(cli: Cli, photo: Path, style: Path) -> Path:
    """A painting of gatys, away from what it was made of."""
    done(cli("gatys", photo, f"{style}:0.5", "-o", "out.png", "--seed", 3, "--init", "random", *SHORT))
    return Path("out.png")


def test_inputs_are_kept_by_name_and_sha256(painted: Path, photo: Path, style: Path) -> None:
    kept = read_metadata(painted)
    assert kept is not None
    assert kept["photo"] == "photo.png"
    assert kept["inputs"] == [{"name": p.name, "sha256": digest(p)} for p in (photo, style)]
    assert str(photo.parent) not in str(kept)


@pytest.mark.parametrize(
    ("name", "more"),
    [
        *(("a.png", ("--bits", 16)), ("a.jpg", ("--quality", 80)), ("a.webp", ("--quality", 80)), ("a.tif", ())),
        *(("a.avif", ("--quality", 60)), ("a.jxl", ("--bits", 16)), ("b.jxl", ("--quality", 100))),
    ],
)
def test_again_to_the_last_byte(cli: Cli, photo: Path, style: Path, name: str, more: tuple[Any, ...]) -> None:
    done(cli("gatys", photo, style, "-o", name, *more, *SHORT))
    done(cli("replay", name, "--inputs", photo.parent))
    again = Path(name).with_stem(f"{Path(name).stem}.replay")
    assert again.read_bytes() == Path(name).read_bytes()


@pytest.mark.parametrize("method", ["adain", "swap", "johnson"])
def test_every_method(cli: Cli, photo: Path, style: Path, tiny_nets: dict[str, Path], method: str) -> None:
    pictures = (photo, style) if method != "johnson" else (photo,)
    done(cli(method, *pictures, "-o", "a.png", "--size", 32, "--precision", "exact", "--net", tiny_nets[method]))
    done(cli("replay", "a.png", "--inputs", photo.parent))
    assert Path("a.replay.png").read_bytes() == Path("a.png").read_bytes()
    if method == "johnson":
        cli("replay", "a.png", "--style", style, "-o", "b.png").refused(2, "takes no style picture", "--net")
        cli("replay", "a.png", "--style-scale", 0, "-o", "b.png").refused(2, "style_scale", "0.0625")
        done(cli("replay", "a.png", "--inputs", photo.parent, "--size", 160, "-o", "b.png"))
        done(cli("replay", "a.png", "--inputs", photo.parent, "--size", 160, "--style-scale", 2, "-o", "c.png"))
        assert Path("b.png").read_bytes() != Path("c.png").read_bytes()
        Path("b.png").unlink()
    tiny_nets[method].rename(tiny_nets[method].with_suffix(".gone"))
    cli("replay", "a.png", "--inputs", photo.parent, "-o", "b.png").refused(2, tiny_nets[method].name, "not there")


@pytest.mark.parametrize("flag", [("--boldness", "0.9"), ("--effort=best",)])
def test_a_dial_of_paint_is_none_of_a_recipe(cli: Cli, painted: Path, flag: tuple[str, ...]) -> None:
    name = flag[0].partition("=")[0]
    cli("replay", painted, *flag).refused(
        2,
        f"{name} is a dial of `impasto paint`",
        "settings of gatys",
        f"impasto paint photo.png style.png:0.5 {name}",
    )
    cli("replay", painted, "--boldnes", 1).refused(2, "no flag --boldnes")


def test_the_defaults_in_the_help_are_those_of_the_picture(cli: Cli, photo: Path, style: Path) -> None:
    done(cli("gatys", photo, f"{style}:0.5", "-o", "a.jpg", "--quality", 71, "--strength", 0.25, *SHORT))
    shown = " ".join(re.sub("[│╭╰]", " ", cli("replay", "a.jpg", "--help-all").out).split())
    assert "a.jpg was painted with `impasto gatys`. The defaults of the flags below" in shown
    for flag, default in (
        ("--photo", "photo.png"),
        ("--style", "style.png:0.5"),
        ("--size", "48"),
        ("--steps", "2"),
        ("--strength", "0.25"),
        ("--precision", "exact"),
        ("--quality", "71"),
    ):
        first = re.search(r"\[default: (.*?)\]", shown.partition(f" {flag} ")[2])
        assert first and first[1] == default, flag


def test_where_inputs_are_looked_for(cli: Cli, painted: Path, photo: Path, style: Path, tmp_path: Path) -> None:
    album = tmp_path / "album"
    album.mkdir()
    shutil.copy(painted, album / "out.png")
    shutil.copy(photo, album)  # beside the picture
    shutil.copy(style, Path.cwd())  # in the current folder
    done(cli("replay", album / "out.png", "-o", "again.png"))
    assert np.array_equal(pixels("again.png"), pixels(painted))


def test_a_file_that_was_renamed_is_known_by_its_sha256(cli: Cli, painted: Path, photo: Path, style: Path) -> None:
    elsewhere = photo.rename(photo.with_name("holiday.png")), style.rename(style.with_name("night.png"))
    cli("replay", painted, "--inputs", photo.parent).refused(2, "photo.png", "not there", "--inputs")
    done(cli("replay", painted, "--inputs", *elsewhere))
    assert np.array_equal(pixels("out.replay.png"), pixels(painted))
    ran = cli("replay", painted, "--inputs", elsewhere[1], "-o", "b.png")
    ran.refused(2, "photo.png")
    assert "style.png" not in ran.err


def test_what_is_missing_is_named_by_its_sha256(cli: Cli, painted: Path, photo: Path, style: Path) -> None:
    ran = cli("replay", painted)
    ran.refused(2, f"photo.png (sha256 {digest(photo)}) is not there", f"style.png (sha256 {digest(style)})")
    assert "looked in the current folder" in ran.err
    assert not Path("out.replay.png").exists()
    cli("replay", painted, "--inputs", "nowhere").refused(2, "nowhere is not a folder")


def test_another_file_of_the_name_is_refused_unless_given(cli: Cli, painted: Path, photo: Path, style: Path) -> None:
    shutil.copy(style, "photo.png")
    shutil.copy(style, "style.png")
    cli("replay", painted).refused(2, "photo.png is another file", digest(style), digest(photo))
    # the right one is preferred wherever it is
    done(cli("replay", painted, "--inputs", photo.parent))
    # and what is given is given
    picture(50, 40, 9).save("photo.png")
    done(cli("replay", painted, "--photo", "photo.png", "-o", "other.png"))
    assert pixels("other.png").shape[2:] == (38, 48)


def test_two_inputs_of_one_name(cli: Cli, photo: Path, style: Path, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("a", "b", "c")]
    for number, folder in enumerate(folders):
        folder.mkdir()
        picture(50, 40 + number, number).save(folder / "x.png")
    files = [folder / "x.png" for folder in folders]
    done(cli("gatys", *files, "-o", "out.png", *SHORT))
    assert "x.png" in cli("show", "out.png").out
    done(cli("replay", "out.png", "--inputs", *reversed(folders)))
    assert np.array_equal(pixels("out.replay.png"), pixels("out.png"))


def test_another_photo(cli: Cli, painted: Path, photo: Path, style: Path, tmp_path: Path) -> None:
    cat = tmp_path / "cat.png"
    picture(40, 60, 5).save(cat)
    report = done(cli("replay", painted, "--photo", cat, "--inputs", style.parent, "--json")).json
    assert report["output"] == "cat.out.png"
    assert report["seed"] == 3
    done(cli("gatys", cat, f"{style}:0.5", "-o", "direct.png", "--seed", 3, "--init", "random", *SHORT))
    assert np.array_equal(pixels("cat.out.png"), pixels("direct.png"))


def test_another_style(cli: Cli, painted: Path, photo: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.png"
    picture(64, 64, 8).save(other)
    ran = done(cli("replay", painted, "--style", f"{other}:2", "--photo", photo, "-o", "b.png", "--json"))
    (style,) = ran.json["recipe"]["styles"]
    assert (style["path"], style["weight"]) == ("other.png", 2)


def test_any_flag_overrides(cli: Cli, painted: Path, photo: Path) -> None:
    flags = ("--size", "none", "--steps", 1, "--tv-weight", 0.5, "--init", "content", "--bits", 16)
    report = done(cli("replay", painted, "--inputs", photo.parent, "--json", *flags)).json
    assert report["size"] == [60, 45]
    options = report["recipe"]["options"]
    assert (report["steps"], options["tv_weight"], options["init"]) == (1, 0.5, "content")
    assert report["seed"] == 3
    # a size that is unset is kept as such, not as the default
    done(cli("replay", report["output"], "--inputs", photo.parent, "-o", "c.png"))
    assert np.array_equal(pixels("c.png"), pixels(report["output"]))


def test_steps_replace_a_schedule_and_a_preset_replaces_settings(cli: Cli, photo: Path, style: Path) -> None:
    where = ("--inputs", photo.parent, "--json")
    done(cli("gatys", photo, style, "-o", "a.png", "--size", 32, "--schedule", "0.5:1,1:2", "--tv-weight", 0.1))
    assert done(cli("replay", "a.png", *where, "-o", "b.png")).json["steps"] == 3
    assert done(cli("replay", "a.png", *where, "-o", "c.png", "--steps", 1)).json["steps"] == 1
    recipe = done(cli("replay", "a.png", *where, "-o", "d.png", "--preset", "quick", "--steps", 1)).json["recipe"]
    assert (recipe["preset"], recipe["options"]["tv_weight"], recipe["size"]) == ("quick", 0, 512)


def test_show_and_replay_as_toml(cli: Cli, painted: Path, photo: Path) -> None:
    text = done(cli("show", painted)).out
    assert tomllib.loads(text) == read_metadata(painted) == cli("show", painted, "--json").json
    Path("recipe.toml").write_text(text, "utf-8")
    done(cli("replay", "recipe.toml", "--inputs", photo.parent))
    assert np.array_equal(pixels("recipe.replay.png"), pixels(painted))
    Path("recipe.toml").write_text(text.replace("size = 48", 'size = "none"'), "utf-8")
    report = done(cli("replay", "recipe.toml", "--inputs", photo.parent, "-o", "whole.png", "--json")).json
    assert report["size"] == [60, 45]
    assert 'size = "none"' in cli("show", "whole.png").out


def test_a_recipe_may_name_a_file_without_its_sha256(cli: Cli, painted: Path, photo: Path) -> None:
    data = tomllib.loads(cli("show", painted).out)
    del data["inputs"]
    Path("recipe.toml").write_text(to_toml(data), "utf-8")
    done(cli("replay", "recipe.toml", "--inputs", photo.parent))
    cli("replay", "recipe.toml", "-o", "b.png").refused(2, "photo.png is not there", "style.png")


PIPES = hasattr(os, "mkfifo")
STRANGE = ["/etc/passwd.png", "../secret.png", "..", "a/b.png", "~/x.png", "-", "a\x1b[2Jb.png", "a\u202eb.png"]


@pytest.mark.parametrize("name", STRANGE)
@pytest.mark.parametrize("place", ["photo", "style", "mask", "start", "encoder"])
def test_only_names_are_taken_from_a_recipe(cli: Cli, painted: Path, photo: Path, name: str, place: str) -> None:
    data = tomllib.loads(cli("show", painted).out)
    style = data["recipe"]["styles"][0]
    table, key = {"photo": (data, "photo"), "style": (style, "path"), "mask": (style, "mask")}.get(
        place, (data["recipe"], place)
    )
    table[key] = name
    Path("recipe.toml").write_text(to_toml(data), "utf-8")
    for printed in (cli("show", painted).out, Path("recipe.toml").read_text("utf-8")):
        assert not set(printed) & {"\x1b", "\u202e"}
    helped = cli("replay", "recipe.toml", "--help-all")
    ran = cli("replay", "recipe.toml", "--inputs", photo.parent)
    ran.refused(2, "was standard input" if name == "-" else "is not the name of a file")
    assert not set(helped.out + ran.err) & {"\x1b", "\u202e"}
    if place == "photo":
        done(cli("replay", "recipe.toml", "--inputs", photo.parent, "--photo", photo))


@pytest.mark.parametrize("kind", ["deep", "keys", "number", "long", "text", *(["pipe", "device"] if PIPES else [])])
def test_a_recipe_that_nobody_wrote(cli: Cli, kind: str) -> None:
    path = Path("recipe.toml")
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        texts = {"deep": "a = " + "[" * 9999, "keys": "a." * 20_000 + "a = 1", "number": "seed = " + "9" * 5000}
        path.write_text(
            texts.get(kind, "a = 1\n" * 300_000 if kind == "long" else f'[recipe]\nmethod = "{"x" * 10**6}"')
        )
    ran = cli("replay", path)
    ran.refused(2, "recipe.toml")
    assert len(ran.err) < 1300


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ('method = "gatys"', 'method = "gaty"', ["did you mean gatys"]),
        ('method = "gatys"', "", ["names no method"]),
        ('method = "gatys"', "method = 3", ["names no method"]),
        ("seed = 3", 'seed = "soon"', ["seed", "expected a whole number"]),
        ("size = 48", "size = -1", ["size", "16"]),
        ("steps = 2", "steps = 2\nstepz = 3", ["stepz"]),
        ("weight = 0.5", "weight = -1", ["weight", "greater than 0"]),
        ("[[recipe.styles]]", "[recipe.styles]", ["styles"]),
        ("[recipe]", "[receipt]", ["recipe"]),
        ("[recipe.options]", "[recipe.option]", ["option"]),
        ("bits = 8", 'bits = "few"', ["bits"]),
        ("bits = 8", "bits = 9", ["bits is 9"]),
        ("seed = 3", "seed = ", ["not valid TOML"]),
        ('photo = "photo.png"', "", ["--photo"]),
    ],
)
def test_a_recipe_edited_into_nonsense(
    cli: Cli, painted: Path, photo: Path, before: str, after: str, words: list[str]
) -> None:
    text = cli("show", painted).out
    assert before in text
    Path("recipe.toml").write_text(text.replace(before, after, 1), "utf-8")
    cli("replay", "recipe.toml", "--inputs", photo.parent).refused(2, *words)
    assert not Path("recipe.replay.png").exists()


def test_a_setting_that_is_gone_is_named(cli: Cli, photo: Path, style: Path, tiny_nets: dict[str, Path]) -> None:
    done(cli("swap", photo, style, "-o", "a.png", "--size", 32, "--stride", 2, "--net", tiny_nets["swap"]))
    text = cli("show", "a.png").out
    assert "stride = 2" in text and "patches_per_style" not in text
    Path("recipe.toml").write_text(text.replace("stride = 2", "stride = 2\npatches_per_style = 500"), "utf-8")
    gone = "recipe.toml: swap's setting patches_per_style (got 500) is gone: every patch is compared; remove it"
    cli("replay", "recipe.toml", "--inputs", photo.parent).refused(2, gone)
    Path("recipe.toml").write_text(text.replace("stride = 2", 'stride = 2\npatches_per_style = "none"'), "utf-8")
    done(cli("replay", "recipe.toml", "--inputs", photo.parent))
    assert np.array_equal(pixels("recipe.replay.png"), pixels("a.png"))


def test_what_cannot_be_replayed(cli: Cli, painted: Path, photo: Path) -> None:
    cli("replay").refused(2, "no picture")
    cli("replay", photo).refused(2, "carries no recipe")
    cli("replay", "missing.png").refused(2, "no file missing.png")
    cli("replay", "missing.toml").refused(2, "missing.toml cannot be read")
    Path("latin.toml").write_bytes(b"\xff\xfe")
    cli("replay", "latin.toml").refused(2, "latin.toml cannot be read")
    cli("replay", "--size", 3, painted).refused(2, "expected it first")
    cli("replay", painted, photo, "--size", 40).refused(2, f"no place for {photo}")
    cli("replay", painted, "--stpes", 3).refused(2, "did you mean --steps")
    cli("replay", painted, "--inputs", photo.parent, "-o", painted).refused(2, "exists already")
    cli("replay", painted, "--inputs", photo.parent, "--style-weight", -1).refused(2, "style_weight")
    cli("replay", painted, "--inputs", photo.parent, "--bits", 16, "-o", "a.jpg").refused(2, "bits is 16 for JPEG")


def test_help_lists_the_flags_of_the_method(cli: Cli, painted: Path) -> None:
    shown = done(cli("replay", painted, "--help")).out
    assert "--content-weight" in shown and "--photo" in shown
    assert "[default: 48]" in shown and "[default: PICTURE.replay.png]" in shown
    assert "--tv-weight" not in shown and f"more flags: impasto replay {painted} --help-all" in " ".join(
        shown.split()
    )
    assert "--tv-weight" in done(cli("replay", painted, "--help-all")).out
    assert "--photo" in done(cli("replay", "--help")).out


def test_another_network_of_the_name_is_warned_of(cli: Cli, painted: Path, photo: Path) -> None:
    text = cli("show", painted).out.replace(f'vgg19 = "{"0" * 64}"', f'vgg19 = "{"1" * 64}"')
    Path("recipe.toml").write_text(text, "utf-8")
    ran = done(cli("replay", "recipe.toml", "--inputs", photo.parent))
    assert f"impasto: the network vgg19 (sha256 {'1' * 64}) has the sha256 {'0' * 64} here" in ran.err
    ran = done(cli("replay", "recipe.toml", "--inputs", photo.parent, "-o", "b.png", "--quiet"))
    assert ran.err == ""
    ran = done(cli("replay", "recipe.toml", "--inputs", photo.parent, "-o", "c.png", "--encoder", "vgg19"))
    assert "the network" not in ran.err


def test_a_beginning_from_a_file_is_an_input(cli: Cli, photo: Path, style: Path, tmp_path: Path) -> None:
    sketch = tmp_path / "sketches" / "sketch.png"
    sketch.parent.mkdir()
    picture(30, 30, 4).save(sketch)
    cli("gatys", photo, style, "-o", "a.png", "--init", sketch, *SHORT).refused(2, f"--start {sketch}")
    settings = {"init": str(sketch), "size": 48, "steps": 2, "precision": "exact"}
    recipe = impasto.make_recipe("gatys", [impasto.Style(path=str(style))], settings=settings)
    impasto.bind(recipe, device="cpu").paint(photo).done().save("a.png")
    kept = read_metadata("a.png")
    assert kept is not None
    assert kept["recipe"]["options"]["init"] == "sketch.png"
    assert kept["inputs"][-1] == {"name": "sketch.png", "sha256": digest(sketch)}
    cli("replay", "a.png", "--inputs", photo.parent).refused(2, "sketch.png")
    done(cli("replay", "a.png", "--inputs", photo.parent, sketch.parent))
    assert np.array_equal(pixels("a.replay.png"), pixels("a.png"))


def test_a_start_is_an_input(cli: Cli, photo: Path, style: Path, tmp_path: Path) -> None:
    start = tmp_path / "starts" / "so far.png"
    start.parent.mkdir()
    picture(40, 30, 4).save(start)
    done(cli("gatys", photo, style, "-o", "a.png", "--start", start, "--start-detail", 0.5, *SHORT))
    kept = read_metadata("a.png")
    assert kept is not None
    assert (kept["recipe"]["start"], kept["recipe"]["start_detail"]) == ("so far.png", 0.5)
    assert kept["inputs"][-1] == {"name": "so far.png", "sha256": digest(start)}
    done(cli("replay", "a.png", "--inputs", photo.parent, start.parent))
    assert np.array_equal(pixels("a.replay.png"), pixels("a.png"))
    done(cli("gatys", photo, style, "-o", "plain.png", *SHORT))
    done(cli("replay", "a.png", "--inputs", photo.parent, "--start", "none", "-o", "b.png"))
    assert np.array_equal(pixels("b.png"), pixels("plain.png"))


def test_the_nets_of_rungs_are_inputs(
    cli: Cli, photo: Path, style: Path, tiny_nets: dict[str, Path], tmp_path: Path
) -> None:
    rungs = ("--rungs", f"adain:256:net={tiny_nets['adain']},swap:start_detail=0.5:net={tiny_nets['swap']}")
    common = ("--size", 48, "--precision", "exact")
    done(cli("cascade", photo, style, "-o", "a.png", *rungs, *common))
    kept = read_metadata("a.png")
    assert kept is not None
    assert [rung["settings"]["net"] for rung in kept["recipe"]["options"]["rungs"]] == [
        tiny_nets[name].name for name in ("adain", "swap")
    ]
    assert {each["name"] for each in kept["inputs"]} >= {net.name for net in (tiny_nets["adain"], tiny_nets["swap"])}
    assert str(tmp_path) not in str(kept)
    places = ("--inputs", photo.parent, tiny_nets["adain"].parent)
    done(cli("replay", "a.png", *places))
    assert np.array_equal(pixels("a.replay.png"), pixels("a.png"))
    cli("replay", "a.png", "--inputs", photo, style, "-o", "b.png").refused(2, tiny_nets["adain"].name)
    Path("a.toml").write_text(cli("show", "a.png").out)
    done(cli("replay", "a.toml", *places, "-o", "c.png"))
    assert np.array_equal(pixels("c.png"), pixels("a.png"))
    done(cli("replay", "a.png", *places, "-o", "d.png", "--rungs", f"swap:net={tiny_nets['swap']}"))
    assert not np.array_equal(pixels("d.png"), pixels("a.png"))


def test_an_interrupted_painting_is_told_of(
    cli: Cli, photo: Path, style: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = gatys.GatysPainter.paint

    def paint(self: gatys.GatysPainter, content: Tensor, *more: Any) -> Iterator[Step]:
        yield next(iter(real(self, content, *more)))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(gatys.GatysPainter, "paint", paint)
        assert cli("gatys", photo, style, "-o", "a.png", *SHORT).status == 130
    ran = done(cli("replay", "a.png", "--inputs", photo.parent))
    assert "a.png was not painted to its end (interrupted)" in ran.err
    assert "stopped" not in (read_metadata("a.replay.png") or {})


def test_a_device_that_is_not_here(cli: Cli, painted: Path, photo: Path) -> None:
    text = cli("show", painted).out.replace('device = "cpu"', 'device = "hopper"')
    Path("recipe.toml").write_text(text, "utf-8")
    assert done(cli("replay", "recipe.toml", "--inputs", photo.parent, "--json")).json["device"]


PLAIN = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), PLAIN, max_size=4))
def test_toml_is_read_back_as_it_was(data: dict[str, Any]) -> None:
    assert tomllib.loads(to_toml(data)) == data


def test_alpha_gps_and_sixteen_bits_from_the_command_line(cli: Cli, style: Path, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[34853] = {1: "N", 2: (59.0, 20.0, 0.0)}
    photo = tmp_path / "abroad.jpg"
    picture(60, 45, 1).save(photo, exif=exif)
    done(cli("gatys", photo, style, "-o", "a.tif", *SHORT))
    done(cli("gatys", photo, style, "-o", "b.tif", "--keep-gps", *SHORT))
    with Image.open("a.tif") as without, Image.open("b.tif") as place:
        assert without.getexif().get_ifd(34853) == {}
        assert place.getexif().get_ifd(34853)[1] == "N"
    done(cli("replay", "b.tif", "--inputs", tmp_path))
    assert Path("b.replay.tif").read_bytes() == Path("b.tif").read_bytes()


def test_a_broken_profile_is_a_line(cli: Cli, photo: Path, style: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    with Image.open(photo) as image:
        image.save(broken, icc_profile=b"nonsense")
    ran = done(cli("gatys", broken, style, "-o", "a.png", *SHORT))
    (line,) = [line for line in ran.err.splitlines() if line.startswith("impasto: ")]
    assert "broken.png: its colour profile cannot be used" in line
    assert "taken for sRGB" in line
    assert done(cli("gatys", broken, style, "-o", "b.png", "--quiet", *SHORT)).err == ""
