"""One shape for every source of VGG weights: named tensors with the preprocessing they were trained for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from ..errors import WeightsError
from .layers import Arch, CHANNELS, conv_names


@dataclass(frozen=True)
class EncoderSpec:
    """How a source's network wants its image, and how it pads and pools.

    The image, RGB in [0, 1], becomes ``(image[channels] * scale - mean) / std``; `mean` and `std` are in
    the order of `channels`.
    """

    arch: Arch
    channels: Literal["rgb", "bgr"]
    scale: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    padding: Literal["zeros", "reflect", "replicate-first"] = "zeros"
    pooling: Literal["max", "avg", "l2"] = "max"
    pool_gain: float = 1.0
    pool_ceil: bool = False


CAFFE_BGR_MEAN = (103.939, 116.779, 123.68)


def caffe_spec(arch: Arch) -> EncoderSpec:
    """Oxford's networks as released for Caffe: BGR, 0-255, mean pixel subtracted."""
    return EncoderSpec(arch=arch, channels="bgr", scale=255.0, mean=CAFFE_BGR_MEAN)


def torchvision_spec(arch: Arch) -> EncoderSpec:
    """torchvision's retrained networks: RGB, 0-1, ImageNet mean and deviation."""
    return EncoderSpec(arch=arch, channels="rgb", scale=1.0, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


@dataclass(frozen=True)
class VGGWeights:
    """A VGG's convolutions, float32: ``tensors["conv1_1"] = (weight O×I×3×3, bias O)``, complete or a prefix.

    `sha256` is that of the file they came from, `source` its catalogue name or path.
    """

    spec: EncoderSpec
    tensors: Mapping[str, tuple[Tensor, Tensor]] = field(repr=False)
    source: str
    sha256: str

    def __post_init__(self) -> None:
        expected = conv_names(self.spec.arch)
        unknown = set(self.tensors) - set(expected)
        if unknown or list(self.tensors) != list(expected[: len(self.tensors)]):
            raise WeightsError(
                f"{self.source}: layers are {', '.join(self.tensors)}; expected {', '.join(expected)} in order"
            )
        inputs = 3
        for name, (weight, bias) in self.tensors.items():
            outputs = CHANNELS[int(name[4]) - 1] if self.width == 1 else weight.shape[0]
            if tuple(weight.shape) != (outputs, inputs, 3, 3) or tuple(bias.shape) != (outputs,):
                raise WeightsError(
                    f"{self.source}: {name} has shape {tuple(weight.shape)} with bias {tuple(bias.shape)}; "
                    f"expected {(outputs, inputs, 3, 3)} with {(outputs,)}"
                )
            if not (torch.isfinite(weight).all() and torch.isfinite(bias).all()):
                raise WeightsError(f"{self.source}: {name} holds values that are not finite")
            inputs = outputs

    @property
    def width(self) -> float:
        """Channels relative to the published network (below 1 only for the tiny encoders of tests)."""
        return next(iter(self.tensors.values()))[0].shape[0] / CHANNELS[0]


def tiny_weights(arch: Arch = "vgg19", *, channels: int = 4, seed: int = 0) -> VGGWeights:
    """A small, seeded, random VGG for tests: the same layers, few channels. Never used to paint."""
    generator = torch.Generator().manual_seed(seed)
    tensors: dict[str, tuple[Tensor, Tensor]] = {}
    inputs = 3
    for name in conv_names(arch):
        outputs = channels * min(2 ** (int(name[4]) - 1), 4)
        weight = torch.randn(outputs, inputs, 3, 3, generator=generator) * (2 / (inputs * 9)) ** 0.5
        tensors[name] = (weight, torch.randn(outputs, generator=generator) * 0.1)
        inputs = outputs
    spec = EncoderSpec(arch=arch, channels="rgb", scale=1.0, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
    return VGGWeights(spec, tensors, source=f"tiny-{arch}-{channels}-{seed}", sha256="0" * 64)
