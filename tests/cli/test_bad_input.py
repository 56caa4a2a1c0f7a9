"""What cannot be painted is refused in one line, with the status that says whose mistake it is; nothing is left."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
import torch
from PIL import Image

from impasto import untrusted
from impasto.cli import main
from impasto.methods.gatys import painter as gatys

from .conftest import Cli

pytestmark = pytest.mark.usefixtures("tiny_encoder")


def png_header(width: int, height: int) -> bytes:
    """A PNG that says it is that large, and holds almost nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = chunk(b"IDAT", zlib.compress(b"\0"))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + rows + chunk(b"IEND", b"")


def encoded(width: int, height: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), (90, 120, 30)).save(out, "PNG")
    return out.getvalue()


def noise() -> bytes:
    out = io.BytesIO()
    Image.effect_noise((64, 64), 80).convert("RGB").save(out, "PNG")
    return out.getvalue()


BAD = {
    "zero bytes": (b"", "empty"),
    "no picture": (b"hello, this is a letter\n" * 20, "not a picture"),
    "a drawing": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "drawing"),
    "truncated": (noise()[:2000], "cut short"),
    "one pixel": (encoded(1, 1), "1×1 pixels"),
    "a bomb": (png_header(60_000, 60_000), "megapixels"),
    "20 000 pixels wide and empty": (png_header(20_000, 20_000), "cut short"),
}


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("place", ["photo", "style"])
def test_bad_picture(cli: Cli, photo: Path, style: Path, kind: str, place: str, tmp_path: Path) -> None:
    data, word = BAD[kind]
    bad = tmp_path / "bad.png"
    bad.write_bytes(data)
    pictures = (bad, style) if place == "photo" else (photo, bad)
    cli("paint", *pictures, "-o", "out.png", "--quiet").refused(2, "bad.png", word)
    assert not list(Path.cwd().iterdir())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("place", ["photo", "style", "mask", "start", "net", "encoder"])
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_what_is_no_file_is_refused_at_once(
    cli: Cli, photo: Path, style: Path, kind: str, place: str, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.png"
    os.mkfifo(bad) if kind == "pipe" else bad.symlink_to("/dev/zero")
    arguments = {
        "photo": ("adain", bad, style),
        "style": ("adain", photo, bad),
        "mask": ("adain", photo, f"{style}@{bad}"),
        "start": ("adain", photo, style, "--start", bad),
        "net": ("adain", photo, style, "--net", bad),
        "encoder": ("gatys", photo, style, "--encoder", bad),
    }[place]
    cli(*arguments, "-o", "out.png", "--quiet").refused(2, "bad.png", f"is a {kind}")


def test_standard_input_is_bounded(cli: Cli, style: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(untrusted, "MOST_STREAMED", 1000)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(bytes(2000))))
    cli("paint", "-", style, "-o", "out.png").refused(2, "standard input", "more than 0.001 MB")


@pytest.mark.parametrize("typed", ["-:0.5", "-@{mask}", "-:2@{mask}"])
@pytest.mark.parametrize("command", ["paint", "adain"])
def test_a_style_from_standard_input_has_weight_and_mask(
    cli: Cli, photo: Path, style: Path, typed: str, command: str, monkeypatch: pytest.MonkeyPatch, tiny_shipped: None
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(style.read_bytes())))
    ran = cli(command, photo, typed.format(mask=photo), "-o", "out.png", "--size", 32, "--quiet")
    assert ran.status == 0, ran.err


def test_wide_photo_is_painted(cli: Cli, style: Path, tmp_path: Path) -> None:
    wide = tmp_path / "wide.png"
    wide.write_bytes(encoded(20_000, 640))
    ran = cli("gatys", wide, style, "-o", "out.png", "--size", 64, "--steps", 1, "--json")
    assert ran.status == 0
    assert ran.json["size"][0] >= 64


def test_missing_files_name_their_neighbours(cli: Cli, photo: Path, style: Path) -> None:
    cli("paint", photo.with_name("phota.png"), style, "-o", "out.png").refused(2, "no file", "did you mean photo.png")
    cli("paint", photo.parent, style, "-o", "out.png").refused(2, "is a folder")


def test_photo_and_style_the_same(cli: Cli, photo: Path, tmp_path: Path) -> None:
    cli("paint", photo, photo, "-o", "out.png").refused(2, "same picture", "another style")
    copy = tmp_path / "copy.png"
    copy.write_bytes(photo.read_bytes())
    cli("paint", photo, copy, "-o", "out.png").refused(2, "same picture")


