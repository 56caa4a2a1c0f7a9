"""The state of a training run on disk, from which it continues as if it had never been interrupted."""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import RequestError
from ..images.atomic import write_atomically
from ..weights.files import CHECKPOINT, TRAINED
from .schedule import TURN

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

ADDED_SETTINGS: dict[str, Any] = {"skip": [], "nearest": 0.0}
"""Settings that checkpoints of earlier versions lack, and the values that they were made with."""


FREE_SETTINGS = frozenset({"validate_every", "save_every", "workers", "max_time"})
"""Settings that a resumed run may change: what is learned does not depend on them."""

_KIND = ("task", "preset")  # compared before all other settings

Sources = Mapping[str, Mapping[str, str]]
"""Of photos and paintings, by kind: a description for people, and a hash of the names of the files."""


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
        sources: the pictures; empty in checkpoints of older versions.
        spent: images and seconds so far, of all sittings.
    """

    step: int
    net: dict[str, Tensor]
    ema: dict[str, Tensor]
    optimiser: dict[str, Any]
    rng: dict[str, Tensor]
    recipe: dict[str, Any]
    sources: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    spent: dict[str, float] = field(default_factory=dict[str, float])


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
    file = io.BytesIO()
    torch.save({"format": FORMAT, **vars(state)}, file)
    write_atomically(path, file.getvalue(), overwrite=True)


def find_state(out: Path, recipe: Mapping[str, Any], sources: Sources, *, resume: bool) -> State | None:
    """Look for the run in a folder that a run wants to begin in, or to continue.

    Args:
        out: the folder, which need not exist.
        recipe: settings of the run.
        sources: its pictures.
        resume: whether to continue.

    Returns:
        The checkpoint to continue from; None for a new run.

    Raises:
        RequestError: a new run would write over another one, there is no checkpoint to resume, or it is of a run of
            another kind, with other settings or other pictures.
    """
    path, net = out / CHECKPOINT, out / TRAINED
    if resume and path.is_file():
        state = _read(path)
        _check_recipe(path, state, recipe)
        _check_sources(path, state.sources, sources)
        return state
    if path.exists():
        raise RequestError(f"{out} already holds a run; continue it with --resume, or give another folder")
    if net.exists():
        raise RequestError(
            f"{out} holds a net and no checkpoint, so that --resume is not possible; expected another folder: begin "
            f"with the net, by --net {net} --out OTHER"
        )
    if resume:
        raise RequestError(f"no checkpoint {path} to resume; start without --resume")
    return None


def recorded_recipe(out: Path) -> dict[str, Any] | None:
    """Return the recipe of the run in a folder; None if there is no whole checkpoint."""
    try:
        return _read(out / CHECKPOINT).recipe
    except RequestError:
        return None


def _read(path: Path) -> State:
    """Read a checkpoint.

    Raises:
        RequestError: it is missing, cut short, or of another program.
    """
    try:
        data = torch.load(path, map_location="cpu", weights_only=True)
        if data.pop("format") != FORMAT:
            raise KeyError
        return State(**data)
    except (OSError, RuntimeError, EOFError, KeyError, TypeError, AttributeError, pickle.UnpicklingError):
        raise RequestError(f"{path} is not a whole checkpoint of impasto; {_instead(path)}") from None


def _instead(path: Path) -> str:
    """What to do without a checkpoint."""
    net = path.with_name(TRAINED)
    if net.exists():
        return f"begin with the net beside it in another folder, by --net {net} --out OTHER"
    return "start without --resume, in another folder"


def _check_recipe(path: Path, state: State, recipe: Mapping[str, Any]) -> None:
    """Check that a checkpoint is of a run with these settings, except for the number of steps.

    Raises:
        RequestError: it is not.
    """
    free = {*FREE_SETTINGS, *_KIND, TURN, "steps"}
    was = state.recipe
    if (kind := was.get("task")) != recipe.get("task"):
        raise RequestError(
            f"{path.parent} is a run of `impasto train {kind}`; expected one of `impasto train "
            f"{recipe.get('task')}`: resume it by its own command, or give another folder"
        )
    for name in [*_KIND, *sorted((recipe.keys() | was.keys()) - free)]:
        if name not in recipe and name in REMOVED_SETTINGS and was[name] in REMOVED_SETTINGS[name]:
            continue
        if name not in was and name in ADDED_SETTINGS and recipe.get(name) == ADDED_SETTINGS[name]:
            continue
        if recipe.get(name) == was.get(name):
            continue
        if name == "parent":
            raise RequestError(_other_parent(path, was.get(name), recipe.get(name)))
        raise RequestError(
            f"{path} was made with {name} = {was.get(name)!r}, now it is {recipe.get(name)!r}; "
            "a resumed run keeps its settings: repeat them, or train elsewhere with --net"
        )
    asked, before = recipe.get("steps"), was.get("steps")
    if asked is not None and asked != before and asked <= state.step:
        raise RequestError(
            f"{path.parent} has done {state.step} steps; expected --steps above that, got {asked}: give "
            "more, or train elsewhere with --net"
        )


def _other_parent(path: Path, was: Mapping[str, str] | None, now: Mapping[str, str] | None) -> str:
    """What to say where a run began with another net than the one that is given."""
    before, given = (
        f"{parent['name']} (sha256 {parent['sha256'][:12]})" if parent else "random weights" for parent in (was, now)
    )
    repair = "give that file with --net" if was else "give --net none"
    return (
        f"the run of {path} began with {before}, not with {given}; a resumed run keeps the net that it began with: "
        f"{repair}, or train in another folder"
    )


def _check_sources(path: Path, were: Sources, are: Sources) -> None:
    """Check that a run had these pictures.

    Raises:
        RequestError: it had others.
    """
    for kind in were.keys() & are.keys():
        if were[kind] == are[kind]:
            continue
        before, now = were[kind]["description"], are[kind]["description"]
        same = " with other files" if before == now else ""
        raise RequestError(
            f"{path} was made with {kind} of {before}, now they are {now}{same}; a resumed run keeps its pictures: "
            f"give the same --{kind}, or train elsewhere with --net"
        )
