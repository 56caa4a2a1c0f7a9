"""Networks, read from files onto a device; a session keeps them from one painting to the next."""

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
    """What was made before under a key, or what `make` makes."""

    def __call__(self, key: Hashable, make: Callable[[], Made], /) -> Made:
        """The key tells all that decides the result."""
        ...


def keep_nothing(_key: Hashable, make: Callable[[], Made], /) -> Made:
    """Keeps nothing."""
    return make()


@dataclass(frozen=True)
class Nets:
    """The networks of a method, on a device; a method adds its own.

    Attributes:
        device: where they are.
        dtype: their arithmetic.
        sha256: of their files, by the names that a recipe calls them.
    """

    device: torch.device
    dtype: torch.dtype
    sha256: Mapping[str, str]


class Loader:
    """Reads networks, those of the same file once where they are kept.

    Args:
        device: where they run.
        precision: see `Recipe.precision`.
        keep: looks a network up by the content of its files, and how it is used.
    """

    def __init__(self, device: torch.device, precision: Precision = "auto", keep: Keep = keep_nothing) -> None:
        self.device, self.dtype, self._keep = device, compute_dtype(device, precision), keep

    def sharing(self) -> Loader:
        """The same, by which painters of one picture share what more than one of them asks for."""
        made: dict[Hashable, Any] = {}

        def keep(key: Hashable, make: Callable[[], Made], /) -> Made:
            if key not in made:
                made[key] = self._keep(key, make)
            return made[key]

        shared = copy.copy(self)
        shared._keep = keep
        return shared

    def weights(self, name: str, until: str | None = None) -> VGGWeights:
        """An encoder's weights as stored; see `impasto.weights.load.load`."""
        worked()
        return load(name, until=until)

    def encoder(self, weights: VGGWeights, until: str, **changes: Any) -> VGG:
        """An encoder as deep as `until`; `changes` are fields of its description."""
        worked()
        key = ("encoder", weights.sha256, until, *sorted(changes.items()), self.device, self.dtype)
        return self._keep(key, lambda: VGG(weights, device=self.device, dtype=self.dtype, until=until, **changes))

    def decoder(self, net: str, *, kind: str, weights: VGGWeights | None, layer: str | None) -> TrainedDecoder:
        """A net that turns features into a picture; see `impasto.nets.files.load_decoder`."""
        worked()
        against = weights and weights.sha256
        key = ("decoder", sha256_of(locate_net(net)), kind, layer, against, self.device, self.dtype)
        return self._keep(
            key,
            lambda: load_decoder(net, kind=kind, weights=weights, layer=layer, device=self.device, dtype=self.dtype),
        )

    def transformer(self, path: Path) -> tuple[Transformer, str]:
        """A feed-forward network, and the sha256 of its file."""
        worked()
        key = ("transformer", sha256_of(path), self.device, self.dtype)
        return self._keep(key, lambda: load_transformer(path, self.device, self.dtype))
