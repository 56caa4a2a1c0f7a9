"""What is a clip by its name, and what its painting is called."""

from __future__ import annotations

from pathlib import PurePath

from ..errors import MissingExtraError

CLIPS = frozenset(
    {
        ".mp4",
        ".m4v",
        ".mov",
        ".mkv",
        ".webm",
        ".avi",
        ".mpg",
        ".mpeg",
        ".mts",
        ".m2ts",
        ".wmv",
        ".3gp",
        ".ogv",
        ".flv",
    }
)
"""Extensions of clips that a folder is searched for."""

WRITTEN = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm"})
"""Extensions that painted clips keep. Others become ``.mkv``, which holds every sound."""


def is_clip(path: str) -> bool:
    """Say whether a file name has the extension of a clip."""
    return PurePath(path).suffix.lower() in CLIPS


def can_be_painted() -> bool:
    """Say whether the extra ``video`` is installed."""
    from ..video import require_extra

    try:
        require_extra()
    except MissingExtraError:
        return False
    return True


def extension_of(path: str) -> str:
    """Return the extension of a clip's painting, without its dot."""
    ending = PurePath(path).suffix.lower()
    return ending[1:] if ending in WRITTEN else "mkv"
