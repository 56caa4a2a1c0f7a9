"""Reads networks from files onto a device. A session keeps them from one painting to the next."""

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch

from ...control import worked
from ...encoders.vgg import VGG
from ...nets.files import TrainedDecoder, load_decoder, load_transformer
from ...nets.transformer import Transformer
from ...recipe import Precision
from ...runtime import compute_dtype
from ...weights.canonical import VGGWeights
from ...weights.files import sha256_of
from ...weights.load import load
from ...weights.shipped import locate_net

Made = TypeVar("Made")


class Keep(Protocol):
    """A cache of networks."""

    def __call__(self, key: Hashable, make: Callable[[], Made], /) -> Made:
        """Return what is kept for a key, which determines the result, or call `make`."""
        ...


def keep_nothing(_key: Hashable, make: Callable[[], Made], /) -> Made:
    """Call `make`, and keep nothing."""
    return make()


@dataclass(frozen=True)
class Nets:
    """The networks of a method on a device. A method has a subclass with its networks.

    Attributes:
        device: the device.
        dtype: type that they compute in.
        sha256: hash of each network's file, by its name in recipes.
    """

    device: torch.device
    dtype: torch.dtype
    sha256: Mapping[str, str]


class Loader:
    """Reads networks, and each file only once if a cache keeps it.

    Args:
        device: where the networks run.
        precision: see `Recipe.precision`.
        keep: a cache. Its key has the hashes of the files and how they are used.
    """

    def __init__(self, device: torch.device, precision: Precision = "auto", keep: Keep = keep_nothing) -> None:
        self.device, self.dtype, self._keep = device, compute_dtype(device, precision), keep

    def sharing(self) -> Loader:
        """Return a loader that keeps what it loads, so that several painters of one picture share it."""
        made: dict[Hashable, Any] = {}

        def keep(key: Hashable, make: Callable[[], Made], /) -> Made:
            if key not in made:
                made[key] = self._keep(key, make)
            return made[key]

        shared = copy.copy(self)
        shared._keep = keep
        return shared

    def weights(self, name: str, until: str | None = None) -> VGGWeights:
        """Read the weights of an encoder; see `impasto.weights.load.load`."""
        worked()
        return load(name, until=until)

    def encoder(self, weights: VGGWeights, until: str, **changes: Any) -> VGG:
        """Make an encoder up to the layer `until`; `changes` replace fields of its `EncoderSpec`."""
        worked()
        read_as = (weights.sha256, weights.spec, weights.kernel_order)
        key = ("encoder", *read_as, until, *sorted(changes.items()), self.device, self.dtype)
        return self._keep(key, lambda: VGG(weights, device=self.device, dtype=self.dtype, until=until, **changes))

    def decoder(self, net: str, *, kind: str, weights: VGGWeights | None, layer: str | None) -> TrainedDecoder:
        """Read a decoder, which makes a picture from features; see `impasto.nets.files.load_decoder`."""
        worked()
        against = weights and weights.sha256
        key = ("decoder", sha256_of(locate_net(net)), kind, layer, against, self.device, self.dtype)
        return self._keep(
            key,
            lambda: load_decoder(net, kind=kind, weights=weights, layer=layer, device=self.device, dtype=self.dtype),
        )

    def transformer(self, path: Path) -> tuple[Transformer, str]:
        """Read a feed-forward network; return it with the sha256 of its file."""
        worked()
        key = ("transformer", sha256_of(path), self.device, self.dtype)
        return self._keep(key, lambda: load_transformer(path, self.device, self.dtype))
