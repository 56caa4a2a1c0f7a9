"""`Work`: a painting in progress, and its turn among others."""

from __future__ import annotations

import contextlib
import dataclasses
import time
import warnings
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

from .. import memory
from ..control import Cancel, Control, Watch, say
from ..errors import Cancelled, ImpastoError, ImpastoWarning, OutputError
from ..painter import Regions, Step, controlled
from .painting import FINISHED, INTERRUPTED, Painting
from .printing import explain_shortage
from .turns import TURNS

if TYPE_CHECKING:
    from torch import Tensor

    from ..images.picture import Picture
    from .bound import BoundPainter
    from .records import Record


@dataclasses.dataclass(frozen=True, eq=False)
class Inputs:
    """The inputs of a painting, read and checked."""

    bound: BoundPainter
    content: Picture
    masks: Sequence[Tensor | None]
    regions: Regions | None
    start: Tensor | None


@dataclasses.dataclass(eq=False)
class _State:
    """The progress of a painting, shared between `Work` and its generator."""

    inputs: Inputs | None = None
    last: Step | None = None
    ended: bool = False
    seconds: float = 0.0


class Work:
    """A painting in progress, made by `Session.paint`: an iterator over its steps.

    It may be left early. Other paintings wait until it has ended, is closed, or is no longer referenced.

    Args:
        begin: reads the pictures and loads the networks.
        cancel: see `Session.paint`.
        watch: see `Session.paint`.
        priority: see `Session.paint`.
        records: see `Session.paint`.

    Examples:
        >>> recipe = impasto.make_recipe("adain", [impasto.Style(path="painting.jpg")])
        >>> work = impasto.Session().paint(recipe, "photo.jpg")
        >>> [step.total for step in work]
        [1]
    """

    def __init__(
        self,
        begin: Callable[[], Inputs],
        cancel: Cancel | None = None,
        watch: Watch | None = None,
        priority: int = 0,
        records: Sequence[Record] = (),
    ) -> None:
        self._records, self._state = list(records), _State()
        # The generator refers to the state and not to this object, so it is closed with the last reference to this.
        self._steps = _in_turn(_paint(begin, self._state, self._records), cancel, watch, priority)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Step:
        return next(self._steps)

    def close(self) -> None:
        """Stop painting. A painter with a checkpoint saves its state.

        Examples:
            >>> work.close()
        """
        self._steps.close()

    def done(self) -> Painting:
        """Run the remaining steps and return the painting.

        Raises:
            RequestError: see `Session.paint`.
            Cancelled: see `Session.paint`.

        Examples:
            >>> work.done().size
            (512, 384)
        """
        for _ in self:
            pass
        return self.painting

    def finish_records(self) -> list[Path]:
        """Let the records write what they write at the end, and return the files they made.

        A record that cannot be written is left out, with a warning.

        Examples:
            >>> work.finish_records()
            []
        """
        files: list[Path] = []
        for record in list(self._records):
            with _left_out_if_unwritable(record, self._records):
                files += record.finish()
        return files

    @property
    def last(self) -> Step | None:
        """The last step, before strength, colour and masks are applied; None before the first.

        Examples:
            >>> work.last.index
            1
        """
        return self._state.last

    @property
    def painting(self) -> Painting:
        """The painting so far; after the last step, the result.

        Raises:
            ImpastoError: there is no step yet.

        Examples:
            >>> work.painting.stopped
            'finished'
        """
        inputs, step = self._state.inputs, self._state.last
        if inputs is None or step is None:
            raise ImpastoError("the painting has no steps; expected at least one")
        early = step.index < step.total
        stopped = INTERRUPTED if early and not self._state.ended else (early and step.note) or FINISHED
        return Painting(
            step,
            inputs.bound.recipe,
            inputs.content,
            inputs.bound.styles,
            inputs.masks,
            inputs.regions,
            str(inputs.bound.device),
            self._state.seconds,
            stopped,
        )


@contextlib.contextmanager
def _left_out_if_unwritable(record: Record, records: list[Record]) -> Generator[None]:
    """Go on without a record that cannot be written: it must not cost the painting."""
    try:
        yield
    except OutputError as error:
        records.remove(record)
        warnings.warn(f"{error}; painting goes on without it", ImpastoWarning, stacklevel=2)


def _in_turn(painting: Generator[Step], cancel: Cancel | None, watch: Watch | None, priority: int) -> Generator[Step]:
    """Yield the steps of a painting once no other one is painted."""
    cancelled = ""
    with TURNS.take(priority, cancel) as turn:
        steps = controlled(painting, Control(cancel, watch, turn.give_way))
        try:
            for step in steps:
                turn.rest()
                yield step
        except Cancelled as error:
            cancelled = str(error)
        finally:
            steps.close()
    if cancelled:  # a new exception: the traceback of the other keeps tensors alive
        memory.give_back_freed_memory()
        raise Cancelled(cancelled)


def _paint(begin: Callable[[], Inputs], state: _State, records: list[Record]) -> Generator[Step]:
    """Yield the steps of a painting with strength, colour and masks applied."""
    from ..methods.common.finish import finish

    state.inputs = inputs = begin()
    content, bound = inputs.content.pixels, inputs.bound
    painter = bound.painter_of(content)
    say("painting")
    began = time.monotonic()
    with _explained(inputs), contextlib.closing(painter.paint(content, inputs.regions, inputs.start)) as steps:
        for step in steps:
            state.last, state.seconds = step, time.monotonic() - began
            shown = dataclasses.replace(step, image=finish(step.image, content, bound.recipe, inputs.regions))
            for record in list(records):
                with _left_out_if_unwritable(record, records):
                    record.step(shown, state.seconds)
            yield shown
        state.ended = True


@contextlib.contextmanager
def _explained(inputs: Inputs) -> Generator[None]:
    """Say of a print that takes too much memory how large it may be."""
    try:
        yield
    except memory.ShortageError as error:
        recipe, size = inputs.bound.recipe, inputs.content.size
        raise (error if recipe.print is None else explain_shortage(error, recipe, size)) from None
