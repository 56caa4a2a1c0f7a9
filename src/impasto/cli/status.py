"""Reports an error in one line, with the exit status that belongs to it."""

from __future__ import annotations

import contextlib
import errno
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

from ..errors import ImpastoError, OutputError, near_misses
from ..memory import is_out_of_memory
from ..methods import METHODS
from ..recipe import is_picture
from ..untrusted import LONGEST_MESSAGE, shorten
from . import FAILED, INTERRUPTED, NOTHING_WRITTEN, WRONG_REQUEST
from .flags import HELP_ALL

_LAYOUTS = {"--layout": "caffe", "--kernel-order": "width-first"}  # an example of each


def report(error: BaseException, *, as_json: bool) -> int:
    """Print one line about an error on standard error, and as JSON on standard output; return the exit status.

    ``IMPASTO_DEBUG=1`` prints the traceback as well.
    """
    if isinstance(error, BrokenPipeError):
        # Nobody reads standard output any more. Python would try to write what is buffered when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    status, message = _describe(error)
    message = shorten(" ".join(message.split()), LONGEST_MESSAGE)
    if os.environ.get("IMPASTO_DEBUG", "") not in ("", "0"):
        traceback.print_exception(error, file=sys.stderr)
    print(f"impasto: {message}", file=sys.stderr)
    if as_json:
        with contextlib.suppress(OutputError, BrokenPipeError):  # the error itself is what counts
            print(json.dumps({"error": message, "exit_status": status}), flush=True)
    return status


def _describe(error: BaseException) -> tuple[int, str]:
    """The exit status and the message of an error."""
    if isinstance(error, ImpastoError):
        return error.exit_status, str(error)
    if isinstance(error, CycloptsError):
        return WRONG_REQUEST, _describe_usage(error)
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED, str(error) or NOTHING_WRITTEN
    if is_out_of_memory(error):
        return FAILED, "out of memory; expected it to fit: make --size smaller or close other programs"
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        return (
            WRONG_REQUEST,
            f"the name {shorten(error.filename)} is too long; expected a shorter one: rename the file",
        )
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return FAILED, f"{where}{error.strerror or error}"
    return FAILED, (
        f"unexpected {type(error).__name__}: {error}; this is a mistake in impasto: please report it, with "
        "what IMPASTO_DEBUG=1 prints"
    )


def _describe_usage(error: CycloptsError) -> str:
    """The message for arguments that do not fit the command line."""
    if isinstance(error, UnknownCommandError):
        return _describe_unknown_command(error)
    chain = list(error.command_chain or ())
    command = " ".join(["impasto", *chain])
    if isinstance(error, UnusedCliTokensError):
        unused = error.unused_tokens or []
        if chain and chain[0] in METHODS and not METHODS[chain[0]].styles and is_picture(unused[0]):
            return (
                f"{chain[0]} takes no style picture (got {unused[0]}): its networks know their styles; expected "
                f"--net NAME (see {command} --list), or impasto paint"
            )
        return (
            f"{command} has no place for {', '.join(unused)}; expected it after the flag that it belongs to: see "
            f"{command} --help"
        )
    if isinstance(error, UnknownOptionError):
        return _describe_unknown_flag(error, command)
    if isinstance(error, MissingArgumentError) and error.argument and error.keyword is None:
        return f"{command} needs {error.argument.name}, which is missing: see {command} --help"
    error.verbose = False
    text = str(error).rstrip(".")
    return text if text.endswith("?") else f"{text}."


def _describe_unknown_flag(error: UnknownOptionError, command: str) -> str:
    """The message for a flag that a command does not have."""
    typed = error.token.keyword or error.token.value
    if command == "impasto paint":
        from .paint import explain_unknown

        if explained := explain_unknown(typed):
            return explained
    if is_picture(typed) and not typed.startswith("--"):
        return f"{command} has no flag {typed}; expected ./{typed}, if it is the name of a file"
    flag = typed.partition("=")[0]
    known = [name for each in error.argument_collection if each.parse for name in each.names]
    if flag in _LAYOUTS and "--encoder" in known:
        return f"{command} has no flag {flag}; expected it in the encoder's name: --encoder FILE#{_LAYOUTS[flag]}"
    hint = near_misses(flag, known, limit=1, likeness=0.7)
    return f"{command} has no flag {flag}" + (hint or f"; expected one of those that {command} {HELP_ALL} lists")


def _describe_unknown_command(error: UnknownCommandError) -> str:
    """The message for a command that does not exist; it lists those that do."""
    tokens, chain = list(error.unused_tokens or ()), list(error.command_chain or ())
    if not chain and is_picture(tokens[0]):
        return _suggest_paint(tokens)
    names = [name for name in error.app or () if not name.startswith("-")]
    command = " ".join(["impasto", *chain])
    rest = f"{tokens[0]!r}{near_misses(tokens[0], names, limit=1)}; expected one of {', '.join(names)}"
    if chain == ["train"]:
        return f"impasto train has no trainer {rest}, as in {_train_example(tokens)}"
    return f"{command} has no command {rest}: see {command} --help"


def _suggest_paint(tokens: Sequence[str]) -> str:
    """The message for a picture in the place of a command."""
    typed = shlex.join(tokens)
    if len(tokens) == 1 or tokens[1].startswith("-"):
        typed = f"{shlex.quote(tokens[0])} painting.jpg{typed.removeprefix(shlex.quote(tokens[0]))}"
    return f"{tokens[0]} is no command; expected impasto paint {typed}"


def _train_example(tokens: Sequence[str]) -> str:
    """A command of ``impasto train``: of a trainer that learns single styles, if a picture is among the tokens."""
    from .train import TRAINERS, StylesRun

    for_styles = any(map(is_picture, tokens))
    return next(trainer.example for trainer in TRAINERS if (trainer.run is StylesRun) == for_styles)