def test_same_style_twice(cli: Cli, photo: Path, style: Path) -> None:
    cli("paint", photo, style, style, "-o", "out.png").refused(2, "given twice")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--style-weight", "nan"], ["style_weight", "finite"]),
        (["--content-weight", "-1"], ["content_weight", "greater than or equal to 0", "-1"]),
        (["--steps", "many"], ["steps", "expected a whole number", "many"]),
        (["--size", "3"], ["size", "16"]),
        (["--seed", "-1"], ["seed", "-1"]),
        (["--style-layers", "relu9_1"], ["relu9_1", "did you mean"]),
        (["--style-layers", "relu1_1:x"], ["relu1_1", "expected a number"]),
        (["--schedule", "0.5"], ["SIZE:STEPS"]),
        (["--preset", "gatys-2051"], ["no preset", "did you mean gatys-2015"]),
        (["--encoder", "vgg91"], ["vgg91", "did you mean", "vgg19"]),
        (["--pooling", "maximum"], ["--pooling", '"max"', '"avg"']),
        (["--stpes", "3"], ["no flag --stpes", "did you mean --steps"]),
        (["--device", "tpu"], ["tpu", "cpu"]),
        (["--quality", "0"], ["quality", "1 to 100"]),
        (["--bits", "12"], ["bits", "8"]),
        (["--snapshot-every", "0"], ["snapshot-every", "1 or more"]),
        (["--loss-plot", "plot.pgn"], [".pgn", "did you mean .png"]),
    ],
)
def test_bad_setting(cli: Cli, photo: Path, style: Path, arguments: list[str], words: list[str]) -> None:
    settings = ["--size", 48, "--steps", 1] if not {"--size", "--steps"} & set(arguments) else []
    cli("gatys", photo, style, "-o", "out.png", "--quiet", *settings, *arguments).refused(2, *words)
    assert not Path("out.png").exists()


def test_settings_are_refused_before_pictures_are_read(cli: Cli) -> None:
    cli("gatys", "no.png", "no.png:2", "-o", "out.png", "--tv-weight", "inf").refused(2, "tv_weight")
    cli("gatys", "no.png", "none.png", "-o", "nowhere/out.png").refused(2, "nowhere", "does not exist")


@pytest.mark.parametrize("command", ["paint", "gatys", "compare"])
def test_a_weight_that_is_no_number(cli: Cli, photo: Path, style: Path, command: str, tmp_path: Path) -> None:
    for typed, got in ((f"{style}:abc", "'abc'"), (f"{style}:0,5", "'0,5'"), (f"{style}:x@{photo}", "'x'")):
        cli(command, photo, typed, "-o", "out.png").refused(2, f"style weight is {got}", f"as in {style}:0.3")
    named = tmp_path / "a:b.png"
    style.rename(named)
    cli(command, photo, f"{named}:abc", "-o", "out.png").refused(2, "style weight is 'abc'")
    cli(command, tmp_path / "none.png", named, "-o", "out.png").refused(2, "no file", "none.png")


def test_a_style_of_the_gallery_is_no_picture(cli: Cli, photo: Path, style: Path) -> None:
    for command in ("paint", "swap"):
        cli(command, photo, "great-wave", "-o", "out.png").refused(
            2, "great-wave is not a picture file", f"impasto johnson {photo} --net great-wave"
        )
    cli("compare", photo, "great-wave").refused(2, "great-wave is not", "--methods", "johnson:great-wave")
    Path("great-wave").write_bytes(style.read_bytes())
    ran = cli("adain", photo, "great-wave", "-o", "nowhere/out.png")
    ran.refused(2, "nowhere")


def test_an_output_that_exists_hides_no_other_mistake(cli: Cli, photo: Path, style: Path) -> None:
    Path("out.png").write_bytes(b"mine")
    Path("text.png").write_text("no picture")
    for arguments, words in (
        (("none.png", style), ("no file none.png",)),
        ((photo, "none.png"), ("no file none.png",)),
        ((photo, "text.png"), ("text.png is not a picture",)),
        ((photo, f"{style}@{style.with_name('mask.png')}"), ("no file", "mask.png")),
        ((photo, style, "--start", "none.png"), ("no file none.png",)),
        ((photo, style, "--loss-plot", "plot.gif"), ("plot.gif",)),
        ((photo, style), ("out.png exists already",)),
    ):
        cli("gatys", *arguments, "-o", "out.png").refused(2, *words)
    cli("compare", photo, "none.png", "-o", "out.png").refused(2, "no file none.png")
    cli("compare", photo, style, "-o", "out.png").refused(2, "out.png exists already")
    assert Path("out.png").read_bytes() == b"mine"


