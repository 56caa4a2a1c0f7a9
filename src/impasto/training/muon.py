"""Muon, for the filters of convolutions; Adam for everything else.

Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks": momentum whose singular values are all
brought to about 1, so that a step moves every direction of a layer alike and not the few that dominate its gradient.
Steps are as long as Adam's commonly are, so that one rate fits both (Liu et al. 2025, "Muon is Scalable for LLM
Training").
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, cast

import torch
from torch import Tensor

_QUINTIC = 3.4445, -4.7750, 2.0315  # Jordan's: singular values from 0.01 on come between 0.7 and 1.2 in five rounds
_ROUNDS = 5
_MOMENTUM = 0.95
_LENGTH = 0.2  # root mean square of Adam's steps, of its rate
_LEAST_FILTERS = 16  # fewer outputs, a picture's 3 colours, are no hidden layer
_EPSILON = 1e-8

# Overloads are named: left to choose, PyTorch 2.11 tries whether a list of tensors is one of numbers, and waits for
# the GPU to tell every value of it.
_aten = torch.ops.aten


class Muon(torch.optim.Optimizer):
    """Steps of every 4-dimensional parameter with 16 filters or more by Muon, of the rest by Adam.

    Args:
        params: parameters.
        lr: rate, that of Adam.
        betas: Adam's.
    """

    def __init__(self, params: Iterable[Tensor], lr: float, betas: tuple[float, float]) -> None:
        super().__init__(params, {"lr": lr, "betas": betas})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] (takes no closure)
        """One step along the gradients there are."""
        del closure
        for group in self.param_groups:
            others: list[Tensor] = []
            filters: defaultdict[torch.Size, list[Tensor]] = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None and parameter.dim() == 4 and len(parameter) >= _LEAST_FILTERS:
                    filters[parameter.flatten(1).shape].append(parameter)
                elif parameter.grad is not None:
                    others.append(parameter)
            for lot in filters.values():
                _aten._foreach_add_.List(lot, self._orthogonal(lot), alpha=-group["lr"])
            if others:
                _aten._foreach_add_.List(others, self._adam(others, *group["betas"]), alpha=-group["lr"])

    def _orthogonal(self, parameters: list[Tensor]) -> list[Tensor]:
        """The steps of filters that are matrices of one shape."""
        ahead: list[Tensor] = []
        for parameter in parameters:
            state, gradient = self.state[parameter], parameter.grad
            assert gradient is not None
            if "momentum" not in state:
                state["momentum"] = torch.zeros_like(gradient)
            momentum: Tensor = state["momentum"].lerp_(gradient, 1 - _MOMENTUM)
            ahead.append(gradient.lerp(momentum, _MOMENTUM).flatten(1))
        if ahead[0].is_cuda:  # all at once, and as Jordan does, in bfloat16, which a GPU has the units for
            made = [*orthogonalised(torch.stack(ahead).bfloat16()).float()]
        else:
            made = [orthogonalised(each) for each in ahead]
        # A matrix whose singular values are 1 has entries of root mean square 1 / √(its longer side).
        length = _LENGTH * max(ahead[0].shape) ** 0.5
        return [(move * length).view_as(parameter) for move, parameter in zip(made, parameters, strict=True)]

    def _adam(self, parameters: list[Tensor], beta1: float, beta2: float) -> list[Tensor]:
        """Adam's steps, of all parameters at once: most are small, and many operations would be slow on a GPU."""
        states: list[dict[str, Any]] = [self.state[parameter] for parameter in parameters]
        gradients = [cast(Tensor, parameter.grad) for parameter in parameters]
        for state, gradient in zip(states, gradients, strict=True):
            if "step" not in state:
                state.update(step=0, mean=torch.zeros_like(gradient), square=torch.zeros_like(gradient))
            state["step"] += 1
        means, squares = ([cast(Tensor, state[name]) for state in states] for name in ("mean", "square"))
        _aten._foreach_lerp_.Scalar(means, gradients, 1 - beta1)
        _aten._foreach_lerp_.Scalar(squares, _aten._foreach_mul.List(gradients, gradients), 1 - beta2)
        spreads = _aten._foreach_div.ScalarList(squares, [1 - beta2 ** state["step"] for state in states])
        _aten._foreach_sqrt_.default(spreads)
        _aten._foreach_add_.Scalar(spreads, _EPSILON)
        moves = _aten._foreach_div.ScalarList(means, [1 - beta1 ** state["step"] for state in states])
        _aten._foreach_div_.List(moves, spreads)
        return [*moves]


def orthogonalised(matrix: Tensor) -> Tensor:
    """A matrix, or several, with the same singular vectors and singular values near 1: between about 0.7 and 1.2."""
    a, b, c = _QUINTIC
    x = matrix / (matrix.flatten(-2).norm(dim=-1)[..., None, None] + _EPSILON)
    if tall := x.shape[-2] > x.shape[-1]:
        x = x.mT
    for _ in range(_ROUNDS):
        products = x @ x.mT
        x = a * x + (b * products + c * products @ products) @ x
    return x.mT if tall else x
