"""The common part of methods that optimise pixels: stages of growing size, early stops, and resuming."""

from __future__ import annotations

import copy
import time
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Protocol, Self, runtime_checkable

from torch import Tensor

from ... import prints
from ...control import expect, say, worked
from ...encoders.vgg import VGG
from ...errors import RequestError
from ...images.geometry import fit, fitted_size, resize
from ...losses.cost import Optimisation, Tiling
from ...losses.descent import run_in_tiles
from ...losses.held import Held
from ...losses.tiled import TiledObjective
from ...memory import Plan, describe, keep_freed_memory, memory_left
from ...painter import Checkpoint, Painter, Regions, State, Step
from ...recipe import Recipe
from ...strips import Size
from ...weights.locate import split_layout
from .fitting import check_start
from .optimise import OptimiserSettings, Run
from .resume import digest
from .scales import restored

SMALLEST = 16
"""Smallest side in pixels of a stage: relu5_1 then has a single position."""

Stages = Sequence[tuple[int, int]]
"""Longest side in pixels and number of steps of each stage."""


@runtime_checkable
class Holdable(Protocol):
    """A painter whose paintings can be held at a picture, if it optimises pixels, which `resumable` tells."""

    resumable: bool

    def holding(self, held: Held) -> Painter:
        """Return a painter whose paintings are held at a picture, as each frame of a film at the one before."""
        ...


