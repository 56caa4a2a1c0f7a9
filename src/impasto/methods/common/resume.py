"""States of paintings in files: safetensors, written whole or not at all, so that a killed run goes on."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from ...errors import OutputError, RequestError, WeightsError
from ...images.atomic import check_place
from ...painter import Checkpoint, State
from ...weights import container

KIND = "painting-state"
_EVERY = 60.0  # seconds between two states
_SHARE = 0.05  # of the time may go into writing them: a large picture's are gigabytes


class StateFile(Checkpoint):
    """A painting's state, in a file.

    Args:
        path: where to write, ending in ``.safetensors``.
        resume: the file to go on from; None to begin anew.
        every: seconds between two states; more where writing one takes long.
        overwrite: `path` may exist; it may anyhow where it is resumed from.

    Raises:
        RequestError: `path` exists or has another ending, or there is no file to resume.
        OutputError: `path` cannot be written.
    """

    def __init__(
        self, path: str | Path, *, resume: str | Path | None = None, every: float = _EVERY, overwrite: bool = False
    ) -> None:
        self._path = Path(path).expanduser()
        self._resume = None if resume is None else Path(resume).expanduser()
        if self._path.suffix != ".safetensors":
            raise RequestError(f"state {self._path} ends in {self._path.suffix!r}; expected .safetensors")
        if self._resume is not None and not self._resume.is_file():
            raise RequestError(f"no state {self._resume} to resume; expected a file that --state wrote")
        check_place(self._path, overwrite=overwrite or self._resume == self._path)
        self._every = every
        self._next = time.monotonic() + every

    def load(self, origin: Mapping[str, Any]) -> State | None:
        """See `Checkpoint.load`."""
        path = self._resume
        if path is None:
            return None
        try:
            tensors, metadata = container.load(path)
        except WeightsError:
            metadata, tensors = None, {}
        if metadata is None or metadata["kind"] != KIND:
            raise RequestError(f"{path} is not a whole state of a painting; expected a file that --state wrote")
        for name in sorted(metadata["origin"].keys() | origin.keys()):
            was, now = metadata["origin"].get(name), origin.get(name)
            if was != now:
                raise RequestError(
                    f"{path} is the state of another painting: {name} was {_short(was)}, now it is {_short(now)}; "
                    "expected the same: repeat it, or begin anew without --resume"
                )
        # Clones: what lies in the file is aligned otherwise, and sums come out otherwise.
        return State({name: tensor.clone() for name, tensor in tensors.items()}, metadata["facts"], origin)

    def due(self) -> bool:
        """See `Checkpoint.due`."""
        return time.monotonic() >= self._next

    def save(self, state: State) -> None:
        """See `Checkpoint.save`."""
        began = time.monotonic()
        metadata = {"kind": KIND, "facts": dict(state.facts), "origin": dict(state.origin)}
        try:
            container.save(self._path, state.tensors, metadata, half=False, overwrite=True)
        except WeightsError as error:
            raise OutputError(f"state {self._path} cannot be written: {error}") from None
        ended = time.monotonic()
        self._next = ended + max(self._every, (ended - began) / _SHARE)


def digest(picture: Tensor) -> str:
    """Hex sha256 of a picture's pixels, float32, and its shape."""
    pixels = picture.detach().float().cpu().contiguous()
    found = hashlib.sha256(repr(tuple(pixels.shape)).encode())
    found.update(pixels.numpy().data)
    return found.hexdigest()


def _short(value: Any) -> str:
    """A value as a message shows it: hashes by their first digits."""
    if value is None:
        return "absent"
    text = str(value)
    return text[:12] if isinstance(value, str) and len(text) == 64 else text
