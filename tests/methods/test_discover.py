"""Methods that other packages add."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from impasto.errors import RequestError
from impasto.methods import FAULTY, METHODS, discover, method
from tests.contract.plugged import PLACE, plug_in

ROOT = Path(__file__).parents[2]


def _package(place: Path, name: str, entry: str, code: str = "") -> None:
    about = place / f"{name}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[impasto.methods]\n{entry}\n")
    (place / f"{name}.py").write_text(code)


def test_a_method_of_another_package(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "whitening" not in METHODS
    plug_in(monkeypatch)
    assert method("whitening").summary == "Whiten and colour features"


def test_its_command_in_a_process_of_its_own() -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(PLACE), str(ROOT)])}
    code = "import sys; from impasto.cli import main; sys.exit(main(['whitening', '--help']))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "Usage: impasto whitening PHOTO STYLE" in ran.stdout and "--style-scale" in ran.stdout


def test_those_that_cannot_be_used_are_named_and_the_others_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _package(tmp_path, "wet_paint", "watercolour = wet_paint:METHOD", "raise ValueError('no water')")
    _package(tmp_path, "dry_paint", "pastel = dry_paint:METHOD", "METHOD = 3")
    _package(
        tmp_path,
        "old_paint",
        "fresco = old_paint:METHOD",
        "from impasto.methods import METHODS\nMETHOD = METHODS['gatys']",
    )
    _package(
        tmp_path,
        "my_paint",
        "gatys = my_paint:METHOD",
        "from dataclasses import replace\nfrom impasto.methods import METHODS\n"
        "METHOD = replace(METHODS['gatys'], summary='Mine')",
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.syspath_prepend(PLACE)
    found, faulty = discover()
    assert list(found) == ["whitening"]
    assert "wet-paint could not load it: ValueError: no water" in faulty["watercolour"].replace("_", "-")
    assert "int; expected impasto.methods.Method" in faulty["pastel"]
    assert "'gatys'; expected the entry point's name" in faulty["fresco"]
    (own,) = (why for name, why in faulty.items() if name.startswith("gatys of"))
    assert "expected another name" in own
    monkeypatch.setitem(FAULTY, "watercolour", faulty["watercolour"])
    with pytest.raises(RequestError, match=r"watercolour cannot be used: .*no water"):
        method("watercolour")
