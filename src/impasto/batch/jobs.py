"""`Job`: one painting of a batch; and how all of its paintings are written."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from ..errors import OutputError
from ..recipe import Recipe
from ..session.painting import Painting
from .inputs import Photo
from .ways import Way


class State(Enum):
    """What lies where a painting goes."""

    ABSENT = "absent"  # nothing
    DONE = "done"  # this painting
    CHANGED = "changed"  # a painting by another recipe, or from another photo
    BROKEN = "broken"  # a part of a picture
    FOREIGN = "foreign"  # something that impasto did not paint


@dataclass(frozen=True, slots=True)
class Job:
    """One painting to make.

    Attributes:
        photo: the photo.
        way: what to paint it with.
        output: the file to write.
        masks: a mask for each style, None for everywhere; None if the recipe's are used.
        size: width and height of the photo; None if they are not known.
        frames: number of frames of a clip, about; None for a photo.
        state: what was found at `output` when the batch was planned.
    """

    photo: Photo
    way: Way
    output: str
    masks: tuple[str | None, ...] | None = None
    size: tuple[int, int] | None = None
    frames: int | None = None
    state: State = State.ABSENT

    @property
    def recipe(self) -> Recipe:
        """What to paint with, with the masks of this photo."""
        return self.way.recipe if self.masks is None else self.way.recipe.with_masks(self.masks)


@dataclass(frozen=True, kw_only=True)
class Writing:
    """How pictures are written; see `Painting.save`.

    Attributes:
        quality: of lossy formats, 1 to 100.
        bits: of a channel.
        keep_gps: keep the place where a photo was taken.
        overwrite: replace files that impasto did not paint, too.
    """

    quality: int = 95
    bits: int = 8
    keep_gps: bool = False
    overwrite: bool = False

    def check_replaces(self, output: str, state: State) -> None:
        """Check that a painting may replace what lies in its place.

        Raises:
            OutputError: impasto did not paint that.
        """
        if state is State.FOREIGN and not self.overwrite:
            raise OutputError(f"{output} exists, and impasto did not paint it; expected a new name, or --overwrite")

    def save(self, painting: Painting, path: Path, *, overwrite: bool) -> None:
        """Write a painting."""
        painting.save(path, overwrite=overwrite, quality=self.quality, bits=self.bits, keep_gps=self.keep_gps)
