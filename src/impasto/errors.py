"""The errors that impasto raises, and the exit status of the command for each.

Every message says what was given, what was expected, and how to fix it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from .untrusted import LONGEST_MESSAGE, shorten


class ImpastoError(Exception):
    """Base of every error that impasto raises on purpose.

    Its message is safe to print, whatever it quotes: control characters are escaped, and its length is bounded.

    Attributes:
        exit_status: exit status of the command after this error: 1, or 2 for a `RequestError`.

    Examples:
        >>> try:
        ...     impasto.read("missing.jpg")
        ... except impasto.ImpastoError as error:
        ...     print(error.exit_status)
        2
    """

    exit_status = 1

    def __init__(self, message: object = "", *more: object) -> None:
        super().__init__(shorten(message, LONGEST_MESSAGE), *more)


class RequestError(ImpastoError, ValueError):
    """The request is wrong: a bad setting, an unreadable picture, an unknown name. Exit status 2.

    It is also a `ValueError`.

    Examples:
        >>> impasto.make_recipe("adain", settings={"sise": 64})
        Traceback (most recent call last):
        impasto.errors.RequestError: adain has no setting 'sise'; did you mean size, seed?
    """

    exit_status = 2


class ImageError(RequestError):
    """A file or object cannot be read as a picture."""


class WeightsError(RequestError):
    """A weights file is missing, wrong or unsafe."""


class OutputError(ImpastoError):
    """The result cannot be written."""


class Cancelled(ImpastoError):
    """The work was stopped by its ``cancel`` before it was finished. Nothing was written.

    Examples:
        >>> import threading
        >>> stop = threading.Event()
        >>> stop.set()
        >>> impasto.paint("photo.jpg", "painting.jpg", cancel=stop)
        Traceback (most recent call last):
        impasto.errors.Cancelled: cancelled; nothing was written
    """


class ImpastoWarning(UserWarning):
    """An input was changed or ignored, and the work goes on. The command prints one line on standard error."""


class SkippedWarning(ImpastoWarning):
    """Inputs were left out of work that is done. The command prints one line, also with ``--quiet``."""


class MissingExtraError(RequestError, ImportError):
    """An optional library is needed and not installed.

    Args:
        library: its name.
        extra: the extra of impasto that installs it.
        purpose: what needs it, the subject of the message.
    """

    def __init__(self, library: str, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs {library}, which is not installed: pip install 'impasto[{extra}]'")


def near_misses(name: str, known: Iterable[str], *, limit: int = 3, likeness: float = 0.5) -> str:
    """A clause such as ``; did you mean relu4_1, relu4_2?``; empty if no known name is similar.

    Args:
        name: the unknown name.
        known: the names that exist.
        limit: most names to suggest.
        likeness: from 0 to 1, least similarity of a name that is suggested.
    """
    close = difflib.get_close_matches(name, list(known), n=limit, cutoff=likeness)
    return f"; did you mean {', '.join(close)}?" if close else ""
