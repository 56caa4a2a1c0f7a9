"""The running mean of a net's weights, which is what a run saves."""

from __future__ import annotations

import contextlib
from collections.abc import Generator

import torch
from torch import nn

_aten = torch.ops.aten


class RunningMean:
    """Running mean of a net's weights; buffers of integers are copied.

    Args:
        net: begins the mean.
        decay: share of the mean that a step keeps, 0 to below 1.
    """

    def __init__(self, net: nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights = {name: value.detach().clone() for name, value in net.state_dict().items()}

    @torch.no_grad()
    def update(self, net: nn.Module, step: int) -> None:
        """Take in the weights after a step, the first being 0."""
        # The decay is smaller in the first steps: otherwise the random first weights would stay in the mean for long.
        decay = min(self.decay, (1 + step) / (10 + step))
        means, values = [], []
        for name, value in net.state_dict().items():
            if value.is_floating_point():
                means.append(self.weights[name])
                values.append(value)
            else:
                self.weights[name].copy_(value)
        _aten._foreach_lerp_.Scalar(means, values, 1 - decay)  # all weights in one operation, which suits a GPU

    @contextlib.contextmanager
    def in_place(self, net: nn.Module) -> Generator[None]:
        """Give the net the mean as its weights for a while."""
        own = {name: value.detach().clone() for name, value in net.state_dict().items()}
        net.load_state_dict(self.weights)
        try:
            yield
        finally:
            net.load_state_dict(own)
