"""`Painter`, `Step` and `Regions`: the interface of every method."""

from __future__ import annotations

import contextlib
import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self, TypeVar

from .control import Cancel, Control, Watch
from .errors import RequestError
from .recipe import Recipe
from .runtime import isolated
from .untrusted import shorten

if TYPE_CHECKING:
    from torch import Tensor, device


Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Step:
    """The state of a painting after one step.

    Attributes:
        image: the picture so far, 1×3×H×W float32 RGB in [0, 1]. It is safe to keep: later steps do not change it.
        index: number of steps done, 0 to `total`. Most one-pass methods yield a single step, 1 of 1.
        total: number of steps planned; a painting that stops early has fewer.
        losses: weighted loss terms by name, and their sum as ``total``; empty for most one-pass methods.
        note: why the painting ended early, or at what size it is; may be empty.

    Examples:
        >>> step = impasto.paint("photo.jpg", "painting.jpg", method="gatys", steps=2, size=64).step
        >>> step.index, step.total, tuple(step.image.shape)
        (2, 2, (1, 3, 48, 64))
    """

    image: Tensor
    index: int
    total: int
    losses: Mapping[str, float] = field(default_factory=dict[str, float])
    note: str = ""


@dataclass(frozen=True, eq=False)
class Regions:
    """Where each of several styles applies on a picture.

    Attributes:
        shares: S×1×H×W float32, the share of each of S styles at each pixel. They sum to 1 where a style applies, and
            to 0 elsewhere.
        coverage: 1×1×H×W float32 in [0, 1], how much of the painting covers the photo: 0 outside every mask, rising
            to 1 across the soft border.
    """

    shares: Tensor
    coverage: Tensor

    def at(self, height: int, width: int) -> Tensor:
        """Return the shares at another size, S×1×`height`×`width`, such as that of a layer's features."""
        from torch.nn import functional

        if self.shares.shape[2:] == (height, width):
            return self.shares
        return functional.interpolate(self.shares, (height, width), mode="bilinear", antialias=True)

    def everywhere(self, height: int, width: int) -> Tensor:
        """Return the shares as `at` does, with the average mixture where no style applies."""
        shares = self.at(height, width)
        mixture = shares.mean((1, 2, 3), keepdim=True)
        return shares + (1 - shares.sum(0, keepdim=True)) * (mixture / mixture.sum())


@dataclass(frozen=True, slots=True)
class State:
    """The state of a painting between two steps, from which it can be resumed.

    Attributes:
        tensors: tensors that the next step depends on, by name.
        facts: the other values it depends on, as JSON data.
        origin: what the painting is made from, as JSON data. A painting resumes only from a state of the same origin.
    """

    tensors: Mapping[str, Tensor]
    facts: Mapping[str, Any]
    origin: Mapping[str, Any]


class Checkpoint(ABC):
    """Saves the state of a painting at intervals and loads it to resume; see `Painter.keeping`."""

    @abstractmethod
    def load(self, origin: Mapping[str, Any]) -> State | None:
        """Return the state to resume from, or None to start from the beginning.

        Args:
            origin: what the painting is made from, as JSON data.

        Raises:
            RequestError: the state is damaged, or has another origin.
        """

    @abstractmethod
    def due(self) -> bool:
        """Return whether it is time to save again."""

    @abstractmethod
    def save(self, state: State) -> None:
        """Save a state in place of the last one.

        Args:
            state: the next step changes its tensors, so they have to be written or copied now.
        """


