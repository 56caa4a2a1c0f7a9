"""The command line. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import warnings
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cyclopts import App


WELCOME = """\
impasto turns a photograph into a painting in the manner of another picture.

  impasto demo                              a first painting, of pictures that are installed with it
  impasto paint photo.jpg painting.jpg      your photo in the manner of a painting
  impasto paint photo.jpg painting.jpg --effort best --size 1024 -o print.png
  impasto johnson photo.jpg --net the-scream    in a blink, in a style of the gallery
  impasto johnson --list                    the styles of the gallery
  impasto doctor                            what this machine has, for reports of errors

impasto --help lists the commands, impasto paint --help the flags of one."""
"""What the program says where nothing is asked of it."""

_OBJECTS = 100_000  # new ones, after which garbage is looked for


class _LoneHyphen(str):
    """``-``, the standard stream: a value, where cyclopts goes by the first letter and would see an option."""

    __slots__ = ()

    def startswith(self, *_: object) -> bool:
        return False


def program() -> int:
    """`main` as all that a process does.

    Importing makes a million objects, none of them garbage. Looking for it among them, at every 700 and once more
    at the end, takes a second where importing takes three.
    """
    gc.set_threshold(_OBJECTS, 50, 1000)
    try:
        return main()
    finally:
        gc.freeze()


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0 done, 1 failed while working, 2 wrong request, 130 interrupted.

    Args:
        argv: the arguments after the program's name; those of the process where None.
    """
    from .app import build
    from .flags import HELP, HELP_ALL
    from .status import DONE, report

    # Read by torch when it is first imported: what Apple's GPUs cannot do is done on the processor, with a warning.
    os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["help"]:
        arguments = [*arguments[1:], "--help"]
    if not arguments:
        print(WELCOME)
        return DONE
    try:
        with _warnings_in_a_line(quiet=bool({"--quiet", "-q"} & set(arguments))):
            app = build(None if arguments[0] in HELP else arguments[0], everything=HELP_ALL in arguments)
            status = run_app(app, arguments)
        sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:
        return report(error, as_json="--json" in arguments)
    return status if isinstance(status, int) else DONE


def run_app(app: App, arguments: Sequence[str]) -> Any:
    """What the command that the arguments name returns; whatever goes wrong is raised."""
    tokens = [_LoneHyphen(token) if token == "-" else token for token in arguments]
    return app(tokens, exit_on_error=False, print_error=False, result_action="return_value")


@contextlib.contextmanager
def _warnings_in_a_line(*, quiet: bool) -> Generator[None]:
    """Say impasto's own warnings as its errors are said; other libraries' as they are."""
    from ..errors import ImpastoWarning

    with warnings.catch_warnings():
        plain = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *where: Any) -> None:
            if not issubclass(category, ImpastoWarning):
                plain(message, category, *where)
            elif not quiet:
                print(f"impasto: {message}", file=sys.stderr)

        warnings.showwarning = show
        warnings.simplefilter("always", ImpastoWarning)
        yield
