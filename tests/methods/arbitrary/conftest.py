from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from impasto.methods.arbitrary import train_adain, train_swap, train_swap_steps
from impasto.training import run
from impasto.training.task import Task
from impasto.weights.canonical import tiny_weights


@pytest.fixture
def encoder(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of an encoder that is a small random one here."""
    for module in (train_adain, train_swap, train_swap_steps):
        monkeypatch.setattr(module, "load", lambda name, **_: tiny_weights())
    monkeypatch.setattr(run, "_SCALE_BATCHES", 1)
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
