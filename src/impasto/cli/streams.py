"""The standard streams: what can be printed, and where, never decides whether a picture is painted."""

from __future__ import annotations

import codecs
import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import OutputError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_REPLACE = "impasto.replace"
_LIKENESSES = {"×": "x", "…": "...", "–": "-", "—": "-", "’": "'", "·": "."}
_MODES = {"stdin": "r", "stdout": "w", "stderr": "w"}  # in the order of their numbers


def prepare_streams() -> None:
    """Make the standard streams safe to use.

    A closed stream is replaced by the null device: otherwise the next file that is opened would get its number. What
    a stream cannot encode is replaced. What standard error cannot take is lost.
    """
    codecs.register_error(_REPLACE, _replace)
    closed = [name for name in _MODES if getattr(sys, name) is None]
    for name in closed:
        setattr(sys, name, Path(os.devnull).open(_MODES[name], encoding="utf-8"))  # noqa: SIM115 (it stays open)
    for name, kind in (("stdout", _Output), ("stderr", _Messages)):
        if name not in closed:
            setattr(sys, name, _writing_by(kind, getattr(sys, name)))


class _Output(io.FileIO):
    """Says once if it cannot be written: by a `BrokenPipeError` if nobody reads it, else by an `OutputError`."""

    _failed = False

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            if self._failed:
                return memoryview(data).nbytes
            self._failed = True
            if isinstance(error, BrokenPipeError):
                raise
            raise OutputError(
                f"standard output cannot be written ({error.strerror}); expected a reader, or a file with room"
            ) from None


class _Messages(io.FileIO):
    """Loses what it cannot write: a message never ends a painting."""

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def _writing_by(kind: type[io.FileIO], stream: Any) -> Any:
    """Return a text stream like this one that writes by `kind`; itself if it does not write to a file."""
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    raw = getattr(stream.buffer, "raw", stream.buffer)  # without `raw` Python does not buffer
    if type(raw) is not io.FileIO:
        stream.reconfigure(errors=_REPLACE)
        return stream
    stream.flush()
    file = io.BufferedWriter(kind(raw.fileno(), "wb", closefd=False))
    by_line = stream.line_buffering or stream.write_through
    return io.TextIOWrapper(file, stream.encoding, _REPLACE, line_buffering=by_line)


def _replace(error: UnicodeError) -> tuple[str | bytes, int]:
    """An error handler for `codecs`: signs have a likeness in ASCII, other characters are escaped."""
    if isinstance(error, UnicodeEncodeError) and (sign := error.object[error.start]) in _LIKENESSES:
        return _LIKENESSES[sign], error.start + 1
    return codecs.backslashreplace_errors(error)
