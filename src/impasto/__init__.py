"""impasto turns a photograph into a painting in the manner of another picture.

    import impasto
    impasto.paint("photo.jpg", "starry.jpg").save("painting.png")

Importing it loads nothing heavy: every name below is fetched on first use, and torch with the first painting.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import bind, paint
    from .comparison import compare
    from .errors import ImpastoError, RequestError
    from .methods import METHODS, make_recipe
    from .methods.common.resume import StateFile
    from .painter import Painter, Step
    from .recipe import Recipe, Style

    __version__: str

_HOME = {
    "METHODS": "methods",
    "ImpastoError": "errors",
    "Painter": "painter",
    "Recipe": "recipe",
    "RequestError": "errors",
    "StateFile": "methods.common.resume",
    "Step": "painter",
    "Style": "recipe",
    "bind": "api",
    "compare": "comparison",
    "make_recipe": "methods",
    "paint": "api",
}

__all__ = [
    "METHODS",
    "ImpastoError",
    "Painter",
    "Recipe",
    "RequestError",
    "StateFile",
    "Step",
    "Style",
    "bind",
    "compare",
    "make_recipe",
    "paint",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("impasto")
    if name in _HOME:
        return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    raise AttributeError(f"module 'impasto' has no attribute {name!r}")
