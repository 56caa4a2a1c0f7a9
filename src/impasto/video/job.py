"""`FilmJob`: a film to paint, checked before any work: sizes, times, codecs, and what is carried over."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import ImpastoWarning, RequestError
from ..images.atomic import check_apart, check_place
from ..methods import method
from ..recipe import ALPHA, Recipe
from ..session.provenance import Input
from . import require_extra
from .coding import ANIMATIONS, Coding, choose_codec, is_numbered
from .frames import Film, Frame, at_rate, fitted
from .join import Carried, check_tracks
from .options import FilmSettings
from .parts import Parts
from .record import FilmProvenance
from .sources import open_film
from .timeline import parse_timeline, portable

_FINEST = Fraction(1, 100_000)  # seconds; finer ticks do not fit into some containers


@dataclass(frozen=True)
class FilmJob:
    """A film to paint.

    Attributes:
        film: the film.
        target: file to write.
        recipe: what to paint with.
        settings: how to paint it as a film.
        size: width and height of the frames.
        coding: how the result is coded.
        carried: what is copied from the film.
        device: where to paint; see `Session`.
        keep_gps: keep the place where the film was taken.
        overwrite: replace an existing file, and parts of another film.
    """

    film: Film
    target: str
    recipe: Recipe
    settings: FilmSettings
    size: tuple[int, int]
    coding: Coding
    carried: Carried
    device: str = "auto"
    keep_gps: bool = False
    overwrite: bool = False

    @property
    def total(self) -> int | None:
        """About how many frames are painted; None if it is not known."""
        begin, end = self.settings.span
        length = self.film.info.duration
        if length is None and end is None:
            return None
        stop = min(each for each in (length, end) if each is not None)
        return max(1, round((stop - begin) * self.coding.rate))

    def frames(self, after: Fraction | None) -> Iterator[Frame]:
        """Yield the frames to paint.

        Args:
            after: time of the last frame that is painted already; None at the beginning.
        """
        begin, end = self.settings.span
        rate = self.settings.rate
        frames = self.film.frames(self.size, begin if after is None or rate is not None else max(begin, after))
        if rate is not None:  # counted from the first frame, so that the result does not depend on where it goes on
            frames = at_rate(frames, rate)
        for frame in frames:
            if end is not None and frame.time >= end:
                return
            if after is None or frame.time > after:
                yield frame

    def ticks_of(self, time: Fraction) -> int:
        """Return a time of the film as ticks of the result."""
        return round((time - self.carried.begin) / self.coding.ticks)

    def record(self, recipe: Recipe, stopped: str | None = None) -> dict[str, Any]:
        """Return what is stored in the result.

        Args:
            recipe: the recipe with the sha256 of its networks.
            stopped: why the film ended early, if it did.
        """
        kept = FilmProvenance(
            version=__version__,
            photo=Path(self.film.info.path).name,
            keep_gps=self.keep_gps,
            stopped=stopped,
            recipe=recipe.portable(),
            inputs=self._inputs(),
            film=self.settings.model_copy(
                update={"style_at": portable(self.settings.style_at, pictures=bool(self.recipe.styles))}
            ),
        )
        return kept.stored()

    def fingerprint(self) -> dict[str, Any]:
        """Return all that decides the result, as JSON data."""
        record = self.record(self.recipe)
        return {
            **{name: value for name, value in record.items() if name != "device"},
            "size": list(self.size),
            "coding": [self.coding.codec.encoder, self.coding.container, self.coding.crf, self.coding.alpha],
        }

    def _inputs(self) -> tuple[Input, ...]:
        names = [self.film.info.path, *(style.path for style in self.recipe.styles)]
        names += [part.mask for part in self.recipe.parts if part.mask not in (None, ALPHA)]  # pyright: ignore[reportArgumentType] (None is left out)
        files = [Path(name) for name in names if Path(name).is_file()]
        return tuple(Input(name=path.name, sha256=_sha256(path)) for path in files)


def plan_film(
    source: str,
    target: str,
    recipe: Recipe,
    settings: FilmSettings,
    *,
    device: str = "auto",
    keep_gps: bool = False,
    overwrite: bool = False,
) -> FilmJob:
    """Open a film, and check that it can be painted and written.

    Args:
        source: the film.
        target: file to write.
        recipe: what to paint with.
        settings: how to paint it as a film.
        device: see `Session`.
        keep_gps: keep the place where the film was taken.
        overwrite: replace an existing file.

    Raises:
        MissingExtraError: the libraries for films are not installed.
        RequestError: a setting is wrong, the film cannot be read, or its sound does not fit the target.
        OutputError: no file can be created in the folder.
    """
    require_extra()
    _check_recipe(recipe, settings)
    codec, container, crf = choose_codec(target, settings.codec, settings.crf)
    _check_target(source, target, recipe, overwrite=overwrite)
    film = open_film(source, settings.rate)
    info = film.info
    begin, end = settings.span
    if end is not None and end <= begin:
        raise RequestError(f"--to {settings.end} is not after --from {settings.begin or '0s'}; expected a later time")
    if info.duration is not None and begin >= info.duration:
        raise RequestError(
            f"--from is {settings.begin}, and {source} has {float(info.duration):.1f} s; expected an earlier time"
        )
    rate = settings.rate or info.rate
    ticks = 1 / rate if settings.rate else max(info.ticks, _FINEST)
    still = is_numbered(target) or Path(target).suffix.lower() in ANIMATIONS
    size = fitted(info.size, recipe.size, even=not still)
    coding = Coding(codec, container, size, ticks, rate, crf, info.alpha and bool(codec.alpha_pixels))
    tracks, told = check_tracks(coding, source, info.tracks, target) if settings.sound and not still else ([], [])
    if info.alpha and not coding.alpha:
        told.append(
            f"{codec.name} holds no transparency: the film is laid over white; --codec vp9 or prores keeps it"
        )
    told += _told_of_styles(settings, info.duration)
    if info.dynamic_range:
        told.append(f"{source} has a high dynamic range ({info.dynamic_range}), which is mapped to the standard one")
    for text in told:
        warnings.warn(text, ImpastoWarning, stacklevel=2)
    from .read import AvFilm

    carried = Carried(source if isinstance(film, AvFilm) else None, tracks, begin, end, keep_gps)
    painted = recipe.model_copy(update={"size": max(size)})
    return FilmJob(film, target, painted, settings, size, coding, carried, device, keep_gps, overwrite)


def _check_recipe(recipe: Recipe, settings: FilmSettings) -> None:
    if recipe.print is not None or recipe.start is not None:
        name = "--print" if recipe.print is not None else "--start"
        raise RequestError(f"{name} belongs to single pictures; expected a film without it: leave it out")
    if method(recipe.method).styles and not recipe.styles:
        raise RequestError("no style picture; expected one, as impasto video film.mp4 painting.jpg")
    parse_timeline(settings.style_at)


def _told_of_styles(settings: FilmSettings, duration: Fraction | None) -> list[str]:
    """Tell of the styles that nobody will see, because their time is after the end."""
    ends = [end for end in (settings.span[1], duration) if end is not None]
    if not ends:
        return []
    late = [text for text in settings.style_at if parse_timeline([text])[0][0] >= min(ends)]
    return [
        f"--style-at {text} is after the end, at {float(min(ends)):.1f} s: expected an earlier time" for text in late
    ]


def _check_target(source: str, target: str, recipe: Recipe, *, overwrite: bool) -> None:
    """Check that the target can be written; a film that was begun may be replaced by its end."""
    inputs = [source, *(style.path for style in recipe.styles)]
    inputs += [part.mask for part in recipe.parts if part.mask not in (None, ALPHA)]  # pyright: ignore[reportArgumentType] (None is left out)
    if is_numbered(target):
        return
    path = Path(target)
    check_apart({"the output": path}, [Path(name) for name in inputs if Path(name).is_file()])
    check_place(path, overwrite=overwrite or Parts.waiting(target))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
