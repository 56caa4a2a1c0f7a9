"""A task of a few numbers, and runs of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from impasto.training import loop
from impasto.training.data import Batches, Cropping, Pictures
from impasto.training.options import TrainOptions


class Blur:
    """Learns to turn photos into paintings with one convolution; draws noise from PyTorch's generator."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.device = torch.device("cpu")
        self.net: nn.Module = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3))

    def loss(self, net: nn.Module, photos: Tensor, paintings: Tensor, step: int) -> dict[str, Tensor]:
        noise = torch.rand_like(photos)
        return {"apart": (net(photos + noise) - paintings).square().mean()}

    def validate(self, most: int | None = None) -> tuple[dict[str, float], Image.Image]:
        return {"size": float(next(self.net.parameters()).detach().abs().sum())}, Image.new("RGB", (8, 8))

    def metadata(self) -> Mapping[str, Any]:
        return {"kind": "blur", "encoder_sha256": None}


OPTIONS = TrainOptions(steps=12, crop=32, batch=2, validate_every=5, save_every=4, warmup=3, workers=2)


def start(pictures: Pictures, out: Path, options: TrainOptions = OPTIONS, **more: Any) -> Path:
    batches = Batches(pictures, pictures, Cropping(options.crop), (2, 2), options.seed)
    metadata = {"recipe": options.model_dump(mode="json"), "data": "six squares"}
    return loop.train(more.pop("task", None) or Blur(), batches, options, out, metadata=metadata, **more)


def checkpoint(out: Path) -> dict[str, Any]:
    return torch.load(out / loop.CHECKPOINT, weights_only=True)
