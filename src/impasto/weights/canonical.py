"""The common form of VGG weights from any source: named tensors with the preprocessing they were trained for."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from ..errors import WeightsError
from .layers import CHANNELS, Arch, conv_names, convs_until, layer_names

Padding = Literal["zeros", "reflect", "replicate-first"]
KernelOrder = Literal["OIHW", "HWIO", "WHIO"]


@dataclass(frozen=True)
class EncoderSpec:
    """How a network preprocesses its image, pads and pools.

    The image, RGB in [0, 1], becomes ``(image[channels] * scale - mean) / std``; `mean` and `std` are in
    the order of `channels`.
    """

    arch: Arch
    channels: Literal["rgb", "bgr"]
    scale: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    padding: Padding = "zeros"
    pooling: Literal["max", "avg", "l2"] = "max"
    pool_gain: float = 1.0
    pool_ceil: bool = False


def layer_size(spec: EncoderSpec, layer: str, height: int, width: int) -> tuple[int, int]:
    """Height and width of the features of a canonical layer, for an image of `height` × `width`."""
    names = layer_names(spec.arch)
    for name in names[: names.index(layer) + 1]:
        if name.startswith("pool") and min(height, width) >= 2:
            odd = 1 if spec.pool_ceil else 0
            height, width = (height + odd) // 2, (width + odd) // 2
    return height, width


CAFFE_BGR_MEAN = (103.939, 116.779, 123.68)


def caffe_spec(arch: Arch) -> EncoderSpec:
    """Oxford's networks as released for Caffe: BGR, 0-255, mean pixel subtracted."""
    return EncoderSpec(arch=arch, channels="bgr", scale=255.0, mean=CAFFE_BGR_MEAN)


