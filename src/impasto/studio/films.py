"""Films: a clip that was sent is painted for a job, and kept as a file."""

from __future__ import annotations

import io
import re
import shutil
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from ..errors import Cancelled, ImpastoWarning, RequestError
from ..methods import read_recipe
from .clips import Clip, clip_of
from .folders import Folder, Folders
from .refusals import public

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..recipe import Recipe
    from ..session.session import Session
    from ..video.film import FilmProgress
    from ..video.job import FilmJob
    from .jobs import Stop
    from .orders import Order

_CRF = 21
_DISK_EVERY = 10  # frames between two looks at the room on the disk


@dataclass(frozen=True, eq=False)
class Film:
    """A painted clip. Its file is there as long as something refers to this object.

    Attributes:
        folder: holds the file.
        path: the file, an MP4.
        recipe: what it was painted with, as JSON data.
        frames: that were painted.
        seconds: how long it is.
        sound: whether it has sound.
        stopped: whether it was ended early.
        problems: what was skipped or left out.
    """

    folder: Folder
    path: Path
    recipe: dict[str, Any]
    frames: int
    seconds: float
    sound: bool
    stopped: bool
    problems: list[str]

    @property
    def bytes(self) -> int:
        """Room on the disk."""
        return self.path.stat().st_size

    def described(self) -> dict[str, Any]:
        """Return what a client is told of it."""
        return {
            "frames": self.frames,
            "seconds": round(self.seconds, 3),
            "sound": self.sound,
            "bytes": self.bytes,
            "problems": self.problems,
        }


def paint_clip(
    session: Session,
    order: Order,
    stop: Stop,
    folders: Folders,
    owner: str,
    watch: Callable[[FilmProgress], None],
    show: Callable[[NDArray[Any]], None],
) -> Film:
    """Paint the clip of an order. If it is stopped, what was painted is kept.

    Args:
        session: keeps networks.
        order: what to paint, and how.
        stop: ends it.
        folders: of the studio.
        owner: the session that asked.
        watch: called with the progress after each frame.
        show: called with each painted frame.

    Raises:
        Cancelled: it was stopped before the first frame.
        Refusal: the disk is nearly full.
        ImpastoError: it cannot be painted.
    """
    from ..video.film import paint_film

    clip, folder = clip_of(order.photo), folders.make(owner)
    problems: list[str] = []
    last: list[FilmProgress] = []

    def note(progress: FilmProgress) -> None:
        last[:] = [progress]
        watch(progress)
        if progress.done % _DISK_EVERY == 0 and not stop.is_set() and not folders.has_room():
            problems.append("the studio's disk is nearly full, so the clip ends early")
            stop.set()

    with warnings.catch_warnings():  # they name files; what a client has to know is in the report
        warnings.simplefilter("ignore", ImpastoWarning)
        job = _plan(order, clip, folder, problems)
        target, sound, stopped = Path(job.target), bool(job.carried.tracks) and clip.sound, False
        try:
            report = paint_film(job, session, cancel=stop, watch=note, show=show)
            frames, seconds, recipe = report.frames, report.duration, report.recipe
            problems += [public(each) for each in report.problems]
        except Cancelled:
            if not target.is_file() or not last:
                raise
            stopped, frames, recipe = True, last[0].done, job.recipe.portable()
            seconds = frames / (clip.rate or 25)
        finally:
            _tidy(folder, target)
    return Film(folder, target, recipe, frames, seconds, sound, stopped, problems)


def _plan(order: Order, clip: Clip, folder: Folder, problems: list[str]) -> FilmJob:
    """Plan the film; without its sound where MP4 does not hold that."""
    from ..video.job import plan_film
    from ..video.options import FilmSettings

    assert order.film is not None
    recipe, target = _with_files(order, folder), str(folder.path / f"{clip.path.stem}.mp4")
    settings = FilmSettings(steady=order.film.steady, sound=order.film.sound, crf=_CRF)
    try:
        return plan_film(str(clip.path), target, recipe, settings)
    except RequestError as error:
        if not (clip.sound and settings.sound):
            raise
        job = plan_film(str(clip.path), target, recipe, settings.model_copy(update={"sound": False}))
        problems.append(f"the sound was left out: {public(error).partition(';')[0]}")
        return job


def _with_files(order: Order, folder: Folder) -> Recipe:
    """The recipe with files in place of pictures in memory: films read their styles and masks from files."""
    inputs = folder.path / "inputs"
    names: dict[str, str] = {}
    for number, (style, make) in enumerate(zip(order.recipe.styles, order.styles, strict=True)):
        names[style.path] = str(_write(inputs / str(number), style.path, make()))
    for number, (part, mask) in enumerate(zip(order.recipe.parts, order.masks or (), strict=False)):
        if part.mask is not None and mask is not None:
            names[part.mask] = str(_write(inputs / f"mask {number}", part.mask, mask))
    return read_recipe(order.recipe.renamed(lambda name: names.get(name, name)))


def _write(folder: Path, name: str, picture: Any) -> Path:
    """Write a picture, which is the bytes of a file or an image; return the file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (re.sub(r"[^\w .()-]", "-", PurePath(name).name) or "picture")
    if isinstance(picture, bytes):
        path.write_bytes(picture)
    else:
        out = io.BytesIO()
        picture.save(out, "PNG")
        path.write_bytes(out.getvalue())
    return path


def _tidy(folder: Folder, target: Path) -> None:
    """Remove everything but the film."""
    for each in folder.path.iterdir():
        if each.is_dir():
            shutil.rmtree(each, ignore_errors=True)
        elif each != target:
            each.unlink(missing_ok=True)
