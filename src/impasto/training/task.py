"""`Task`: what the loop needs to know of a thing to be learned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import torch
from PIL import Image
from torch import Tensor, nn


class Task(Protocol):
    """A network, its loss, and how to look at it.

    `net` is on `device` already. The parameters of it that require a gradient are trained.
    """

    device: torch.device

    @property
    def net(self) -> nn.Module:
        """The network, the same object throughout."""
        ...

    def loss(self, net: nn.Module, photos: Tensor, paintings: Tensor, step: int) -> dict[str, Tensor]:
        """Weighted loss terms by name; their sum is what is minimised.

        `net` is the task's own or a wrapper that shares its gradients between processes. `step` seeds any
        draw, so that a resumed run makes the same ones.
        """
        ...

    def validate(self) -> tuple[dict[str, float], Image.Image]:
        """Figures on held-out pictures (smaller is better), and a sheet of them, with the net as it is."""
        ...

    def metadata(self) -> Mapping[str, Any]:
        """What a saved net says of itself: kind, encoder_sha256, layer, decoder and so on."""
        ...
