"""`Batch`: plans and paints folders; the command and `paint_folder` are made of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ..methods import method
from .claims import Claims, remove_unfinished
from .done import Done
from .inputs import Found
from .plan import Plan, Request, make_plan
from .reckon import Needs, reckon
from .rows import Report, Row, Stop

if TYPE_CHECKING:
    from ..session.session import Session
    from .local import Watcher
    from .ways import Way


_MOST_NETS = 1000  # ways whose networks are remembered


class Batch:
    """A batch on this machine. As a context manager it frees what its session keeps.

    Args:
        request: what to paint.
        device: where to paint; see `impasto.bind`.

    Attributes:
        report: what has become of the paintings so far.
    """

    def __init__(self, request: Request, device: str = "auto") -> None:
        self._request, self._device = request, device
        self._session: Session | None = None
        self._nets: dict[int, tuple[Way, Mapping[str, str]]] = {}
        self._done = Done(request.writing, self._nets_of)
        self.report = Report()

    @property
    def session(self) -> Session:
        """The session, made when it is first asked for."""
        if self._session is None:
            from ..session.session import Session

            self._session = Session(device=self._device)
        return self._session

    def plan(self, photos: Found | None = None) -> Plan:
        """Plan the batch; see `make_plan`.

        Args:
            photos: photos that have arrived; None for all that the request names.
        """
        return make_plan(self._request, self._done, photos)

    def reckon(self, plan: Plan) -> Needs:
        """Reckon what a plan takes; see `reckon.reckon`."""
        return reckon(plan, self._request.writing, self.session if plan.jobs else None)

    def paint(self, plan: Plan, stop: Stop, watcher: Watcher | None = None) -> Iterator[Row]:
        """Yield what becomes of each painting of a plan: first what is refused or done, then what is painted.

        Args:
            plan: the plan.
            stop: ends the batch early.
            watcher: follows it.

        Raises:
            OutputError: the output folder cannot be made.
        """
        from .local import Local

        yield from self._begin(plan)
        if not plan.jobs:
            return
        claims = Claims(Path(plan.out))
        remove_unfinished(Path(plan.out))
        local = Local(self.session, claims, self._done, self._request.writing, stop, watcher)
        try:
            with contextlib.closing(local.run(plan.jobs)) as rows:
                for row in rows:
                    yield self._noted(row)
        finally:
            claims.close()
            self.report.trouble = self.report.trouble or local.trouble
            self.report.interrupted = stop.asked.is_set() and not local.trouble

    def _begin(self, plan: Plan) -> Iterator[Row]:
        """Yield the rows of what is refused or painted already."""
        self.report.planned += len(plan.jobs) + len(plan.done) + len(plan.problems)
        for problem in plan.problems:
            yield self._noted(Row.of_problem(problem))
        for job in plan.done:
            yield self._noted(Row.of(job, "skipped"))

    def _noted(self, row: Row) -> Row:
        self.report.add(row)
        return row

    def _nets_of(self, way: Way) -> Mapping[str, str]:
        if id(way) not in self._nets:
            if len(self._nets) >= _MOST_NETS:  # a watched folder has new ways at each look
                self._nets.clear()
            nets = method(way.recipe.method).load(way.recipe, self.session.device, self.session.cache.keep)
            self._nets[id(way)] = way, nets.sha256  # the way too, so that no other gets its id
        return self._nets[id(way)][1]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            self._session.close()
