"""``impasto video``, and the commands that read painted films."""

import json

import pytest

from impasto.cli import main

from .clips import panning, write_clip


@pytest.fixture
def film(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return write_clip(tmp_path / "film.mp4", panning(10), sound="aac")


def run(*tokens):
    return main([str(token) for token in tokens])


def frames(path):
    from impasto.video.sources import open_film

    source = open_film(str(path))
    return [frame.pixels.tobytes() for frame in source.frames(source.info.size)]


def test_a_film_is_painted_shown_and_painted_again(film, tmp_path, tiny_nets, capsys):
    net = tiny_nets["johnson"]
    own = ("--method", "johnson", "--net", net, "--size", 64, "--from", "0.08s", "--to", "0.3s")
    assert run("video", film, *own, "-o", "painted.mp4", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["frames"] == 6 and set(report["flicker"]) == {"input", "frames", "result"}
    assert run("show", "painted.mp4") == 0
    shown = capsys.readouterr().out
    assert 'photo = "film.mp4"' in shown and 'begin = "0.08s"' in shown
    assert run("replay", "painted.mp4") == 0
    assert frames("painted.replay.mp4") == frames("painted.mp4")
    assert run("replay", "painted.mp4", "--steady", 0, "-o", "loose.mp4", "-q") == 0
    assert frames("loose.mp4") != frames("painted.mp4")
    capsys.readouterr()
    assert run("score", "painted.mp4", "--video", "--photo", film, "--json") == 0
    assert set(json.loads(capsys.readouterr().out)["flicker"]) == {"input", "painting"}


@pytest.mark.parametrize("ending", [".gif", ".webm", ".mkv", ".mov"])
def test_other_files_carry_their_recipe_too(film, tiny_nets, capsys, ending):
    own = ("--method", "johnson", "--net", tiny_nets["johnson"], "--size", 64, "--no-sound", "-q")
    assert run("video", film, *own, "-o", f"painted{ending}") == 0
    assert run("show", f"painted{ending}", "--json") == 0
    assert json.loads(capsys.readouterr().out)["recipe"]["method"] == "johnson"


def test_styles_over_time_are_painted_again(film, tmp_path, style, photo, tiny_shipped, capsys):
    from impasto.images.read import read
    from impasto.images.write import write

    (tmp_path / "other").mkdir()
    write(read(str(style)), tmp_path / "other/late.png")
    line = ("--style-at", f"0s={photo}", "--style-at", f"0.2s={tmp_path}/other/late.png")
    assert run("video", film, "--method", "adain", "--size", 64, *line, "-o", "painted.mp4", "-q") == 0
    assert run("replay", "painted.mp4", "--inputs", tmp_path / "other", "-q") == 0
    assert frames("painted.replay.mp4") == frames("painted.mp4")


def test_the_help_has_the_flags_of_a_method(capsys):
    assert run("video", "--help") == 0
    plain = capsys.readouterr().out
    assert "--effort" in plain and "--steady" in plain and "--grain" not in plain and "--net NAME" not in plain
    assert run("video", "--method", "johnson", "--help") == 0
    assert "--net NAME" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        (("none.mp4", "style.png"), "there is no file none.mp4"),
        (("film.mp4",), "no style picture"),
        (("film.mp4", "style.png", "--steady", "2"), "steady"),
        (("film.mp4", "style.png", "--from", "soon"), "expected a time"),
        (("film.mp4", "style.png", "--preview", "soon"), "expected a time"),
        (("film.mp4", "style.png", "--method", "jonson"), "did you mean johnson"),
        (("film.mp4", "style.png", "--start", "x.png"), "no flag --start"),
        (("film.mp4", "style.png", "--style-at", "3s=style.png"), "expected one"),
        (("film.mp4", "--style-at", "style.png"), "expected a time and a style"),
    ],
)
def test_mistakes_are_told_in_one_line(film, style, capsys, tokens, words):
    assert run("video", *tokens) == 2
    told = capsys.readouterr().err
    assert words in told and told.count("\n") == 1


def test_a_film_that_impasto_did_not_write(film, capsys):
    assert run("show", film) == 2
    assert "carries no recipe" in capsys.readouterr().err
