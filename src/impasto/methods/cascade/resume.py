"""The state of a cascade: that of the rung at work, with the picture that the rung started from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from ...painter import Checkpoint, Regions, State
from ...recipe import Recipe
from ..common.stages import origin_of
from .options import CascadeOptions, Rung

_START = "start of the rung"
_MAY_CHANGE = "max_seconds"  # the setting of a rung that may differ when a painting is resumed


class Progress:
    """How far a cascade is, as loaded from its checkpoint.

    Args:
        checkpoint: where the cascade saves its state; None if it does not.
        origin: what the cascade is made from; see `origin`.

    Attributes:
        rung: number of the rung to go on with, from 0.
        start: the picture that it started from, 1×3×h×w; None for the photograph.
    """

    def __init__(self, checkpoint: Checkpoint | None, origin: Mapping[str, Any]) -> None:
        self._checkpoint, self._origin = checkpoint, origin
        self._state = checkpoint.load(origin) if checkpoint else None
        self.rung: int = self._state.facts["rung"] if self._state else 0
        self.start: Tensor | None = self._state.tensors.get(_START) if self._state else None

    def checkpoint(self, rung: int, start: Tensor | None) -> Checkpoint | None:
        """Return the checkpoint of a rung that starts from the picture `start`; None if nothing is saved."""
        if self._checkpoint is None:
            return None
        state = self._state if rung == self.rung else None
        return _RungCheckpoint(self._checkpoint, self._origin, rung, start, state)


class _RungCheckpoint(Checkpoint):
    """Saves the state of a rung as that of its cascade."""

    def __init__(
        self, whole: Checkpoint, origin: Mapping[str, Any], rung: int, start: Tensor | None, state: State | None
    ) -> None:
        self._whole, self._origin, self._rung, self._state = whole, origin, rung, state
        self._start = {} if start is None else {_START: start}

    def load(self, origin: Mapping[str, Any]) -> State | None:
        if self._state is None:
            return None
        tensors = {name: tensor for name, tensor in self._state.tensors.items() if name != _START}
        return State(tensors, self._state.facts["state"], origin)  # the cascade compared its own origin

    def due(self) -> bool:
        return self._whole.due()

    def save(self, state: State) -> None:
        facts = {"rung": self._rung, "state": state.facts}
        self._whole.save(State({**state.tensors, **self._start}, facts, self._origin))


def origin(
    recipe: Recipe,
    options: CascadeOptions,
    styles: Sequence[Tensor],
    content: Tensor,
    regions: Regions | None,
    start: Tensor | None,
) -> dict[str, Any]:
    """Return everything that a cascade depends on, as JSON data; see `State.origin`."""
    data = origin_of(recipe, styles, content, regions, start)
    data |= {f"rung {number}": _written(rung) for number, rung in enumerate(options.rungs, 1)}
    return data | {"style_scale": options.style_scale}


def _written(rung: Rung) -> str:
    settings = {name: value for name, value in rung.settings.items() if name != _MAY_CHANGE}
    return str(rung.model_copy(update={"settings": settings}))
