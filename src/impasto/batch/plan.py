"""The plan of a batch: every painting to make, and all that stands in the way, before anything is painted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath

from ..errors import ImpastoError, RequestError
from ..images.atomic import end_of_links
from ..images.geometry import fitted_size
from ..images.header import Header, read_header
from ..images.write import check_size, check_target
from ..recipe import Recipe
from ..session.printing import check_print, size_of_print
from . import clips, storage
from .clip_names import is_clip
from .done import Done
from .inputs import Found, Photo, find_photos
from .jobs import Job, State, Writing
from .masks import MaskFolder
from .names import Pattern, same_file_key
from .problems import Problem
from .table import read_table
from .ways import Maker, Way


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to paint.

    Attributes:
        inputs: see `find_photos`.
        out: folder of the paintings, or an address in object storage.
        maker: makes recipes.
        styles: see `Maker.ways`.
        mix: mix the styles in one painting.
        table: a CSV file of photos, styles and settings, or None.
        columns: names of the settings that the table may have.
        pattern: names the paintings.
        mask_dir: folder with masks, or None.
        writing: how pictures are written.
    """

    inputs: Sequence[str]
    out: str | Path
    maker: Maker
    styles: Sequence[str] = ()
    mix: bool = False
    table: Path | None = None
    columns: Sequence[str] = ()
    pattern: Pattern = field(default_factory=Pattern)
    mask_dir: Path | None = None
    writing: Writing = field(default_factory=Writing)


@dataclass
class Plan:
    """What a batch will do.

    Attributes:
        out: folder of the paintings.
        jobs: what is to be painted, grouped by way.
        done: what is painted already.
        problems: what stands in the way.
        notes: what was left out, for people.
    """

    out: str | Path
    jobs: list[Job] = field(default_factory=list[Job])
    done: list[Job] = field(default_factory=list[Job])
    problems: list[Problem] = field(default_factory=list[Problem])
    notes: list[str] = field(default_factory=list[str])

    @property
    def outputs(self) -> set[str]:
        """The absolute paths of all paintings, also of those that are done or cannot be made."""
        named = [*(job.output for job in (*self.jobs, *self.done)), *(each.output for each in self.problems)]
        return {storage.absolute(name) for name in named if name}

    @property
    def photos(self) -> set[str]:
        """The file names of all photos."""
        named = [*(job.photo.path for job in (*self.jobs, *self.done)), *(each.name for each in self.problems)]
        return {PurePath(name).name for name in named}


@dataclass(frozen=True, slots=True)
class _Pair:
    """A photo and what to paint it with; `where` names the line of a table."""

    photo: Photo
    way: Way
    where: str


def make_plan(request: Request, done: Done, photos: Found | None = None) -> Plan:
    """Plan a batch.

    Args:
        request: what to paint.
        done: finds out what is painted already.
        photos: photos to plan for, instead of those that the request names.

    Returns:
        The plan; problems are in it.

    Raises:
        RequestError: no photos are found, a style or the table is wrong, or the output is no folder.
    """
    remote = storage.is_remote(request.out)
    if not remote:
        _check_out(Path(request.out))
    found = photos or Found()
    pairs = list(_from_table(request, found) if request.table is not None else _crossed(request, found, photos))
    plan = Plan(request.out, problems=found.problems, notes=found.notes)
    if not pairs and not found.problems and photos is None:
        raise RequestError(
            f"no photos are found in {', '.join(request.inputs)}; expected pictures such as .jpg or .png: check the "
            "folder"
        )
    jobs = _without_collisions(_named(request, pairs, plan), plan)
    if not remote:
        jobs = _without_paintings(jobs, plan)
    masks = None if request.mask_dir is None else MaskFolder(request.mask_dir)
    places = _Places(request.writing)
    header = _Headers()
    for job in jobs:
        try:
            if masks is not None:
                job = replace(job, masks=masks.find(job.photo, job.way))
            if not remote:
                job = replace(job, state=done.state(job))
                if job.state is State.DONE:
                    plan.done.append(job)
                    continue
                places.check(job)
            if is_clip(job.photo.path):
                job = clips.checked(job, request.writing)
            elif not storage.is_remote(job.photo.path):
                job = replace(job, size=header.of(job.photo.path).size)
            _check_painting(job)
        except ImpastoError as error:
            plan.problems.append(Problem(job.photo.path, str(error), job.output))
        else:
            plan.jobs.append(job)
    order = {id(way): number for number, way in enumerate(dict.fromkeys(job.way for job in plan.jobs))}
    plan.jobs.sort(key=lambda job: order[id(job.way)])  # so that each style is encoded once
    return plan


