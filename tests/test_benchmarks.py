"""Benchmarks: every one starts, and what reaches beneath the public names still finds it."""

import importlib
import json
import pkgutil
from functools import partial
from pathlib import Path

import pytest
import torch

import benchmarks
from benchmarks import gatys, johnson, ladder, large, lattice, memory, run, strokes
from impasto.demo.styles import draw
from impasto.images.write import write

NAMES = sorted(module.name for module in pkgutil.iter_modules(benchmarks.__path__))


@pytest.fixture
def pictures(picture, tmp_path):
    """The paths of a photograph and of a style picture, both of 64 pixels."""
    paths = [str(tmp_path / name) for name in ("photo.png", "style.png")]
    for seed, path in enumerate(paths):
        write(picture(64, 64, seed), path)
    return paths


@pytest.mark.parametrize("name", NAMES)
def test_every_benchmark_starts(name, monkeypatch, capsys):
    module = importlib.import_module(f"benchmarks.{name}")
    if not hasattr(module, "main") or name == "run":
        return
    monkeypatch.setattr("sys.argv", [name, "--help"])
    with pytest.raises(SystemExit) as ended:
        module.main()
    assert ended.value.code == 0
    assert "--output" in capsys.readouterr().out


def test_docs_show_what_the_ladder_measured():
    root = Path(benchmarks.__path__[0]).parent
    results = json.loads((root / "benchmarks/results/ladder.json").read_text())
    assert ladder.table(results) in (root / "docs/controls.md").read_text()


def test_all_that_are_run_exist():
    assert set(run.BENCHMARKS) <= set(NAMES)


def test_gatys(pictures, tiny_encoder):
    found = gatys.evaluate("impasto", *pictures, 2)
    assert len(found["seconds"]) == 2
    descent = gatys.descend("impasto", *pictures, 4, None)
    losses = [loss for _, loss in descent["curve"]]
    assert descent["steps"] == len(losses) == 4
    assert losses[0] == pytest.approx(found["loss_of_photo"])
    assert descent["loss"] == pytest.approx(losses[-1], rel=1e-2), "of the picture the last step began from"
    assert gatys.descend("impasto", *pictures, 4, losses[0])["steps"] == 1


def test_memory(tiny_encoder, monkeypatch):
    monkeypatch.setattr("impasto.demo.styles.draw", partial(draw, size=64))
    assert memory.measure(64, "exact", None, {})["tile"] is None


def test_large(pictures, tiny_encoder, tiny_nets):
    photo, style = pictures
    settings = {name: {"net": str(tiny_nets[name])} for name in large.METHODS if name in tiny_nets}
    for method in large.METHODS:
        request = {"method": method, "size": 64, "photo": photo, "style": style, "steps": 1}
        assert large.paint({**request, "settings": settings.get(method, {})})["painting_seconds"] > 0


def test_johnson(tiny_nets):
    assert len(johnson.paint(str(tiny_nets["johnson"]), 64, 2)["seconds"]) == 2


def test_strokes(picture, tiny_encoder):
    for method in ("gatys", "gatys-at-once"):
        row = strokes.compare(method, "night", picture(64, 64, 1), picture(64, 64), 1.0, [32, 64], 1)
        assert row["ratio"].keys() == {"own", "shared"}


def test_lattice():
    noise = torch.rand(1, 3, 256, 256, generator=torch.Generator().manual_seed(0))
    assert 0.3 < lattice.measure([noise])["2"] < 4
