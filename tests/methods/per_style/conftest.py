"""Small photographs and styles on disk, and a small feed-forward network."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from impasto.images.picture import to_pil
from impasto.methods.per_style import train_johnson
from impasto.methods.per_style.train_johnson import JohnsonTraining
from impasto.weights.canonical import tiny_weights

SMALL = {
    "architecture": "c3s1-4,d6,R6,u4,c3s1-3",
    "steps": 4,
    "batch": 2,
    "crop": 32,
    "resize": None,
    "held_out": 2,
    "validate_every": 4,
    "save_every": 2,
    "workers": 1,
    "style_size": 40,
    "precision": "exact",
}


@pytest.fixture
def settings() -> Callable[..., JohnsonTraining]:
    """Settings of a tiny run, from a preset: settings("lengstrom", steps=2)."""

    def make(preset: str = "impasto", **more: object) -> JohnsonTraining:
        given = train_johnson.PRESETS[preset].options.model_dump(exclude_unset=True)
        return JohnsonTraining(**{**given, **SMALL, **more})

    return make


@pytest.fixture
def photos(tmp_path: Path, picture: Callable[..., torch.Tensor]) -> str:
    """A folder of six photographs."""
    place = tmp_path / "photos"
    place.mkdir()
    for seed in range(6):
        to_pil(picture(48, 40 + seed, seed)).save(place / f"{seed}.png")
    return str(place)


@pytest.fixture
def styles(tmp_path: Path, picture: Callable[..., torch.Tensor]) -> dict[str, str]:
    """Style pictures by name."""
    for seed, name in enumerate(("waves", "screams", "stars"), 20):
        to_pil(picture(40, 44, seed)).save(tmp_path / f"{name}.png")
    return {name: str(tmp_path / f"{name}.png") for name in ("waves", "screams", "stars")}


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        train_johnson, "load", lambda name, **_: tiny_weights("vgg16" if "vgg16" in name else "vgg19")
    )
