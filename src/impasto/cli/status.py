"""From anything that went wrong to one line and an exit status."""

from __future__ import annotations

import json
import os
import shlex
import sys
import traceback
from collections.abc import Sequence

from cyclopts import (
    CycloptsError,
    MissingArgumentError,
    UnknownCommandError,
    UnknownOptionError,
    UnusedCliTokensError,
)

from ..errors import ImpastoError
from ..memory import is_out_of_memory
from ..methods import METHODS
from ..recipe import is_picture

DONE, FAILED, WRONG_REQUEST, INTERRUPTED = 0, 1, 2, 130


def report(error: BaseException, *, as_json: bool) -> int:
    """Say what went wrong, in one line on standard error (and as JSON on standard output); the exit status.

    ``IMPASTO_DEBUG=1`` shows the traceback as well.
    """
    if isinstance(error, BrokenPipeError):
        # The reader has left; what is still buffered must not be tried again when Python closes down.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    status, message = _explained(error)
    message = " ".join(message.split())
    if os.environ.get("IMPASTO_DEBUG", "") not in ("", "0"):
        traceback.print_exception(error, file=sys.stderr)
    print(f"impasto: {message}", file=sys.stderr)
    if as_json:
        print(json.dumps({"error": message, "exit_status": status}))
    return status


def _explained(error: BaseException) -> tuple[int, str]:
    if isinstance(error, ImpastoError):
        return error.exit_status, str(error)
    if isinstance(error, UnusedCliTokensError):
        chain, unused = list(error.command_chain or ()), error.unused_tokens or []
        command = " ".join(["impasto", *chain])
        if chain and chain[0] in METHODS and not METHODS[chain[0]].styles and is_picture(unused[0]):
            return WRONG_REQUEST, (
                f"{chain[0]} takes no style picture (got {unused[0]}): its networks know their styles; expected "
                f"--net NAME (see {command} --list), or impasto paint"
            )
        return WRONG_REQUEST, (
            f"{command} has no place for {', '.join(unused)}; expected it after the flag that it "
            f"belongs to: see {command} --help"
        )
    if isinstance(error, UnknownCommandError) and (offered := _painting_meant(error.unused_tokens or ())):
        return WRONG_REQUEST, offered
    if isinstance(error, UnknownOptionError) and error.command_chain == ("paint",):
        from .paint import explain_unknown

        if explained := explain_unknown(error.token.keyword or error.token.value):
            return WRONG_REQUEST, explained
    if isinstance(error, CycloptsError):
        error.verbose = False
        asked = " ".join(["impasto", *(error.command_chain or ()), "--help"])
        more = f" See {asked}." if isinstance(error, UnknownCommandError | MissingArgumentError) else ""
        return WRONG_REQUEST, f"{str(error).rstrip('.')}.{more}"
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED, str(error) or "interrupted; nothing was written"
    if is_out_of_memory(error):
        return FAILED, "out of memory; expected it to fit: make --size smaller or close other programs"
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return FAILED, f"{where}{error.strerror or error}"
    return FAILED, (
        f"unexpected {type(error).__name__}: {error}; expected no such thing: please report it, "
        "with what IMPASTO_DEBUG=1 shows"
    )


def _painting_meant(arguments: Sequence[str]) -> str | None:
    """What to type where a picture stands in the place of a command; None where none does."""
    if not arguments or not is_picture(arguments[0]):
        return None
    typed = shlex.join(arguments)
    if len(arguments) == 1 or arguments[1].startswith("-"):
        typed = f"{shlex.quote(arguments[0])} painting.jpg{typed.removeprefix(shlex.quote(arguments[0]))}"
    return f"{arguments[0]} is no command; expected impasto paint {typed}"
