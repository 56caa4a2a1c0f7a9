"""`Studio`: everything that one running studio keeps."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from .folders import Folders
from .jobs import Job, Queue, Stop
from .limits import Limits
from .live import Live
from .orders import Order, PaintRequest, PrintRequest, enlarged, make_order
from .pictures import Upload
from .refusals import Refusal
from .shelf import Shelf
from .thumbnails import Thumbnails
from .visitors import Visitors

if TYPE_CHECKING:
    from ..images.picture import Picture
    from ..session.session import Session


class Studio:
    """Sessions, pictures, jobs and thumbnails, and the one `Session` that paints them all.

    Args:
        secrets: any of these lets somebody in; see `Visitors`.
        device: where to paint; see `impasto.bind`.
        limits: how much is taken and kept.
        eager: load networks when the page is opened, and not only when somebody paints.
        clock: the time in seconds.

    Attributes:
        folders: temporary ones, for clips.
        live: paints frames of cameras.
        clip_uploads: clips that are being sent now.
        workers: two threads for what takes long; two, since each picture takes memory.
        closing: says that the server is about to end, so that streams end too.
    """

    def __init__(
        self,
        secrets: tuple[str, ...],
        *,
        device: str = "auto",
        limits: Limits | None = None,
        eager: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limits = limits or Limits()
        self._device, self._lock = device, threading.Lock()
        self._session: Session | None = None
        self.visitors = Visitors(secrets, self.limits, clock)
        kept = self.limits
        self.pictures: Shelf[Upload] = Shelf(
            "picture",
            most=kept.pictures,
            own_bytes=kept.picture_bytes,
            all_bytes=kept.all_picture_bytes,
            age=kept.picture_age,
            clock=clock,
        )
        self.jobs: Shelf[Job] = Shelf(
            "job",
            most=kept.results,
            own_bytes=kept.result_bytes,
            all_bytes=kept.all_result_bytes,
            age=kept.result_age,
            busy=lambda job: not job.is_over,
            clock=clock,
        )
        self.pictures.gone = self.jobs.gone = self.visitors.has_left
        self.folders = Folders(kept.disk_room)
        self.queue = Queue(self.session, self.limits, self._ended, self.folders)
        self.live = Live(self.session, self.limits, self.queue, clock)
        self.thumbnails = Thumbnails(self.session, self.limits, eager=eager)
        self.clip_uploads = 0
        self.workers = ThreadPoolExecutor(2, "studio pictures")
        self.closing: Callable[[], bool] = lambda: False

    def session(self) -> Session:
        """Return what paints. It is made when it is first needed, which imports torch."""
        from ..session.session import Session

        with self._lock:
            if self._session is None:
                self._session = Session(device=self._device)
            return self._session

    def keep_picture(self, owner: str, upload: Upload) -> None:
        """Keep a picture for a session, and give it its id.

        Raises:
            Refusal: there is no room.
        """
        upload.id = self.pictures.put(owner, upload, upload.bytes)

    def add_job(self, owner: str, request: PaintRequest) -> Job:
        """Add a job to the queue.

        Raises:
            Refusal: something is wrong with the request, or too many jobs wait.
        """
        self.queue.check_room(owner)
        start = None if request.start is None else self._start(owner, request.start.job)
        return self._add(owner, request, make_order(request, self._finder(owner), self.limits, start))

    def print_job(self, owner: str, name: str, wanted: PrintRequest) -> Job:
        """Add a job that paints an ended one larger.

        Raises:
            Refusal: see `add_job`; or the job has no painting.
        """
        return self.add_job(owner, enlarged(self.jobs.get(owner, name).request, wanted, name))

    def describe(self, job: Job) -> dict[str, Any]:
        """Return the state of a job as JSON data."""
        return job.described(self.queue.place(job))

    def forget(self, owner: str, name: str) -> None:
        """Stop a job and forget it, with its painting.

        Raises:
            Refusal: there is no such job.
        """
        self.queue.stop(self.jobs.get(owner, name))
        self.jobs.drop(owner, name)

    def sweep(self) -> None:
        """Forget what is too old, and stop the jobs of sessions that were left."""
        for job in self.jobs.all():
            if not job.is_over and not job.keep and self.visitors.has_left(job.owner):
                self.queue.stop(job)
        self.pictures.sweep()
        self.jobs.sweep()
        self.visitors.sweep()

    def close(self) -> None:
        """Stop painting, and free what is kept."""
        self.thumbnails.close()
        self.live.close()
        self.workers.shutdown(wait=False, cancel_futures=True)
        self.queue.close()
        self.pictures.clear()
        self.jobs.clear()
        self.folders.close()
        if self._session is not None:
            self._session.close()

    def _add(self, owner: str, request: PaintRequest, order: Order) -> Job:
        job = Job(owner, request, order, Stop(self.limits.job_time))
        job.id = self.jobs.put(owner, job, 0)
        try:
            self.queue.add(job)
        except Refusal:
            job.end("failed")
            self.jobs.drop(owner, job.id)
            raise
        return job

    def _ended(self, job: Job) -> None:
        kept = job.result or job.film
        if kept is not None:
            self.jobs.weigh(job.id, kept.bytes)

    def _finder(self, owner: str) -> Callable[[str], Upload]:
        return lambda name: self.pictures.get(owner, name)

    def _start(self, owner: str, name: str) -> Callable[[], Picture]:
        result = self.jobs.get(owner, name).result
        if result is None:
            raise Refusal(
                409, "the job has no painting to continue; expected one that is done, or was stopped midway"
            )
        return result.start
