"""``impasto show``: the recipe inside a painting."""

from __future__ import annotations

import json as json_text

from ..session.provenance import kept_in
from .toml import to_toml


def show(picture: str, /, *, json: bool = False) -> None:
    """Print the recipe a picture was painted by, as TOML: edit it, and paint by it with `impasto replay`.

    Args:
        picture: A picture that impasto made; - reads standard input.
        json: Print it as JSON.
    """
    found = kept_in(picture)
    print(json_text.dumps(found, indent=2) if json else to_toml(found), end="\n" if json else "")
