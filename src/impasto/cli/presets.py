"""``impasto presets``: the named settings of each method."""

from __future__ import annotations

import json as json_text

from rich import box
from rich.console import Console
from rich.table import Table

from ..methods import METHODS, method


def presets(name: str | None = None, /, *, json: bool = False) -> None:
    """List the presets of a method, or of all methods: sets of settings under one name.

    Args:
        name: The method; all of them if left out.
        json: Print one JSON object.
    """
    chosen = [method(name)] if name else list(METHODS.values())
    if json:
        listed = {
            m.name: {
                key: {
                    "description": preset.description,
                    "encoder": preset.encoder,
                    "size": preset.size,
                    "options": preset.options.model_dump(mode="json", exclude_unset=True),
                }
                for key, preset in m.presets.items()
            }
            for m in chosen
        }
        print(json_text.dumps(listed))
        return
    console = Console()
    for m in chosen:
        if not m.presets:
            continue
        table = Table(title=f"impasto {m.name} --preset NAME", title_justify="left", box=box.SIMPLE_HEAD)
        table.add_column("name", style="bold", no_wrap=True)
        table.add_column("encoder", no_wrap=True)
        table.add_column("size", justify="right")
        table.add_column("description")
        for key, preset in m.presets.items():
            table.add_row(key, preset.encoder, str(preset.size or "photo's"), preset.description)
        console.print(table)
