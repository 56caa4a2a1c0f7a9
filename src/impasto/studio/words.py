"""The words of the page, for what the server itself writes: one table, ``static/words.json``, in every language."""

from __future__ import annotations

import functools
import json
from importlib import resources

FALLBACK = "en"
_TAGS = {"zh": "zh-Hans"}  # where the language alone does not say which signs


@functools.cache
def _table() -> dict[str, dict[str, dict[str, str]]]:
    found = resources.files("impasto.studio") / "static" / "words.json"
    return json.loads(found.read_text("utf-8"))


def language_for(accepted: str) -> str:
    """Return the language of the table that a browser likes best, by its header ``Accept-Language``.

    Examples:
        >>> language_for("de, ru;q=0.8, en;q=0.5")
        'ru'
    """
    liked: list[tuple[float, str]] = []
    for part in accepted.split(","):
        tag, _, weight = part.partition(";")
        try:
            liked.append((float(weight.strip().removeprefix("q=") or 1), tag.strip().lower().partition("-")[0]))
        except ValueError:
            continue
    known = [language for weight, language in sorted(liked, key=lambda each: -each[0]) if weight > 0]
    return next((language for language in known if language in _table()["languages"]), FALLBACK)


def word(key: str, language: str) -> str:
    """Return the text of a key in a language of the table."""
    return _table()["words"][key][language]


def tag_of(language: str) -> str:
    """Return what HTML calls a language."""
    return _TAGS.get(language, language)
