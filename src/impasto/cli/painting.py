"""One painting from the command line: the flags of its output, its signals, and the report on it."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter

from ..control import ending_signals
from ..errors import ImpastoError, RequestError
from ..images.atomic import check_apart
from ..images.read import stated_size
from ..images.source import STANDARD_STREAM
from ..images.write import check_target
from ..recipe import ALPHA, Recipe
from ..session.painting import FINISHED, Painting
from ..session.painting import INTERRUPTED as INTERRUPTED_WORK
from . import DONE, FAILED, INTERRUPTED
from .flags import OUTPUT, RECORDS, shown_if
from .progress import display
from .sizes import check_painting_size

if TYPE_CHECKING:
    from ..methods.common.resume import StateFile
    from ..session.inputs import ImageLike
    from ..session.records import Record

_MOST_NAMES = 1000  # names tried for a picture that cannot be written where it should


def option(
    help: str,
    group: Group = OUTPUT,
    *,
    plain: bool = False,
    name: tuple[str, ...] = (),
    default: str | bool | None = None,
) -> Parameter:
    """Make the parameter of a flag that is a field of a dataclass."""
    return Parameter(
        name=name or None, help=help, group=group, negative="", show_default=default, **shown_if(plain=plain)
    )


@dataclass(frozen=True, kw_only=True)
class Output:
    """Where the results go and what is printed; each field is a flag."""

    output: Annotated[
        str | None,
        option(
            "File to write: .png, .jpg, .webp, .tif, .avif or .jxl; - writes PNG to standard output.",
            name=("--output", "-o"),
            default="PHOTO.STYLE.png",
            plain=True,
        ),
    ] = None
    overwrite: Annotated[bool, option("Replace files that exist.", default=False, plain=True)] = False
    quality: Annotated[int, option("Quality of lossy formats, 1 to 100.", plain=True)] = 95
    bits: Annotated[int, option("Bits of each colour channel: 8, or 16 for PNG, TIFF and JPEG XL.")] = 8
    keep_gps: Annotated[
        bool, option("Keep the place where the photo was taken. Its other EXIF data is always kept.", default=False)
    ] = False
    device: Annotated[str, option("Where to paint: auto (a GPU if there is one), cpu, cuda, cuda:N or mps.")] = "auto"
    quiet: Annotated[bool, option("Print nothing but errors.", name=("--quiet", "-q"), default=False)] = False
    json: Annotated[
        bool, option("Print one JSON object on standard output, and all else on standard error.", default=False)
    ] = False
    snapshot_every: Annotated[
        int | None,
        option("Write every Nth step as a PNG file, and at the end an animation and a strip of them.", RECORDS),
    ] = None
    snapshot_dir: Annotated[Path | None, option("Folder for the snapshots.", RECORDS, default="OUTPUT-steps")] = None
    loss_log: Annotated[Path | None, option("File for the losses: one JSON line for each step.", RECORDS)] = None
    loss_plot: Annotated[Path | None, option("File for a plot of the losses (.png, .svg, .pdf).", RECORDS)] = None
    state: Annotated[
        Path | None,
        option(
            "Save the painting's state in this .safetensors file, for --resume: every minute, at Ctrl-C, and after "
            "each size.",
            RECORDS,
            default="FILE of --resume",
        ),
    ] = None
    resume: Annotated[Path | None, option("Continue the painting whose state is in this file.", RECORDS)] = None

    @property
    def target(self) -> str:
        """Where the picture goes, once that is decided."""
        assert self.output is not None
        return self.output


def run(
    recipe: Recipe,
    photo: ImageLike,
    styles: list[ImageLike],
    output: Output,
    *,
    nets: Mapping[str, str] | None = None,
) -> int:
    """Paint a picture, write it and report on it.

    Args:
        recipe: what to paint with.
        photo: the photograph.
        styles: the style pictures.
        output: where the results go.
        nets: sha256 by name of the networks of an earlier painting.

    Returns:
        The exit status.

    Raises:
        RequestError: the request is wrong. As much as possible is checked before any work.
        OutputError: the result cannot be written.
        KeyboardInterrupt: there was no step yet to write.
    """
    from ..session.session import Session

    started = time.monotonic()
    _check_apart(recipe, photo, styles, output)
    records = _check([photo, *styles, *(part.mask for part in recipe.parts), recipe.start], output)
    check_painting_size(output.target, recipe, photo)
    checkpoint = _checkpoint(output)
    interrupted, unwritable = False, ""
    with display(quiet=output.quiet) as shown, signals_as_interrupt(), Session(device=output.device) as session:
        work = session.paint(
            recipe,
            photo,
            styles=styles,
            watch=shown.progress,
            checkpoint=checkpoint,
            records=records,
            nets=nets,
        )
        try:
            with contextlib.closing(work):  # which saves the state of an interrupted painting
                for step in work:
                    shown.step(step)
        except KeyboardInterrupt:
            if work.last is None:
                raise KeyboardInterrupt("interrupted before the first step; nothing was written") from None
            interrupted = True
        painting = work.painting
        shown.say("writing")
        try:
            _save(painting, output, output.target, overwrite=output.overwrite)
        except ImpastoError as error:
            unwritable = str(error)
            output = replace(output, output=_save_elsewhere(painting, output, error))
        files = work.finish_records()
    _report(painting, output, files, time.monotonic() - started)
    if unwritable:
        print(f"impasto: {unwritable}; the picture is {output.target}", file=sys.stderr)
    if interrupted:
        _report_interruption(painting, output, resumable=checkpoint is not None and checkpoint.written)
        return INTERRUPTED
    return FAILED if unwritable else DONE


def _save(painting: Painting, output: Output, target: str, *, overwrite: bool = False) -> None:
    painting.save(target, overwrite=overwrite, quality=output.quality, bits=output.bits, keep_gps=output.keep_gps)


def _save_elsewhere(painting: Painting, output: Output, error: ImpastoError) -> str:
    """Save a finished painting under a free name, since it cannot be written where it should; return the name.

    Raises:
        ImpastoError: `error`, if it can be written nowhere.
    """
    if output.target == STANDARD_STREAM:
        raise error
    target = Path(output.target)
    for folder in (target.parent, Path(), Path(tempfile.gettempdir())):
        for suffix in dict.fromkeys((target.suffix, ".png")):
            for number in range(2, _MOST_NAMES):
                free = folder / f"{target.stem}-{number}{suffix}"
                if free.exists():
                    continue
                with contextlib.suppress(ImpastoError):
                    _save(painting, output, str(free))
                    return str(free)
                break
    raise error


def _check(sources: Sequence[ImageLike | None], output: Output) -> list[Record]:
    """Check before any work that the results can be written, and return the records of the painting."""
    check_streams(sources, output.target, json=output.json)
    records = _records(output)
    check_output(output.target, sources, overwrite=output.overwrite, quality=output.quality, bits=output.bits)
    return records


def _check_apart(recipe: Recipe, photo: ImageLike, styles: Sequence[ImageLike], output: Output) -> None:
    """Check that the files to write are different ones, and that none but the output can be one that is read.

    Raises:
        RequestError: two of them are one file.
    """
    places: dict[str, Path] = {}
    if output.target != STANDARD_STREAM:
        places["the output"] = Path(output.target)
    state = output.state or output.resume
    others = {
        "--snapshot-dir": _snapshot_folder(output) if output.snapshot_every is not None else None,
        "--loss-log": output.loss_log,
        "--loss-plot": output.loss_plot,
        "--state": state,
    }
    places |= {name: place for name, place in others.items() if place is not None}
    check_apart(places)
    named: list[str] = []
    recipe.rename_files(recipe.model_dump(), lambda name: named.append(name) or name, without=("styles",))
    named += [name.rpartition("#")[0] for name in named]  # of FILE#STYLE and FILE#LAYOUT
    read = [photo, *styles, *(part.mask for part in recipe.parts), *named]
    files = [Path(each) for each in read if isinstance(each, str | Path) and Path(each).is_file()]
    if output.resume is not None and output.resume != state:
        files.append(output.resume)
    check_apart({name: place for name, place in places.items() if name != "the output"}, files)


def check_output(
    target: str, sources: Sequence[ImageLike | None], *, overwrite: bool, quality: int = 95, bits: int = 8
) -> None:
    """Check before any work that a picture can be written, and does not replace one that it is made from.

    If the file exists already, the inputs are looked at too: a mistake in them is reported first.

    Args:
        target: where the picture goes.
        sources: the pictures that it is made from.
        overwrite: an existing file may be replaced.
        quality: see `check_target`.
        bits: see `check_target`.

    Raises:
        RequestError: see `check_target`; or `target` is one of `sources`.
        OutputError: see `check_target`.
    """
    _refuse_input_as_output(sources, target)
    check_target(target, True, quality=quality, bits=bits)
    if not overwrite and target != STANDARD_STREAM and Path(target).exists():
        for source in sources:
            if isinstance(source, str | Path) and str(source) not in (STANDARD_STREAM, ALPHA):
                stated_size(source)
        check_target(target, quality=quality, bits=bits)


def _refuse_input_as_output(sources: Sequence[ImageLike | None], target: str) -> None:
    """Refuse to replace a picture that is painted from, even if files may be replaced."""
    files = [source for source in sources if isinstance(source, str | Path) and Path(source).is_file()]
    if Path(target).is_file() and any(Path(target).samefile(source) for source in files):
        raise RequestError(
            f"the output {target} is a picture that is painted from; expected another name: --overwrite replaces "
            "results, never inputs"
        )


def _records(output: Output) -> list[Record]:
    """The records of the steps that are asked for."""
    wanted = (output.snapshot_every, output.snapshot_dir, output.loss_log, output.loss_plot)
    if all(each is None for each in wanted):
        return []
    from ..session.records import LossLog, LossPlot, Snapshots

    records: list[Record] = []
    if output.snapshot_every is not None:
        records.append(Snapshots(_snapshot_folder(output), output.snapshot_every, overwrite=output.overwrite))
    elif output.snapshot_dir is not None:
        raise RequestError("--snapshot-dir is given without --snapshot-every; expected both")
    if output.loss_log is not None:
        records.append(LossLog(output.loss_log, overwrite=output.overwrite))
    if output.loss_plot is not None:
        records.append(LossPlot(output.loss_plot, overwrite=output.overwrite))
    return records


def _snapshot_folder(output: Output) -> Path:
    """The folder for snapshots: by default, one beside the picture."""
    if output.snapshot_dir is not None:
        return output.snapshot_dir
    if output.target == STANDARD_STREAM:
        raise RequestError("--snapshot-every needs a folder when the picture goes to -: add --snapshot-dir")
    return Path(output.target).with_name(f"{Path(output.target).stem}-steps")


def check_streams(sources: Sequence[ImageLike | None], target: str, *, json: bool) -> None:
    """Refuse to read standard input twice, and to write two things to standard output."""
    if sum(isinstance(source, str) and source == STANDARD_STREAM for source in sources) > 1:
        raise RequestError("- is given twice; expected at most one picture from standard input")
    if json and target == STANDARD_STREAM:
        raise RequestError("--json and -o - both want standard output; expected one: give -o a file")


def _checkpoint(output: Output) -> StateFile | None:
    """Where the painting's state is saved and loaded; None if it is not."""
    path = output.state or output.resume
    if path is None:
        return None
    from ..methods.common.resume import StateFile

    return StateFile(path, resume=output.resume, overwrite=output.overwrite)


