"""`Painter`, `Step` and `Regions`: the one contract every method keeps."""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self, TypeVar

from .control import Cancel, Control, Watch
from .errors import RequestError
from .recipe import Recipe

if TYPE_CHECKING:
    from torch import Tensor, device


Made = TypeVar("Made")


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

    def encode_ahead(self, *, regions: bool = False) -> None:  # noqa: B027 (a method may have nothing to encode)
        """Encode the styles before the first photograph comes, where it is known at what size they will be seen.

        `regions` says that each style will have a place of its own, also where the recipe names no masks.
        """

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

    def paint(
        self,
        content: Tensor,
        regions: Regions | None = None,
        start: Tensor | None = None,
        cancel: Cancel | None = None,
        watch: Watch | None = None,
    ) -> Generator[Step]:
        """Paint a photograph.

        Args:
            content: 1×3×H×W float32 RGB in [0, 1], any size; it is fitted to `recipe.size`.
            regions: where each of the recipe's styles applies; everywhere if None.
            start: the painting so far, 1×3×h×w in [0, 1], of any size and the photograph's proportions. It takes
                the place of the picture of the size before; `recipe.start_detail` says how much of the photograph's
                finer detail comes back on top of it.
            cancel: work stops within about a second once it is set, as a `threading.Event` is.
            watch: is told how far the work is.

        Yields:
            Steps; the last is the answer. Closing the generator early is safe.

        Raises:
            Cancelled: `cancel` was set.
            RequestError: the start has other proportions than the photograph.
        """
        control = None if cancel is None and watch is None else Control(cancel, watch)
        return controlled(self.run(content, regions, start), control)

    def reckon(self, size: tuple[int, int], start: int = 0) -> float:  # noqa: ARG002
        """Multiply-adds of a painting, without encoding the styles; where a method does not know, its pixels.

        Args:
            size: height and width of the photograph, before it is fitted to `recipe.size`.
            start: longest side in pixels of the picture that it goes on from; 0 for none.
        """
        longest = self.recipe.size or max(size)
        return math.prod(size) * (longest / max(size)) ** 2

    @abstractmethod
    def run(self, content: Tensor, regions: Regions | None, start: Tensor | None) -> Iterator[Step]:
        """What the method does; see `paint`."""


def controlled(steps: Iterator[Made], control: Control | None) -> Generator[Made]:
    """The same, made under a control; as it is where that is None. Whoever closes it closes `steps`."""
    if control is None:
        yield from steps
        return
    try:
        while True:
            with control.active():
                control.check()
                try:
                    step = next(steps)
                except StopIteration:
                    return
            yield step
    finally:
        if isinstance(steps, Generator):
            steps.close()
