"""Pictures to train on, from folders and ``.tar`` files, cropped at random.

A batch depends on the seed and its number alone. So a resumed run needs only the number of the step.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import math
import random
import tarfile
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Generic, TypeVar, cast

import numpy as np
import torch
from PIL import ContainerIO, Image, ImageOps
from torch import Tensor

from ..errors import RequestError
from ..images.visible import fill
from ..values import split_weight

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"})
MIN_SIDE = 16  # pixels; smaller pictures count as unreadable
_TRIES = 50  # unreadable pictures in a row that end a run
_NAMED = 5  # unreadable pictures that a message names
_UNREADABLE = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)


@contextlib.contextmanager
def pillow_silenced() -> Generator[None]:
    """Ignore Pillow's warnings, in all threads: filters of warnings belong to the process."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


@dataclass(frozen=True)
class _Entry:
    """Where a picture's bytes are: a part of a file; a size of -1 means up to its end."""

    path: Path
    name: str
    offset: int = 0
    size: int = -1

    def read(self) -> bytes:
        with self.path.open("rb") as file:
            file.seek(self.offset)
            return file.read(self.size)

    def has_header(self) -> bool:
        """Whether the file begins as a picture that is large enough. Only a few bytes are read."""
        try:
            with self.path.open("rb") as file:
                size = self.path.stat().st_size if self.size < 0 else self.size
                with Image.open(cast(IO[bytes], ContainerIO.ContainerIO(file, self.offset, size))) as image:
                    return min(image.size) >= MIN_SIDE
        except _UNREADABLE:
            return False


@dataclass
class Pictures:
    """All pictures of one kind, from several places with weights.

    Attributes:
        groups: the pictures of each place.
        shares: how often a place is drawn from, in proportion.
        description: one line for the record: places, counts, weights.
        names_hash: hash of the files' names within their places.
        broken: names of the files that could not be read so far.
    """

    groups: list[list[_Entry]]
    shares: list[float]
    description: str
    names_hash: str = ""
    broken: set[str] = field(default_factory=set[str])
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def find(cls, places: Sequence[str], kind: str) -> Pictures:
        """Look for pictures in folders, in ``.tar`` files, and in ``.tar`` files inside of folders.

        Args:
            places: ``PATH[:WEIGHT]``; a picture of a place with weight 2 is drawn twice as often.
            kind: photos or paintings, for messages.

        Raises:
            RequestError: a place does not exist or has no pictures, or a weight is no positive number.
        """
        groups: list[list[_Entry]] = []
        names = hashlib.sha256()
        shares: list[float] = []
        notes: list[str] = []
        for place in places:
            path, weight = _parse_place(place, kind)
            entries = _entries(path, kind)
            groups.append(entries)
            shares.append(weight * len(entries))
            notes.append(f"{path.name} ({len(entries)} at weight {weight:g})")
            names.update(
                "\0".join([str(weight), *(entry.name.removeprefix(str(path)) for entry in entries)]).encode()
            )
        if not groups:
            raise RequestError(f"no {kind} to train on; give a folder or a .tar file")
        return cls(groups, shares, ", ".join(notes), names.hexdigest())

    @classmethod
    def none(cls) -> Pictures:
        """Return pictures of which there are none."""
        return cls([], [], "none")

    def __len__(self) -> int:
        return sum(map(len, self.groups))

    def hold_out(self, count: int, seed: int) -> list[_Entry]:
        """Remove `count` readable pictures, chosen by the seed, and return them.

        Raises:
            RequestError: there are fewer than twice as many pictures, or fewer readable ones.
        """
        if len(self) < 2 * count:
            fewer = f", or --held-out {len(self) // 2}" if len(self) > 1 else ""
            raise RequestError(
                f"{len(self)} pictures ({self.description}); expected at least {2 * count}, twice --held-out: give "
                f"more{fewer}"
            )
        rng = random.Random(f"{seed}/held-out")
        taken: list[_Entry] = []
        order = [(g, i) for g, group in enumerate(self.groups) for i in range(len(group))]
        rng.shuffle(order)
        for g, i in order:
            if len(taken) == count:
                break
            if self._open(self.groups[g][i]) is not None:
                taken.append(self.groups[g][i])
        if len(taken) < count:
            raise RequestError(
                f"only {len(taken)} readable pictures in {self.description}; expected at least {count}"
            )
        gone = set(taken)
        for g, group in enumerate(self.groups):
            kept = [entry for entry in group if entry not in gone]
            self.shares[g] *= len(kept) / max(1, len(group))
            self.groups[g] = kept
        return taken

    def choose(self, count: int, longest: int, seed: int) -> list[np.ndarray]:
        """Read readable pictures chosen by the seed, at most `count`, of at most `longest` pixels: H×W×3 uint8."""
        rng = random.Random(f"{seed}/chosen")
        entries = [entry for group in self.groups for entry in group]
        rng.shuffle(entries)
        found: list[np.ndarray] = []
        for entry in entries:
            if len(found) == count:
                break
            if (image := self._open(entry)) is not None:
                image.thumbnail((longest, longest), Image.Resampling.LANCZOS)
                found.append(np.asarray(image))
        return found

    def check_headers(self, seconds: float) -> None:
        """Note in `broken` the files that do not begin as a picture; stop after some time. Others are met later."""
        end = time.monotonic() + seconds
        for entry in (entry for group in self.groups for entry in group):
            if time.monotonic() > end:
                return
            if not entry.has_header():
                with self._lock:
                    self.broken.add(entry.name)

    def load(self, entry: _Entry, longest: int) -> Tensor:
        """Read a whole picture, 1×3×H×W in [0, 1], with its longest side resized to `longest` pixels."""
        image = self._open(entry)
        assert image is not None, entry
        scale = longest / max(image.size)
        image = image.resize([max(MIN_SIDE, round(n * scale)) for n in image.size], Image.Resampling.LANCZOS)
        return _to_batch([np.asarray(image)])

    def draw(self, rng: random.Random, cropping: Cropping) -> np.ndarray:
        """Draw a random crop, side×side×3 uint8. Unreadable pictures are skipped and noted in `broken`.

        Raises:
            RequestError: 50 pictures in a row cannot be read.
        """
        for _ in range(_TRIES):
            group = rng.choices(self.groups, self.shares)[0]
            image = self._open(rng.choice(group))
            if image is not None:
                return cropping(image, rng)
        raise RequestError(
            f"{_TRIES} pictures in a row could not be read ({self.description}); "
            f"{len(self.broken)} are broken, such as {min(self.broken)}: repair or remove them"
        )

    def _open(self, entry: _Entry) -> Image.Image | None:
        try:
            with Image.open(io.BytesIO(entry.read())) as image:
                picture = _opaque(ImageOps.exif_transpose(image))
        except _UNREADABLE:
            picture = None
        if picture is None or min(picture.size) < MIN_SIDE:
            with self._lock:
                self.broken.add(entry.name)
            return None
        return picture


