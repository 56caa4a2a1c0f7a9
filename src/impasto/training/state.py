"""The state of a training run on disk, from which it continues as if it had never been interrupted."""

from __future__ import annotations

import os
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import OutputError, RequestError

FORMAT = 1

REMOVED_SETTINGS: dict[str, tuple[Any, ...]] = {
    "anchor": (0.0,),
    "fleck": (0.0,),
    "learned_steps": (0,),
    "repeats": (2,),
    "style_rate": (1.0,),
    "tensorboard": (False, True),
    "tv": (0.0,),
}
"""Settings that a trainer had once, with the values at which its runs learn the same without them.

A checkpoint with such a value can be resumed by a trainer that lacks the setting.
"""


@dataclass
class State:
    """All that the next step depends on.

    Attributes:
        step: steps done. It is the position in the data too, since a batch is a function of its number.
        net: the net's weights.
        ema: running mean of the weights.
        optimiser: the optimiser's state.
        rng: from `random_state`.
        recipe: settings of the run, with its task, preset, encoder and parent.
    """

    step: int
    net: dict[str, Tensor]
    ema: dict[str, Tensor]
    optimiser: dict[str, Any]
    rng: dict[str, Tensor]
    recipe: dict[str, Any]


def random_state() -> dict[str, Tensor]:
    """Return the state of PyTorch's random generators, of the CPU and of every GPU, by device."""
    found = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        found |= {f"cuda:{i}": state for i, state in enumerate(torch.cuda.get_rng_state_all())}
    return found


def restore_random_state(found: dict[str, Tensor]) -> None:
    """Set PyTorch's random generators to a `random_state`; states of devices that are missing are ignored."""
    torch.set_rng_state(found["cpu"])
    if torch.cuda.is_available():
        for i in range(torch.cuda.device_count()):
            if (state := found.get(f"cuda:{i}")) is not None:
                torch.cuda.set_rng_state(state, i)


def save_state(path: Path, state: State) -> None:
    """Write a checkpoint atomically: a crash leaves the old file or the new one, never a part.

    Raises:
        OutputError: it cannot be written.
    """
    draft = path.with_name(f".{path.name}.partial")
    try:
        with draft.open("wb") as file:
            torch.save({"format": FORMAT, **vars(state)}, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise OutputError(f"checkpoint {path} cannot be written: {error.strerror or error}") from None


def load_state(path: Path, recipe: dict[str, Any], *, free: frozenset[str]) -> State:
    """Read a checkpoint of the same run.

    Args:
        path: written by `save_state`.
        recipe: settings of the run that wants to continue; they must be those of the checkpoint.
        free: settings that may differ, since what is learned does not depend on them.

    Raises:
        RequestError: the file is missing, cut short, or of a run with other settings.
    """
    if not path.is_file():
        raise RequestError(f"no checkpoint {path} to resume; start without --resume")
    try:
        data = torch.load(path, map_location="cpu", weights_only=True)
        if data.pop("format") != FORMAT:
            raise KeyError
        state = State(**data)
    except (OSError, RuntimeError, EOFError, KeyError, TypeError, AttributeError, pickle.UnpicklingError):
        raise RequestError(f"{path} is not a whole checkpoint of impasto; start without --resume") from None
    for name in sorted((recipe.keys() | state.recipe.keys()) - free):
        if name not in recipe and name in REMOVED_SETTINGS and state.recipe[name] in REMOVED_SETTINGS[name]:
            continue
        if recipe.get(name) != state.recipe.get(name):
            raise RequestError(
                f"{path} was made with {name} = {state.recipe.get(name)!r}, now it is {recipe.get(name)!r}; "
                "a resumed run keeps its settings: repeat them, or train elsewhere with --net"
            )
    return state
