"""A learned step down a loss, from a picture and the gradient there.

Andrychowicz et al. 2016, "Learning to learn by gradient descent by gradient descent"; in the form of Adler & Öktem
2017, "Solving ill-posed inverse problems using iterative deep neural networks": few steps, each with weights of its
own, that hand on what they have seen; the last may be made again.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_BLOCKS = 4  # residual blocks of two convolutions
_UNIT = 0.1  # of the range 0 to 1: what the last convolution counts in


class LearnedStep(nn.Module):
    """Moves a picture by what a small network makes of it and of the loss's gradient, cells of pixels at a time.

    It begins as a step of no length.

    Args:
        cell: side in pixels of what is one position inside; pictures are of whole cells.
        width: channels inside.
        first: it looks at nothing that a step before hands on.
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
        """A picture further down.

        Args:
            picture: N×3×H×W float32 in [0, 1], of whole cells.
            gradient: of the loss there, in any unit.
            handed_on: by the step before, or by itself; not needed by the first.

        Returns:
            N×3×H×W float32, not clamped; and what is handed on to the next step.
        """
        length = gradient.square().mean((1, 2, 3), keepdim=True).sqrt()
        seen = [F.pixel_unshuffle(each, self.cell) for each in (picture - 0.5, gradient / (length + 1e-20))]
        if not self.first:
            assert handed_on is not None
            seen.append(handed_on)
        x = torch.cat([each.to(self.into.weight.dtype) for each in seen], 1)
        x = F.relu(_convolved(self.into, x))
        for block in self.blocks:
            before, after = cast(nn.ModuleList, block)
            x = x + _convolved(after, F.relu(_convolved(before, x)))
        change = _convolved(self.out, F.relu(x))
        return picture + F.pixel_shuffle(change.float(), self.cell) * _UNIT, x


def _convolved(convolution: nn.Module, x: Tensor) -> Tensor:
    return convolution(F.pad(x, (1, 1, 1, 1), mode="replicate"))