def name_some(broken: Sequence[str]) -> str:
    """A line about files that could not be read, with the names of the first few."""
    return f"{len(broken)} unreadable picture{'s' * (len(broken) > 1)} left out: {first_names(broken)}"


def first_names(names: Sequence[str]) -> str:
    """The first few of several names, and how many more there are."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"


def _opaque(image: Image.Image) -> Image.Image:
    """The picture in RGB; of a transparent one, what can be seen.

    Raises:
        ValueError: nothing can be seen.
    """
    if not image.has_transparency_data:
        return image.convert("RGB")
    values = np.asarray(image.convert("RGBA"))
    alpha = values[..., 3].astype(np.float32)
    if not alpha.any():
        raise ValueError("all of it is transparent")
    return Image.fromarray(values[..., :3].copy() if alpha.min() == 255 else fill(values[..., :3], alpha))


def _parse_place(text: str, kind: str) -> tuple[Path, float]:
    """Read ``PATH[:WEIGHT]``.

    Raises:
        RequestError: the weight is no positive number.
    """
    path, weight = split_weight(text.strip())
    if weight is not None and not 0 < weight < math.inf:
        raise RequestError(
            f"{kind}: the weight in {text!r} is {weight:g}; expected a positive number, which says how often "
            f"pictures from there are drawn, such as {path}:2: leave the place out to draw none"
        )
    return Path(path).expanduser(), 1.0 if weight is None else weight


def _entries(place: Path, kind: str) -> list[_Entry]:
    if not place.exists():
        raise RequestError(f"{kind}: {place} does not exist; expected a folder of pictures or a .tar file")
    files = sorted(p for p in place.rglob("*") if p.is_file()) if place.is_dir() else [place]
    found: list[_Entry] = []
    for file in files:
        if file.suffix.lower() == ".tar":
            found += _members(file)
        elif file.suffix.lower() in SUFFIXES:
            found.append(_Entry(file, str(file)))
    if not found:
        raise RequestError(f"{kind}: no pictures in {place}; expected {', '.join(sorted(SUFFIXES))} or .tar files")
    return found


def _members(file: Path) -> list[_Entry]:
    try:
        with tarfile.open(file, "r:") as tar:
            return [
                _Entry(file, f"{file}/{member.name}", member.offset_data, member.size)
                for member in tar
                if member.isfile() and Path(member.name).suffix.lower() in SUFFIXES
            ]
    except tarfile.TarError as error:
        raise RequestError(f"{file} is not a whole .tar file without compression: {error}") from None


@dataclass(frozen=True)
class Cropping:
    """How a crop is cut.

    Attributes:
        side: side of the crop in pixels.
        resize: the picture's short side is resized to this, and the crop is cut from that. If None, a square of
            random size, between `side` and the picture's short side, is cut and scaled to `side`.
        squash: with `resize`, both sides of the picture are resized to it.
    """

    side: int
    resize: int | None = None
    squash: bool = False

    def __call__(self, image: Image.Image, rng: random.Random) -> np.ndarray:
        """Cut a crop, side×side×3 uint8; every second one, on average, is mirrored."""
        width, height = image.size
        short = min(width, height)
        if self.resize is None:
            square = rng.uniform(min(self.side, short), short)
            box_width = box_height = square
        else:
            share = min(1.0, self.side / self.resize)
            box_width, box_height = (width * share, height * share) if self.squash else (short * share,) * 2
        left, top = rng.uniform(0, width - box_width), rng.uniform(0, height - box_height)
        box = (left, top, left + box_width, top + box_height)
        crop = image.resize((self.side, self.side), Image.Resampling.BICUBIC, box=box)
        return np.asarray(ImageOps.mirror(crop) if rng.random() < 0.5 else crop)


def _to_batch(crops: Sequence[np.ndarray]) -> Tensor:
    """Crops H×W×3 uint8 -> N×3×H×W float32 in [0, 1]; N is 0 where there are none."""
    if not crops:
        return torch.empty(0, 3, 0, 0)
    stacked = torch.from_numpy(np.stack(crops))
    return stacked.permute(0, 3, 1, 2).float().div_(255).contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True)
class Batches:
    """Makes batches of photos and paintings by their number.

    Attributes:
        photos: to draw from.
        paintings: to draw from; `Pictures.none()` for a task that learns from photos alone.
        cropping: how crops are cut.
        counts: crops of photos and of paintings in a batch.
        seed: of the draws.
        rank: number of this process, from 0; each process draws its own crops.
        world: number of processes.
    """

    photos: Pictures
    paintings: Pictures
    cropping: Cropping
    counts: tuple[int, int]
    seed: int
    rank: int = 0
    world: int = 1

    @property
    def sources(self) -> dict[str, dict[str, str]]:
        """What a checkpoint keeps of the pictures, to see whether a resumed run has the same."""
        kinds = {"photos": self.photos, "paintings": self.paintings}
        return {
            kind: {"description": pictures.description, "names": pictures.names_hash}
            for kind, pictures in kinds.items()
        }

    @property
    def broken(self) -> list[str]:
        """Names of the files that could not be read so far, sorted."""
        return sorted(self.photos.broken | self.paintings.broken)

    def __call__(self, number: int) -> tuple[Tensor, Tensor]:
        """Return the crops of a step: photos and paintings, each N×3×S×S float32 in [0, 1]."""
        rng = random.Random(f"{self.seed}/{number * self.world + self.rank}")
        photos, paintings = (
            _to_batch([pictures.draw(rng, self.cropping) for _ in range(count)])
            for pictures, count in zip((self.photos, self.paintings), self.counts, strict=True)
        )
        return photos, paintings


T = TypeVar("T")


class Prefetch(Generic[T]):
    """Calls ``make(start)`` to ``make(end - 1)`` in threads, ahead of need. Entering yields the results in order."""

    def __init__(self, make: Callable[[int], T], start: int, end: int, workers: int) -> None:
        self._make, self._next, self._end = make, start, end
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="impasto-data")
        self._waiting: deque[Future[T]] = deque()
        self._depth = workers + 1

    def __enter__(self) -> Iterator[T]:
        return self._results()

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _results(self) -> Iterator[T]:
        while True:
            while len(self._waiting) < self._depth and self._next < self._end:
                self._waiting.append(self._pool.submit(self._make, self._next))
                self._next += 1
            if not self._waiting:
                return
            yield self._waiting.popleft().result()
