"""Names of files that people send."""

from __future__ import annotations

import re
import unicodedata

_LONGEST = 80  # characters
_SIGNS = " ._-()"


def safe_name(name: str) -> str:
    """Return a file's name without folders, and without signs that mean something to a shell, a page or a recipe.

    Examples:
        >>> safe_name("../../etc/<b>my photo</b>.jpg")
        'b.jpg'
    """
    last = unicodedata.normalize("NFC", re.split(r"[/\\]", name.replace("\0", ""))[-1])
    kept = "".join(letter if letter.isalnum() or letter in _SIGNS else " " for letter in last)
    stem, dot, extension = " ".join(kept.split()).lstrip("-. ").rpartition(".")
    stem, extension = (stem, extension[:8]) if dot else (extension, "")
    return f"{stem.strip()[: _LONGEST - 9] or 'picture'}{dot}{extension}"
