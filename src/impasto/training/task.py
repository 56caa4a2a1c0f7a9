"""`Task`: what the training loop needs to know about a thing to learn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import torch
from PIL import Image
from torch import Tensor, nn


class Task(Protocol):
    """A network, its loss, and its validation.

    `net` is on `device` from the start. Those of its parameters that require a gradient are trained.
    """

    device: torch.device

    @property
    def net(self) -> nn.Module:
        """The network; the same object during the whole run."""
        ...

    def loss(self, net: nn.Module, photos: Tensor, paintings: Tensor, step: int) -> dict[str, Tensor]:
        """Return the weighted loss terms by name; their sum is minimised.

        Args:
            net: the task's own, or a wrapper that shares its gradients between processes.
            photos: N×3×S×S in [0, 1].
            paintings: the same; N is 0 if the task learns from photos alone.
            step: number of the step, from 0. It seeds every random draw, so that a resumed run draws the same.
        """
        ...

    def validate(self, most: int | None = None) -> tuple[dict[str, float], Image.Image]:
        """Return figures of held-out pictures, smaller being better, and a sheet of what the net makes of them.

        Args:
            most: how many held-out pictures to use; None for all.
        """
        ...

    def metadata(self) -> Mapping[str, Any]:
        """Return what a saved net records of itself: kind, encoder_sha256, layer, decoder and so on."""
        ...
