"""Hides which column of a sheet is which way, and writes the key. Imports no torch."""

from __future__ import annotations

import itertools
import secrets
import string
from typing import Any

from ..errors import RequestError
from .table import Row, Table

_SEEDS = 2**63


def choose_seed(seed: int | None) -> int:
    """Return the seed of the order of columns: the one given, or a random one.

    Args:
        seed: from 0 to 2⁶³ − 1; None for a random one.

    Raises:
        RequestError: it is out of range.
    """
    if seed is None:
        return secrets.randbelow(_SEEDS)
    if not 0 <= seed < _SEEDS:
        raise RequestError(f"seed is {seed}; expected 0 to {_SEEDS - 1}")
    return seed


def letters(count: int) -> list[str]:
    """Return the names of columns: A, B, C, ..., Z, AA, AB, ..."""
    lengths = (itertools.product(string.ascii_uppercase, repeat=length) for length in itertools.count(1))
    return ["".join(each) for each in itertools.islice(itertools.chain.from_iterable(lengths), count)]


def key(table: Table, seed: int) -> dict[str, Any]:
    """Return which way each column of each row is, and the seconds it took, as JSON data."""
    return {"seed": seed, "rows": [_entry(row) for row in table.rows]}


def _entry(row: Row) -> dict[str, Any]:
    found: dict[str, Any] = {"photo": row.photo, "style": row.style}
    if row.error is not None:
        return {**found, "error": str(row.error)}
    columns: dict[str, Any] = {}
    for letter, attempt in zip(letters(len(row.attempts)), row.attempts, strict=True):
        columns[letter] = {"way": attempt.way.label}
        if attempt.picture is not None:
            columns[letter]["seconds"] = round(attempt.seconds, 3)
        elif attempt.error is not None:
            columns[letter]["error"] = str(attempt.error)
    return {**found, "columns": columns}
