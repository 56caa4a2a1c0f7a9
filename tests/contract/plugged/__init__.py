"""A package of its own that adds a method to impasto, as pip would install it."""

from __future__ import annotations

from pathlib import Path

import pytest

from impasto.methods import METHODS, discover

PLACE = Path(__file__).parent


def plug_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have its methods in METHODS, found by their entry points."""
    monkeypatch.syspath_prepend(PLACE)
    found, faulty = discover()
    assert not faulty
    for name, method in found.items():
        monkeypatch.setitem(METHODS, name, method)