class Painter(ABC):
    """A method that is ready to paint: a recipe, its networks on a device, and its styles.

    `impasto.bind` makes one, as ``bind(recipe).painter``. It knows pixels only: files, masks, colour and strength are
    handled by `Session`.

    Attributes:
        recipe: what it paints with; ``nets`` has the sha256 of each network.
        device: where it works.
        resumable: whether a painting can be saved between two steps and resumed.
        checkpoint: where its paintings save their state; None if they do not.

    Examples:
        >>> settings = {"size": 64, "steps": 2}
        >>> recipe = impasto.make_recipe("gatys", [impasto.Style(path="painting.jpg")], settings=settings)
        >>> painter = impasto.bind(recipe).painter
    """

    recipe: Recipe
    device: device
    resumable: bool = False
    checkpoint: Checkpoint | None = None

    def encode_ahead(self, *, regions: bool = False) -> None:  # noqa: B027 (a hook)
        """Encode the styles before the first photograph, if the recipe states the size.

        Args:
            regions: encode each style by itself, as painting with masks needs it, even if the recipe has no masks.

        Examples:
            >>> painter.encode_ahead()
        """

    def keeping(self, checkpoint: Checkpoint) -> Self:
        """Return a painter that saves the state of its paintings, and resumes from a saved one if there is one.

        Args:
            checkpoint: where to save, such as a `StateFile`.

        Raises:
            RequestError: the method cannot be resumed.

        Examples:
            >>> painter.keeping(impasto.StateFile("state.safetensors")).checkpoint is None
            False
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
            content: the photograph, 1×3×H×W float32 RGB in [0, 1], of any size. It is resized to ``recipe.size``.
            regions: where each of the recipe's styles applies; None means everywhere.
            start: a picture to continue from, 1×3×h×w in [0, 1], of any size and with the photograph's proportions.
                It replaces the passes at sizes up to its own. ``recipe.start_detail`` says how much of the
                photograph's finer detail is added to it.
            cancel: an object with ``is_set()``, such as a `threading.Event`. Work stops within about a second after
                it is set.
            watch: a function that is called with a `Progress`.

        Yields:
            Steps; the last one holds the result. The generator may be closed early.

        Raises:
            Cancelled: `cancel` was set.
            RequestError: the start has other proportions than the photograph, or one of them is not such a tensor.

        Examples:
            >>> *_, last = painter.paint(torch.rand(1, 3, 30, 40))
            >>> tuple(last.image.shape)
            (1, 3, 48, 64)
        """
        require_tensor(content, "the photograph")
        if start is not None:
            require_tensor(start, "the start")
        control = None if cancel is None and watch is None else Control(cancel, watch)
        return controlled(self.run(content, regions, start), control)

    def check_memory(  # noqa: B027 (a hook)
        self, size: tuple[int, int], *, regions: bool = False, spare: int = 0
    ) -> None:
        """Check before painting that the memory is enough, as far as that is known then.

        Args:
            size: height and width of the result.
            regions: it is painted with masks.
            spare: bytes of the recipe's budget to leave.

        Raises:
            ShortageError: the recipe's budget is too small.

        Examples:
            >>> painter.check_memory((48, 64))
        """

    def estimate_work(self, size: tuple[int, int], start: int = 0) -> float:  # noqa: ARG002 (a hook)
        """Estimate the work of a painting, without that of encoding the styles.

        Args:
            size: height and width of the photograph, before it is resized to ``recipe.size``.
            start: longest side in pixels of the picture to continue from; 0 if there is none.

        Returns:
            The number of multiply-adds; the number of pixels if the method does not count them.

        Examples:
            >>> painter.estimate_work((480, 640)) == painter.estimate_work((48, 64))
            True
        """
        longest = self.recipe.size or max(size)
        return math.prod(size) * (longest / max(size)) ** 2

    @abstractmethod
    def run(self, content: Tensor, regions: Regions | None, start: Tensor | None) -> Iterator[Step]:
        """Paint without a control of its own; `paint` calls this. A method implements it.

        Args:
            content: see `paint`.
            regions: see `paint`.
            start: see `paint`.

        Examples:
            >>> [step.index for step in painter.run(torch.rand(1, 3, 30, 40), None, None)]
            [1, 2]
        """


def require_tensor(picture: object, what: str) -> None:
    """Refuse what is not a picture as a painter takes it.

    Raises:
        RequestError: it is no tensor 1×3×H×W of float.
    """
    import torch

    expected = (
        "expected a tensor 1×3×H×W of float in [0, 1]: impasto.read(...).pixels, or paint the file itself by "
        "impasto.bind(recipe).paint(...)"
    )
    if not isinstance(picture, torch.Tensor):
        raise RequestError(f"{what} is {shorten(repr(picture))}; {expected}")
    if picture.dim() != 4 or picture.shape[:2] != (1, 3) or not picture.is_floating_point() or not picture.numel():
        raise RequestError(f"{what} is {tuple(picture.shape)} of {picture.dtype}; {expected}")


def controlled(steps: Iterator[Made], control: Control | None) -> Generator[Made]:
    """Yield the steps while a control is active during each; None leaves it out. Closing this closes `steps`.

    What the caller has set for torch holds between the steps, not during them; see `isolated`.
    """
    try:
        while True:
            with isolated(), contextlib.nullcontext() if control is None else control.active():
                if control is not None:
                    control.check()
                try:
                    step = next(steps)
                except StopIteration:
                    return
            yield step
    finally:
        if isinstance(steps, Generator):
            with isolated():
                steps.close()
