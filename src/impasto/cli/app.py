"""The application: which commands there are."""

from __future__ import annotations

from cyclopts import App

from ..methods import DEFAULT, METHODS
from .compare import compare
from .demo import demo
from .export import export
from .paint import commands
from .presets import presets
from .replay import replay
from .score import score
from .show import show
from .weights import app as weights


def build() -> App:
    """Put the commands together."""
    app = App(
        name="impasto",
        help="Turn a photograph into a painting in the manner of another picture.",
        version=_version,
        help_format="plaintext",
        suppress_keyboard_interrupt=False,  # `main` says what was kept
    )
    for name, command in commands(DEFAULT).items():
        styles = "STYLE [STYLE ...] " if name not in METHODS or METHODS[name].styles else ""
        app.command(command, name=name, usage=f"Usage: impasto {name} PHOTO {styles}[OPTIONS]")
    app.command(compare, usage="Usage: impasto compare PHOTO STYLE [STYLE ...] [OPTIONS]")
    app.command(demo)
    app.command(export)
    app.command(presets)
    app.command(replay, usage="Usage: impasto replay PICTURE [OPTIONS]", help_flags=[], version_flags=[])
    app.command(score)
    app.command(show)
    # Its flags come from training options that need torch: loaded when asked for.
    app.command("impasto.cli.train:app", name="train", help="Train a network, to paint with by --net FILE.")
    app.command(weights)
    return app


def _version() -> str:
    from .. import __version__

    return __version__
