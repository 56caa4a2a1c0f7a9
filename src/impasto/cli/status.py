"""From anything that went wrong to one line and an exit status."""

from __future__ import annotations

import json
import os
import sys
import traceback

from cyclopts import CycloptsError, UnknownOptionError, UnusedCliTokensError

from ..errors import ImpastoError
from ..memory import is_out_of_memory

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
        command = " ".join(["impasto", *(error.command_chain or ())])
        return WRONG_REQUEST, (
            f"{command} has no place for {', '.join(error.unused_tokens or ())}; expected it after the flag that it "
            f"belongs to: see {command} --help"
        )
    if isinstance(error, UnknownOptionError) and error.command_chain == ("paint",):
        from .paint import explain_unknown

        if explained := explain_unknown(error.token.keyword or error.token.value):
            return WRONG_REQUEST, explained
    if isinstance(error, CycloptsError):
        error.verbose = False
        return WRONG_REQUEST, str(error)
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
