"""Muon, for the filters of convolutions; Adam for everything else.

Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks": momentum whose singular values are all
brought to about 1, so that a step moves every direction of a layer alike and not the few that dominate its gradient.
Steps are as long as Adam's commonly are, so that one rate fits both (Liu et al. 2025, "Muon is Scalable for LLM
Training").
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

_QUINTIC = 3.4445, -4.7750, 2.0315  # Jordan's: singular values from 0.01 on come between 0.7 and 1.2 in five rounds
_ROUNDS = 5
_MOMENTUM = 0.95
_LENGTH = 0.2  # root mean square of Adam's steps, of its rate
_LEAST_FILTERS = 16  # fewer outputs, a picture's 3 colours, are no hidden layer
_EPSILON = 1e-8


class Muon(torch.optim.Optimizer):
    """Steps of every 4-dimensional parameter with 16 filters or more by Muon, of the rest by Adam.

    Args:
        params: parameters, or groups of them.
        lr: rate, that of Adam.
        betas: Adam's.
    """

    def __init__(self, params: Iterable[Any], lr: float, betas: tuple[float, float]) -> None:
        super().__init__(params, {"lr": lr, "betas": betas})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """One step along the gradients there are."""
        del closure
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    filters = parameter.dim() == 4 and len(parameter) >= _LEAST_FILTERS
                    move = self._orthogonal(parameter) if filters else self._adam(parameter, *group["betas"])
                    parameter.add_(move, alpha=-group["lr"])

    def _orthogonal(self, parameter: Tensor) -> Tensor:
        state, gradient = self.state[parameter], parameter.grad
        assert gradient is not None
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(gradient)
        momentum: Tensor = state["momentum"].lerp_(gradient, 1 - _MOMENTUM)
        ahead = gradient.lerp(momentum, _MOMENTUM).flatten(1)
        # A matrix whose singular values are 1 has entries of root mean square 1 / √(its longer side).
        return (orthogonalised(ahead) * (_LENGTH * max(ahead.shape) ** 0.5)).view_as(parameter)

    def _adam(self, parameter: Tensor, beta1: float, beta2: float) -> Tensor:
        state, gradient = self.state[parameter], parameter.grad
        assert gradient is not None
        if "step" not in state:
            state.update(step=0, mean=torch.zeros_like(gradient), square=torch.zeros_like(gradient))
        state["step"] += 1
        mean: Tensor = state["mean"].lerp_(gradient, 1 - beta1)
        square: Tensor = state["square"].lerp_(gradient.square(), 1 - beta2)
        spread = (square / (1 - beta2 ** state["step"])).sqrt_().add_(_EPSILON)
        return mean / (1 - beta1 ** state["step"]) / spread


def orthogonalised(matrix: Tensor) -> Tensor:
    """A matrix with the same singular vectors and singular values near 1: between about 0.7 and 1.2."""
    a, b, c = _QUINTIC
    x = matrix / (matrix.norm() + _EPSILON)
    if tall := x.shape[0] > x.shape[1]:
        x = x.T
    for _ in range(_ROUNDS):
        products = x @ x.T
        x = a * x + (b * products + c * products @ products) @ x
    return x.T if tall else x
