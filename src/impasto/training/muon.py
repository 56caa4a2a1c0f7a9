"""Muon for the filters of convolutions, Adam for all other weights.

Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks": a step is the momentum with all
singular values brought to about 1. So it moves a layer in all directions alike, not only in the few that dominate the
gradient. Steps are scaled to the usual length of Adam's steps, so that one learning rate fits both (Liu et al. 2025,
"Muon is Scalable for LLM Training").
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, cast

import torch
from torch import Tensor

_QUINTIC = 3.4445, -4.7750, 2.0315  # of Jordan et al.: five rounds bring singular values above 0.01 to 0.7 to 1.2
_ROUNDS = 5
_MOMENTUM = 0.95
_STEP_RMS = 0.2  # usual root mean square of Adam's steps, divided by the learning rate
_MIN_FILTERS = 16  # a layer with fewer, such as the last one with 3 colours, is not hidden
_EPSILON = 1e-8

# Overloads are named. To choose one, PyTorch 2.11 tests whether a list of tensors is a list of numbers, and for that
# it reads every value from the GPU.
_aten = torch.ops.aten


class Muon(torch.optim.Optimizer):
    """Muon for every 4-dimensional parameter with 16 filters or more, Adam for the others.

    Args:
        params: the parameters to train.
        lr: learning rate, as for Adam.
        betas: Adam's, of its running means of the gradient and of its square.
    """

    def __init__(self, params: Iterable[Tensor], lr: float, betas: tuple[float, float]) -> None:
        super().__init__(params, {"lr": lr, "betas": betas})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] (takes no closure)
        """Take a step. Parameters without a gradient stay as they are."""
        del closure
        for group in self.param_groups:
            others: list[Tensor] = []
            filters: defaultdict[torch.Size, list[Tensor]] = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None and parameter.dim() == 4 and len(parameter) >= _MIN_FILTERS:
                    filters[parameter.flatten(1).shape].append(parameter)
                elif parameter.grad is not None:
                    others.append(parameter)
            for same_shape in filters.values():
                _aten._foreach_add_.List(same_shape, self._muon_moves(same_shape), alpha=-group["lr"])
            if others:
                _aten._foreach_add_.List(others, self._adam_moves(others, *group["betas"]), alpha=-group["lr"])

    def _muon_moves(self, parameters: list[Tensor]) -> list[Tensor]:
        """Muon's moves of filters, for a learning rate of 1. As matrices all filters have the same shape."""
        nesterov: list[Tensor] = []
        for parameter in parameters:
            state, gradient = self.state[parameter], parameter.grad
            assert gradient is not None
            if "momentum" not in state:
                state["momentum"] = torch.zeros_like(gradient)
            momentum: Tensor = state["momentum"].lerp_(gradient, 1 - _MOMENTUM)
            nesterov.append(gradient.lerp(momentum, _MOMENTUM).flatten(1))
        if nesterov[0].is_cuda:  # all together, and in bfloat16 as Jordan et al. do: that is fast on a GPU
            moves = [*orthogonalise(torch.stack(nesterov).bfloat16()).float()]
        else:
            moves = [orthogonalise(each) for each in nesterov]
        # Entries of a matrix whose singular values are 1 have root mean square 1 / √(its longer side).
        length = _STEP_RMS * max(nesterov[0].shape) ** 0.5
        return [(move * length).view_as(parameter) for move, parameter in zip(moves, parameters, strict=True)]

    def _adam_moves(self, parameters: list[Tensor], beta1: float, beta2: float) -> list[Tensor]:
        """Adam's moves, for a learning rate of 1. All parameters are taken together, which is faster on a GPU."""
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


def orthogonalise(matrix: Tensor) -> Tensor:
    """Bring the singular values of a matrix, …×M×N, to about 0.7 to 1.2; singular vectors stay the same."""
    a, b, c = _QUINTIC
    x = matrix / (matrix.flatten(-2).norm(dim=-1)[..., None, None] + _EPSILON)
    if tall := x.shape[-2] > x.shape[-1]:
        x = x.mT
    for _ in range(_ROUNDS):
        products = x @ x.mT
        x = a * x + (b * products + c * products @ products) @ x
    return x.mT if tall else x
