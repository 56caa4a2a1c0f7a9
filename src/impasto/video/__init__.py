"""Films: a clip painted frame by frame so that strokes stay with things. Needs the extra ``video``."""

from __future__ import annotations

import importlib.util
from pathlib import PurePath

from ..errors import MissingExtraError


def require_extra() -> None:
    """Check that the libraries of the extra ``video`` are installed.

    Raises:
        MissingExtraError: one is not.
    """
    for library, module in (("av", "av"), ("opencv-python-headless", "cv2")):
        if importlib.util.find_spec(module) is None:
            raise MissingExtraError(library, "video", "a film")


def is_film(path: str) -> bool:
    """Say whether a file is a film by its name. Imports neither torch nor PyAV."""
    return PurePath(path).suffix.lower() in (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".gif")
