"""The parts of a film that is being painted: segments, and the state from which painting goes on after the last one.

They lie in a folder beside the film until it is whole. A segment counts once the state after it is written.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import OutputError, RequestError
from ..images.atomic import make_folder, write_atomically
from ..untrusted import read_json

Arrays = Mapping[str, NDArray[Any]]

_JOB, _STATE, _ROOM = "job.json", "state.safetensors", "room"
_LEAST_ROOM = 4_000_000  # bytes that are kept free for the end of a film on a full disk


@dataclass(frozen=True)
class Segment:
    """A coded segment.

    Attributes:
        data: bytes of its container.
        times: time and duration of each of its frames, in ticks.
    """

    data: bytes
    times: list[tuple[int, int]]


class Parts:
    """The folder of a film's parts.

    Args:
        target: the film.
        job: all that decides the film, as JSON data. Parts of another job are refused.
        overwrite: parts of another job may be removed.

    Attributes:
        folder: the folder.
        count: number of whole segments.
        state: arrays and JSON data to go on from; None at the beginning.

    Raises:
        RequestError: there are parts of another job.
        OutputError: the folder cannot be made.
    """

    def __init__(self, target: str, job: Mapping[str, Any], *, overwrite: bool) -> None:
        self.folder, self.count = folder_of(target), 0
        self.state: tuple[Arrays, dict[str, Any]] | None = None
        self._job = json.loads(json.dumps(job))
        found = _json_in(self.folder / _JOB)
        if found is not None and found != self._job:
            if not overwrite:
                names = sorted(name for name in {*found, *self._job} if found.get(name) != self._job.get(name))
                raise RequestError(
                    f"{self.folder} has parts of another film (it differs in {', '.join(names)}); expected the same "
                    "command, which goes on: give another -o, or --overwrite to begin anew"
                )
            self.remove()
        elif found is not None:
            self._load()
        make_folder(self.folder)
        write_atomically(self.folder / _JOB, json.dumps(self._job).encode(), overwrite=True)

    @staticmethod
    def waiting(target: str) -> bool:
        """Say whether a film was begun and not finished."""
        return (folder_of(target) / _JOB).is_file()

    def keep_room(self, amount: int) -> None:
        """Keep so many bytes, and some more, to finish the film if the disk is full."""
        path = self.folder / _ROOM
        try:
            with path.open("wb") as file:
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(file.fileno(), 0, amount + _LEAST_ROOM)
        except OSError as error:
            path.unlink(missing_ok=True)
            raise OutputError(
                f"{path} cannot be written ({error.strerror}); expected room for a film: make some"
            ) from None

    def free_room(self, *, state: bool = True) -> None:
        """Free what `keep_room` keeps, and the state if it is not needed to go on."""
        for name in (_ROOM, *([_STATE] if state else [])):
            (self.folder / name).unlink(missing_ok=True)

    def save(self, segment: Segment, arrays: Arrays, facts: Mapping[str, Any]) -> None:
        """Save the next segment, and the state after it.

        Raises:
            OutputError: the system refuses.
        """
        from safetensors.numpy import save

        place = self._place(self.count)
        write_atomically(place, segment.data, overwrite=True)
        write_atomically(place.with_suffix(".json"), json.dumps(segment.times).encode(), overwrite=True)
        whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        state = save(whole, {"facts": json.dumps(facts), "segments": str(self.count + 1)})
        write_atomically(self.folder / _STATE, state, overwrite=True)
        self.count += 1

    def segments(self, *, remove: bool = False) -> Iterator[Segment]:
        """Yield the whole segments; if `remove`, each is removed when the next one is asked for."""
        for number in range(self.count):
            place = self._place(number)
            times = _json_in(place.with_suffix(".json")) or []
            yield Segment(place.read_bytes(), [(int(time), int(duration)) for time, duration in times])
            if remove:
                place.unlink(missing_ok=True)

    def end(self) -> int:
        """Return the time at which the last whole segment ends, in ticks."""
        times = _json_in(self._place(self.count - 1).with_suffix(".json")) if self.count else None
        return int(sum(times[-1])) if times else 0

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.count, self.state = 0, None

    def _load(self) -> None:
        from safetensors import SafetensorError, safe_open

        path = self.folder / _STATE
        if not path.is_file():
            return
        try:
            with safe_open(str(path), "numpy") as file:
                about = file.metadata() or {}
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no mapping)
            facts, count = read_json(about["facts"]), int(about["segments"])
        except (SafetensorError, OSError, KeyError, ValueError) as error:
            raise RequestError(
                f"{path} is damaged ({error}); expected the state of a film: remove {self.folder} to begin anew"
            ) from None
        if all(self._place(number).is_file() for number in range(count)):
            self.count, self.state = count, (arrays, facts)

    def _place(self, number: int) -> Path:
        return self.folder / f"segment-{number:06}.part"


def folder_of(target: str) -> Path:
    """Return the folder of a film's parts; of numbered pictures, beside their folder."""
    path = Path(target)
    return path.with_name(f"{path.name.replace('%', '')}.parts")


def _json_in(path: Path) -> Any:
    try:
        return read_json(path.read_bytes())
    except (OSError, ValueError):
        return None
