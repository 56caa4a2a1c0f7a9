"""The layers of a fixed VGG, each forwards and back.

The way back is written by hand: a convolution's gradient is a convolution with the flipped kernel, ReLU's is applied
in place.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..borders import PaddingMode, convolve, undo_convolve
from ..errors import RequestError
from ..strips import Edges
from ..weights.canonical import VGGWeights
from ..weights.layers import layer_names, resolve_layer

Tap = Callable[[Tensor | None], Tensor]
"""Adds a layer's own gradient to the one that comes from deeper layers (None where nothing does).

It may write into the tensor it is given."""

Pullback = Callable[[Mapping[str, Tap]], Tensor]
"""Taps by layer -> gradient with respect to the image, N×3×H×W float32. Callable once."""

_aten = torch.ops.aten


class Layers:
    """Convolutions, ReLUs and poolings of a VGG, with the preprocessing they want; for the arguments see `VGG`."""

    def __init__(
        self,
        weights: VGGWeights,
        *,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        until: str | None = None,
        **overrides: Any,
    ) -> None:
        self.spec = dataclasses.replace(weights.spec, **overrides)
        self.source, self.sha256 = weights.source, weights.sha256
        self.device, self.dtype = torch.device(device), dtype
        self.order = layer_names(self.spec.arch)
        last = self.order.index(resolve_layer(until, self.spec.arch)) if until else len(self.order) - 1
        self._params: dict[str, tuple[Tensor, Tensor]] = {}
        self._transposed: dict[str, Tensor] = {}
        for name, (weight, bias) in weights.tensors.items():
            if self.order.index(name) <= last:
                kernel = weight.to(self.device, dtype).contiguous(memory_format=torch.channels_last)
                self._params[name] = (kernel, bias.to(self.device, dtype))
        flip = [2, 1, 0] if self.spec.channels == "bgr" else [0, 1, 2]
        self.flip = torch.tensor(flip, device=self.device)
        shape = (1, 3, 1, 1)
        self._mean = torch.tensor(self.spec.mean, device=self.device).view(shape)
        self.std = torch.tensor(self.spec.std, device=self.device).view(shape)

    def preprocess(self, image: Tensor) -> Tensor:
        """N×3×H×W float32 RGB in [0, 1] -> what the first convolution wants, in float32."""
        return (image.index_select(1, self.flip) * self.spec.scale - self._mean) / self.std

    def until(self, wanted: Collection[str]) -> Sequence[str]:
        """The layers down to the deepest one wanted."""
        if unknown := set(wanted) - set(self.order):
            raise RequestError(f"no layer {', '.join(sorted(unknown))} in {self.spec.arch}")
        return self.order[: max(map(self.order.index, wanted), default=-1) + 1]

    def channels(self, layer: str) -> int:
        """Channels of a canonical layer's features."""
        last = self.order.index(layer) + 1
        return next(self._params[name][0].shape[0] for name in reversed(self.order[:last]) if name in self._params)

    def conv(self, name: str, x: Tensor, edges: Edges = (1, 1)) -> Tensor:
        """The convolution, padded where `x` reaches the picture's upper and lower border."""
        if name not in self._params:
            raise RequestError(f"{self.source} holds no weights for {name}: they end before it")
        weight, bias = self._params[name]
        mode = self._pad_mode(name)
        top, bottom = edges
        if mode is None:
            made = F.conv2d(x, weight, bias, padding=1)
            return made if top and bottom else made[:, :, 1 - top : made.shape[2] - 1 + bottom]
        return convolve(x, weight, bias, edges, mode)

    def pool(self, x: Tensor) -> Tensor:
        """Windows of 2×2 pooled; a picture of a few pixels keeps its last position instead of vanishing."""
        return x if min(x.shape[2:]) < 2 else self.pooled(x)

    def pooled(self, x: Tensor) -> Tensor:
        """Windows of 2×2 pooled, of part of a larger picture."""
        ceil = self.spec.pool_ceil
        if self.spec.pooling == "max":
            x = F.max_pool2d(x, 2, ceil_mode=ceil)
        elif self.spec.pooling == "avg":
            x = F.avg_pool2d(x, 2, ceil_mode=ceil)
        else:
            x = F.avg_pool2d(x.square(), 2, ceil_mode=ceil).mul(4).clamp_min(1e-12).sqrt()
        return x if self.spec.pool_gain == 1 else x * self.spec.pool_gain

    def _pad_mode(self, name: str) -> PaddingMode | None:
        """How the input of a convolution is padded, beyond zeros."""
        if self.spec.padding == "reflect":
            return "reflect"
        return "replicate" if self.spec.padding == "replicate-first" and name == "conv1_1" else None

    def _kernel_transposed(self, name: str) -> Tensor:
        if name not in self._transposed:
            kernel = self._params[name][0].flip(2, 3).transpose(0, 1)
            self._transposed[name] = kernel.contiguous(memory_format=torch.channels_last)
        return self._transposed[name]

    def undo_conv(self, name: str, shape: torch.Size) -> Tap:
        """The way back through a convolution whose input has that shape."""
        kernel = self._kernel_transposed(name)
        pad = self._pad_mode(name)
        if pad is None:
            return lambda gradient: F.conv2d(_given(gradient), kernel, padding=1)
        return lambda gradient: undo_convolve(_given(gradient), kernel, (shape[2], shape[3]), pad)

    def pool_with_undo(self, x: Tensor) -> tuple[Tensor, Tap]:
        """Pool, with the way back. Max pooling keeps its input (already kept for the ReLU) and the indices."""
        gain, ceil = self.spec.pool_gain, self.spec.pool_ceil
        if min(x.shape[2:]) < 2:
            return x, _given
        if self.spec.pooling == "max":
            y, where = F.max_pool2d(x, 2, ceil_mode=ceil, return_indices=True)

            def undo(gradient: Tensor | None) -> Tensor:
                g = _given(gradient) if gain == 1 else _given(gradient) * gain
                args = ([2, 2], [2, 2], [0, 0], [1, 1], ceil, where)
                return _aten.max_pool2d_with_indices_backward(g, x, *args)

            return (y if gain == 1 else y * gain), undo
        y = self.pool(x)

        def undo_mean(gradient: Tensor | None) -> Tensor:
            g = _given(gradient) * gain
            if self.spec.pooling == "avg":
                return _aten.avg_pool2d_backward(g, x, [2, 2], [2, 2], [0, 0], ceil, True, None)
            # y = gain * sqrt(sum of squares in the window), so dy/dx = gain² x / y
            scaled = g * gain * 4 / y
            return _aten.avg_pool2d_backward(scaled, x, [2, 2], [2, 2], [0, 0], ceil, True, None) * x

        return y, undo_mean


def _given(gradient: Tensor | None) -> Tensor:
    assert gradient is not None
    return gradient


def pooled(features: Tensor, side: int, *, ceil: bool) -> Tensor:
    """Means of squares of `side` positions a side, of 1×C×H×W; `ceil` keeps the incomplete ones at the border."""
    return features if side == 1 else F.avg_pool2d(features, side, ceil_mode=ceil)


def undo_relu(output: Tensor) -> Tap:
    """The way back through a ReLU that gave `output`, in place."""

    def undo(gradient: Tensor | None) -> Tensor:
        g = _given(gradient)
        return _aten.threshold_backward.grad_input(g, output, 0, grad_input=g)

    return undo
