"""What a client is told when something is refused or goes wrong: one sentence, without a path of the server."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import secrets
import tempfile
import traceback
from pathlib import Path

from starlette.responses import JSONResponse

from ..errors import ImpastoError
from ..memory import is_out_of_memory
from ..untrusted import LONGEST_MESSAGE as _MOST
from ..untrusted import shorten
from ..weights.locate import cache_dir

LOG = logging.getLogger("impasto.studio")

_PACKAGE = Path(__file__).parents[1]
# A path of POSIX or Windows: absolute, from a home folder or from here. The last part is the name of the file.
_PART = r"[/\\][^/\\\s'\"`:;,()]*"
_PATH = re.compile(rf"(?<![\w./\\~])(?:~[\w.-]*|[A-Za-z]:|\.\.?)?(?:{_PART})*[/\\]([^/\\\s'\"`:;,()]*)")


class Refusal(Exception):
    """A request is refused.

    Args:
        status: HTTP status.
        message: what was got, what was expected, and the repair.
        headers: more headers of the answer.
    """

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.headers = status, message, headers or {}


def public(message: object) -> str:
    """Return a message as clients may see it: in one line of bounded length, with names instead of paths.

    Examples:
        >>> public("there is no file /home/ann/nets/mine.safetensors; expected a net")
        'there is no file mine.safetensors; expected a net'
    """
    text = " ".join(str(message).split())
    for folder in _folders():
        text = text.replace(folder, "")
    return shorten(_PATH.sub(lambda match: match[1] or (match[0] if len(match[0]) == 1 else "a folder"), text), _MOST)


def _folders() -> list[str]:
    """The server's own folders with their separators, also where their names have spaces; the longest first."""
    places = {_PACKAGE, _PACKAGE.parent, cache_dir(), Path(tempfile.gettempdir())}
    for find in (Path.home, Path.cwd):
        with contextlib.suppress(OSError, RuntimeError):
            places.add(find())
    named = {str(place) for place in places if len(place.parts) > 1}
    return sorted((f"{name}{os.sep}" for name in named), key=len, reverse=True)


def refuse(status: int, message: object, headers: dict[str, str] | None = None) -> JSONResponse:
    """Make the answer to a request that is refused."""
    return JSONResponse({"error": shorten(message, _MOST)}, status, headers)


def describe(error: BaseException) -> tuple[int, str]:
    """Return the status and the message for an error; one that is not impasto's own is logged under a number."""
    if isinstance(error, Refusal):
        return error.status, error.message
    if isinstance(error, ImpastoError):
        return 422, public(error)
    if is_out_of_memory(error):
        return 503, "there is not enough memory for this; expected a smaller painting: make size smaller, or wait"
    return 500, f"something went wrong in the studio; expected it not to: its log has more under {log(error)}"


def log(error: BaseException) -> str:
    """Write a line about an unexpected error to the server's log; return the number that it has there.

    The line has the kind of the error and where it came from. It leaves out the message, which may name the files of
    people; with ``IMPASTO_DEBUG=1`` the traceback is written too.
    """
    number = secrets.token_hex(4)
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(_PACKAGE)]
    frame = (own or frames or [None])[-1]
    where = f"{Path(frame.filename).name}:{frame.lineno}" if frame is not None else "an unknown place"
    LOG.error("error %s: %s at %s", number, type(error).__name__, where)
    if os.environ.get("IMPASTO_DEBUG", "") not in ("", "0"):
        LOG.error("error %s", number, exc_info=error)
    return number
