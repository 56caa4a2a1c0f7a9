"""``impasto show``: prints the recipe inside a painting."""

from __future__ import annotations

import json as json_text

from ..session.provenance import read_record
from ..video import is_film
from .toml import to_toml


def show(picture: str, /, *, json: bool = False) -> None:
    """Print the recipe that a picture was painted with, as TOML, which `impasto replay` can paint again.

    Args:
        picture: A picture or a film that impasto wrote; - reads standard input.
        json: Print it as JSON.
    """
    if is_film(picture):
        from ..video.record import read_film_record

        found = read_film_record(picture)
    else:
        found = read_record(picture)
    print(json_text.dumps(found, indent=2) if json else to_toml(found), end="\n" if json else "")