@contextlib.contextmanager
def signals_as_interrupt() -> Generator[None]:
    """Let the signals that end a program end a painting as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in ending_signals()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _report(painting: Painting, output: Output, files: list[Path], seconds: float) -> None:
    """Print what was painted; `files` are those written besides the picture."""
    from .. import __version__
    from ..memory import peak_memory_mb
    from ..runtime import pick_device

    step, recipe = painting.step, painting.recipe
    width, height = painting.size
    if output.json:
        report: dict[str, Any] = {
            "output": output.target,
            "size": [width, height],
            "seconds": round(seconds, 3),
            "painting_seconds": round(painting.seconds, 3),
            "steps": step.index,
            "stopped": painting.stopped,
            "losses": dict(step.losses),
            "peak_memory_mb": round(peak_memory_mb(pick_device(painting.device)), 1),
            "weights": recipe.nets,
            "seed": recipe.seed,
            "device": painting.device,
            "files": [str(path) for path in files],
            "recipe": recipe.portable(),
            "version": __version__,
        }
        print(json.dumps(report))
    elif not output.quiet:
        stream = sys.stderr if output.target == STANDARD_STREAM else sys.stdout
        steps = f"{step.index} steps, " if step.total > 1 else ""
        print(f"{place(output.target)}  {width}×{height}, {steps}{seconds:.1f} s", file=stream)
        if painting.stopped not in (FINISHED, INTERRUPTED_WORK):
            print(f"stopped early: {painting.stopped}", file=stream)
        for path in files:
            print(path, file=stream)


def _report_interruption(painting: Painting, output: Output, *, resumable: bool) -> None:
    """Print how far a painting came, and how to continue it if its state was saved."""
    last = painting.step
    message = f"interrupted at step {last.index} of {last.total}; the picture so far is {place(output.target)}"
    if resumable and (state := output.state or output.resume):
        message += f"; continue with --resume {state}"
    print(f"impasto: {message}", file=sys.stderr)


def place(target: str) -> str:
    """Say in words where a result went."""
    return "on standard output" if target == STANDARD_STREAM else target
