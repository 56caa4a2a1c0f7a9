"""Paints the jobs of a batch on this machine: photos are read and paintings written beside the painting itself."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from .. import memory
from ..control import Progress
from ..errors import Cancelled, ImpastoError, OutputError
from ..images.atomic import make_folder
from ..recipe import Recipe
from .claims import Claim, Claims
from .clip_names import is_clip
from .clips import paint_clip
from .done import Done
from .jobs import Job, State, Writing
from .reckon import decoded_bytes
from .rows import Row, Stop

if TYPE_CHECKING:
    from ..images.picture import Picture
    from ..session.painting import Painting
    from ..session.session import Session

Made = TypeVar("Made")

_AHEAD, _WRITES = 3, 3  # most photos that wait to be painted, and paintings that wait to be written
_WRITERS = 2
_SHARE, _MOST_HELD = 8, 1e9  # of the memory, and bytes, that pictures beside the one in hand may take
_FAILED_WRITES = 3  # in a row, after which no other picture is begun
_PATIENCE = 0.25  # seconds between two looks at a picture that another batch paints


class Watcher(Protocol):
    """Follows a batch."""

    def begin(self, job: Job) -> None:
        """A picture is begun."""

    def progress(self, progress: Progress) -> None:
        """The picture in hand has come so far."""


@dataclass(frozen=True, slots=True)
class _Taken:
    """A photo that this process may paint, read. `replaces`: something lies there that is to be replaced.

    Of a clip, `photo` is None.
    """

    job: Job
    claim: Claim
    photo: Picture | None
    replaces: bool


@dataclass(frozen=True, slots=True)
class _Pending(Generic[Made]):
    """Work in another thread, and the bytes that its picture holds."""

    job: Job
    bytes: float
    future: Future[Made]


class Local:
    """Paints jobs one after the other.

    Args:
        session: paints, and keeps networks and styles.
        claims: the claims on the output folder.
        done: finds out what is painted already.
        writing: how pictures are written.
        stop: ends it early.
        watcher: follows it.

    Attributes:
        trouble: why it ended early, or empty.
    """

    def __init__(
        self,
        session: Session,
        claims: Claims,
        done: Done,
        writing: Writing,
        stop: Stop,
        watcher: Watcher | None = None,
    ) -> None:
        self._session, self._claims, self._done, self._writing = session, claims, done, writing
        self._stop, self._watcher = stop, watcher
        self._waiting: deque[Job] = deque()
        self._ahead: deque[_Pending[_Taken | Row | None]] = deque()
        self._writes: deque[_Pending[Row]] = deque()
        self._unwritable = 0  # paintings in a row
        self._alone = False  # nothing is held beside the picture in hand, since memory is short
        self._ended = False
        self.trouble = ""

    def run(self, jobs: Sequence[Job]) -> Generator[Row]:
        """Yield what becomes of each job. Those that another process paints come last."""
        later: list[Job] = []
        with ThreadPoolExecutor(1, "impasto-read") as reader, ThreadPoolExecutor(_WRITERS, "impasto-write") as writer:
            try:
                yield from self._paint_all(jobs, reader, writer, later)
                if later and not self._stop.asked.is_set():
                    yield from self._paint_all(later, reader, writer, None)
            finally:
                self._ended = True
                self._give_up_ahead()
                self._waiting.clear()

    def _paint_all(
        self, jobs: Iterable[Job], reader: ThreadPoolExecutor, writer: ThreadPoolExecutor, later: list[Job] | None
    ) -> Generator[Row]:
        """Yield what becomes of jobs. Those of another process go to `later`; without it, they are waited for."""
        self._waiting.extend(jobs)
        while self._waiting or self._ahead:
            self._read_ahead(reader, wait=later is None)
            if not self._ahead:
                if not self._writes:
                    break
                yield self._written()
                continue
            pending = self._ahead.popleft()
            taken = pending.future.result()
            if isinstance(taken, _Taken) and self._stop.asked.is_set():
                taken.claim.release()
            elif isinstance(taken, _Taken):
                row = self._paint(taken, pending.bytes, writer)
                if row is not None:
                    yield row
            elif taken is not None:
                yield taken
            elif later is not None:
                later.append(pending.job)
            while self._writes and (len(self._writes) > _WRITES or self._writes[0].future.done()):
                yield self._written()
            if self._stop.asked.is_set():
                self._give_up_ahead()
                self._waiting.clear()
        while self._writes:
            yield self._written()

    def _read_ahead(self, reader: ThreadPoolExecutor, *, wait: bool) -> None:
        """Let photos be read while there is room for them."""
        most = 1 if self._alone else _AHEAD
        while self._waiting and len(self._ahead) < most and not self._stop.asked.is_set():
            job = self._waiting[0]
            needed = decoded_bytes(job)
            held = sum(each.bytes for each in (*self._ahead, *self._writes))
            if held and (self._alone or held + needed > self._room(job.way.recipe)):
                return
            self._waiting.popleft()
            self._ahead.append(_Pending(job, needed, reader.submit(self._take, job, wait=wait)))

    def _give_up_ahead(self) -> None:
        """Give up the photos that were read ahead; they wait again."""
        for pending in reversed(self._ahead):
            if not pending.future.cancel() and isinstance(taken := pending.future.result(), _Taken):
                taken.claim.release()
            self._waiting.appendleft(pending.job)
        self._ahead.clear()

    def _room(self, recipe: Recipe) -> float:
        """The bytes that pictures may take beside the one in hand."""
        most = recipe.memory or memory.usual_budget(self._session.device)
        return min(_MOST_HELD, most / _SHARE)

    def _take(self, job: Job, *, wait: bool) -> _Taken | Row | None:
        """Claim a picture and read its photo; None if another process paints it."""
        claim = None
        try:
            claim = self._claims.take(job.output)
            while claim is None and wait and not (self._ended or self._stop.asked.is_set()):
                claim = self._claims.take(job.output, patience=_PATIENCE)
            if claim is None:
                return None
            found = self._take_claimed(job, claim)
        except Exception as error:
            found = Row.of(job, "failed", error=explain(error))
        if isinstance(found, Row) and claim is not None:
            claim.release()
        return found

    def _take_claimed(self, job: Job, claim: Claim) -> _Taken | Row:
        from ..images.read import read

        state = State.ABSENT
        if os.path.lexists(job.output):  # as planned, or by another batch since then
            state = self._done.state(job)
        if state is State.DONE:
            return Row.of(job, "skipped")
        self._writing.check_replaces(job.output, state)
        if is_clip(job.photo.path):
            return _Taken(job, claim, None, state is not State.ABSENT)
        photo = read(job.photo.path, job.way.recipe.sides_used().photo)
        return _Taken(job, claim, photo, state is not State.ABSENT)

    def _paint(self, taken: _Taken, bytes_: float, writer: ThreadPoolExecutor) -> Row | None:
        """Paint a photo and let it be written; return a row if it was not painted."""
        if self._watcher is not None:
            self._watcher.begin(taken.job)
        row = None
        try:
            if taken.photo is None:
                row = self._paint_clip(taken.job)
            else:
                painting = self._painting(taken)
                future = writer.submit(self._write, taken, painting)
                self._writes.append(_Pending(taken.job, bytes_, future))
        except Cancelled:
            row = Row.of(taken.job, "stopped")
        except Exception as error:
            row = Row.of(taken.job, "failed", error=explain(error))
        except BaseException:  # the process ends
            taken.claim.release()
            raise
        if row is not None:
            taken.claim.release()
        return row

    def _paint_clip(self, job: Job) -> Row:
        watch = None if self._watcher is None else self._watcher.progress
        return paint_clip(job, self._writing, self._session, self._stop.now, watch)

    def _painting(self, taken: _Taken) -> Painting:
        try:
            return self._work(taken, self._within(taken.job.way.recipe))
        except memory.ShortageError:
            if self._alone or taken.job.way.recipe.memory is None:
                raise
        self._alone = True
        self._give_up_ahead()
        for each in self._writes:
            each.future.exception()  # waits
        return self._work(taken, taken.job.way.recipe)

    def _work(self, taken: _Taken, recipe: Recipe) -> Painting:
        watch = None if self._watcher is None else self._watcher.progress
        assert taken.photo is not None
        work = self._session.paint(recipe, taken.photo, masks=taken.job.masks, cancel=self._stop.now, watch=watch)
        return work.done()

    def _within(self, recipe: Recipe) -> Recipe:
        """The recipe with its memory less what other pictures may take."""
        if recipe.memory is None or self._alone:
            return recipe
        left = memory.memory_left(recipe.memory, round(self._room(recipe)))
        return recipe.model_copy(update={"memory": left})

    def _write(self, taken: _Taken, painting: Painting) -> Row:
        """Write a painting, whole or not at all."""
        path = Path(taken.job.output)
        try:
            make_folder(path.parent)
            self._writing.save(painting, path, overwrite=taken.replaces or self._writing.overwrite)
        except Exception as error:
            self._unwritable += isinstance(error, OutputError)
            return Row.of(taken.job, "failed", error=explain(error), size=painting.size)
        finally:
            taken.claim.release()
        self._unwritable = 0
        return Row.of(taken.job, "painted", size=painting.size, seconds=painting.seconds)

    def _written(self) -> Row:
        """Wait for the oldest painting to be written."""
        row = self._writes.popleft().future.result()
        if self._unwritable >= _FAILED_WRITES and not self.trouble:
            self.trouble = f"{_FAILED_WRITES} paintings in a row could not be written; no other is begun: {row.error}"
            self._stop.asked.set()
        return row


def explain(error: Exception) -> str:
    """Say in a row what went wrong."""
    if isinstance(error, ImpastoError):
        return str(error)
    if memory.is_out_of_memory(error):
        return "out of memory; expected it to fit: make --size smaller or close other programs"
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror or error}"
    return str(
        ImpastoError(f"unexpected {type(error).__name__}: {error}; this is a mistake in impasto: please report it")
    )
