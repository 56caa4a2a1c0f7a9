"""The application: which commands there are. All but those that paint are imported when they are asked for."""

from __future__ import annotations

import importlib
import warnings
from typing import Any

from cyclopts import App

from ..errors import ImpastoWarning
from ..methods import FAULTY, METHODS
from .flags import HELP, epilogue, shown
from .paint import commands, examples


def build(named: str | None = None, *, everything: bool = False) -> App:
    """Put the commands together.

    Args:
        named: the one that is asked for; None where all are listed, each imported for its summary.
        everything: have their help show every flag, not the plain ones alone.
    """
    for name, why in FAULTY.items():
        warnings.warn(f"the method {name} cannot be used: {why}", ImpastoWarning, stacklevel=2)
    app = App(
        name="impasto",
        help="Turn a photograph into a painting in the manner of another picture.",
        version=_version,
        help_format="plaintext",
        help_flags=HELP,
        suppress_keyboard_interrupt=False,  # `main` says what was kept
    )
    for name, command in commands(everything=everything).items():
        styles = "STYLE [STYLE ...] " if name not in METHODS or METHODS[name].styles else ""
        app.command(
            command,
            name=name,
            usage=f"Usage: impasto {name} PHOTO {styles}[OPTIONS]",
            default_parameter=shown(everything=everything),
            help_epilogue=epilogue(f"impasto {name}", examples(name), command, everything=everything),
        )

    def lazily(name: str, **more: Any) -> None:
        place, of = f"impasto.cli.{name}", "app" if name == "weights" else name
        app.command(
            getattr(importlib.import_module(place), of) if named is None else f"{place}:{of}", name=name, **more
        )

    lazily("compare", usage="Usage: impasto compare (PHOTO STYLE [STYLE ...] | --pairs FILE) [OPTIONS]")
    lazily("replay", usage="Usage: impasto replay PICTURE [OPTIONS]", help_flags=[], version_flags=[])
    for name in ("demo", "doctor", "export", "presets", "score", "show", "weights"):
        lazily(name)
    if named == "train":  # its flags come from options that need torch
        app.command(importlib.import_module("impasto.cli.train").build(everything=everything))
    else:
        app.command(App(name="train", help="Train a network, to paint with by --net FILE."))
    return app


def _version() -> str:
    from .. import __version__

    return __version__