class StagedPainter(Painter):
    """A painter that optimises pixels: first at a small size, then at larger sizes, each from the last result.

    A method states its stages, its objective and its first picture. Sizes, optimisers, memory, early stops and
    resuming are the same for all.

    Attributes:
        encoder: the encoder of the losses.
        settings: how pixels are optimised.
        held: holds paintings at a picture; None does not.
    """

    resumable = True
    held: Held | None = None
    encoder: VGG
    settings: OptimiserSettings

    @abstractmethod
    def stages(self, final: int) -> Stages:
        """Return the stages of a picture whose longest side is `final` pixels."""

    @abstractmethod
    def objective(
        self, photo: Tensor, regions: Regions | None = None, tile: int | None = None, stage: tuple[int, int] = (0, 1)
    ) -> TiledObjective:
        """Return the loss to minimise at a stage.

        Args:
            photo: the photograph at the size of the stage, 1×3×H×W.
            regions: where each style applies; None means everywhere.
            tile: side in pixels of tiles to work in; None for the whole picture.
            stage: number of the stage, counted from 0, and the number of stages.
        """

    @abstractmethod
    def beginning(self, photo: Tensor) -> Tensor:
        """Return the picture that the first stage starts from, of the size of `photo`."""

    def enlarged(self, image: Tensor, photo: Tensor, larger: Tensor) -> Tensor:  # noqa: ARG002 (a hook)
        """Return the picture that a later stage starts from, of the size of `larger`.

        Args:
            image: the result of the last stage, 1×3×h×w.
            photo: the photograph at the same size, 1×3×h×w.
            larger: the photograph at the size of the stage, 1×3×H×W.
        """
        return resize(image, *larger.shape[2:])

    def replaced_stages(self, stages: Stages, start: int) -> int:  # noqa: ARG002 (a hook)
        """Return how many stages a start of longest side `start` pixels replaces; never all of them."""
        return 0

    @abstractmethod
    def needs(self, photo: Size, steps: int) -> Optimisation:
        """Return what memory and work of a stage depend on, for a photo of this height and width."""

    @abstractmethod
    def origin(self, content: Tensor, regions: Regions | None, start: Tensor | None) -> dict[str, Any]:
        """Return everything that the next step of a painting depends on, as JSON data; see `State.origin`."""

    def run(self, content: Tensor, regions: Regions | None, start: Tensor | None) -> Iterator[Step]:
        """Paint; see `Painter.paint`. The losses of a step are those of the picture before it."""
        content = content.to(self.device)
        height, width = content.shape[2:]
        if min(height, width) < 1 or max(height, width) < 2:
            raise RequestError(f"the photo is {width}×{height} pixels; expected at least 2 a side")
        stages = self.stages(self.recipe.size or max(height, width))
        # The last first: an error then names a budget that is enough for every size.
        plans = [self.plan(content, size, steps) for size, steps in reversed(stages)][::-1]
        skipped = 0
        if start is not None:
            start = check_start(start, content)
            skipped = self.replaced_stages(stages, max(start.shape[2:]))
        total = sum(steps for _, steps in stages[skipped:])
        log = _Progress(self.checkpoint, self.origin(content, regions, start) if self.checkpoint else {}, stages)
        needs = self._all_needs(_size_of(content), stages)
        expect(self.estimate_work(_size_of(content), 0 if start is None else max(start.shape[2:])))
        image: Tensor | None = None
        for number, ((size, steps), plan) in enumerate(zip(stages, plans, strict=True)):
            if number < skipped:
                continue
            say(f"{size} px" if len(stages) > 1 else "")
            if number < log.stage:
                worked(needs[number].all_work)
                continue  # done before the painting was interrupted
            photo, given = _fitted(content, size)
            if image is not None:
                image = self.enlarged(image, resize(content, *image.shape[2:]), photo)
            elif start is None:
                image = self.beginning(photo)
            else:
                image = restored(start, resize(content, *start.shape[2:]), photo, self.recipe.start_detail)
            finished = number == len(stages) - 1
            if steps == 0:
                note = f"{max(photo.shape[2:])} px" if len(stages) > 1 else ""
                yield Step(resize(image, *given).clamp(0, 1), log.done, total, {}, note)
                continue
            keep_freed_memory(plan.way.tile is None)  # with tiles, memory is short
            objective = run_in_tiles(
                partial(self.objective, photo, regions, stage=(number, len(stages))), plan.way.tile, _size_of(photo)
            )
            objective.held = self.held and self.held.at(*_size_of(photo))
            run = Run(objective, image, self.settings, plan.way.history)
            image = None
            log.begin(number, run)
            worked(run.steps * needs[number].work)
            stop = log.reason_to_stop(self.settings, finished) if run.steps else ""
            if stop or (finished and run.steps == steps):  # resumed, and there is nothing left to do
                yield Step(resize(run.shown(final=True), *given), log.done, total, log.losses, stop)
                return
            with log:
                while not stop and run.steps < steps:
                    log.losses = run.step()
                    log.done += 1
                    stop = log.reason_to_stop(self.settings, finished)
                    last = bool(stop) or (finished and run.steps == steps)
                    log.save(ended=last or run.steps == steps)
                    note = self._note(photo, plan, run.tile, alone=len(stages) == 1)
                    yield Step(resize(run.shown(final=last), *given), log.done, total, log.losses, stop or note)
            image = run.carried()
            if stop:
                return

    def holding(self, held: Held) -> Self:
        """See `Holdable.holding`."""
        painter = copy.copy(self)
        painter.held = held
        return painter

    def check_memory(self, size: Size, *, regions: bool = False, spare: int = 0) -> None:  # noqa: ARG002 (a hook)
        """See `Painter.check_memory`."""
        for needs in reversed(self._all_needs(size, self.stages(max(size)))):
            needs.plan(memory_left(self.recipe.memory, spare))

    def estimate_work(self, size: Size, start: int = 0) -> float:
        """See `Painter.estimate_work`."""
        stages = self.stages(self.recipe.size or max(size))
        needs = self._all_needs(size, stages[self.replaced_stages(stages, start) if start else 0 :])
        return sum(each.all_work for each in needs)

    def count_steps(self, size: Size, start: int = 0) -> int:
        """Return how many steps a painting has, unless it stops early; for the arguments see `estimate_work`."""
        stages = self.stages(self.recipe.size or max(size))
        return sum(steps for _, steps in stages[self.replaced_stages(stages, start) if start else 0 :])

    def _all_needs(self, shape: Size, stages: Stages) -> list[Optimisation]:
        """The needs of every stage, for a photograph of height and width `shape`."""
        return [self.needs(_working(*shape, size), steps) for size, steps in stages]

    def plan(self, content: Tensor, size: int, steps: int) -> Plan[Tiling]:
        """Choose tiles and history of a stage so that it stays within the memory budget.

        Raises:
            RequestError: the budget is too small.
        """
        return self.needs(working_size(content, size), steps).plan(self.recipe.memory)

    def _note(self, photo: Tensor, plan: Plan[Tiling], tile: int | None, *, alone: bool) -> str:
        """The size if there are several, and what was done to stay within the memory."""
        size = _size_of(photo)
        parts = [] if alone else [f"{max(size)} px"]
        parts += self.needs(size, 0).notes(plan.way._replace(tile=tile))
        if self.recipe.memory or len(parts) > (not alone):
            parts.append(f"about {describe(plan.peak)}")
        return ", ".join(parts)


