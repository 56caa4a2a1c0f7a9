"""The application: all commands. A command that does not paint is imported only when it is asked for."""

from __future__ import annotations

import importlib
import warnings
from typing import Any

from cyclopts import App

from ..errors import ImpastoWarning
from ..methods import FAULTY, METHODS
from .flags import HELP, epilogue, shown
from .paint import commands, examples


def build(name: str | None = None, *, everything: bool = False) -> App:
    """Make the application.

    Args:
        name: the command that is asked for; None if all are listed, which imports each for its summary.
        everything: show every flag in the help, not only the plain ones.
    """
    for method, reason in FAULTY.items():
        warnings.warn(f"the method {method} cannot be used: {reason}", ImpastoWarning, stacklevel=2)
    app = App(
        name="impasto",
        help="Turn a photograph into a painting in the manner of another picture.",
        version=_version,
        help_format="plaintext",
        help_flags=HELP,
        suppress_keyboard_interrupt=False,  # `main` reports what was kept
    )
    for each, command in commands(everything=everything).items():
        styles = "STYLE [STYLE ...] " if each not in METHODS or METHODS[each].styles else ""
        app.command(
            command,
            name=each,
            usage=f"Usage: impasto {each} PHOTO {styles}[OPTIONS]",
            default_parameter=shown(everything=everything),
            help_epilogue=epilogue(f"impasto {each}", examples(each), command, everything=everything),
        )

    def add(command: str, **more: Any) -> None:
        """Add a command of the module of the same name. cyclopts imports it unless all are listed."""
        module, function = f"impasto.cli.{command}", "app" if command == "weights" else command
        target = getattr(importlib.import_module(module), function) if name is None else f"{module}:{function}"
        app.command(target, name=command, **more)

    add("compare", usage="Usage: impasto compare (PHOTO STYLE [STYLE ...] | --pairs FILE) [OPTIONS]")
    add("replay", usage="Usage: impasto replay PICTURE [OPTIONS]", help_flags=[], version_flags=[])
    add("video", usage="Usage: impasto video FILM STYLE [STYLE ...] [OPTIONS]", help_flags=[], version_flags=[])
    add("batch", usage="Usage: impasto batch IN [IN ...] -o OUT [OPTIONS]", help_flags=[], version_flags=[])
    add("score", usage="Usage: impasto score (PICTURE --photo FILE (--style FILE|--video)|--pairs FILE) [OPTIONS]")
    for command in ("demo", "doctor", "export", "presets", "show", "studio", "weights"):
        add(command)
    train = App(name="train", help="Train a network, to paint with by --net FILE.", help_flags=HELP)
    if name == "train":  # the flags of its commands come from options that need torch
        importlib.import_module("impasto.cli.train").add_trainers(train, everything=everything)
    app.command(train)
    return app


def _version() -> str:
    from .. import __version__

    return __version__
