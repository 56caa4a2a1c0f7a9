"""Jobs: one is painted at a time, the others wait in a queue of limited length."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..control import Progress
from ..errors import Cancelled
from . import previews
from .films import Film, paint_clip
from .folders import Folders
from .limits import Limits
from .orders import Order, PaintRequest
from .previews import Encoded
from .refusals import Refusal, describe
from .results import Result

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..painter import Step
    from ..session.session import Session
    from ..session.work import Work
    from ..video.film import FilmProgress

WAITING, PAINTING, DONE, STOPPED, FAILED = "waiting", "painting", "done", "stopped", "failed"
ENDED = frozenset({DONE, STOPPED, FAILED})
_GUESSABLE = 0.02  # share of the work that must be done before the time left is guessed


class Stop:
    """Ends a painting when it is asked to, or when its time is over.

    Args:
        seconds: longest time, from `begin` on.
    """

    def __init__(self, seconds: float) -> None:
        self._asked, self._seconds, self._end = threading.Event(), seconds, float("inf")

    def begin(self) -> None:
        """Begin to count the time."""
        self._end = time.monotonic() + self._seconds

    def set(self) -> None:
        """Ask the painting to end."""
        self._asked.set()

    def is_set(self) -> bool:
        """Whether it should end."""
        return self._asked.is_set() or time.monotonic() > self._end


class Job:
    """A painting that was asked for.

    Args:
        owner: the session that asked.
        request: what it asked for.
        order: what that stands for.
        stop: ends it.

    Attributes:
        id: its name on the shelf.
        state: one of the constants of this module.
        version: a number that grows with every change.
        result: the painting, once it has ended, also if it was stopped; None for a clip.
        film: the painted clip, likewise.
    """

    def __init__(self, owner: str, request: PaintRequest, order: Order, stop: Stop) -> None:
        self.owner, self.request, self.stop, self.keep = owner, request, stop, request.keep
        self.order: Order | None = order
        self.id, self.state, self.version = "", WAITING, 0
        self.size = order.photo.size
        self.result: Result | None = None
        self.film: Film | None = None
        self.error, self.note, self.method = "", "", order.recipe.method
        self.ended = threading.Event()
        self._began = 0.0
        self._fraction, self._index, self._total = 0.0, 0, 0
        self._rate = 0.0  # frames a second, of a clip
        self._left: float | None = None
        self._losses: dict[str, float] = {}
        self._preview: NDArray[Any] | None = None
        self._shown, self._encoded = 0, (0, Encoded(b"", ""))

    @property
    def is_over(self) -> bool:
        """Whether it is painted no more."""
        return self.state in ENDED

    def begin(self) -> None:
        """Note that it is being painted."""
        self._began = time.monotonic()
        self.stop.begin()
        self._change(state=PAINTING)

    def watch(self, progress: Progress) -> None:
        """Note progress."""
        self._fraction, self.note = max(self._fraction, progress.done), progress.note
        self.version += 1

    def show(self, step: Step) -> None:
        """Note a step."""
        self._index, self._total, self._losses = step.index, step.total, dict(step.losses)
        height, width = step.image.shape[2:]
        self.size = (width, height)
        with contextlib.suppress(Exception):  # a preview that cannot be made does not end the painting
            self._preview = previews.levels(step.image, previews.PREVIEW)
            self._shown += 1
        self.version += 1

    def watch_film(self, progress: FilmProgress) -> None:
        """Note progress with a clip."""
        self._index, self._total = progress.done, progress.total or 0
        self._rate, self._left = progress.rate, progress.left
        if progress.total:
            self._fraction = max(self._fraction, min(1.0, progress.done / progress.total))
        self.version += 1

    def show_frame(self, pixels: NDArray[Any]) -> None:
        """Note a painted frame, H×W×3 uint8."""
        self.size = (pixels.shape[1], pixels.shape[0])
        self._preview = previews.shrunk(pixels, previews.PREVIEW)
        self._shown += 1

    def end(self, state: str, result: Result | Film | None = None, error: str = "") -> None:
        """Note that it has ended, and let go of its pictures."""
        self.order, self.error = None, error
        if state == DONE:
            self._fraction = 1.0
        if isinstance(result, Film):
            self.film = result
        elif result is not None:
            self.result, self.size = result, result.size
        self._change(state=state)
        self.ended.set()

    def preview(self) -> Encoded:
        """Return the newest preview.

        Raises:
            Refusal: there is none yet.
        """
        values, number = self._preview, self._shown
        if values is None:
            raise Refusal(404, "there is no preview yet; expected one after the first step: wait for preview above 0")
        if self._encoded[0] != number:
            self._encoded = (number, previews.encode(values))
        return self._encoded[1]

    def described(self, place: int) -> dict[str, Any]:
        """Return its state as JSON data.

        Args:
            place: how many jobs are painted before it is.
        """
        result, film = self.result, self.film
        recipe = film.recipe if film is not None else None if result is None else result.painting.recipe.portable()
        return {
            "id": self.id,
            "state": self.state,
            "place": place,
            "fraction": round(self._fraction, 4),
            "seconds_left": self._seconds_left(),
            "note": self.note,
            "index": self._index,
            "total": self._total,
            "losses": {name: value for name, value in self._losses.items() if abs(value) < float("inf")},
            "preview": self._shown,
            "picture": result is not None,
            "width": self.size[0],
            "height": self.size[1],
            "method": self.method,
            "error": self.error or None,
            "recipe": recipe,
            "rate": round(self._rate, 2),
            "film": None if film is None else film.described(),
            "request": self.request.model_dump(mode="json", exclude_none=True),
        }

    def _seconds_left(self) -> float | None:
        if self.state != PAINTING:
            return None
        if self._left is not None:
            return round(self._left, 1)
        if self._fraction < _GUESSABLE:
            return None
        passed = time.monotonic() - self._began
        return round(passed * (1 - self._fraction) / self._fraction, 1)

    def _change(self, state: str) -> None:
        self.state = state
        self.version += 1


class Queue:
    """Paints jobs in the order in which they come, in a thread of its own.

    Args:
        session: returns what paints.
        limits: of the studio.
        ended: called with each job that has ended.
        folders: for painted clips.
    """

    def __init__(
        self, session: Callable[[], Session], limits: Limits, ended: Callable[[Job], None], folders: Folders
    ) -> None:
        self._session, self._limits, self._ended, self._folders = session, limits, ended, folders
        self._changed = threading.Condition()
        self._waiting: list[Job] = []
        self._painting: Job | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    def place(self, job: Job) -> int:
        """Return how many jobs are painted before `job` is."""
        with self._changed:
            if job not in self._waiting:
                return 0
            return self._waiting.index(job) + (self._painting is not None)

    def others(self, owner: str) -> int:
        """Return how many jobs of other sessions wait or are painted."""
        with self._changed:
            jobs = [*self._waiting, *filter(None, [self._painting])]
            return sum(job.owner != owner for job in jobs)

    @property
    def is_idle(self) -> bool:
        """Whether no job is painted."""
        return self._painting is None

    def check_room(self, owner: str) -> None:
        """Check that a session may add another job.

        Raises:
            Refusal: too many wait.
        """
        with self._changed:
            jobs = [*self._waiting, *filter(None, [self._painting])]
            own = sum(job.owner == owner and not job.is_over for job in jobs)
            if self._closed:
                raise Refusal(503, "the studio is closing; expected it to be open: start it again")
            if own >= self._limits.own_queue:
                raise Refusal(
                    429, f"{own} of your jobs wait; expected at most {self._limits.own_queue}: stop one, or wait"
                )
            if len(self._waiting) >= self._limits.queue:
                raise Refusal(
                    429, f"{len(self._waiting)} jobs wait; expected at most {self._limits.queue}: try again soon"
                )

    def add(self, job: Job) -> None:
        """Add a job to the queue.

        Raises:
            Refusal: see `check_room`.
        """
        with self._changed:
            self.check_room(job.owner)
            self._waiting.append(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="studio jobs", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def stop(self, job: Job) -> None:
        """Stop a job, or cancel it if it waits."""
        job.stop.set()
        with self._changed:
            waited = job in self._waiting
            if waited:
                self._waiting.remove(job)
        if waited:
            job.end(STOPPED)
            self._ended(job)

    def close(self, seconds: float = 10.0) -> None:
        """Stop all jobs, and wait until none is painted any more."""
        with self._changed:
            self._closed = True
            jobs = [*self._waiting, *filter(None, [self._painting])]
            self._changed.notify_all()
        for job in jobs:
            self.stop(job)
        if self._thread is not None:
            self._thread.join(seconds)

    def _run(self) -> None:
        while (job := self._next()) is not None:
            try:
                self._paint(job)
            finally:
                with self._changed:
                    self._painting = None
                self._ended(job)
            job = None  # so that an idle queue holds no picture

    def _next(self) -> Job | None:
        with self._changed:
            while not self._waiting and not self._closed:
                self._changed.wait()
            if self._closed:
                return None
            self._painting = self._waiting.pop(0)
            return self._painting

    def _paint(self, job: Job) -> None:
        order = job.order
        assert order is not None
        work: Work | None = None
        try:
            job.begin()
            if order.film is not None:
                film = self._paint_film(job, order)
                job.end(STOPPED if film.stopped else DONE, film)
                return
            work = begin_work(self._session(), order, job.stop, job.watch)
            for step in work:
                job.show(step)
            job.end(DONE, Result.of(work.painting, order.photo.name))
        except Cancelled:
            last = None if work is None else work.last
            job.end(STOPPED, None if work is None or last is None else Result.of(work.painting, order.photo.name))
        except Exception as error:
            job.end(FAILED, error=describe(error)[1])
        finally:
            if work is not None:
                work.close()

    def _paint_film(self, job: Job, order: Order) -> Film:
        return paint_clip(
            self._session(), order, job.stop, self._folders, job.owner, watch=job.watch_film, show=job.show_frame
        )


def begin_work(
    session: Session, order: Order, stop: Stop | None, watch: Callable[[Progress], None] | None, priority: int = 0
) -> Work:
    """Begin to paint an order; see `Session.paint`."""
    return session.paint(
        order.recipe,
        order.photo.data,
        styles=[make() for make in order.styles] if order.recipe.styles else None,
        masks=order.masks,
        start=None if order.start is None else order.start(),
        cancel=stop,
        watch=watch,
        priority=priority,
    )
