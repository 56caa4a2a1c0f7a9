"""`paint_film`: a film is decoded, painted and coded, segment by segment, and joined at the end."""

from __future__ import annotations

import contextlib
import itertools
import time
import warnings
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from ..control import Cancel
from ..errors import ImageError, ImpastoWarning
from .coding import ANIMATIONS, SegmentWriter, is_numbered
from .flicker import Meter
from .flow import Motion, find_motion
from .frame_painter import FramePainter, PaintedFrame
from .frames import Frame, Pixels
from .job import FilmJob
from .join import join
from .parts import Parts, Segment
from .pictures import write_animation, write_numbered
from .record import comment_of
from .sheet import decoded, write_sheet
from .threads import Ahead, Behind

if TYPE_CHECKING:
    from ..session.session import Session

SEGMENT = 48
"""Frames of a segment."""

_MEASURED_EVERY, _AT_FIRST = (4, 16), 16  # frames: from one measured to the next, at first and later
_DEPTH = 3  # frames that are decoded ahead, or wait to be coded


@dataclass(frozen=True)
class FilmProgress:
    """How far a film is painted.

    Attributes:
        done: frames that are painted.
        total: about how many there are; None if it is not known.
        rate: frames a second.
    """

    done: int
    total: int | None
    rate: float

    @property
    def left(self) -> float | None:
        """Seconds that are left; None if it is not known."""
        if self.total is None or not self.rate:
            return None
        return max(0, self.total - self.done) / self.rate


@dataclass
class FilmReport:
    """What was painted.

    Attributes:
        frames: number of frames.
        size: width and height.
        seconds: how long it took.
        duration: of the result, in seconds.
        shots: number of shots.
        flicker: warping errors in levels of 255: of the film (``input``), of its frames painted by themselves
            (``frames``), and of the result (``result``); see `flicker`.
        continued: number of frames that were painted before.
        stopped: whether it was interrupted.
        problems: what was skipped or changed.
        recipe: the recipe with the sha256 of its networks.
        files: what was written beside the film.
    """

    frames: int = 0
    size: tuple[int, int] = (0, 0)
    seconds: float = 0.0
    duration: float = 0.0
    shots: int = 0
    flicker: dict[str, float] = field(default_factory=dict[str, float])
    continued: int = 0
    stopped: bool = False
    problems: list[str] = field(default_factory=list[str])
    recipe: dict[str, Any] = field(default_factory=dict[str, Any])
    files: list[str] = field(default_factory=list[str])


def paint_film(
    job: FilmJob,
    session: Session,
    *,
    cancel: Cancel | None = None,
    watch: Callable[[FilmProgress], None] | None = None,
    show: Callable[[Pixels], None] | None = None,
    preview: Fraction | None = None,
    sheet: Path | None = None,
) -> FilmReport:
    """Paint a film. If it was begun before, painting goes on after the last whole segment.

    Ctrl-C ends the film after the last painted frame; it can be played, and the same job goes on.

    Args:
        job: the film.
        session: keeps networks and statistics.
        cancel: see `Painter.paint`.
        watch: called with the progress after each frame.
        show: called with each painted frame.
        preview: seconds after which what is painted is written beside the film.
        sheet: file for a sheet of every 30th frame.

    Raises:
        Cancelled: `cancel` was set. What was painted can be played, and whole segments stay.
        OutputError: the system refuses. What was painted is joined if that is possible.
        ImageError: the film has no frame in the time that is painted.
    """
    with _one_thread():
        return _Painting(job, session, cancel).run(watch, show, preview, sheet)


