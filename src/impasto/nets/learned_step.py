"""Learned optimisation steps: a network moves a picture, given the gradient of a loss.

Andrychowicz et al. 2016, "Learning to learn by gradient descent by gradient descent", in the form of Adler & Öktem
2017, "Solving ill-posed inverse problems using iterative deep neural networks": there are few steps, each with
weights of its own, and each passes features to the next. The last step can be repeated.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_BLOCKS = 4  # residual blocks of two convolutions
_OUTPUT_SCALE = 0.1  # factor of the last convolution's output, in the range 0 to 1


class LearnedStep(nn.Module):
    """One learned step. Before training it does not change the picture.

    Args:
        cell: side in pixels of the squares that are one position inside the network. Sides of pictures have to be
            multiples of it.
        width: channels inside.
        first: whether it is the first step, which gets no features of a step before.
    """

    def __init__(self, cell: int, width: int, *, first: bool) -> None:
        super().__init__()
        self.cell, self.first = cell, first
        values = 3 * cell**2
        self.into = nn.Conv2d(2 * values + (0 if first else width), width, 3)
        self.blocks = nn.ModuleList(nn.ModuleList(nn.Conv2d(width, width, 3) for _ in "ab") for _ in range(_BLOCKS))
        self.out = nn.Conv2d(width, values, 3)
        for block in self.blocks:
            nn.init.zeros_(cast(nn.Conv2d, cast(nn.ModuleList, block)[1]).weight)
        nn.init.zeros_(self.out.weight)
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            else:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)

    def forward(self, picture: Tensor, gradient: Tensor, handed_on: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Move pictures.

        Args:
            picture: N×3×H×W float32 in [0, 1], with sides that are multiples of `cell`.
            gradient: gradient of the loss at the picture, N×3×H×W, in any unit.
            handed_on: features from the step before, N×width×(H/cell)×(W/cell); None for the first step.

        Returns:
            The moved pictures, N×3×H×W float32, not clamped, and features for the next step.
        """
        length = gradient.square().mean((1, 2, 3), keepdim=True).sqrt()
        inputs = [F.pixel_unshuffle(each, self.cell) for each in (picture - 0.5, gradient / (length + 1e-20))]
        if not self.first:
            assert handed_on is not None
            inputs.append(handed_on)
        x = torch.cat([each.to(self.into.weight.dtype) for each in inputs], 1)
        x = F.relu(_convolve(self.into, x))
        for block in self.blocks:
            before, after = cast(nn.ModuleList, block)
            x = x + _convolve(after, F.relu(_convolve(before, x)))
        change = _convolve(self.out, F.relu(x))
        return picture + F.pixel_shuffle(change.float(), self.cell) * _OUTPUT_SCALE, x


def _convolve(convolution: nn.Module, x: Tensor) -> Tensor:
    return convolution(F.pad(x, (1, 1, 1, 1), mode="replicate"))