def _check_out(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise RequestError(f"the output {out} is a file; expected a folder: give another name")


def _crossed(request: Request, found: Found, given: Found | None) -> Iterator[_Pair]:
    """Every photo with every style."""
    ways = request.maker.ways(request.styles, mix=request.mix)
    if given is None:
        here = find_photos(request.inputs, request.out)
        found.photos, found.problems, found.notes = here.photos, here.problems, here.notes
    return (_Pair(photo, way, photo.path) for photo in found.photos for way in ways)


def _from_table(request: Request, found: Found) -> Iterator[_Pair]:
    """The photos of a table with their styles and settings. Lines that ask for the same share a way."""
    assert request.table is not None
    if request.inputs:
        raise RequestError(
            f"photos ({request.inputs[0]}) and the table {request.table} are both given; expected one of them"
        )
    rows, problems = read_table(request.table, request.columns)
    found.problems += problems
    ways: dict[tuple[str | None, tuple[tuple[str, str], ...]], list[Way]] = {}
    for row in rows:
        where = f"{request.table}, line {row.line}"
        key = (row.style, row.settings)
        try:
            if key not in ways:
                styles = request.styles if row.style is None else [row.style]
                ways[key] = request.maker.ways(styles, mix=request.mix, more=dict(row.settings))
        except ImpastoError as error:
            found.problems.append(Problem(where, f"{where}: {error}"))
            continue
        for way in ways[key]:
            yield _Pair(Photo(row.photo), way, where)


def _named(request: Request, pairs: Iterable[_Pair], plan: Plan) -> Iterator[tuple[_Pair, Job]]:
    """Name the painting of each pair."""
    inside: dict[str, bool] = {}
    root = None if storage.is_remote(request.out) else end_of_links(Path(request.out))
    for pair in pairs:
        try:
            name = request.pattern.name(pair.photo, pair.way)
        except RequestError as error:
            plan.problems.append(Problem(pair.where, str(error)))
            continue
        output = storage.join(str(request.out), name)
        folder = str(Path(output).parent)
        if folder not in inside:
            inside[folder] = root is None or end_of_links(Path(folder)).is_relative_to(root)
        if inside[folder]:
            yield pair, Job(pair.photo, pair.way, output)
        else:
            plan.problems.append(
                Problem(
                    pair.where,
                    f"{folder} is a link that leads out of {request.out}; expected a folder in it: remove the link",
                )
            )


def _without_collisions(named: Iterable[tuple[_Pair, Job]], plan: Plan) -> list[Job]:
    """The jobs whose output no earlier one writes."""
    first: dict[str, _Pair] = {}
    jobs: list[Job] = []
    for pair, job in named:
        before = first.setdefault(same_file_key(job.output), pair)
        if before is pair:
            jobs.append(job)
            continue
        what = "given twice" if before.where == pair.where else f"that of {before.where} too"
        plan.problems.append(
            Problem(
                pair.where,
                f"the output {job.output} of {pair.where} is {what}; expected two names: add {{name}}, {{folder}} or "
                "{style} to --pattern",
                job.output,
            )
        )
    return jobs


def _without_paintings(jobs: Sequence[Job], plan: Plan) -> list[Job]:
    """Leave out photos that are paintings, where the output folder is an input or holds one.

    An output that is an input is a problem.
    """
    root = end_of_links(Path(plan.out))
    local = {job.photo.path for job in jobs if not storage.is_remote(job.photo.path)}
    ends = {path: end_of_links(Path(path)) for path in local}
    outputs = {end_of_links(Path(job.output)) for job in jobs}
    paintings = {path for path, end in ends.items() if end.is_relative_to(root) and _is_painting(end, outputs)}
    plan.notes += [
        f"{path}, a painting in the output folder, is left out of the photos" for path in sorted(paintings)
    ]
    read = {end: path for path, end in ends.items() if path not in paintings}
    for way in {id(job.way): job.way for job in jobs}.values():
        named = [style.path for style in way.recipe.styles] + [way.recipe.start or ""]
        read |= {end_of_links(Path(name)): name for name in named if name}
    kept: list[Job] = []
    for job in jobs:
        if job.photo.path in paintings:
            continue
        if (path := read.get(end_of_links(Path(job.output)))) is None:
            kept.append(job)
            continue
        message = (
            f"the output {job.output} is {path}, which is painted from; expected another name: add {{style}} to "
            "--pattern, or give another folder"
        )
        plan.problems.append(Problem(job.photo.path, message, job.output))
    return kept


def _is_painting(path: Path, outputs: set[Path]) -> bool:
    if is_clip(path.name):
        return path in outputs or clips.record_in(str(path)) is not None
    try:
        return read_header(path).painted
    except ImpastoError:
        return path in outputs


def _check_painting(job: Job) -> None:
    """Refuse a painting that its format does not hold, or that would replace what impasto did not paint."""
    if job.size is None or job.frames is not None:
        return
    if job.way.recipe.print is not None:
        check_print(job.output, job.way.recipe, job.size)
        return
    check_size(job.output, *painted_size(job.way.recipe, job.size))


def painted_size(recipe: Recipe, photo: tuple[int, int]) -> tuple[int, int]:
    """Return width and height of a painting in pixels.

    Args:
        recipe: what is painted with.
        photo: width and height of the photo.
    """
    if recipe.print is not None:
        return size_of_print(recipe, photo)
    height, width = fitted_size(photo[1], photo[0], recipe.size)
    return width, height


class _Places:
    """Checks that paintings can be written; each folder and format is tried once."""

    def __init__(self, writing: Writing) -> None:
        self._writing = writing
        self._tried: dict[tuple[Path, str], ImpastoError | None] = {}

    def check(self, job: Job) -> None:
        """Check the place of a job.

        Raises:
            ImpastoError: it cannot be written, or something is there that impasto did not paint.
        """
        if is_clip(job.photo.path):
            self._writing.check_replaces(job.output, job.state)
            return
        output = Path(job.output)
        place = next(folder for folder in output.parents if folder.exists())
        key = place, output.suffix.lower()
        if key not in self._tried:
            self._tried[key] = self._try(place, output)
        if (error := self._tried[key]) is not None:
            raise error
        self._writing.check_replaces(job.output, job.state)

    def _try(self, place: Path, output: Path) -> ImpastoError | None:
        try:
            check_target(place / PurePath(output.name), True, quality=self._writing.quality, bits=self._writing.bits)
        except ImpastoError as error:
            return error
        return None


class _Headers:
    """Reads the header of a photo, and keeps the last one."""

    def __init__(self) -> None:
        self._path, self._header = "", Header(None)

    def of(self, path: str) -> Header:
        """Return the header of a photo."""
        if path != self._path:
            self._path, self._header = "", read_header(path)
            self._path = path
        return self._header
