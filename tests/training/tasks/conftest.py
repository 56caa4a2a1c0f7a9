from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from impasto.images.picture import to_pil
from impasto.training import results, run
from impasto.training.task import Task
from impasto.training.tasks import adain as train_adain
from impasto.training.tasks import johnson as train_johnson
from impasto.training.tasks import swap as train_swap
from impasto.training.tasks import swap_steps as train_swap_steps
from impasto.training.tasks.johnson_options import PRESETS, JohnsonTraining
from impasto.weights.canonical import tiny_weights


@pytest.fixture
def encoder(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of an encoder that is a small random one here."""
    for module in (train_adain, train_swap, train_swap_steps):
        monkeypatch.setattr(module, "load", lambda name, **_: tiny_weights())
    monkeypatch.setattr(run, "_SCALE_BATCHES", 1)
    monkeypatch.setattr(results, "draw_curve", lambda _: None)  # it has tests of its own, and takes a second
    return "vgg19"


@pytest.fixture
def pictures(tmp_path: Path) -> str:
    """A folder of smooth little pictures."""
    place = tmp_path / "pictures"
    place.mkdir()
    for i in range(6):
        pixels = np.random.default_rng(i).integers(0, 256, (6, 5, 3), np.uint8)
        Image.fromarray(pixels).resize((60, 72), Image.Resampling.BICUBIC).save(place / f"{i}.png")
    return str(place)


def _falls(task: Task, photos: Tensor, paintings: Tensor, steps: int = 25, rate: float = 3e-3) -> bool:
    """Whether a few steps on one batch lower its loss by a fifth."""
    optimiser = torch.optim.Adam(task.net.parameters(), rate)
    losses: list[float] = []
    for _ in range(steps):
        loss = torch.stack(list(task.loss(task.net, photos, paintings, 0).values())).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    return losses[-1] < 0.8 * losses[0]


@pytest.fixture
def falls() -> Callable[..., bool]:
    """Tells whether training on one batch lowers its loss."""
    return _falls


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
        given = PRESETS[preset].options.model_dump(exclude_unset=True)
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
