"""``impasto presets``: the named settings of each method and trainer."""

from __future__ import annotations

import json as json_text
from collections.abc import Mapping

from rich import box
from rich.console import Console
from rich.table import Table

from ..errors import RequestError, near_misses
from ..methods import METHODS, method
from ..methods.common.preset import Preset


def presets(name: str | None = None, trainer: str | None = None, /, *, json: bool = False) -> None:
    """List the presets of a method, or of all methods: sets of settings under one name.

    Args:
        name: The method; all of them if left out. train: those of a trainer.
        trainer: After train: the trainer, such as johnson; all of them if left out.
        json: Print one JSON object.
    """
    if name == "train":
        chosen = _of_trainers(trainer)
    elif trainer is not None:
        raise RequestError(f"impasto presets has no place for {trainer!r} after {name!r}; expected one name")
    else:
        chosen = {m.name: m.presets for m in ([method(name)] if name else METHODS.values())}
    if json:
        listed = {
            command: {
                key: {
                    "description": preset.description,
                    "encoder": preset.encoder,
                    "size": preset.size,
                    "options": preset.options.model_dump(mode="json", exclude_unset=True),
                }
                for key, preset in found.items()
            }
            for command, found in chosen.items()
        }
        print(json_text.dumps(listed))
        return
    console = Console()
    for command, found in chosen.items():
        if not found:
            continue
        table = Table(title=f"impasto {command} --preset NAME", title_justify="left", box=box.SIMPLE_HEAD)
        table.add_column("name", style="bold", no_wrap=True)
        table.add_column("encoder", no_wrap=True)
        if name != "train":
            table.add_column("size", justify="right")
        table.add_column("description")
        for key, preset in found.items():
            size = [] if name == "train" else [str(preset.size or "photo's")]
            table.add_row(key, preset.encoder, *size, preset.description)
        console.print(table)


def _of_trainers(name: str | None) -> dict[str, Mapping[str, Preset]]:
    """The presets of a trainer, or of all, by command.

    Raises:
        RequestError: there is no such trainer.
    """
    from .train import TRAINERS  # imports torch

    names = [trainer.name for trainer in TRAINERS]
    if name is not None and name not in names:
        raise RequestError(
            f"no trainer is called {name!r}{near_misses(name, names)}; expected one of {', '.join(names)}"
        )
    return {f"train {each.name}": each.presets for each in TRAINERS if name in (None, each.name)}