def test_a_second_picture_that_is_missing_was_perhaps_the_output(cli: Cli, photo: Path, style: Path) -> None:
    cli("paint", photo, style, "made.png").refused(2, "no style picture made.png", "-o made.png")


def test_what_a_run_holds_is_named_where_its_net_was_meant(cli: Cli, photo: Path) -> None:
    Path("run").mkdir()
    Path("run/checkpoint.pt").write_bytes(b"not a net")
    cli("johnson", photo, "--net", "run/net.safetensors").refused(2, "no weights file", "when Ctrl-C stops the run")
    Path("run/net.safetensors").write_bytes(b"x")
    cli("johnson", photo, "--net", "run").refused(2, "is a folder", "run/net.safetensors")
    cli("johnson", photo, "--net", "run/checkpoint.pt").refused(
        2, "not a safetensors file", "give the net of the run"
    )


def test_style_weight_of_nothing(cli: Cli, photo: Path, style: Path) -> None:
    cli("paint", photo, f"{style}:0", "-o", "out.png").refused(2, "positive number", "scream.jpg:0.3")


def test_unknown_command(cli: Cli) -> None:
    cli("pant", "photo.png").refused(2, "no command 'pant'", "did you mean paint")
    cli("presets", "gatis").refused(2, "did you mean gatys")
    cli("paint").refused(2, "impasto paint needs PHOTO, which is missing", "impasto paint --help")
    cli("train", "johnson", "--photos", ".").refused(2, "impasto train johnson needs", "which is missing")


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("out.gif", [".gif", ".png"]),
        ("out", ["no extension"]),
        (".", ["extension"]),
        ("taken.png", ["exists already", "--overwrite"]),
        ("folder.png", ["not an ordinary file"]),
    ],
)
def test_bad_target(cli: Cli, photo: Path, style: Path, target: str, words: list[str]) -> None:
    Path("taken.png").write_bytes(b"mine")
    Path("folder.png").mkdir()
    cli("paint", photo, style, "-o", target).refused(2, *words)
    assert Path("taken.png").read_bytes() == b"mine"


def test_read_only_folder(cli: Cli, photo: Path, style: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "touch", refuse)
    cli("paint", photo, style, "-o", "out.png").refused(1, "out.png", "Permission denied")


