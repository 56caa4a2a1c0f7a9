"""Clips among photos: films that a batch paints frame by frame. They need the extra ``video``."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from ..control import Cancel, Progress
from ..errors import ImpastoError, ImpastoWarning, RequestError
from ..images.metadata import as_text
from . import storage
from .clip_names import can_be_painted
from .jobs import Job, State, Writing
from .rows import Row

if TYPE_CHECKING:
    from ..session.session import Session
    from ..video.job import FilmJob

_CHANGING = frozenset({"version", "device"})  # what may differ in the record of the same film


def plan_clip(job: Job, writing: Writing, target: Path | None = None) -> FilmJob:
    """Open the clip of a job, and check that it can be painted and written.

    Args:
        job: what to paint.
        writing: whether the place where it was taken is kept.
        target: the file to write; None for that of the job.

    Raises:
        ImpastoError: it cannot.
    """
    from ..video import require_extra
    from ..video.options import FilmSettings

    require_extra()
    if storage.is_remote(job.photo.path) or storage.is_remote(job.output):
        raise RequestError(f"the clip {job.photo.path} is in object storage; expected one on a disk: copy it")
    from ..video.job import plan_film

    return plan_film(
        job.photo.path,
        str(target or job.output),
        job.recipe,
        FilmSettings(),
        keep_gps=writing.keep_gps,
        overwrite=True,  # what may be replaced is checked by the batch
    )


def checked(job: Job, writing: Writing) -> Job:
    """Return a job with the size and number of frames of its clip.

    Raises:
        ImpastoError: it cannot be painted or written.
    """
    output = Path(job.output)
    place = next(folder for folder in output.absolute().parents if folder.exists())
    with warnings.catch_warnings():  # what changes in the film is told when it is painted
        warnings.simplefilter("ignore", ImpastoWarning)
        film = plan_clip(job, writing, place / output.name)
    return replace(job, size=film.film.info.size, frames=film.total or 1)


def clip_state(job: Job, writing: Writing, nets: Callable[[], Mapping[str, str]]) -> State:
    """Say what lies where a painted clip goes.

    Args:
        job: what to paint.
        writing: how it is written.
        nets: returns the sha256 of its networks.

    Raises:
        ImpastoError: the clip cannot be read.
    """
    if not storage.exists(job.output):
        return State.ABSENT
    found = record_in(job.output)
    if found is None:
        return State.FOREIGN
    recorded = found.get("recipe")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ImpastoWarning)
        film = plan_clip(job, writing)
    wanted = json.loads(as_text(film.record(film.recipe)))
    if not isinstance(recorded, dict) or _compared(found) != _compared(wanted):
        return State.CHANGED
    known = {PurePath(name).name: sha256 for name, sha256 in nets().items()}
    return State.DONE if recorded.get("nets", {}) == known else State.CHANGED


def record_in(path: str) -> dict[str, Any] | None:
    """Return the record inside a painted clip; None if there is none, or it cannot be read."""
    if not can_be_painted():
        return None
    from ..video.record import read_film_record

    try:
        return read_film_record(path)
    except ImpastoError:
        return None


def _compared(record: Mapping[str, Any]) -> dict[str, Any]:
    """What is the same in the records of one film that was painted twice."""
    kept = {name: value for name, value in record.items() if name not in _CHANGING and value is not None}
    kept["recipe"] = {name: value for name, value in dict(record.get("recipe") or {}).items() if name != "nets"}
    return kept


def paint_clip(
    job: Job, writing: Writing, session: Session, cancel: Cancel, watch: Callable[[Progress], None] | None
) -> Row:
    """Paint the clip of a job. If it was begun before, painting goes on after its last whole segment.

    Raises:
        ImpastoError: it cannot be painted or written.
        Cancelled: `cancel` was set. Whole segments stay.
    """
    from ..images.atomic import make_folder
    from ..video.film import FilmProgress, paint_film

    def tell(progress: FilmProgress) -> None:
        if watch is not None and progress.total:
            note = f"frame {progress.done} of about {progress.total}"
            watch(Progress(min(1.0, progress.done / progress.total), note))

    make_folder(Path(job.output).parent)
    report = paint_film(plan_clip(job, writing), session, cancel=cancel, watch=tell)
    return Row.of(job, "painted", size=report.size, seconds=report.seconds)
