"""The files that a training run leaves in its folder."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

from PIL import Image
from torch.optim import Optimizer

from ..errors import ImpastoWarning, OutputError, SkippedWarning
from ..images.atomic import write_atomically
from ..weights.files import CHECKPOINT, TRAINED
from ..weights.shipped import save_net
from .average import RunningMean
from .curve import STOPPED, draw_curve
from .data import Batches, name_some
from .journal import Journal
from .progress import Clock
from .state import State, random_state, save_state
from .task import Task

UNREADABLE = "unreadable.txt"
"""File in the folder of a run with the names of the pictures that could not be read."""

_STOP_PHOTOS = 2  # held-out pictures on the sheet of a stop, which shall take no longer than a few seconds


def sheet_path(out: Path, step: int) -> Path:
    """The sample sheet of a step in the folder of a run."""
    return out / f"sheet-{step:06d}.png"


class Results:
    """Checkpoint, net, sheets, curve and names of unreadable pictures; each file is written whole or not at all.

    Args:
        out: folder of the run.
        task: what is learned.
        average: running mean of the weights, which is what the net becomes.
        batches: the pictures.
        metadata: what the net records, with the recipe, which may change on the way.
        done: steps done.

    Attributes:
        done: steps done, kept up by the loop.
    """

    def __init__(
        self,
        out: Path,
        task: Task,
        average: RunningMean,
        batches: Batches,
        metadata: Mapping[str, Any],
        done: int,
    ) -> None:
        self.out, self.task, self.average, self.batches, self.metadata = out, task, average, batches, metadata
        self.done = self._start = self._shown = done

    def save_checkpoint(self, optimiser: Optimizer, clock: Clock) -> None:
        """Write all that the next step depends on."""
        save_state(
            self.out / CHECKPOINT,
            State(
                step=self.done,
                net=self.task.net.state_dict(),
                ema=self.average.weights,
                optimiser=optimiser.state_dict(),
                rng=random_state(),
                recipe=dict(self.metadata["recipe"]),
                sources=self.batches.sources,
                spent=clock.spent(),
            ),
        )

    def validate(self, journal: Journal, clock: Clock) -> None:
        """Validate the running mean, and write it as the net, with a sheet and the curve."""
        figures, sheet = self._paint()
        journal.write(self.done, {"validation": figures})
        self._save_net(figures, clock)
        self._save_sheet(sheet)
        draw_curve(self.out)

    def save_unvalidated(self, journal: Journal, clock: Clock, losses: Mapping[str, float] | None = None) -> None:
        """Write the running mean as the net, with a sheet of a few pictures and the curve."""
        self._save_net({}, clock)
        if losses is not None:
            journal.write(self.done, {STOPPED: True, "loss": sum(losses.values()), **losses})
        self._save_sheet(self._paint(_STOP_PHOTOS)[1])
        draw_curve(self.out)

    @contextlib.contextmanager
    def keeping(self, journal: Journal, clock: Clock) -> Generator[None]:
        """Save what was learned, as far as possible, where an error ends the block."""
        try:
            yield
        except Exception:
            if self.done > self._shown:
                with contextlib.suppress(Exception):  # the error that ended the run is what counts
                    self.save_unvalidated(journal, clock)
            kept = [name for name in (TRAINED, CHECKPOINT) if (self.out / name).exists()]
            if self.done > self._start and kept:
                warnings.warn(
                    f"an error ended the run after step {self.done}; {self.out} keeps {' and '.join(kept)}"
                    f"{', for --resume' if CHECKPOINT in kept else ''}",
                    ImpastoWarning,
                    stacklevel=2,
                )
            raise

    @contextlib.contextmanager
    def naming_unreadable(self) -> Generator[None]:
        """Name the pictures that could not be read after the block, if it took any step."""
        try:
            yield
        finally:
            broken = self.batches.broken
            if broken and self.done > self._start:
                where = ""
                with contextlib.suppress(OutputError):
                    names = "".join(f"{name}\n" for name in broken)
                    write_atomically(self.out / UNREADABLE, names.encode(errors="replace"), overwrite=True)
                    where = f"; {self.out / UNREADABLE} names all"
                warnings.warn(f"{name_some(broken)}{where}", SkippedWarning, stacklevel=2)

    def _paint(self, most: int | None = None) -> tuple[dict[str, float], Image.Image]:
        """Validate the running mean, by at most so many held-out pictures."""
        with self.average.in_place(self.task.net):
            self.task.net.eval()
            try:
                return self.task.validate() if most is None else self.task.validate(most)
            finally:
                self.task.net.train()

    def _save_net(self, figures: Mapping[str, float], clock: Clock) -> None:
        """Write the running mean as the net, with the figures of its validation, if there was one."""
        done = {
            "steps": self.done,
            "validation": figures,
            "unreadable": len(self.batches.broken),
            "crops_per_second": clock.mean(),  # images/s: a crop of a photo or a painting is an image
        }
        save_net(self.out / TRAINED, self.average.weights, {**self.task.metadata(), **self.metadata, **done})

    def _save_sheet(self, sheet: Image.Image) -> None:
        out = io.BytesIO()
        sheet.save(out, "PNG")
        write_atomically(sheet_path(self.out, self.done), out.getvalue(), overwrite=True)
        self._shown = self.done