def test_full_disk(cli: Cli, photo: Path, style: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("impasto.images.atomic.os.fsync", full)
    ran = cli("gatys", photo, style, "-o", "out.png", "--size", 48, "--steps", 1, "--quiet")
    ran.refused(1, "out.png", "No space left")
    assert not list(Path.cwd().iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_full_disk_under_the_log(cli: Cli, photo: Path, style: Path) -> None:
    Path("losses.jsonl").symlink_to("/dev/full")
    cli("gatys", photo, style, "-o", "out.png", "--loss-log", "losses.jsonl").refused(2, "not an ordinary file")


class Code:
    """Unpickled unsafely, it would leave a file."""

    def __init__(self, trace: Path) -> None:
        self._trace = trace

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (self._trace,)


def test_wrong_weights(cli: Cli, photo: Path, style: Path, tmp_path: Path) -> None:
    text, code, other = tmp_path / "text.safetensors", tmp_path / "code.pth", tmp_path / "other.pth"
    text.write_text("no tensors")
    trace = tmp_path / "executed"
    code.write_bytes(pickle.dumps({"features.0.weight": Code(trace)}))
    torch.save({"fc.weight": torch.zeros(2, 2)}, other)
    for file in (text, code, other):
        cli("paint", photo, style, "-o", "out.png", "--encoder", file, "--quiet").refused(2, file.name)
    cli("paint", photo, style, "-o", "out.png", "--encoder", tmp_path / "no.pth", "--quiet").refused(2, "no.pth")
    assert not trace.exists()
    assert not Path("out.png").exists()


def test_out_of_memory(cli: Cli, photo: Path, style: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def starve(*_: object) -> None:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: 9 bytes")

    monkeypatch.setattr(gatys.GatysPainter, "paint", starve)
    cli("gatys", photo, style, "-o", "out.png", "--quiet").refused(1, "out of memory", "--size")


def test_our_own_mistake_is_one_line_too(cli: Cli, photo: Path, style: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stumble(*_: object) -> None:
        raise KeyError("nothing")

    monkeypatch.setattr(gatys.GatysPainter, "paint", stumble)
    cli("gatys", photo, style, "-o", "out.png", "--quiet").refused(1, "KeyError", "IMPASTO_DEBUG=1")
    monkeypatch.setenv("IMPASTO_DEBUG", "1")
    assert "Traceback" in cli("gatys", photo, style, "-o", "out.png", "--quiet").err


def test_errors_as_json(cli: Cli, photo: Path) -> None:
    ran = cli("paint", photo, "none.png", "-o", "out.png", "--json")
    assert ran.status == 2
    assert ran.json["exit_status"] == 2
    assert ran.err == f"impasto: {ran.json['error']}\n"


def test_extra_that_is_missing(cli: Cli, photo: Path, style: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("impasto.session.records.importlib.util.find_spec", lambda name: None)
    cli("paint", photo, style, "-o", "out.png", "--loss-plot", "plot.png").refused(2, "pip install 'impasto[plot]'")


def test_main_reads_the_process_arguments(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["impasto", "paint", "none.png", "nothing.png", "-o", "x.png"])
    assert main() == 2
    assert "none.png" in capsys.readouterr().err


def test_an_argument_too_many_is_told_where_flags_are(cli: Cli, photo: Path, style: Path) -> None:
    cli("johnson", photo, style, "-o", "out.png").refused(2, f"got {style}", "--net NAME", "johnson --list")


@pytest.mark.parametrize("which", ["photo", "style", "mask"])
def test_an_output_never_replaces_an_input(which: str, cli: Cli, photo: Path, style: Path, tmp_path: Path) -> None:
    mask = tmp_path / "mask.png"
    Image.new("L", (8, 8), 255).save(mask)
    place = {"photo": photo, "style": style, "mask": mask}[which]
    before = place.read_bytes()
    ran = cli("adain", photo, f"{style}@{mask}", "-o", place, "--overwrite", "--size", 32)
    ran.refused(2, "painted from", "expected another name")
    assert place.read_bytes() == before
    if which != "mask":
        cli("compare", photo, style, "-o", place, "--overwrite").refused(2, "painted from")
        assert place.read_bytes() == before


@pytest.mark.parametrize(
    ("command", "flag", "none"),
    [
        ("adain", "size", True),
        ("gatys", "memory", True),
        ("gatys", "max-seconds", True),
        ("swap", "strength", False),
        ("gatys", "steps", False),
    ],
)
def test_what_may_be_none_is_told(cli: Cli, photo: Path, style: Path, command: str, flag: str, none: bool) -> None:
    ran = cli(command, photo, style, f"--{flag}", "auto")
    ran.refused(2, flag.replace("-", "_"), "(got 'auto')", "expected")
    assert ran.err.rstrip().endswith("(got 'auto'), or none") == none


@pytest.mark.parametrize(
    ("module", "as_json"),
    [
        ("impasto.memory", True),
        ("cyclopts", False),
        ("pydantic", True),
        ("impasto.cli.status", False),
        ("torch", False),
    ],
)
def test_an_interruption_while_modules_load(module: str, as_json: bool, tmp_path: Path) -> None:
    program = f"""
import sys
class Interrupted:
    def find_spec(self, name, *_):
        if name == {module!r}:
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupted())
from impasto.cli import program
sys.argv = ["impasto", "adain", "photo.png", "style.png", *{["--json"] if as_json else []}]
sys.exit(program())
"""
    for name, colour in (("photo.png", 0), ("style.png", 200)):
        Image.new("RGB", (40, 30), (colour, 0, 0)).save(tmp_path / name)
    ran = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 130
    (line,) = ran.stderr.splitlines()
    assert line.startswith("impasto: interrupted") and line.endswith("; nothing was written")
    assert not as_json or json.loads(ran.stdout)["exit_status"] == 130


def test_numbers_that_are_none_say_what_is_expected(cli: Cli, photo: Path, style: Path) -> None:
    cli("adain", photo, style, "--size", "big").refused(2, "size: expected a whole number (got 'big')")
    cli("adain", photo, style, "--strength", "70%").refused(2, "strength: expected a number (got '70%')")


@pytest.mark.parametrize("flag", ["--encoder", "--net", "--start"])
def test_an_empty_name_is_named(cli: Cli, photo: Path, style: Path, flag: str) -> None:
    cli("adain", photo, style, flag, "").refused(2, flag[2:], "a name is empty; expected the name of a file")
