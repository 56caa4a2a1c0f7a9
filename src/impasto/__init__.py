"""impasto turns a photograph into a painting in the style of another picture.

    import impasto
    impasto.paint("photo.jpg", "starry.jpg").save("painting.png")

The import is quick: each name below is loaded on first use, and torch with the first painting.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import bind, paint, read
    from .comparison import compare, compare_blind
    from .control import Progress
    from .errors import Cancelled, ImpastoError, RequestError
    from .methods import METHODS, make_recipe
    from .methods.common.resume import StateFile
    from .painter import Painter, Step
    from .recipe import Recipe, Style
    from .session.painting import Painting
    from .session.session import Session

    __version__: str

_HOME = {
    "METHODS": "methods",
    "Cancelled": "errors",
    "ImpastoError": "errors",
    "Painter": "painter",
    "Painting": "session.painting",
    "Progress": "control",
    "Recipe": "recipe",
    "RequestError": "errors",
    "Session": "session.session",
    "StateFile": "methods.common.resume",
    "Step": "painter",
    "Style": "recipe",
    "bind": "api",
    "compare": "comparison",
    "compare_blind": "comparison",
    "make_recipe": "methods",
    "paint": "api",
    "read": "api",
}

__all__ = [
    "METHODS",
    "Cancelled",
    "ImpastoError",
    "Painter",
    "Painting",
    "Progress",
    "Recipe",
    "RequestError",
    "Session",
    "StateFile",
    "Step",
    "Style",
    "bind",
    "compare",
    "compare_blind",
    "make_recipe",
    "paint",
    "read",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("impasto")
    if name in _HOME:
        return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    raise AttributeError(f"module 'impasto' has no attribute {name!r}")
