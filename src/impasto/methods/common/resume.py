"""Files with the state of a painting, to resume an interrupted run: safetensors, written atomically."""

from __future__ import annotations

import hashlib
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from torch import Tensor

from ...errors import ImpastoWarning, OutputError, RequestError, WeightsError
from ...images.atomic import check_place
from ...painter import Checkpoint, State
from ...untrusted import shorten
from ...weights import container

KIND = "painting-state"
_EVERY = 60.0  # seconds between two states
_SHARE = 0.05  # largest share of the time to spend on writing: the state of a large picture takes gigabytes


class StateFile(Checkpoint):
    """Saves the state of a painting in a file, and resumes a painting from one.

    Args:
        path: file to write, ending in ``.safetensors``.
        resume: file to resume from; None to start from the beginning.
        every: seconds between two states, at least; more if writing one takes long.
        overwrite: allow `path` to exist. It may exist anyway if it is the file to resume from.

    Attributes:
        written: whether a state was written.

    Raises:
        RequestError: `path` exists or has another ending, or the file to resume from is missing.
        OutputError: `path` cannot be written.

    Examples:
        >>> settings = {"size": 64, "steps": 2}
        >>> recipe = impasto.make_recipe("gatys", [impasto.Style(path="painting.jpg")], settings=settings)
        >>> state = impasto.StateFile("state.safetensors", every=30)
        >>> painting = impasto.bind(recipe).keeping(state).paint("photo.jpg").done()
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
        self.written = False
        self._warned = False
        self._every = every
        self._next = time.monotonic() + every

    def load(self, origin: Mapping[str, Any]) -> State | None:
        """Read the state to resume from.

        Args:
            origin: see `Checkpoint.load`.

        Returns:
            The state; None if there is no file to resume from.

        Raises:
            RequestError: the file is damaged, or holds the state of another painting.

        Examples:
            >>> state.load({}) is None
            True
        """
        path = self._resume
        if path is None:
            return None
        try:
            tensors, metadata = container.load(path)
        except WeightsError:
            metadata, tensors = None, {}
        facts, then = (metadata.get(name) if metadata else None for name in ("facts", "origin"))
        if metadata is None or metadata["kind"] != KIND or not isinstance(facts, dict) or not isinstance(then, dict):
            raise RequestError(f"{path} is not a whole state of a painting; expected a file that --state wrote")
        for name in sorted(cast(dict[str, Any], then).keys() | origin.keys()):
            was, now = cast(dict[str, Any], then).get(name), origin.get(name)
            if was != now:
                raise RequestError(
                    f"{path} is the state of another painting: {name} was {_short(was)}, now it is {_short(now)}; "
                    "expected the same: repeat it, or start over without --resume"
                )
        # Clones: tensors in the mapped file are aligned differently, which changes the rounding of sums.
        return State({name: tensor.clone() for name, tensor in tensors.items()}, cast(dict[str, Any], facts), origin)

    def due(self) -> bool:
        """Return whether the time between two states has passed.

        Examples:
            >>> state.due()
            False
        """
        return time.monotonic() >= self._next

    def save(self, state: State) -> None:
        """Write a state, in place of the last one. If it cannot be written, a warning says so, and painting goes on.

        Args:
            state: see `Checkpoint.save`.

        Examples:
            >>> state.save(State({"image": torch.zeros(1, 3, 36, 48)}, facts={}, origin={}))
        """
        began = time.monotonic()
        metadata = {"kind": KIND, "facts": dict(state.facts), "origin": dict(state.origin)}
        try:
            container.save(self._path, state.tensors, metadata, half=False, overwrite=True)
            self.written = True
        except (OutputError, WeightsError) as error:
            if not self._warned:
                self._warned = True
                more = "the last state is an older one" if self.written else "there is no state to resume from"
                warnings.warn(f"state: {error}; painting goes on, and {more}", ImpastoWarning, stacklevel=2)
        ended = time.monotonic()
        self._next = ended + max(self._every, (ended - began) / _SHARE)


def digest(picture: Tensor) -> str:
    """Return the sha256 of a picture's shape and float32 pixels, in hexadecimal digits."""
    pixels = picture.detach().float().cpu().contiguous()
    found = hashlib.sha256(repr(tuple(pixels.shape)).encode())
    found.update(pixels.numpy().data)
    return found.hexdigest()


def _short(value: Any) -> str:
    """Shorten a value for a message: of a hash, the first digits."""
    if value is None:
        return "absent"
    text = shorten(value)
    return text[:12] if isinstance(value, str) and len(text) == 64 else text
