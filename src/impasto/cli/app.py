"""The application: which commands there are. All but those that paint are imported when they are asked for."""

from __future__ import annotations

from cyclopts import App

from ..methods import DEFAULT, METHODS
from .paint import commands


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
    usage = "Usage: impasto compare PHOTO STYLE [STYLE ...] [OPTIONS]"
    app.command("impasto.cli.compare:compare", name="compare", usage=usage)
    usage = "Usage: impasto replay PICTURE [OPTIONS]"
    app.command("impasto.cli.replay:replay", name="replay", usage=usage, help_flags=[], version_flags=[])
    for name in ("demo", "export", "presets", "score", "show"):
        app.command(f"impasto.cli.{name}:{name}", name=name)
    app.command("impasto.cli.train:app", name="train", help="Train a network, to paint with by --net FILE.")
    app.command("impasto.cli.weights:app", name="weights")
    return app


def _version() -> str:
    from .. import __version__

    return __version__
