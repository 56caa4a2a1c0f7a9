"""Folders of tiny photos, and batches that paint them with a tiny net."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from impasto.batch import Report, paint_folder
from impasto.weights.canonical import VGGWeights

SIDE = 32


def picture(path: Path, seed: int = 0, size: tuple[int, int] = (24, 18)) -> Path:
    """Write a small smooth picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 255, (4, 4, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(path, quality=95)
    return path


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with three photos, one of them in a sub-folder; beside it ``a.png`` and ``b.png``, styles."""
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(("one.jpg", "two.png", "sub/three.jpg"), 1):
        picture(tmp_path / "photos" / name, number)
    for number, name in enumerate(("a.png", "b.png"), 11):
        picture(tmp_path / name, number, (20, 26))
    return Path("photos")


Batch = Callable[..., Report]


@pytest.fixture
def tiny(tiny_encoder: VGGWeights, tiny_nets: dict[str, Path]) -> dict[str, Any]:
    """Settings of adain with a tiny net."""
    return {"method": "adain", "net": str(tiny_nets["adain"]), "size": SIDE}


@pytest.fixture
def batch(photos: Path, tiny: dict[str, Any]) -> Batch:
    """Paint into ``out`` in the style of ``a.png``: batch(inputs, *styles, **changes)."""

    def run(inputs: Any = photos, *styles: Any, out: str = "out", **changes: Any) -> Report:
        return paint_folder(inputs, out, *(styles or ("a.png",)), device="cpu", **{**tiny, **changes})

    return run


def files(folder: str | Path = "out") -> set[str]:
    """The paths of all files in a folder, relative to it."""
    return {path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file()}


def statuses(report: Report) -> dict[str, str]:
    """What became of each output, by its name."""
    return {Path(row.output or row.photo).name: row.status for row in report.rows}
