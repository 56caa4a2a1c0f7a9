"""The studio: a page in the browser to paint in, and an API for programs; needs the extra ``studio``."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .client import Client

__all__ = ["Client"]


def __getattr__(name: str) -> Any:
    if name == "Client":
        return importlib.import_module(".client", __name__).Client
    raise AttributeError(f"module 'impasto.studio' has no attribute {name!r}")
