"""The command line. A library that is slow to import is imported only by the commands that need it."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import warnings
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cyclopts import App


WELCOME = """\
impasto turns a photograph into a painting in the manner of another picture.

  impasto demo                              a first painting, from pictures that come with impasto
  impasto paint photo.jpg painting.jpg      your photo in the manner of a painting
  impasto paint photo.jpg painting.jpg --effort best --size 1024 -o print.png
  impasto johnson photo.jpg --net the-scream    in under a second, in a style of the gallery (--list)
  impasto studio                            a page in the browser to paint in
  impasto doctor                            what this machine has, for error reports

impasto --help lists the commands, impasto paint --help the flags of one."""
"""What the program prints without arguments."""

DONE, FAILED, WRONG_REQUEST, INTERRUPTED = 0, 1, 2, 130
"""The exit statuses."""

NOTHING_WRITTEN = "interrupted; nothing was written"
"""What is reported of an interruption that says no more."""

_NEW_OBJECTS = 100_000  # after which Python looks for garbage


class _Stream(str):
    """``-``, the standard stream, also with a style's weight or mask: ``-:0.5@sky.png``.

    cyclopts would take it for an option because of its first letter.
    """

    __slots__ = ()

    def startswith(self, *_: object) -> bool:
        return False


def program() -> int:
    """Run `main` as the only work of a process.

    Importing makes a million objects, none of them garbage. Looking for garbage among them as often as Python does,
    and again at the end, takes a second; importing takes three.
    """
    gc.set_threshold(_NEW_OBJECTS, 50, 1000)
    try:
        from ..memory import own_process
        from .streams import prepare_streams

        own_process()
        prepare_streams()
        return main()
    except KeyboardInterrupt:  # at the very beginning or end
        return _report_early_interruption(as_json="--json" in sys.argv)
    finally:
        gc.freeze()


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0 done, 1 failed while working, 2 wrong request, 130 interrupted.

    Args:
        argv: the arguments after the program's name; None for those of the process.
    """
    # torch reads this when it is imported, and then does on the processor what Apple's GPUs cannot do.
    os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["help"]:
        arguments = [*arguments[1:], "--help"]
    if os.environ.get("COLUMNS", "").strip() == "0":  # some terminals say so; nothing would be printed
        del os.environ["COLUMNS"]
    if not arguments:
        print(WELCOME)
        return DONE
    as_json = "--json" in arguments
    try:  # loading modules takes a second, in which a user may interrupt, too
        from .app import build
        from .flags import HELP, HELP_ALL
        from .status import report
    except KeyboardInterrupt:
        return _report_early_interruption(as_json=as_json)
    try:
        with _one_line_warnings(quiet=bool({"--quiet", "-q"} & set(arguments))):
            _check_folder()
            app = build(None if arguments[0] in HELP else arguments[0], everything=HELP_ALL in arguments)
            status = run_app(app, arguments)
        sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:
        return report(error, as_json=as_json)
    return status if isinstance(status, int) else DONE


def _check_folder() -> None:
    """Check that the current folder exists. Without it names mean nothing, and libraries end the process.

    Raises:
        RequestError: it was removed.
    """
    from ..errors import RequestError

    try:
        Path.cwd()
    except OSError:
        raise RequestError(
            "the current folder is gone; expected one that exists: cd to another, and start again"
        ) from None


def _report_early_interruption(*, as_json: bool) -> int:
    """Report an interruption as `status.report` does, which may not be loaded yet; return the exit status."""
    print(f"impasto: {NOTHING_WRITTEN}", file=sys.stderr)
    if as_json:
        print(f'{{"error": "{NOTHING_WRITTEN}", "exit_status": {INTERRUPTED}}}')
    return INTERRUPTED


def run_app(app: App, arguments: Sequence[str]) -> Any:
    """Run the command that the arguments name, and return what it returns. Errors are raised.

    Raises:
        CycloptsError: the arguments do not fit a command.
    """
    tokens = [_Stream(token) if token == "-" or token[:2] in ("-:", "-@") else token for token in arguments]
    return app(tokens, exit_on_error=False, print_error=False, result_action="return_value")


@contextlib.contextmanager
def _one_line_warnings(*, quiet: bool) -> Generator[None]:
    """Print impasto's own warnings in one line, as its errors. Other libraries' stay as they are.

    Pillow's are left out: they are about metadata that is damaged, and not carried.
    """
    from ..errors import ImpastoWarning, SkippedWarning
    from ..untrusted import LONGEST_MESSAGE, shorten

    with warnings.catch_warnings():
        show_other = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *where: Any) -> None:
            if not issubclass(category, ImpastoWarning):
                show_other(message, category, *where)
            elif not quiet or issubclass(category, SkippedWarning):
                print(f"impasto: {shorten(message, LONGEST_MESSAGE)}", file=sys.stderr)

        warnings.showwarning = show
        warnings.simplefilter("always", ImpastoWarning)
        warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
        yield