def origin_of(
    recipe: Recipe, styles: Sequence[Tensor], content: Tensor, regions: Regions | None, start: Tensor | None
) -> dict[str, Any]:
    """Return what a painting is made from, without the method's settings: the recipe's, and hashes of all pixels."""
    apart = {"options", "styles", "encoder", "nets", "preset", "memory", "version", "start", "start_detail"}
    apart |= {*prints.FIELDS}  # which the size and the photo hold
    data = recipe.model_dump(mode="json", exclude=apart)
    read_as = split_layout(recipe.encoder)[1]
    data["encoder"] = ", ".join([*recipe.nets.values(), *([read_as] if read_as else [])])
    data["photo"] = digest(content)
    data["style weights"] = list(recipe.style_shares())
    data |= {f"style {number}": digest(style) for number, style in enumerate(styles, 1)}
    if start is not None:
        data |= {"start": digest(start), "start_detail": recipe.start_detail}
    if regions is not None:
        data["masks"] = digest(regions.shares)
    return data


def working_size(content: Tensor, size: int) -> Size:
    """Return height and width of a stage of longest side `size`.

    A very narrow picture is painted wider than it is, so that deep layers have a position.
    """
    return _working(*_size_of(content), size)


def _working(height: int, width: int, size: int) -> Size:
    rows, columns = fitted_size(height, width, size)
    return max(rows, SMALLEST), max(columns, SMALLEST)


def _fitted(content: Tensor, size: int) -> tuple[Tensor, tuple[int, int]]:
    """The photograph at the size of a stage, and the height and width of the steps."""
    photo = fit(content, size)
    return resize(photo, *working_size(content, size)), _size_of(photo)


def _size_of(image: Tensor) -> Size:
    return image.shape[2], image.shape[3]


class _Progress:
    """The progress of a painting, and its checkpoint. As a context manager it saves the state at an interruption."""

    def __init__(self, checkpoint: Checkpoint | None, origin: Mapping[str, Any], stages: Stages) -> None:
        self._checkpoint, self._origin, self._stages = checkpoint, origin, stages
        self._state = checkpoint.load(origin) if checkpoint else None
        facts = self._state.facts if self._state else {}
        self.stage: int = facts.get("stage", 0)
        self.done: int = facts.get("done", 0)
        self.losses: dict[str, float] = facts.get("losses", {})
        self._began = time.monotonic() - facts.get("seconds", 0.0)
        self._run: Run | None = None
        self._saved = self.done
        if facts:
            self._check(facts)

    def _check(self, facts: Mapping[str, Any]) -> None:
        """Refuse a state that the stages could not have led to."""
        was = [tuple(stage) for stage in facts["stages"]]
        stages, now, made = list(self._stages), self.stage, facts["run"]["steps"]
        same = len(stages) > now and stages[:now] == was[:now] and stages[now][0] == was[now][0]
        if not same or stages[now][1] < made:
            so_far = [*was[:now], (was[now][0], made)]
            asked = stages[: now + 1]
            raise RequestError(
                f"the state has done {_as_text(so_far)}, which {_as_text(asked)} does not begin with (SIZE:STEPS); "
                "expected the same stages or more steps"
            )

    def begin(self, stage: int, run: Run) -> None:
        """Begin a stage, or resume the one that was interrupted."""
        if self._state is not None:
            run.restore(self._state.tensors, self._state.facts["run"])
            self._state = None
        self.stage, self._run = stage, run

    def reason_to_stop(self, settings: OptimiserSettings, finished: bool) -> str:
        """Return why to stop before the last step, or nothing; `finished` says that the size is the final one."""
        assert self._run is not None
        if settings.max_seconds is not None and time.monotonic() - self._began >= settings.max_seconds:
            return f"time limit of {settings.max_seconds:g} s reached"
        return self._run.reason_to_stop() if finished else ""

    def save(self, *, ended: bool) -> None:
        """Save the state if it is time, or if a stage has `ended`."""
        checkpoint, run = self._checkpoint, self._run
        if checkpoint is None or run is None or not (ended or checkpoint.due()):
            return
        tensors, facts = run.state()
        progress = {
            "stage": self.stage,
            "stages": self._stages,
            "done": self.done,
            "losses": self.losses,
            "seconds": time.monotonic() - self._began,
            "run": facts,
        }
        checkpoint.save(State(tensors, progress, self._origin))
        self._saved = self.done

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        interrupted = kind is not None and issubclass(kind, KeyboardInterrupt | GeneratorExit)
        if interrupted and self._run is not None and self._run.whole and self._saved < self.done:
            self.save(ended=True)


def _as_text(stages: Sequence[tuple[int, ...]]) -> str:
    return ",".join(":".join(map(str, stage)) for stage in stages)