@contextlib.contextmanager
def _one_thread() -> Generator[None]:
    """Let OpenCV work in one thread: painting needs the cores, and threads that wait for each other take them."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


class _Painting:
    """One run of `paint_film`."""

    def __init__(self, job: FilmJob, session: Session, cancel: Cancel | None) -> None:
        self._job = job
        self._began = time.monotonic()
        self._parts = Parts(job.target, job.fingerprint(), overwrite=job.overwrite)
        self._painter = FramePainter(session, job.recipe, job.settings, job.size, cancel)
        self._meter, self._done = Meter(), 0
        self._after: Fraction | None = None
        if self._parts.state is not None:
            arrays, facts = self._parts.state
            self._painter.shot.restore(arrays, facts)
            self._meter = Meter({name: (total, count) for name, (total, count) in facts["flicker"].items()})
            self._done, self._after = facts["done"], Fraction(facts["after"])
        self._continued = self._done
        self._last: PaintedFrame | None = None
        self._segments = _SegmentsWriter(job, self._parts)

    def run(
        self,
        watch: Callable[[FilmProgress], None] | None,
        show: Callable[[Pixels], None] | None,
        preview: Fraction | None,
        sheet: Path | None,
    ) -> FilmReport:
        """See `paint_film`."""
        stopped, files, until = False, list[str](), None if preview is None else self._job.ticks_of(preview)
        self._parts.keep_room(_sound_size(self._job))
        coding = Behind(self._segments.work, _DEPTH)
        moved = Ahead(self._moved(Ahead(self._job.frames(self._after), _DEPTH)), _DEPTH)
        try:
            for frame, motion in moved:
                pixels = self._paint(frame, motion)
                coding.put((pixels, frame, None))
                if self._done % SEGMENT == 0:
                    coding.put((None, frame, self._state(frame)))
                if show is not None:
                    show(pixels[..., :3])
                if watch is not None:
                    watch(self._progress())
                whole = self._done % SEGMENT == 0
                if until is not None and whole and self._job.ticks_of(frame.time + frame.duration) >= until:
                    coding.finish()
                    files.append(str(self._write_preview(until, [])))
                    until, coding = None, Behind(self._segments.work, _DEPTH)
            coding.finish()
        except KeyboardInterrupt:
            stopped = True
            coding.finish()
        except BaseException:
            with contextlib.suppress(BaseException):
                coding.finish()
            self._rescue()
            raise
        finally:
            moved.close()
            self._painter.close()
        return self._end(stopped=stopped, files=files, sheet=sheet, until=until)

    def _moved(self, frames: Ahead[Frame]) -> Generator[tuple[Frame, Motion | None]]:
        """Yield frames with how they have moved; without flow where nothing needs it."""
        last = self._painter.shot.source
        try:
            for number, frame in enumerate(frames, self._done):
                wanted = self._follows_motion or _is_measured(number)
                yield frame, find_motion(last, frame.pixels) if wanted and last is not None else None
                last = frame.pixels
        finally:
            frames.close()

    @property
    def _follows_motion(self) -> bool:
        """Whether frames are painted by how the film moves, or at least by its cuts."""
        return self._job.settings.steady > 0 or self._job.recipe.colour in ("histogram", "coral")

    def _paint(self, frame: Frame, motion: Motion | None) -> Pixels:
        job, number = self._job, self._done
        before, source = self._last, self._painter.shot.source
        painted = self._painter.paint(frame, motion if self._follows_motion else None)
        if motion is not None and _is_measured(number) and before is not None and source is not None:
            self._meter.add("input", source, frame.pixels, motion)
            self._meter.add("frames", before.own, painted.own, motion)
            self._meter.add("result", before.pixels, painted.pixels, motion)
        self._last = painted
        self._done += 1
        if frame.alpha is None:
            return painted.pixels
        if job.coding.alpha:
            return np.dstack([painted.pixels, frame.alpha])
        share = frame.alpha[..., None].astype(np.uint16)
        return ((painted.pixels * share + 255 * (255 - share)) // 255).astype(np.uint8)

    def _state(self, frame: Frame) -> tuple[dict[str, Any], dict[str, Any]]:
        arrays, facts = self._painter.shot.state()
        return arrays, {**facts, "flicker": self._meter.state(), "done": self._done, "after": str(frame.time)}

    def _progress(self) -> FilmProgress:
        seconds = max(time.monotonic() - self._began, 1e-6)
        return FilmProgress(self._done, self._job.total, (self._done - self._continued) / seconds)

    def _write_preview(self, until: int, rest: list[Segment]) -> Path:
        path = (whole := Path(self._job.target)).with_name(f"{whole.stem}.preview{whole.suffix}")
        self._join(path, itertools.chain(self._parts.segments(), rest), stopped="preview", until=until)
        return path

    def _end(self, *, stopped: bool, files: list[str], sheet: Path | None, until: int | None) -> FilmReport:
        """Join the film, and report. `until`: the end of a preview that is not written yet."""
        job, problems = self._job, list(dict.fromkeys(self._job.film.problems))
        for problem in problems:
            warnings.warn(problem, ImpastoWarning, stacklevel=3)
        rest = self._segments.last_segment()
        if not self._done or (not self._parts.count and not rest):
            if stopped:
                raise KeyboardInterrupt("interrupted before the first frame; nothing was written")
            self._parts.remove()
            raise ImageError(f"{job.film.info.path} has no frame to paint; expected some: check --from and --to")
        if until is not None and not stopped:
            files.append(str(self._write_preview(until, rest)))
        if sheet is not None:
            write_sheet(sheet, itertools.chain(self._parts.segments(), rest), self._done, job.coding.ticks)
            files.append(str(sheet))
        duration = self._segments.end * job.coding.ticks
        if not stopped:
            self._parts.free_room()
        self._join(
            Path(job.target),
            itertools.chain(self._parts.segments(remove=not stopped), rest),
            stopped="interrupted" if stopped else None,
            until=self._segments.end if stopped else None,
        )
        if not stopped:
            self._parts.remove()
        return FilmReport(
            self._done,
            job.size,
            time.monotonic() - self._began,
            float(duration),
            self._painter.shot.number,
            self._meter.means(),
            self._continued,
            stopped,
            problems,
            self._painter.recipe.portable(),
            files,
        )

    def _rescue(self) -> None:
        """Join what was painted, if there is room for it. The state is removed only where room is short."""
        parts, target, rest = self._parts, Path(self._job.target), list[Segment]()
        with contextlib.suppress(Exception):
            rest = self._segments.last_segment()
        for without_state in (False, True) if parts.count or rest else ():
            with contextlib.suppress(Exception):
                parts.free_room(state=without_state)
                end = self._segments.end if rest else parts.end()
                self._join(target, itertools.chain(parts.segments(), rest), stopped="interrupted", until=end)
                break

    def _join(self, target: Path, segments: Any, *, stopped: str | None, until: int | None = None) -> None:
        job = self._job
        record = job.record(self._painter.recipe, stopped)
        if is_numbered(job.target):
            overwrite = job.overwrite or bool(self._continued) or stopped is not None
            pattern = str(target)
            write_numbered(pattern, decoded(segments), record, overwrite=overwrite)
        elif target.suffix.lower() in ANIMATIONS:
            whole = list(segments)
            times = [each for segment in whole for each in segment.times]
            write_animation(target, lambda: decoded(whole), times, job.coding.ticks, record)
        else:
            part = target.with_name(f".{target.name}.part")
            try:
                join(part, segments, job.coding, job.carried, comment_of(record), until=until)
                part.replace(target)
            finally:
                part.unlink(missing_ok=True)


class _SegmentsWriter:
    """Codes frames into segments, in a thread of its own, and saves each that is whole.

    Attributes:
        end: time at which the last frame ends, in ticks.
    """

    def __init__(self, job: FilmJob, parts: Parts) -> None:
        self._job, self._parts = job, parts
        self._writer: SegmentWriter | None = None
        self.end = 0

    def work(self, item: tuple[Pixels | None, Frame, Any]) -> None:
        """Code a frame, or save the segment with a state."""
        pixels, frame, state = item
        if pixels is not None:
            begin = self._job.ticks_of(frame.time)
            length = max(1, self._job.ticks_of(frame.time + frame.duration) - begin)
            if self._writer is None:
                self._writer = SegmentWriter(self._job.coding)
            self._writer.add(pixels, begin, length)
            self.end = begin + length
        elif self._writer is not None:
            segment = Segment(self._writer.done(), self._writer.times)
            self._writer = None
            self._parts.save(segment, *state)

    def last_segment(self) -> list[Segment]:
        """End the segment that is not whole, and return it."""
        if self._writer is None:
            return []
        writer, self._writer = self._writer, None
        return [Segment(writer.done(), writer.times)]


def _is_measured(number: int) -> bool:
    """Whether the flicker from the frame before to this one is measured. Both are in one segment."""
    return number % _MEASURED_EVERY[number >= _AT_FIRST] == 2


def _sound_size(job: FilmJob) -> int:
    """About how many bytes of sound are copied."""
    if not job.carried.tracks or job.carried.path is None:
        return 0
    length = float(job.film.info.duration or 600)
    return min(Path(job.carried.path).stat().st_size, int(40_000 * length))
