"""What ``impasto batch`` does: plans, prints the plan, paints, and reports."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import memory
from ..batch import storage
from ..batch.batch import Batch
from ..batch.done import orphans
from ..batch.plan import Plan, Request
from ..batch.problems import require_none
from ..batch.reckon import Needs
from ..batch.rows import Report, Row
from ..batch.watch import Arrivals
from ..errors import RequestError
from ..images.atomic import check_place, make_folder
from ..untrusted import printable, shorten
from . import DONE, FAILED, INTERRUPTED, WRONG_REQUEST
from .batch_bar import batch_bar, signals_stop

if TYPE_CHECKING:
    from .batch import Folders
    from .batch_bar import BatchBar

_MOST_ERRORS = 40  # lines of the table of errors
_MOST_NOTES = 5
_LONGEST_ERROR = 300  # characters of a line


def run(request: Request, folders: Folders) -> int:
    """Carry out a batch and return the exit status.

    Raises:
        RequestError: it cannot be carried out.
        OutputError: a folder cannot be written.
    """
    _check_reports(folders, Path(request.out))
    far = next((name for name in (*request.inputs, str(request.out)) if storage.is_remote(name)), None)
    if far is not None and (folders.engine != "ray" or folders.watch or folders.prune):
        raise RequestError(f"{far} is in object storage; expected --engine ray with it, without --watch and --prune")
    if folders.engine == "ray":
        from ..batch.ray import RayBatch

        made: Batch = RayBatch(request, folders.device, folders.address, folders.workers)
    elif folders.address is not None or folders.workers is not None:
        raise RequestError("--address and --workers are for --engine ray; expected it with them")
    else:
        made = Batch(request, folders.device)
    with made as batch:
        if folders.watch:
            return _watch(batch, request, folders)
        plan = batch.plan()
        if folders.prune:
            return _prune(plan, folders)
        needs = batch.reckon(plan)
        if folders.dry_run or not folders.quiet:
            _print_plan(plan, needs, folders)
        if folders.dry_run:
            return WRONG_REQUEST if plan.problems and not folders.keep_going else DONE
        require_none(plan.problems, keep_going=folders.keep_going)
        with signals_stop() as stop, batch_bar(len(plan.jobs), quiet=folders.quiet) as bar:
            for row in batch.paint(plan, stop, bar):
                _tell(row, bar, folders)
        _write_reports(batch.report, folders)
        return _finish(batch.report, folders)


def _check_reports(folders: Folders, out: Path) -> None:
    """Check before any work that the sheet and the page can be written. Those of an earlier run are replaced.

    Raises:
        RequestError: a name has a wrong ending, or something else is there.
        OutputError: no file can be created in the folder.
    """
    from ..batch.page import is_page
    from ..batch.sheet import is_sheet
    from ..images.write import check_target

    if (path := folders.report) is not None:
        if path.suffix.lower() not in (".html", ".htm"):
            raise RequestError(f"--report is {path}; expected a name that ends in .html")
        check_place(_there(path, out), overwrite=folders.overwrite or is_page(path))
    if (path := folders.sheet) is not None:
        check_target(_there(path, out), folders.overwrite or is_sheet(path))


def _there(path: Path, out: Path) -> Path:
    """A file in the output folder, which is made later, stands for one in the folder that is there already."""
    if path.absolute().is_relative_to(out.absolute()) and not path.parent.exists():
        return next(folder for folder in out.absolute().parents if folder.exists()) / path.name
    return path


def _print_plan(plan: Plan, needs: Needs, folders: Folders) -> None:
    """Print what will be done, on standard error if standard output has JSON."""
    stream = sys.stderr if folders.json else sys.stdout
    if folders.json and folders.dry_run:
        for line in _plan_as_json(plan):
            print(json.dumps(line))
    photos, styles = {job.photo.path for job in plan.jobs}, {id(job.way) for job in plan.jobs}
    parts = [f"{_count(len(plan.jobs), 'painting')} to make"]
    if plan.jobs:
        parts[0] += f" ({_count(len(photos), 'photo')}, {_count(len(styles), 'style')})"
        if needs.disk:
            parts.append(f"about {memory.describe(needs.disk)} on the disk, {memory.describe(needs.free)} free")
    if plan.done:
        parts.insert(1, f"{len(plan.done)} painted already")
    if needs.seconds is not None:
        parts.append(f"about {in_words(needs.seconds)}")
    print("; ".join(parts), file=stream)
    if folders.dry_run and plan.jobs:
        print(
            f"pictures that wait take up to {memory.describe(needs.memory)} of memory, beside what painting takes; "
            "time is reckoned from multiply-adds, at the speed of one convolution just now",
            file=stream,
        )
    for note in plan.notes[:_MOST_NOTES]:
        print(printable(note), file=stream)
    if len(plan.notes) > _MOST_NOTES:
        print(f"{len(plan.notes) - _MOST_NOTES} more are left out", file=stream)
    if folders.dry_run:
        if not folders.json:
            for job in plan.jobs:
                print(printable(f"  {job.photo.path} -> {job.output}"), file=stream)
        _print_errors([Row.of_problem(each) for each in plan.problems])


def _plan_as_json(plan: Plan) -> Iterator[dict[str, Any]]:
    for status, jobs in (("planned", plan.jobs), ("done", plan.done)):
        for job in jobs:
            yield {"photo": job.photo.path, "output": job.output, "style": job.way.style, "status": status}
    for problem in plan.problems:
        yield Row.of_problem(problem).to_json()


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def in_words(seconds: float) -> str:
    """Write a time for people: ``40 s``, ``12 min``, ``3.5 h``."""
    if seconds < 100:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _tell(row: Row, bar: BatchBar, folders: Folders) -> None:
    """Show what became of a painting."""
    bar.row(row)
    if folders.json:
        print(json.dumps(row.to_json()), flush=True)


def _finish(report: Report, folders: Folders) -> int:
    """Print what became of the batch, and return the exit status."""
    failed = report.failed
    if not folders.quiet:
        parts = [f"{report.count('painted')} painted"]
        parts += [f"{report.count('skipped')} painted before"] * bool(report.count("skipped"))
        parts += [f"{len(failed)} failed"] * bool(failed)
        parts += [f"{report.left} left"] * bool(report.left)
        rate = report.count("painted") / report.seconds if report.seconds else 0.0
        parts.append(
            f"{in_words(report.seconds)}" + (f", {rate:.2g} a second" if report.count("painted") > 1 else "")
        )
        print("; ".join(parts), file=sys.stderr if folders.json else sys.stdout)
    _print_errors(failed)
    if report.trouble:
        print(f"impasto: {printable(report.trouble)}", file=sys.stderr)
    if report.interrupted and report.left:
        print(f"impasto: interrupted; {report.left} are left: the same command goes on", file=sys.stderr)
        return INTERRUPTED
    return FAILED if failed or report.trouble else DONE


def _print_errors(failed: list[Row]) -> None:
    """Print a table of what failed on standard error."""
    if not failed:
        return
    names = [shorten(row.photo, 48) for row in failed[:_MOST_ERRORS]]
    width = max(map(len, names))
    print("impasto: what could not be painted:", file=sys.stderr)
    for name, row in zip(names, failed, strict=False):
        print(f"  {name:<{width}}  {shorten(row.error or '', _LONGEST_ERROR)}", file=sys.stderr)
    if len(failed) > _MOST_ERRORS:
        print(f"  and {len(failed) - _MOST_ERRORS} more: --json or --report has all", file=sys.stderr)


def _write_reports(report: Report, folders: Folders) -> None:
    """Write the sheet and the page that are asked for."""
    for path in (folders.sheet, folders.report):
        if path is not None and not path.parent.exists():
            make_folder(path.parent)
    if folders.sheet is not None:
        from ..batch.sheet import write_sheet

        write_sheet(report.rows, folders.sheet)
    if folders.report is not None:
        from ..batch.page import write_page

        write_page(report, folders.report)


def _prune(plan: Plan, folders: Folders) -> int:
    """Print the paintings that no photo belongs to."""
    if Path(plan.out).is_dir():
        for name in orphans(Path(plan.out), plan.outputs, plan.photos):
            print(json.dumps({"output": name, "status": "orphan"}) if folders.json else printable(name))
    return DONE


def _watch(batch: Batch, request: Request, folders: Folders) -> int:
    """Paint photos as they arrive, until it is stopped."""
    arrivals = Arrivals(request.inputs, request.out)
    if not folders.quiet:
        print("watching; Ctrl-C ends it", file=sys.stderr)
    request.maker.ways(request.styles, mix=request.mix)  # a wrong style is reported now
    with signals_stop() as stop:
        for found in arrivals.wait(stop):
            plan = batch.plan(found)
            require_none(plan.problems, keep_going=True)
            with batch_bar(len(plan.jobs), quiet=folders.quiet) as bar:
                for row in batch.paint(plan, stop, bar):
                    _tell(row, bar, folders)
            _write_reports(batch.report, folders)
            if batch.report.trouble:
                break
    status = _finish(batch.report, folders)
    return FAILED if batch.report.failed or batch.report.trouble else DONE if status == INTERRUPTED else status
