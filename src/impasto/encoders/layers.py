"""The layers of a fixed VGG, forwards and backwards.

The backward pass is written by hand: the gradient of a convolution is a convolution with the flipped kernel, and that
of a ReLU is computed in place.
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
"""Returns the gradient of a layer: that of its own loss plus the given one, which comes from deeper layers, if any.

It may overwrite the given tensor."""

Pullback = Callable[[Mapping[str, Tap]], Tensor]
"""Returns the gradient with respect to the image, N×3×H×W float32, given taps by layer. It can be called once."""

_aten = torch.ops.aten


class Layers:
    """The convolutions, ReLUs and poolings of a VGG, and its preprocessing. For the arguments see `VGG`."""

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
        """Convert N×3×H×W float32 RGB in [0, 1] to the input of the first convolution, in float32."""
        return (image.index_select(1, self.flip) * self.spec.scale - self._mean) / self.std

    def until(self, wanted: Collection[str]) -> Sequence[str]:
        """Return the layers from the first to the deepest one wanted.

        Raises:
            RequestError: the network has no such layer.
        """
        if unknown := set(wanted) - set(self.order):
            raise RequestError(f"no layer {', '.join(sorted(unknown))} in {self.spec.arch}")
        return self.order[: max(map(self.order.index, wanted), default=-1) + 1]

    def channels(self, layer: str) -> int:
        """The channels of a canonical layer's features."""
        last = self.order.index(layer) + 1
        return next(self._params[name][0].shape[0] for name in reversed(self.order[:last]) if name in self._params)

    def conv(self, name: str, x: Tensor, edges: Edges = (1, 1)) -> Tensor:
        """Apply a convolution.

        Args:
            name: canonical layer.
            x: its input, N×C×h×W: the whole, or a strip of rows.
            edges: 1 if `x` reaches the upper and the lower border of the picture, which are padded, otherwise 0.

        Raises:
            RequestError: there are no weights for the layer.
        """
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
        """Pool windows of 2×2 positions. A side of one position stays as it is."""
        return x if min(x.shape[2:]) < 2 else self.pool_windows(x)

    def pool_windows(self, x: Tensor) -> Tensor:
        """Pool windows of 2×2 positions of a part of a larger picture."""
        ceil = self.spec.pool_ceil
        if self.spec.pooling == "max":
            x = F.max_pool2d(x, 2, ceil_mode=ceil)
        elif self.spec.pooling == "avg":
            x = F.avg_pool2d(x, 2, ceil_mode=ceil)
        else:
            x = F.avg_pool2d(x.square(), 2, ceil_mode=ceil).mul(4).clamp_min(1e-12).sqrt()
        return x if self.spec.pool_gain == 1 else x * self.spec.pool_gain

    def _pad_mode(self, name: str) -> PaddingMode | None:
        """The padding of a convolution's input; None for zeros."""
        if self.spec.padding == "reflect":
            return "reflect"
        return "replicate" if self.spec.padding == "replicate-first" and name == "conv1_1" else None

    def _kernel_transposed(self, name: str) -> Tensor:
        if name not in self._transposed:
            kernel = self._params[name][0].flip(2, 3).transpose(0, 1)
            self._transposed[name] = kernel.contiguous(memory_format=torch.channels_last)
        return self._transposed[name]

    def undo_conv(self, name: str, shape: torch.Size) -> Tap:
        """Return the backward pass of a convolution whose input has this shape."""
        kernel = self._kernel_transposed(name)
        pad = self._pad_mode(name)
        if pad is None:
            return lambda gradient: F.conv2d(_required(gradient), kernel, padding=1)
        return lambda gradient: undo_convolve(_required(gradient), kernel, (shape[2], shape[3]), pad)

    def pool_with_undo(self, x: Tensor) -> tuple[Tensor, Tap]:
        """Pool, and return the backward pass too. Max pooling keeps its input (as the ReLU does) and indices."""
        gain, ceil = self.spec.pool_gain, self.spec.pool_ceil
        if min(x.shape[2:]) < 2:
            return x, _required
        if self.spec.pooling == "max":
            y, where = F.max_pool2d(x, 2, ceil_mode=ceil, return_indices=True)

            def undo(gradient: Tensor | None) -> Tensor:
                g = _required(gradient) if gain == 1 else _required(gradient) * gain
                args = ([2, 2], [2, 2], [0, 0], [1, 1], ceil, where)
                return _aten.max_pool2d_with_indices_backward(g, x, *args)

            return (y if gain == 1 else y * gain), undo
        y = self.pool(x)

        def undo_mean(gradient: Tensor | None) -> Tensor:
            g = _required(gradient) * gain
            if self.spec.pooling == "avg":
                return _aten.avg_pool2d_backward(g, x, [2, 2], [2, 2], [0, 0], ceil, True, None)
            # y = gain · √(Σ x² in the window), so dy/dx = gain² · x / y.
            scaled = g * gain * 4 / y
            return _aten.avg_pool2d_backward(scaled, x, [2, 2], [2, 2], [0, 0], ceil, True, None) * x

        return y, undo_mean


def _required(gradient: Tensor | None) -> Tensor:
    assert gradient is not None
    return gradient


def square_means(features: Tensor, side: int, *, ceil: bool) -> Tensor:
    """Average squares of `side`×`side` positions of 1×C×H×W; with `ceil` also incomplete ones at the border."""
    return features if side == 1 else F.avg_pool2d(features, side, ceil_mode=ceil)


def undo_relu(output: Tensor) -> Tap:
    """Return the backward pass of a ReLU with this output; it works in place."""

    def undo(gradient: Tensor | None) -> Tensor:
        g = _required(gradient)
        return _aten.threshold_backward.grad_input(g, output, 0, grad_input=g)

    return undo
