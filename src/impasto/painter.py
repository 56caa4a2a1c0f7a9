"""`Painter` and `Step`: the one contract every method keeps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .recipe import Recipe

if TYPE_CHECKING:
    from torch import Tensor, device


@dataclass(frozen=True, slots=True)
class Step:
    """One moment of a painting.

    Attributes:
        image: the picture so far, 1×3×H×W float32 RGB in [0, 1]; safe to keep, it is never written again.
        index: steps done, 0 … total. A one-pass method yields a single step with index = total = 1.
        total: steps planned; an early stop may end before it.
        losses: weighted loss terms by name, and their sum as ``total``. Empty for one-pass methods.
        note: why the painting ended early, or the scale being worked on; empty otherwise.
    """

    image: Tensor
    index: int
    total: int
    losses: Mapping[str, float] = field(default_factory=dict[str, float])
    note: str = ""


class Painter(ABC):
    """A recipe bound to a device, its networks loaded: made by `impasto.bind`."""

    recipe: Recipe
    device: device

    @abstractmethod
    def paint(self, content: Tensor) -> Iterator[Step]:
        """Paint a photograph.

        Args:
            content: 1×3×H×W float32 RGB in [0, 1], any size; it is fitted to `recipe.size`.

        Yields:
            Steps; the last is the answer. Closing the generator early is safe.
        """
