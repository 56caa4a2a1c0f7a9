"""What can go wrong, and the exit status each kind of trouble leaves behind.

Every message says what was got, what was expected, and how to repair it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ImpastoError(Exception):
    """Something went wrong while working. Exit status 1."""

    exit_status = 1


class RequestError(ImpastoError, ValueError):
    """The request itself is wrong: a bad setting, an unreadable image, an unknown name. Exit status 2."""

    exit_status = 2


class ImageError(RequestError):
    """A picture cannot be read as one."""


class WeightsError(RequestError):
    """A weights file is missing, wrong or unsafe."""


class OutputError(ImpastoError):
    """The result cannot be written."""


class Cancelled(ImpastoError):
    """Work was asked to stop before it was done."""


class ImpastoWarning(UserWarning):
    """Something was taken otherwise than it was given; the work goes on. One line on standard error."""


class MissingExtraError(RequestError, ImportError):
    """An optional library is needed that is not installed."""

    def __init__(self, library: str, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs {library}, which is not installed: pip install 'impasto[{extra}]'")


def near_misses(name: str, known: Iterable[str], *, limit: int = 3) -> str:
    """A clause such as ``; did you mean relu4_1, relu4_2?``, or nothing where no known name is close."""
    close = difflib.get_close_matches(name, list(known), n=limit, cutoff=0.5)
    return f"; did you mean {', '.join(close)}?" if close else ""
