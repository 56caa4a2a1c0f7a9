"""Records of a painting as it is made: snapshots, a loss log, a plot of the losses."""

from __future__ import annotations

import importlib.util
import io
import json
from abc import ABC, abstractmethod
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import MissingExtraError, OutputError, RequestError, near_misses
from ..images.atomic import check_place, write_atomically
from ..images.contact import contact_sheet, write_gif
from ..images.geometry import fitted_size
from ..images.picture import to_pil
from ..images.write import write
from ..painter import Step

_FILM_SIDE = 480  # pixels of the longest side in the animation
_STRIP_FRAMES = 8
_PLOTS = (".png", ".svg", ".pdf")


class Record(ABC):
    """Follows the steps of one painting. The constructor checks that its files can be written."""

    @abstractmethod
    def step(self, step: Step, seconds: float, /) -> None:
        """Record a step, `seconds` after the painting began."""

    @abstractmethod
    def finish(self) -> list[Path]:
        """Write what is written at the end, also after an interruption, and return the files made."""


class Snapshots(Record):
    """Every nth step as a numbered PNG file; at the end, an animation and a strip of them.

    Args:
        folder: where to write.
        every: n.
        overwrite: allow a folder that is not empty.

    Raises:
        RequestError: `every` is less than 1, or the folder is not empty.
        OutputError: the folder cannot be written.
    """

    def __init__(self, folder: Path, every: int, *, overwrite: bool) -> None:
        if every < 1:
            raise RequestError(f"--snapshot-every is {every}; expected 1 or more")
        if folder.is_dir():
            if any(folder.iterdir()) and not overwrite:
                raise RequestError(f"{folder} is not empty; expected a new folder, or --overwrite to write into it")
            check_place(folder / "film.gif", overwrite=True)
        else:
            check_place(folder, overwrite=False)
        self._folder, self._every = folder, every
        self._frames: list[Image.Image] = []
        self._labels: list[str] = []
        self._last: Step | None = None

    def step(self, step: Step, _seconds: float, /) -> None:
        """Write every nth step."""
        self._last = step
        if step.index % self._every == 0:
            self._keep(step)

    def finish(self) -> list[Path]:
        """Write the last step, whatever its number, then ``film.gif`` and ``strip.png``."""
        if self._last is None:
            return []
        if self._last.index % self._every:
            self._keep(self._last)
        film, strip = self._folder / "film.gif", self._folder / "strip.png"
        write_gif(self._frames, film, overwrite=True)
        count = min(len(self._frames), _STRIP_FRAMES)
        chosen = [round(i * (len(self._frames) - 1) / max(count - 1, 1)) for i in range(count)]
        sheet = contact_sheet(
            [self._frames[i] for i in chosen], columns=count, labels=[self._labels[i] for i in chosen]
        )
        out = io.BytesIO()
        sheet.save(out, "PNG")
        write_atomically(strip, out.getvalue(), overwrite=True)
        return [self._folder, film, strip]

    def _keep(self, step: Step) -> None:
        try:
            self._folder.mkdir(exist_ok=True)
        except OSError as error:
            raise OutputError(f"{self._folder} cannot be made ({error.strerror}); choose another folder") from None
        digits = max(4, len(str(step.total)))
        write(step.image, self._folder / f"step-{step.index:0{digits}}.png", overwrite=True)
        height, width = step.image.shape[2:]
        rows, columns = fitted_size(height, width, min(_FILM_SIDE, max(height, width)))
        self._frames.append(to_pil(step.image).resize((columns, rows), Image.Resampling.LANCZOS))
        self._labels.append(f"step {step.index}")


class LossLog(Record):
    """A file with one JSON object for each step: ``step``, ``total_steps``, ``note``, ``losses``, ``seconds``.

    Args:
        path: file to write.
        overwrite: replace an existing file.

    Raises:
        RequestError: the file exists.
        OutputError: it cannot be written.
    """

    def __init__(self, path: Path, *, overwrite: bool) -> None:
        check_place(path, overwrite=overwrite)
        self._path = path
        self._begun = False

    def step(self, step: Step, seconds: float, /) -> None:
        """Append a line. It is written immediately, so that the log can be followed."""
        line = {
            "step": step.index,
            "total_steps": step.total,
            "note": step.note,
            "losses": dict(step.losses),
            "seconds": round(seconds, 3),
        }
        try:
            with self._path.open("a" if self._begun else "w", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            raise OutputError(
                f"{self._path} cannot be written ({error.strerror}); make room, or log elsewhere"
            ) from None
        self._begun = True

    def finish(self) -> list[Path]:
        """Return the file; nothing is left to write."""
        return [self._path] if self._begun else []


class LossPlot(Record):
    """A plot of the loss terms over the steps, on a logarithmic scale.

    Args:
        path: file to write: PNG, SVG or PDF.
        overwrite: replace an existing file.

    Raises:
        RequestError: the ending is unknown, the file exists, or matplotlib is not installed.
        OutputError: it cannot be written.
    """

    def __init__(self, path: Path, *, overwrite: bool) -> None:
        if path.suffix.lower() not in _PLOTS:
            raise RequestError(
                f"plot {path} ends in {path.suffix or 'nothing'}; expected {', '.join(_PLOTS)}"
                f"{near_misses(path.suffix, _PLOTS)}"
            )
        if importlib.util.find_spec("matplotlib") is None:
            raise MissingExtraError("matplotlib", "plot", "--loss-plot")
        check_place(path, overwrite=overwrite)
        self._path = path
        self._terms: dict[str, list[tuple[int, float]]] = {}
        self._stages: list[tuple[int, str]] = []

    def step(self, step: Step, _seconds: float, /) -> None:
        """Remember the losses."""
        for name, value in step.losses.items():
            self._terms.setdefault(name, []).append((step.index, value))
        if step.index < step.total and step.note and (not self._stages or self._stages[-1][1] != step.note):
            self._stages.append((step.index, step.note))

    def finish(self) -> list[Path]:
        """Draw the plot; a method without losses gives none."""
        if not self._terms:
            return []
        out = io.BytesIO()
        _plot(self._terms, self._stages, self._path.suffix[1:].lower(), out)
        write_atomically(self._path, out.getvalue(), overwrite=True)
        return [self._path]


def _plot(
    terms: dict[str, list[tuple[int, float]]], stages: list[tuple[int, str]], form: str, out: io.BytesIO
) -> None:
    from matplotlib.figure import Figure  # not pyplot: no window, no global state

    figure = Figure(figsize=(8, 4.5), dpi=120, layout="constrained")
    axes = figure.subplots()
    for name, points in sorted(terms.items(), key=lambda term: term[0] != "total"):
        steps, values = zip(*points, strict=True)
        if name == "total":
            axes.plot(steps, values, label=name, color="0.8", linewidth=5)
        else:
            axes.plot(steps, values, label=name, linewidth=1.4)
    # A rejected step may have a loss that is millions of times larger. It may lie outside the frame.
    seen = [value for points in terms.values() for _, value in points if value > 0]
    if seen:
        low, high = np.percentile(seen, (3, 97))
        axes.set_ylim(low / 3, high * 3)
    if len(stages) > 1:
        top = axes.get_xaxis_transform()
        for step, note in stages:
            axes.axvline(step, color="0.85", linewidth=1, zorder=0)
            axes.text(step, 1.01, f" {note}", transform=top, fontsize=8, color="0.4")
    axes.set_yscale("log")
    axes.set_xlabel("step")
    axes.set_ylabel("weighted loss")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(out, format=form)
