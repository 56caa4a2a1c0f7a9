"""``log.jsonl``: what a run reports of its steps, one JSON object a line."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import OutputError
from ..images.atomic import write_atomically
from .curve import LOG, STOPPED


class Journal:
    """Writes the log. A resumed run removes the lines after its checkpoint, and those that a stop wrote.

    Args:
        out: folder of the run.
        start: steps done.
        main: of several processes only the main one writes.

    Raises:
        OutputError: the log cannot be written.
    """

    def __init__(self, out: Path, start: int, *, main: bool) -> None:
        self._path, self._file = out / LOG, None
        if not main:
            return
        try:
            lines = self._path.read_text().splitlines() if start and self._path.exists() else []
            kept = "".join(f"{line}\n" for line in lines if _step_of(line) <= start)
            write_atomically(self._path, kept.encode(), overwrite=True)
            self._file = self._path.open("ab", buffering=0)  # a line that fails is not tried again
        except OSError as error:
            raise self._unwritable(error) from None

    def write(self, step: int, entry: Mapping[str, Any]) -> None:
        """Add a line."""
        if self._file is not None:
            try:
                self._file.write(f"{json.dumps({'step': step, **entry})}\n".encode())
            except OSError as error:
                raise self._unwritable(error) from None

    def _unwritable(self, error: OSError) -> OutputError:
        return OutputError(
            f"{self._path} cannot be written ({error.strerror or error}); expected a writable folder with free "
            "space: make room"
        )

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()


def _step_of(line: str) -> float:
    """The step of a line; infinite for one that a crash cut short, or a stop wrote."""
    try:
        entry = json.loads(line)
        return math.inf if STOPPED in entry else float(entry["step"])
    except (ValueError, KeyError, TypeError):
        return math.inf
