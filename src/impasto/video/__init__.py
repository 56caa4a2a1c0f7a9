"""Films: a clip painted frame by frame so that strokes stay with things. Needs the extra ``video``."""

from __future__ import annotations

import importlib.util

from ..errors import MissingExtraError


def require_extra() -> None:
    """Check that the libraries of the extra ``video`` are installed.

    Raises:
        MissingExtraError: one is not.
    """
    for library, module in (("av", "av"), ("opencv-python-headless", "cv2")):
        if importlib.util.find_spec(module) is None:
            raise MissingExtraError(library, "video", "a film")
