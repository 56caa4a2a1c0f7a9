"""`Painter`, `Step` and `Regions`: the one contract every method keeps."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from .errors import RequestError
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


@dataclass(frozen=True, eq=False)
class Regions:
    """The masks of several styles, over one picture.

    Attributes:
        shares: S×1×H×W float32; of each style at each pixel: they sum to 1 where any applies, and to 0 elsewhere.
        coverage: 1×1×H×W float32; how much of the painting shows: 0 outside every mask, rising within its border.
    """

    shares: Tensor
    coverage: Tensor

    def at(self, height: int, width: int) -> Tensor:
        """Shares at another size, S×1×H×W: of a layer's positions, or of a smaller picture."""
        from torch.nn import functional

        if self.shares.shape[2:] == (height, width):
            return self.shares
        return functional.interpolate(self.shares, (height, width), mode="bilinear", antialias=True)

    def everywhere(self, height: int, width: int) -> Tensor:
        """As `at`, and where no style applies the mixture of the whole picture."""
        shares = self.at(height, width)
        mixture = shares.mean((1, 2, 3), keepdim=True)
        return shares + (1 - shares.sum(0, keepdim=True)) * (mixture / mixture.sum())


@dataclass(frozen=True, slots=True)
class State:
    """A painting put aside between two steps: all that the next step depends on, and whose it is.

    Attributes:
        tensors: by name.
        facts: JSON data.
        origin: JSON data; what the painting is made from. A painting goes on only from a state of the same origin.
    """

    tensors: Mapping[str, Tensor]
    facts: Mapping[str, Any]
    origin: Mapping[str, Any]


class Checkpoint(ABC):
    """Where a painting keeps its state on the way, and finds it again; see `Painter.keeping`."""

    @abstractmethod
    def load(self, origin: Mapping[str, Any]) -> State | None:
        """The state to go on from; None to begin.

        Raises:
            RequestError: it is not whole, or of another `origin`.
        """

    @abstractmethod
    def due(self) -> bool:
        """Whether it is time to save again."""

    @abstractmethod
    def save(self, state: State) -> None:
        """Keep a state in place of the one before. Its tensors change with the next step."""


class Painter(ABC):
    """A recipe bound to a device, its networks loaded: made by `impasto.bind`."""

    recipe: Recipe
    device: device
    resumable: bool = False
    """Whether a painting can be put aside and taken up again."""
    checkpoint: Checkpoint | None = None

    def keeping(self, checkpoint: Checkpoint) -> Self:
        """This painter, keeping the state of its paintings: it begins from the one that is there, if any.

        Raises:
            RequestError: the method has no state.
        """
        if not self.resumable:
            raise RequestError(
                f"{self.recipe.method} has no state to keep or to resume; expected a method that paints in many "
                "steps, as gatys does: leave out --state and --resume"
            )
        painter = copy.copy(self)
        painter.checkpoint = checkpoint
        return painter

    @abstractmethod
    def paint(self, content: Tensor, regions: Regions | None = None) -> Iterator[Step]:
        """Paint a photograph.

        Args:
            content: 1×3×H×W float32 RGB in [0, 1], any size; it is fitted to `recipe.size`.
            regions: where each of the recipe's styles applies; everywhere if None.

        Yields:
            Steps; the last is the answer. Closing the generator early is safe.
        """
