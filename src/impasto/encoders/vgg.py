"""VGG-16 and VGG-19 as a pure function: (image, layers) -> {layer: features}.

Simonyan & Zisserman 2014, "Very Deep Convolutional Networks for Large-Scale Image Recognition".
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import RequestError
from ..weights.canonical import VGGWeights
from ..weights.layers import layer_names, resolve_layer


class VGG:
    """A fixed VGG; its weights never get gradients.

    Args:
        weights: the convolutions and the preprocessing they want.
        device: where it runs.
        dtype: arithmetic of the convolutions; features come out in it.
        until: deepest layer that will be asked for; deeper weights are not kept.
        **overrides: fields of `EncoderSpec` to change (padding, pooling, pool_gain, pool_ceil, mean, ...).
    """

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
        self._order = layer_names(self.spec.arch)
        last = self._order.index(resolve_layer(until, self.spec.arch)) if until else len(self._order) - 1
        self._params: dict[str, tuple[Tensor, Tensor]] = {}
        for name, (weight, bias) in weights.tensors.items():
            if self._order.index(name) <= last:
                kernel = weight.to(self.device, dtype).contiguous(memory_format=torch.channels_last)
                self._params[name] = (kernel, bias.to(self.device, dtype))
        flip = [2, 1, 0] if self.spec.channels == "bgr" else [0, 1, 2]
        self._flip = torch.tensor(flip, device=self.device)
        shape = (1, 3, 1, 1)
        self._mean = torch.tensor(self.spec.mean, device=self.device).view(shape)
        self._std = torch.tensor(self.spec.std, device=self.device).view(shape)

    def preprocess(self, image: Tensor) -> Tensor:
        """N×3×H×W float32 RGB in [0, 1] -> what the first convolution wants, in float32."""
        return (image.index_select(1, self._flip) * self.spec.scale - self._mean) / self._std

    def __call__(self, image: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        """Features of `image` at canonical `layers`; stops at the deepest one.

        Args:
            image: N×3×H×W float32 RGB, nominally in [0, 1].
            layers: canonical names (`relu4_1`); see `impasto.weights.layers.resolve_layer`.

        Returns:
            N×C×H'×W' tensors in the encoder's dtype, by layer.
        """
        wanted = set(layers)
        x = self.preprocess(image).to(self.dtype, memory_format=torch.channels_last)
        found: dict[str, Tensor] = {}
        for name in self._order:
            if name.startswith("conv"):
                x = self._conv(name, x)
            elif name.startswith("relu"):
                # In place only where the convolution's own output was not asked for.
                x = F.relu(x) if name.replace("relu", "conv") in wanted else F.relu_(x)
            else:
                x = self._pool(x)
            if name in wanted:
                found[name] = x
                if len(found) == len(wanted):
                    return found
        raise RequestError(f"no layer {', '.join(sorted(wanted - set(found)))} in {self.spec.arch}")

    def _conv(self, name: str, x: Tensor) -> Tensor:
        if name not in self._params:
            raise RequestError(f"{self.source} holds no weights for {name}: they end before it")
        weight, bias = self._params[name]
        if self.spec.padding == "reflect":
            return F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect" if min(x.shape[2:]) > 1 else "replicate"), weight, bias)
        if self.spec.padding == "replicate-first" and name == "conv1_1":
            return F.conv2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), weight, bias)
        return F.conv2d(x, weight, bias, padding=1)

    def _pool(self, x: Tensor) -> Tensor:
        if min(x.shape[2:]) < 2:
            return x  # a picture of a few pixels keeps its last position instead of vanishing
        ceil = self.spec.pool_ceil
        if self.spec.pooling == "max":
            x = F.max_pool2d(x, 2, ceil_mode=ceil)
        elif self.spec.pooling == "avg":
            x = F.avg_pool2d(x, 2, ceil_mode=ceil)
        else:
            x = F.avg_pool2d(x.square(), 2, ceil_mode=ceil).mul(4).clamp_min(1e-12).sqrt()
        return x if self.spec.pool_gain == 1 else x * self.spec.pool_gain
