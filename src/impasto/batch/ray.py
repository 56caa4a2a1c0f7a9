"""Paints a batch on a Ray cluster, by Ray Data: a pool of workers, each with its networks loaded."""

from __future__ import annotations

import importlib
import importlib.util
import json
import logging
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ..errors import ImpastoError, MissingExtraError, RequestError
from . import storage
from .batch import Batch
from .claims import Claims
from .clip_names import is_clip
from .inputs import Found
from .jobs import Job
from .plan import Plan, Request
from .problems import Problem
from .reckon import Needs, reckon
from .rows import Row, Stop
from .worker import PaintWorker

if TYPE_CHECKING:
    from .local import Watcher
    from .ways import Way

_SECONDS = 5.0  # to wait for a cluster's port
_SETTINGS = {  # of Ray, read when it is imported: no reports, no log; and tries, a second each, to reach a cluster
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_NUM_REDIS_GET_RETRIES": "5",
}
_ROWS = 8  # photos of a block: what is done again, or skipped, after a node is lost


class RayBatch(Batch):
    """A batch on a Ray cluster.

    Args:
        request: what to paint. Inputs and output may be addresses such as ``s3://bucket/photos``.
        device: where each worker paints; with ``auto`` a worker has a GPU of its own if the cluster has some.
        address: of a running cluster; None starts one on this machine.
        workers: how many; None for one a GPU, or a CPU if there is none.

    Raises:
        MissingExtraError: Ray is not installed.
        RequestError: the cluster does not answer.
    """

    def __init__(
        self, request: Request, device: str = "auto", address: str | None = None, workers: int | None = None
    ) -> None:
        super().__init__(request, device)
        if not _is_installed():
            raise MissingExtraError("ray", "ray", "--engine ray")
        if workers is not None and workers < 1:
            raise RequestError(f"--workers is {workers}; expected 1 or more")
        _require_answer(address)
        self._address, self._workers = address, workers
        self._ray: Any = None  # if it is connected by this batch

    def plan(self, photos: Found | None = None) -> Plan:
        """Plan the batch; see `make_plan`. Clips are problems."""
        plan = super().plan(photos)
        for job in [job for job in plan.jobs if is_clip(job.photo.path)]:
            plan.jobs.remove(job)
            message = f"{job.photo.path} is a clip, and --engine ray paints photos; expected it without --engine ray"
            plan.problems.append(Problem(job.photo.path, message, job.output))
        return plan

    def reckon(self, plan: Plan) -> Needs:
        """Reckon the room that a plan takes; its time depends on the cluster."""
        if storage.is_remote(str(plan.out)):
            return Needs(0.0, float("inf"), None, 0.0)
        return reckon(plan, self._request.writing, None)

    def paint(self, plan: Plan, stop: Stop, watcher: Watcher | None = None) -> Iterator[Row]:
        """Yield what becomes of each painting of a plan; see `Batch.paint`. A progress is not shown."""
        del watcher
        yield from self._begin(plan)
        if not plan.jobs:
            return
        ray = self._connect()
        jobs = {storage.absolute(job.output): job for job in plan.jobs}
        try:
            for found in _rows_of(self._dataset(ray, plan)):
                yield self._noted(_row(found, jobs[found["output"]]))
                if stop.asked.is_set():
                    self.report.interrupted = True
                    break
        finally:
            if not storage.is_remote(plan.out):
                Claims(Path(plan.out)).close()

    def _connect(self) -> Any:
        """Ray, connected; it is left again at the end, unless the program had connected it before."""
        for name, value in _SETTINGS.items():
            os.environ.setdefault(name, value)
        ray = _library("ray")
        if not ray.is_initialized():
            ray = _connected(self._address)
            self._ray = ray
        return ray

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        if self._ray is not None:
            self._ray.shutdown()
            self._ray = None

    def _dataset(self, ray: Any, plan: Plan) -> Any:
        """Make the lazy table of what becomes of each job."""
        ways = list(dict.fromkeys(job.way for job in plan.jobs))
        numbers = {id(way): number for number, way in enumerate(ways)}
        rows = [_item(job, numbers[id(job.way)]) for job in plan.jobs]
        resources = ray.cluster_resources()
        gpus = int(resources.get("GPU", 0)) if self._device in ("auto", "cuda") else 0
        count = self._workers or gpus or max(1, int(resources.get("CPU", 1)))
        data = _library("ray.data")
        blocks = max(count, -(-len(rows) // _ROWS))
        return data.from_items(rows, override_num_blocks=min(len(rows), blocks)).map_batches(
            PaintWorker,
            fn_constructor_kwargs=self._settings(ways, plan),
            batch_size=1,
            batch_format="numpy",
            compute=data.ActorPoolStrategy(size=min(count, len(rows))),
            num_cpus=0 if gpus else 1,
            num_gpus=1 if gpus else 0,
        )

    def _settings(self, ways: Sequence[Way], plan: Plan) -> dict[str, Any]:
        """What each worker is made with: plain data, and the bytes of the styles."""
        writing, out = self._request.writing, str(plan.out)
        return {
            "recipe": [_as_data(way) for way in ways],
            "styles": [[storage.load(style.path) for style in way.recipe.styles] for way in ways],
            "device": self._device,
            "quality": writing.quality,
            "bits": writing.bits,
            "keep_gps": writing.keep_gps,
            "overwrite": writing.overwrite,
            "claims": None if storage.is_remote(out) else storage.absolute(out),
        }


def _is_installed() -> bool:
    return importlib.util.find_spec("ray") is not None


def _library(name: str) -> Any:
    """Ray or a part of it. It has half a gigabyte, so it is not there when the types are checked."""
    return importlib.import_module(name)


def _as_data(way: Way) -> dict[str, Any]:
    """A recipe as plain data that `read_recipe` reads, with absolute paths of what lies on a shared disk."""
    data = way.recipe.renamed(_shared)
    if way.recipe.memory is not None:
        data["memory"] = int(way.recipe.memory)
    return data


def _shared(name: str) -> str:
    """The absolute path of a file that a recipe names, as ``FILE`` or ``FILE#STYLE``; other names as they are."""
    file, mark, style = (name, "", "") if Path(name).exists() else name.partition("#")
    return f"{storage.absolute(file)}{mark}{style}" if Path(file).exists() else name


def _item(job: Job, way: int) -> dict[str, Any]:
    masks = None if job.masks is None else [None if each is None else storage.absolute(each) for each in job.masks]
    return {
        "photo": storage.absolute(job.photo.path),
        "output": storage.absolute(job.output),
        "way": way,
        "masks": json.dumps(masks),
    }


def _rows_of(data: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the rows of a table as they are made.

    Raises:
        ImpastoError: the cluster fails, or a worker cannot be made.
    """
    try:
        yield from data.iter_rows()
    except Exception as error:  # Ray has many errors, and wraps those of workers
        reason = str(error).strip().splitlines()
        raise ImpastoError(
            f"Ray failed ({reason[-1] if reason else type(error).__name__}); expected workers that can load the "
            "recipe: what is painted is kept, and the same command goes on"
        ) from None


def _row(found: Mapping[str, Any], job: Job) -> Row:
    size = json.loads(found["size"])
    return Row.of(
        job,
        found["status"],
        size=None if size is None else tuple(size),
        seconds=float(found["seconds"]),
        error=found["error"] or None,
    )


def _require_answer(address: str | None) -> None:
    """Refuse a cluster whose port does not answer.

    Raises:
        RequestError: it does not.
    """
    if address is None or address in ("auto", "local"):
        return
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdecimal():
        raise RequestError(f"--address is {address!r}; expected HOST:PORT, ray://HOST:PORT, or auto")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise RequestError(
            f"the Ray cluster at {address} does not answer ({error}); expected a running one: ray start --head"
        ) from None


def _connected(address: str | None) -> Any:
    """Ray, connected to a cluster.

    Raises:
        ImpastoError: it cannot be connected.
    """
    ray = _library("ray")
    try:
        ray.init(address=address, log_to_driver=False, logging_level="error", include_dashboard=None)
    except Exception as error:
        raise ImpastoError(
            f"Ray cannot be started or reached ({' '.join(str(error).split())}); expected a cluster: ray status"
        ) from None
    _library("ray.data").DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    return ray