def torchvision_spec(arch: Arch) -> EncoderSpec:
    """The networks that torchvision trained itself: RGB, 0-1, ImageNet mean and deviation."""
    return EncoderSpec(arch=arch, channels="rgb", scale=1.0, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


@dataclass(frozen=True)
class VGGWeights:
    """The convolutions of a VGG, float32: all of them, or the first ones.

    Attributes:
        spec: the preprocessing that the network needs.
        tensors: by name and in order, ``tensors["conv1_1"] = (weight O×I×3×3, bias O)``.
        source: catalogue name or path of the file they came from.
        sha256: hash of that file.
        kernel_order: axes of the kernels as they were read from that file.

    Raises:
        WeightsError: a layer is missing or unknown, a shape is wrong, or a value is not finite.
    """

    spec: EncoderSpec
    tensors: Mapping[str, tuple[Tensor, Tensor]] = field(repr=False)
    source: str
    sha256: str
    kernel_order: KernelOrder = "OIHW"

    def __post_init__(self) -> None:
        names, expected = tuple(self.tensors), conv_names(self.spec.arch)
        if not names or names != expected[: len(names)]:
            raise WeightsError(
                f"{self.source}: layers are {', '.join(names) or 'none'}; "
                f"expected {', '.join(expected)} in order, or the first of them"
            )
        inputs = 3
        for name, (weight, bias) in self.tensors.items():
            outputs = CHANNELS[int(name[4]) - 1] if self.width == 1 else weight.shape[0]
            if tuple(weight.shape) != (outputs, inputs, 3, 3) or tuple(bias.shape) != (outputs,):
                raise WeightsError(
                    f"{self.source}: {name} has shape {tuple(weight.shape)} with bias {tuple(bias.shape)}; "
                    f"expected {(outputs, inputs, 3, 3)} with {(outputs,)}"
                )
            if not (finite(weight) and finite(bias)):
                raise WeightsError(
                    f"{self.source}: {name} holds values that are not finite; expected numbers only: "
                    "get the file again"
                )
            inputs = outputs

    def until(self, layer: str | None) -> VGGWeights:
        """Return the weights that a canonical `layer` needs, without copying; None returns all."""
        wanted = convs_until(self.spec.arch, layer)
        tensors = {name: pair for name, pair in self.tensors.items() if name in wanted}
        return self if len(tensors) == len(self.tensors) else dataclasses.replace(self, tensors=tensors)

    @property
    def width(self) -> float:
        """Channels relative to the published network; below 1 only for the tiny encoders of tests."""
        return next(iter(self.tensors.values()))[0].shape[0] / CHANNELS[0]


class Stored(NamedTuple):
    """One convolution in a file.

    Attributes:
        key: name of the kernel in the file.
        read: returns kernel and bias.
    """

    key: str
    read: Callable[[], tuple[Tensor, Tensor]]


def assemble(
    stored: Mapping[str, Stored],
    *,
    spec: Callable[[Arch], EncoderSpec],
    order: KernelOrder,
    source: str,
    sha256: str,
    until: str | None = None,
) -> VGGWeights:
    """Check the convolutions of a file and convert them to the common form.

    Args:
        stored: the convolutions by canonical name, in any order.
        spec: makes the preprocessing of this layout for a network.
        order: axes of the kernels in the file; O and I are output and input channels.
        source: name of the file for messages.
        sha256: hash of the file.
        until: deepest canonical layer to read; deeper convolutions only have to exist.

    Raises:
        WeightsError: a layer is missing or unknown, or a tensor has a wrong type or shape, or is not finite.
    """
    arch = arch_of(stored, source)
    wanted = convs_until(arch, until)
    tensors: dict[str, tuple[Tensor, Tensor]] = {}
    inputs = 3
    for name in wanted[: len(stored)]:
        outputs = CHANNELS[int(name[4]) - 1]
        key, read = stored[name]
        weight, bias = read()
        sizes = {"O": outputs, "I": inputs, "H": 3, "W": 3}
        expected = tuple(sizes[axis] for axis in order)
        if tuple(weight.shape) != expected or tuple(bias.shape) != (outputs,):
            raise WeightsError(
                f"{source}: {key} has shape {tuple(weight.shape)} with bias {tuple(bias.shape)}; expected "
                f"{expected} ({order}) with {(outputs,)}: this is not {arch} in the layout it was read as"
            )
        if not (weight.is_floating_point() and bias.is_floating_point()):
            raise WeightsError(
                f"{source}: {key} holds {weight.dtype} with bias {bias.dtype}; expected floating point"
            )
        axes = [order.index(axis) for axis in "OIHW"]
        tensors[name] = (weight.permute(axes).float().contiguous(), bias.float().contiguous())
        inputs = outputs
    return VGGWeights(spec(arch), tensors, source, sha256, order)


def arch_of(names: Collection[str], source: str) -> Arch:
    """Find the network whose first convolutions have these names; VGG-19 if both networks do.

    Raises:
        WeightsError: there are no names, one is missing in between, or one is in no VGG.
    """
    for arch in ("vgg19", "vgg16"):
        if names and set(names) == set(conv_names(arch)[: len(names)]):
            return arch
    nearer: Arch = "vgg19" if any(name not in conv_names("vgg16") for name in names) else "vgg16"
    expected = conv_names(nearer)
    extra = sorted(set(names) - set(expected))
    if extra:
        raise WeightsError(
            f"{source}: holds {', '.join(extra)}, which {nearer} has not; expected {', '.join(expected)}"
        )
    last = max((expected.index(name) for name in names), default=len(expected) - 1)
    missing = [name for name in expected[: last + 1] if name not in names]
    raise WeightsError(
        f"{source}: {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing; expected every "
        f"convolution of {nearer} from conv1_1 on: get the file again, or another (`impasto weights list`)"
    )


def finite(tensor: Tensor) -> bool:
    """Whether a tensor has numbers only, neither NaN nor infinity."""
    if not tensor.numel():
        return True
    low, high = tensor.aminmax()  # NaN and infinity propagate to these; several times faster than testing each value
    return bool(low.isfinite() and high.isfinite())


def tiny_weights(arch: Arch = "vgg19", *, channels: int = 4, seed: int = 0) -> VGGWeights:
    """Make a small random VGG for tests, with all layers and few channels. It is never used to paint."""
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
