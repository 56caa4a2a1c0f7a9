"""``impasto weights``: what encoders there are, whether they are whole, fetching and converting."""

from __future__ import annotations

import json as json_text
import sys
from collections.abc import Sequence
from typing import Any

from cyclopts import App
from rich import box
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table

from ..errors import WeightsError
from ..weights.fetch import fetch as fetch_entry
from ..weights.listing import Status, list_weights, verify_weights
from .status import DONE, FAILED

app = App(name="weights", help="Encoders: list, verify, fetch or convert their weights.")


@app.command(name="list")
def list_all(*, json: bool = False) -> int:
    """List every encoder impasto knows, and whether it is on this machine.

    Args:
        json: One JSON object on standard output.
    """
    _show(list_weights(), json=json)
    return DONE


@app.command
def verify(name: str | None = None, /, *, json: bool = False) -> int:
    """Compare the files on this machine with their published hashes; status 1 where one differs.

    Args:
        name: An encoder; all that are present where left out.
        json: One JSON object on standard output.
    """
    statuses = verify_weights(name)
    missing = [status.entry.name for status in statuses if not status.present]
    if missing:
        raise WeightsError(f"{missing[0]} is not on this machine; `impasto weights fetch {missing[0]}` gets it")
    _show(statuses, json=json)
    return DONE if all(status.intact for status in statuses) else FAILED


@app.command
def fetch(name: str, /, *, json: bool = False, quiet: bool = False) -> int:
    """Fetch an encoder into the cache, or go on where an earlier attempt stopped.

    Args:
        name: An encoder of `impasto weights list`.
        json: One JSON object on standard output.
        quiet: Show no progress.
    """
    bar = Progress(
        TextColumn(name),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=quiet or not sys.stderr.isatty(),
        transient=True,
    )
    with bar:
        task = bar.add_task(name, total=None)
        path = fetch_entry(name, progress=lambda done, total: bar.update(task, completed=done, total=total))
    print(json_text.dumps({"name": name, "path": str(path)}) if json else path)
    return DONE


@app.command
def convert(
    source: str,
    target: str,
    /,
    *,
    layout: str | None = None,
    half: bool = False,
    overwrite: bool = False,
    json: bool = False,
) -> int:
    """Turn a weights file into impasto's own: smaller, and safe to read.

    Args:
        source: An encoder's name, or a .pth, .mat, .h5, .bin or .safetensors file.
        target: File to write, ending in .safetensors.
        layout: How the source is laid out, where it does not tell by itself.
        half: Store 16-bit floats: half the size, about three decimal digits.
        overwrite: Replace the target if it exists.
        json: One JSON object on standard output.
    """
    from ..weights.convert import convert as convert_file

    path = convert_file(source, target, layout=layout, half=half, overwrite=overwrite)
    print(json_text.dumps({"path": str(path), "bytes": path.stat().st_size}) if json else path)
    return DONE


def _show(statuses: Sequence[Status], *, json: bool) -> None:
    if json:
        print(json_text.dumps({"weights": [_plain(status) for status in statuses]}))
        return
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("name", style="bold", no_wrap=True)
    table.add_column("here", no_wrap=True)
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("what it is")
    table.add_column("licence")
    for status in statuses:
        entry = status.entry
        here = "[red]damaged[/]" if status.intact is False else "whole" if status.intact else "yes"
        table.add_row(entry.name, here if status.present else "no", entry.size_text, entry.description, entry.licence)
    Console().print(table)


def _plain(status: Status) -> dict[str, Any]:
    entry = status.entry
    return {
        "name": entry.name,
        "arch": entry.arch,
        "present": status.present,
        "intact": status.intact,
        "path": str(status.path) if status.path else None,
        "bytes": status.size,
        "digest": entry.digest,
        "description": entry.description,
        "licence": entry.licence,
    }
