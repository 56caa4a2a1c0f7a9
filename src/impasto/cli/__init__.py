"""The command line. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from typing import Any

from ..errors import ImpastoWarning


class _LoneHyphen(str):
    """``-``, the standard stream: a value, where cyclopts goes by the first letter and would see an option."""

    __slots__ = ()

    def startswith(self, *_: object) -> bool:
        return False


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0 done, 1 failed while working, 2 wrong request, 130 interrupted.

    Args:
        argv: the arguments after the program's name; those of the process where None.
    """
    show = warnings.showwarning

    def say(message: Warning | str, category: type[Warning], *where: Any) -> None:
        if issubclass(category, ImpastoWarning):
            print(f"impasto: {message}", file=sys.stderr)
        else:
            show(message, category, *where)

    arguments = list(sys.argv[1:] if argv is None else argv)
    with warnings.catch_warnings():
        warnings.simplefilter("always", ImpastoWarning)
        warnings.showwarning = say
        return _run(arguments)


def _run(arguments: Sequence[str]) -> int:
    from .app import build
    from .status import DONE, report

    try:
        tokens = [_LoneHyphen(token) if token == "-" else token for token in arguments]
        status = build()(tokens, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:
        return report(error, as_json="--json" in arguments)
    return status if isinstance(status, int) else DONE
