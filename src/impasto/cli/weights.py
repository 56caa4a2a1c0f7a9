"""``impasto weights``: lists, checks, downloads and converts the weights of encoders."""

from __future__ import annotations

import json as json_text
import sys
from collections.abc import Sequence
from typing import Any, Literal

from cyclopts import App
from rich import box
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table

from ..errors import WeightsError
from ..weights.fetch import fetch as fetch_entry
from ..weights.listing import Status, list_weights, verify_weights
from . import DONE, FAILED

app = App(
    name="weights", help="List, verify, download or convert the weights of encoders, the networks that see pictures."
)


@app.command(name="list")
def list_all(*, json: bool = False) -> int:
    """List the encoders that impasto knows, and say which are on this machine.

    Args:
        json: Print one JSON object.
    """
    _show(list_weights(), json=json)
    return DONE


@app.command
def verify(name: str | None = None, /, *, json: bool = False) -> int:
    """Compare the files on this machine with their published hashes. The exit status is 1 if one differs.

    Args:
        name: An encoder; all that are on this machine if left out.
        json: Print one JSON object.
    """
    statuses = verify_weights(name)
    missing = [status.entry.name for status in statuses if not status.present]
    if missing:
        raise WeightsError(f"{missing[0]} is not on this machine; `impasto weights fetch {missing[0]}` gets it")
    _show(statuses, json=json)
    return DONE if all(status.intact for status in statuses) else FAILED


@app.command
def fetch(name: str, /, *, json: bool = False, quiet: bool = False) -> int:
    """Download an encoder into the cache, or continue an earlier download.

    Args:
        name: An encoder of `impasto weights list`.
        json: Print one JSON object.
        quiet: Show no progress bar.
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
    kernel_order: Literal["height-first", "width-first"] | None = None,
    half: bool = False,
    overwrite: bool = False,
    json: bool = False,
) -> int:
    """Convert a weights file to impasto's own format, which is smaller and safe to read.

    Args:
        source: An encoder's name, or a .pth, .mat, .h5, .bin or .safetensors file.
        target: File to write, ending in .safetensors.
        layout: Layout of the source, if it cannot be recognised: torchvision or caffe, for example.
        kernel_order: Order of the kernels in a .mat file. If it is left out, the file is compared with the installed
            VGG-19.
        half: Store 16-bit floats, which have half the size and about three decimal digits.
        overwrite: Replace an existing file.
        json: Print one JSON object.
    """
    from ..weights.convert import convert as convert_file

    path = convert_file(source, target, layout=layout, kernel_order=kernel_order, half=half, overwrite=overwrite)
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
    table.add_column("description")
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
