"""The layers of VGG-16 and VGG-19, and the three ways to write their names. Imports no torch."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from ..errors import RequestError, near_misses

Arch = Literal["vgg16", "vgg19"]

BLOCKS: dict[Arch, tuple[int, ...]] = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}
CHANNELS: tuple[int, ...] = (64, 128, 256, 512, 512)


def conv_names(arch: Arch) -> tuple[str, ...]:
    """The names of the convolutions in order, from ``conv1_1``."""
    return tuple(f"conv{b}_{i}" for b, n in enumerate(BLOCKS[arch], 1) for i in range(1, n + 1))


def convs_until(arch: Arch, layer: str | None) -> tuple[str, ...]:
    """The convolutions that a layer needs, in order; all of them if it is None."""
    names = layer_names(arch)
    upto = names if layer is None else names[: names.index(resolve_layer(layer, arch)) + 1]
    return tuple(name for name in upto if name.startswith("conv"))


def layer_names(arch: Arch) -> tuple[str, ...]:
    """Every layer in order: ``conv1_1, relu1_1, …, pool5``."""
    names: list[str] = []
    for block, count in enumerate(BLOCKS[arch], 1):
        for i in range(1, count + 1):
            names += [f"conv{block}_{i}", f"relu{block}_{i}"]
        names.append(f"pool{block}")
    return tuple(names)


def layer_channels(layer: str) -> int:
    """Channels of a canonical layer's output."""
    match = re.search(r"\d", layer)
    assert match, layer
    return CHANNELS[int(match.group()) - 1]


def layer_stride(layer: str) -> int:
    """Pixels of the image between neighbouring positions of a canonical layer: 1, 2, 4, 8 or 16."""
    match = re.search(r"\d", layer)
    assert match, layer
    block = int(match.group())
    return 2 ** (block if layer.startswith("pool") else block - 1)


def resolve_layer(name: str, arch: Arch = "vgg19") -> str:
    """Return the canonical name of a layer, which can be written in three ways.

    They are ``relu4_1`` (the papers); ``block4_conv1``, ``block4_relu1``, ``block4_pool`` (Keras, pastiche); and
    ``conv_4``, ``relu_4``, ``pool_2``, which count the layers of a kind from the input (the PyTorch tutorial).

    Raises:
        RequestError: the name is unknown; the message has similar names.
    """
    known = layer_names(arch)
    text = name.strip().lower()
    if text in known:
        return text
    if match := re.fullmatch(r"block(\d)_(conv|relu)(\d)", text):
        block, kind, index = match.groups()
        text = f"{kind}{block}_{index}"
    elif match := re.fullmatch(r"block(\d)_pool", text):
        text = f"pool{match[1]}"
    elif match := re.fullmatch(r"(conv|relu|pool)_(\d+)", text):
        same = [layer for layer in known if layer.startswith(match[1])]
        if 1 <= int(match[2]) <= len(same):
            text = same[int(match[2]) - 1]
    if text in known:
        return text
    raise RequestError(f"no layer {name!r} in {arch}{near_misses(text, known) or ': it has relu1_1 … relu5_1'}")


def deepest(layers: Iterable[str], arch: Arch) -> str:
    """The deepest of several canonical layers."""
    return max(layers, key=layer_names(arch).index)
