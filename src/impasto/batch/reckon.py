"""Reckons what a batch takes: room on the disk, time and memory, from the pixels of the photos."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from .. import memory
from ..images.picture import Picture
from ..images.samples import reduction
from ..methods import method
from .jobs import Job, Writing
from .plan import Plan, painted_size
from .problems import Problem

if TYPE_CHECKING:
    from torch import device

    from ..painter import Painter
    from ..session.session import Session
    from .ways import Way

_BYTES = {  # of a painting's pixel in 8 bits; strokes take more than a photo does
    ".png": 2.4,
    ".tif": 2.4,
    ".tiff": 2.4,
    ".webp": 0.7,
    ".avif": 0.8,
    ".jxl": 0.9,
}
_JPEG = 1.2
_FRAME = 0.15  # bytes of a painted film's pixel
_HELD_FRAMES = 12  # of a clip at a time
_DEEP = 2.2  # how many times as many bytes 16 bits take
_RECORD = 3000  # bytes of recipe and profile
_UNKNOWN = (4000, 3000)  # size of a photo that only decoding tells
_SLACK = 1.5  # how much longer a painting takes than its multiply-adds do in one convolution
_READ, _WRITE = 3e-8, 6e-8  # seconds a pixel, beside the painting where there are two cores
_LEFT_FREE = 20e6  # bytes that a disk keeps


@dataclass(frozen=True)
class Needs:
    """What a batch takes.

    Attributes:
        disk: bytes of the paintings.
        free: bytes that are free where they go.
        seconds: how long painting takes, without loading; None if it cannot be told.
        memory: bytes of pictures that wait beside the one that is painted.
    """

    disk: float
    free: float
    seconds: float | None
    memory: float


def reckon(plan: Plan, writing: Writing, session: Session | None) -> Needs:
    """Reckon what a plan takes, and add what is too much to its problems.

    Bytes are those of usual paintings, by format and pixels. Seconds are the multiply-adds of each painting at the
    speed of one convolution on this machine, timed now, with half as much again.

    Args:
        plan: the plan. Jobs that do not fit into memory become problems.
        writing: how pictures are written.
        session: loads networks, to reckon time and memory; None leaves both out.
    """
    disk = sum(_bytes_of(job, writing) for job in plan.jobs)
    free = float(_free(plan.out))
    if disk + _LEFT_FREE > free:
        plan.problems.append(
            Problem(
                str(plan.out),
                f"the paintings take about {memory.describe(disk)}, and {plan.out} has {memory.describe(free)} free, "
                f"of which {memory.describe(_LEFT_FREE)} stay free; expected "
                "more room: free some, or give another folder or format",
                of_all=True,
            )
        )
    held = max((decoded_bytes(job) for job in plan.jobs), default=0.0)
    seconds = _seconds(plan, session) if session is not None and plan.jobs else None
    return Needs(disk, free, seconds, held)


def decoded_bytes(job: Job) -> float:
    """Return the bytes of a photo and its painting in memory, with what decoding and encoding them takes."""
    width, height = job.size or _UNKNOWN
    pixels = width * height
    if job.frames is not None:
        return pixels * 12 * _HELD_FRAMES
    used = pixels / reduction(width, height, job.way.recipe.sides_used().photo) ** 2
    across, down = painted_size(job.way.recipe, (width, height))
    return pixels * 4 + used * 12 + across * down * 30


def _bytes_of(job: Job, writing: Writing) -> float:
    width, height = painted_size(job.way.recipe, job.size or _UNKNOWN)
    if job.frames is not None:
        return width * height * _FRAME * job.frames
    each = _BYTES.get(PurePath(job.output).suffix.lower(), _JPEG)
    return width * height * each * (_DEEP if writing.bits == 16 else 1) + _RECORD


def _free(out: str | Path) -> int:
    import psutil

    place = next(folder for folder in (Path(out), *Path(out).absolute().parents) if folder.exists())
    return psutil.disk_usage(str(place)).free


def _seconds(plan: Plan, session: Session) -> float:
    work, pixels = 0.0, 0
    refused: set[int] = set()
    for way, jobs in _by_way(plan.jobs).items():
        painter = painter_of(way, session)
        sizes = Counter[tuple[int, int]]()
        for job in jobs:
            sizes[job.size or _UNKNOWN] += job.frames or 1
        for size, count in sizes.items():
            work += count * painter.estimate_work((size[1], size[0]))
            pixels += count * size[0] * size[1]
        refused |= {id(job) for job in _too_large(painter, jobs, plan)}
    plan.jobs[:] = [job for job in plan.jobs if id(job) not in refused]
    return _SLACK * work / _speed(session.device) + (_READ + _WRITE / 4) * pixels


def _by_way(jobs: list[Job]) -> dict[Way, list[Job]]:
    found: dict[Way, list[Job]] = {}
    for job in jobs:
        found.setdefault(job.way, []).append(job)
    return found


def painter_of(way: Way, session: Session) -> Painter:
    """Return the painter of a way, with its networks loaded. It encodes no style until it paints.

    Raises:
        RequestError: a network or a style cannot be read.
    """
    recipe = way.recipe
    nets = method(recipe.method).load(recipe, session.device, session.cache.keep)
    styles = [_pixels(session.read(style.path, recipe.sides_used().style)) for style in recipe.styles]
    return method(recipe.method).bound(recipe, nets, styles)


def _pixels(picture: Picture):
    return picture.pixels


def _too_large(painter: Painter, jobs: list[Job], plan: Plan) -> list[Job]:
    """The jobs that do not fit into the recipe's memory; they become problems of the plan."""
    if painter.recipe.memory is None or painter.recipe.print is not None:
        return []
    found: list[Job] = []
    for job in sorted(jobs, key=lambda job: -_area(job)):
        width, height = painted_size(job.way.recipe, job.size or _UNKNOWN)
        try:
            painter.check_memory((height, width), regions=job.masks is not None)
        except memory.ShortageError as error:
            found.append(job)
            plan.problems.append(Problem(job.photo.path, f"{job.photo.path}: {error}", job.output))
        else:
            break
    return found


def _area(job: Job) -> int:
    width, height = painted_size(job.way.recipe, job.size or _UNKNOWN)
    return width * height


def _speed(on: device) -> float:
    """Multiply-adds a second of a convolution, the best of a few."""
    import torch

    from ..runtime import compute_dtype, isolated

    channels, side = 64, 192
    with isolated(), torch.inference_mode():
        dtype = compute_dtype(on, "auto")
        picture = torch.zeros(1, channels, side, side, device=on, dtype=dtype)
        kernel = torch.zeros(channels, channels, 3, 3, device=on, dtype=dtype)
        picture, kernel = (each.contiguous(memory_format=torch.channels_last) for each in (picture, kernel))
        best = float("inf")
        for _ in range(5):
            began = time.perf_counter()
            torch.nn.functional.conv2d(picture, kernel, padding=1).sum().item()
            best = min(best, time.perf_counter() - began)
    return channels * channels * 9 * side * side / best
