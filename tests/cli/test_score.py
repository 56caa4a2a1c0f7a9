"""``impasto score``."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from impasto.metrics import score, texture
from impasto.weights.canonical import tiny_weights

from .conftest import Cli

pytestmark = pytest.mark.usefixtures("tiny_encoder")


@pytest.fixture(autouse=True)
def _tiny_ruler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(score, "load", lambda name, **_: tiny_weights())
    monkeypatch.setattr(score, "SIZE", 64)
    monkeypatch.setattr(texture, "PATCHES", 256)


@pytest.fixture
def pairs(tmp_path: Path, photo: Path, style: Path) -> tuple[object, ...]:
    """A table of two pairs, as arguments."""
    Image.open(photo).rotate(90, expand=True).save(tmp_path / "turned.png")
    table = tmp_path / "pairs.csv"
    table.write_text("photo,painting\nphoto.png,style.png\nturned.png,style.png\n")
    return ("--pairs", table, "--photos", tmp_path, "--paintings", tmp_path)


def test_a_picture(cli: Cli, photo: Path, style: Path) -> None:
    ran = cli("score", photo, "--photo", photo, "--style", style, "--json")
    (row,) = ran.json["pairs"]
    assert set(row) == {"of", "photo", "painting", "style", "content", "texture"}
    assert row["content"] == 0 < min(row["style"], row["texture"])
    shown = cli("score", photo, "--photo", photo, "--style", style).out
    assert "mean" not in shown
    for figure in ("style", "content", "texture"):
        assert figure in shown and f"{row[figure]:.3f}" in shown
    (row,) = cli("score", style, "--photo", style, "--style", style, "--json").json["pairs"]
    assert row["style"] == row["texture"] == 0


def test_methods_over_pairs(
    cli: Cli, pairs: tuple[object, ...], tiny_nets: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from impasto.weights import shipped

    named = {f"{name}": path for name, path in tiny_nets.items()}
    folder = next(iter(named.values())).parent / "shipped"
    folder.mkdir()
    for name, path in named.items():
        path.rename(folder / f"{name}.safetensors")
    monkeypatch.setattr(shipped, "_FOLDER", folder)
    ran = cli("score", *pairs, "--method", "adain", "--method", "swap", "--size", 48, "--inverse", "--json")
    assert ran.status == 0, ran.err
    rows, means = ran.json["pairs"], ran.json["means"]
    assert [row["of"] for row in rows] == ["adain", "adain", "swap", "swap"]
    for name, kind in (("adain", "transformed"), ("swap", "swapped")):
        own = [row for row in rows if row["of"] == name]
        for figure in ("style", "content", "texture", "photo error", "painting error", f"{kind} error"):
            assert means[name][figure] == pytest.approx(sum(row[figure] for row in own) / 2)
    shown = cli("score", *pairs, "--method", "adain", "--size", 48).out
    assert "mean of 2" in shown and f"{means['adain']['style']:.3f}" in shown


def test_finished_pictures(cli: Cli, pairs: tuple[object, ...], photo: Path, tmp_path: Path) -> None:
    done = Path("done")
    done.mkdir()
    cli("score", *pairs, "--pictures", done).refused(2, "photo.style.png")
    for name in ("photo", "turned"):
        Image.open(tmp_path / f"{name}.png").save(done / f"{name}.style.png")
    ran = cli("score", *pairs, "--pictures", done, "--json")
    assert ran.status == 0, ran.err
    assert ran.json["means"]["done"]["content"] == 0


def test_bad_requests(cli: Cli, pairs: tuple[object, ...], photo: Path, style: Path, tmp_path: Path) -> None:
    cli("score").refused(2, "--photo", "--pairs")
    cli("score", photo, "--photo", photo).refused(2, "--style")
    cli("score", *pairs).refused(2, "--method")
    cli("score", photo, *pairs).refused(2, "expected one")
    cli("score", *pairs[:2], "--method", "adain").refused(2, "--photos")
    cli("score", *pairs, "--method", "adane").refused(2, "did you mean adain")
    cli("score", *pairs, "--method", "gatys", "--preset", "nope").refused(2, "nope")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    cli("score", "--pairs", tmp_path / "other.csv", *pairs[2:], "--method", "adain").refused(2, "painting")
    cli("score", "--pairs", tmp_path / "none.csv", *pairs[2:], "--method", "adain").refused(2, "none.csv")
