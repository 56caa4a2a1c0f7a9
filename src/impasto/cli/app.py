"""The application: which commands there are. All but those that paint are imported when they are asked for."""

from __future__ import annotations

import importlib
from typing import Any

from cyclopts import App

from ..methods import METHODS
from .paint import commands


def build(*, described: bool = False) -> App:
    """Put the commands together; `described`, for the list of all of them, imports each for its summary."""
    app = App(
        name="impasto",
        help="Turn a photograph into a painting in the manner of another picture.",
        version=_version,
        help_format="plaintext",
        suppress_keyboard_interrupt=False,  # `main` says what was kept
    )
    for name, command in commands().items():
        styles = "STYLE [STYLE ...] " if name not in METHODS or METHODS[name].styles else ""
        app.command(command, name=name, usage=f"Usage: impasto {name} PHOTO {styles}[OPTIONS]")

    def lazily(name: str, **more: Any) -> None:
        place, of = f"impasto.cli.{name}", "app" if name == "weights" else name
        app.command(getattr(importlib.import_module(place), of) if described else f"{place}:{of}", name=name, **more)

    lazily("compare", usage="Usage: impasto compare (PHOTO STYLE [STYLE ...] | --pairs FILE) [OPTIONS]")
    lazily("replay", usage="Usage: impasto replay PICTURE [OPTIONS]", help_flags=[], version_flags=[])
    for name in ("demo", "export", "presets", "score", "show", "weights"):
        lazily(name)
    # Its flags come from training options that need torch.
    app.command("impasto.cli.train:app", name="train", help="Train a network, to paint with by --net FILE.")
    return app


def _version() -> str:
    from .. import __version__

    return __version__
