"""``impasto show``: the recipe inside a painting."""

from __future__ import annotations

import json

from ..errors import RequestError
from ..images.metadata import read_metadata


def show(picture: str, /) -> None:
    """Print, as JSON, the recipe a picture was painted by.

    Args:
        picture: A picture that impasto made; - reads standard input.
    """
    found = read_metadata(picture)
    if found is None:
        raise RequestError(f"{picture} carries no recipe; expected a picture that impasto wrote")
    print(json.dumps(found, indent=2))
