from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from impasto.training import progress
from impasto.training.data import Pictures


@pytest.fixture
def pictures(tmp_path: Path) -> Pictures:
    place = tmp_path / "pictures"
    place.mkdir()
    for i in range(6):
        pixels = np.random.default_rng(i).integers(0, 256, (20, 24, 3), np.uint8)
        Image.fromarray(pixels).save(place / f"{i}.png")
    return Pictures.find([str(place)], "pictures")


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time stands still: net and checkpoint record how long a run took, and else depend on its pictures alone."""
    monkeypatch.setattr(progress.time, "monotonic", lambda: 100.0)
