"""Painting by optimisation, size after size: stages, early stops, and states to resume from."""

from __future__ import annotations

import math
import time
from abc import abstractmethod
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor

from ...control import expect, say, worked
from ...encoders.vgg import VGG
from ...errors import RequestError
from ...images.geometry import fit, fitted_size, resize
from ...losses.cost import Optimisation, Tiling
from ...losses.descent import Descent, in_tiles
from ...losses.optimisers import LBFGS, Adam, Optimiser, frequency_preconditioner
from ...losses.tiled import TiledObjective
from ...memory import Plan, describe, keep_freed_memory
from ...painter import Checkpoint, Painter, Regions, State, Step
from ...recipe import Recipe
from ...strips import Size
from .fitting import check_start
from .resume import digest
from .scales import restored

SMALLEST = 16
"""Least side in pixels that a stage works at: relu5_1 is then a single position."""

_LEVELS = 255.0  # optimisers work in levels of 255, as the systems reproduced do
_PLATEAU_WINDOW = 50

Stages = Sequence[tuple[int, int]]
"""Longest side in pixels and number of steps of each stage."""


@dataclass(frozen=True)
class OptimiserSettings:
    """How pixels are moved, and when to stop early.

    Attributes:
        optimizer: ``lbfgs`` or ``adam``.
        learning_rate: L-BFGS: fraction of its step (1 by default); Adam: levels of 255 a step (5 by default).
        history: pairs of steps and gradients that L-BFGS remembers.
        betas: Adam's decays.
        precondition: L-BFGS scales frequency f by f^-precondition.
        precondition_colours: the same for what is not grey; None for alike.
        clamp: keep pixels in [0, 1] after every step.
        average: decay of a running mean of the picture, which is then what is shown; 0 for none.
        keep_best: the answer is the picture of lowest loss, not the last.
        plateau: stop at the final size when the best loss improves by less than this fraction in 50 steps; 0: never.
        max_seconds: stop after this time; None: never.
        first_move: levels of 255 that L-BFGS's first move has in the mean, at least.
        longest_move: levels of 255 that any of its moves has, root mean square, at most.
    """

    optimizer: Literal["lbfgs", "adam"] = "lbfgs"
    learning_rate: float | None = None
    history: int = 20
    betas: tuple[float, float] = (0.9, 0.999)
    precondition: float = 0.5
    precondition_colours: float | None = None
    clamp: bool = False
    average: float = 0.0
    keep_best: bool = False
    plateau: float = 0.0
    max_seconds: float | None = None
    first_move: float | None = None
    longest_move: float = math.inf


class StagedPainter(Painter):
    """A painter that optimises pixels: at a small size first, each later stage from the picture of the one before.

    A method states its stages, its objective and where it begins; sizes, moves, memory, early stops and resuming
    are the same for all.
    """

    resumable = True
    encoder: VGG
    settings: OptimiserSettings

    @abstractmethod
    def stages(self, final: int) -> Stages:
        """Stages of a picture whose longest side is `final` pixels."""

    @abstractmethod
    def objective(
        self, photo: Tensor, regions: Regions | None = None, tile: int | None = None, stage: tuple[int, int] = (0, 1)
    ) -> TiledObjective:
        """The loss to minimise at a stage.

        Args:
            photo: the photograph at its working size, 1×3×H×W.
            regions: where each style applies.
            tile: work in tiles of that many pixels.
            stage: its number from 0, and how many stages there are.
        """

    @abstractmethod
    def beginning(self, photo: Tensor) -> Tensor:
        """The picture that the first stage starts from, of the size of `photo`."""

    def enlarged(self, image: Tensor, photo: Tensor, larger: Tensor) -> Tensor:  # noqa: ARG002
        """What a stage starts from, of the size of `larger`.

        Args:
            image: what the stage before made.
            photo: the photograph, of its size.
            larger: the photograph at the stage's own.
        """
        return resize(image, *larger.shape[2:])

    def replaced_stages(self, stages: Stages, start: int) -> int:  # noqa: ARG002
        """How many stages a start of longest side `start` pixels takes the place of, never all."""
        return 0

    @abstractmethod
    def needs(self, photo: Size, steps: int) -> Optimisation:
        """What the memory of a stage depends on, of a photo of height and width `photo`."""

    @abstractmethod
    def origin(self, content: Tensor, regions: Regions | None, start: Tensor | None) -> dict[str, Any]:
        """What a painting is made from, as far as its next step depends on it, as JSON data."""

    def run(self, content: Tensor, regions: Regions | None, start: Tensor | None) -> Iterator[Step]:
        """Paint; see `Painter.paint`. Losses are those of the picture the step began from."""
        content = content.to(self.device)
        height, width = content.shape[2:]
        if min(height, width) < 1 or max(height, width) < 2:
            raise RequestError(f"the photo is {width}×{height} pixels; expected at least 2 a side")
        stages = self.stages(self.recipe.size or max(height, width))
        # The last first: a refusal then names a budget that is enough for every size.
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
                continue  # done before the painting was put aside
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
            keep_freed_memory(plan.way.tile is None)  # in tiles memory is scarce
            objective = in_tiles(
                partial(self.objective, photo, regions, stage=(number, len(stages))), plan.way.tile, _size_of(photo)
            )
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

    def estimate_work(self, size: Size, start: int = 0) -> float:
        """See `Painter.estimate_work`."""
        stages = self.stages(self.recipe.size or max(size))
        needs = self._all_needs(size, stages[self.replaced_stages(stages, start) if start else 0 :])
        return sum(each.all_work for each in needs)

    def _all_needs(self, shape: Size, stages: Stages) -> list[Optimisation]:
        """Of every stage, for a photograph of height and width `shape`."""
        return [self.needs(_working(*shape, size), steps) for size, steps in stages]

    def plan(self, content: Tensor, size: int, steps: int) -> Plan[Tiling]:
        """How a stage is worked on within the memory budget."""
        return self.needs(working_size(content, size), steps).plan(self.recipe.memory)

    def _note(self, photo: Tensor, plan: Plan[Tiling], tile: int | None, *, alone: bool) -> str:
        """The size where there are several, and how memory is kept within bounds where it has to be."""
        size = _size_of(photo)
        parts = [] if alone else [f"{max(size)} px"]
        parts += self.needs(size, 0).notes(plan.way._replace(tile=tile))
        if self.recipe.memory or len(parts) > (not alone):
            parts.append(f"about {describe(plan.peak)}")
        return ", ".join(parts)


def origin_of(
    recipe: Recipe, styles: Sequence[Tensor], content: Tensor, regions: Regions | None, start: Tensor | None
) -> dict[str, Any]:
    """What a painting is made from but its method's settings: those of the recipe, and the sha256 of all pixels."""
    apart = {"options", "styles", "encoder", "nets", "preset", "memory", "version", "start", "start_detail"}
    data = recipe.model_dump(mode="json", exclude=apart)
    data["encoder"] = ", ".join(recipe.nets.values())
    data["photo"] = digest(content)
    data["style weights"] = list(recipe.style_shares())
    data |= {f"style {number}": digest(style) for number, style in enumerate(styles, 1)}
    if start is not None:
        data |= {"start": digest(start), "start_detail": recipe.start_detail}
    if regions is not None:
        data["masks"] = digest(regions.shares)
    return data


def working_size(content: Tensor, size: int) -> Size:
    """Height and width that a stage of longest side `size` works at.

    A sliver is painted wider than it is, so that deep layers see something.
    """
    return _working(*_size_of(content), size)


def _working(height: int, width: int, size: int) -> Size:
    rows, columns = fitted_size(height, width, size)
    return max(rows, SMALLEST), max(columns, SMALLEST)


def _fitted(content: Tensor, size: int) -> tuple[Tensor, tuple[int, int]]:
    """The photograph at a stage's working size, and the height and width it is shown at."""
    photo = fit(content, size)
    return resize(photo, *working_size(content, size)), _size_of(photo)


def _size_of(image: Tensor) -> Size:
    return image.shape[2], image.shape[3]


class Run(Descent):
    """The optimisation of one stage: `step` until it is good, then `shown` or `carried`. It can be put aside.

    Args:
        objective: what is to become less.
        image: 1×3×H×W in [0, 1], where it begins.
        settings: how it moves.
        history: pairs that L-BFGS keeps, where memory allows fewer than `settings` ask for.
    """

    def __init__(
        self, objective: TiledObjective, image: Tensor, settings: OptimiserSettings, history: int | None = None
    ) -> None:
        image = image.float().clone(memory_format=torch.contiguous_format) * _LEVELS
        optimiser = _optimiser(settings, image, history or settings.history)
        super().__init__(objective, image, optimiser, unit=_LEVELS, clamp=settings.clamp)
        self._settings = settings
        self._mean: Tensor | None = None
        self._best: tuple[float, Tensor] | None = None
        self._lows: deque[float] = deque(maxlen=_PLATEAU_WINDOW + 1)

    def _before(self, total: float) -> None:
        if self._settings.keep_best and (self._best is None or total < self._best[0]):
            self._best = (total, self.image.clone())
        self._lows.append(self.lowest)

    def _after(self) -> None:
        if decay := self._settings.average:
            kept = torch.zeros_like(self.image) if self._mean is None else self._mean
            self._mean = kept.mul_(decay).add_(self.image, alpha=1 - decay)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """All that the next step depends on: tensors, not copied, and JSON data."""
        of_optimiser, optimiser = self._optimiser.state()
        of_objective, objective = self._objective.state()
        tensors = {f"optimiser.{name}": tensor for name, tensor in of_optimiser.items()}
        tensors |= {f"objective.{name}": tensor for name, tensor in of_objective.items()}
        tensors["image"] = self.image
        if self._mean is not None:
            tensors["mean"] = self._mean
        if self._best is not None:
            tensors["best"] = self._best[1]
        best = self._best and self._best[0]
        facts = {"steps": self.steps, "lows": list(self._lows), "best": best, "optimiser": optimiser}
        return tensors, {**facts, **({"objective": objective} if objective else {})}

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Go on from a `state`, whose tensors are taken over."""
        found = {name: tensor.to(self.image.device) for name, tensor in tensors.items()}
        self.image.copy_(found["image"])
        self._mean = found.get("mean")
        self._best = (facts["best"], found["best"]) if "best" in found else None
        self._lows.extend(facts["lows"])
        self.lowest = self._lows[-1] if self._lows else math.inf
        self.steps = facts["steps"]
        self._optimiser.restore(_without_prefix("optimiser.", found), facts["optimiser"])
        self._objective.restore(_without_prefix("objective.", found), facts.get("objective", {}))

    def reason_to_stop(self) -> str:
        """Why to stop early, or nothing."""
        limit = self._settings.plateau
        if limit and len(self._lows) > _PLATEAU_WINDOW and self._lows[0] - self._lows[-1] < limit * self._lows[0]:
            return f"the loss improved by less than {limit:g} in {_PLATEAU_WINDOW} steps"
        return ""

    def shown(self, *, final: bool = False) -> Tensor:
        """The picture so far, in [0, 1]; the best one at the end where it is kept."""
        if final and self._best is not None:
            return (self._best[1] / _LEVELS).clamp_(0, 1)
        return self.carried().clamp_(0, 1)

    def carried(self) -> Tensor:
        """What the next size begins from: the picture, or its bias-corrected running mean."""
        if self._mean is None:
            return self.image / _LEVELS
        return self._mean / (_LEVELS * (1 - self._settings.average**self.steps))


def _without_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Those whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _optimiser(settings: OptimiserSettings, image: Tensor, history: int) -> Optimiser:
    if settings.optimizer == "lbfgs":
        height, width = image.shape[2:]
        preconditioner = frequency_preconditioner(
            height, width, settings.precondition, image.device, colours=settings.precondition_colours
        )
        first = {} if settings.first_move is None else {"min_move": settings.first_move}
        return LBFGS(settings.learning_rate or 1.0, history, preconditioner, max_move=settings.longest_move, **first)
    return Adam(image, settings.learning_rate or 5.0, settings.betas)


class _Progress:
    """How far a painting has come, and its checkpoint. As a context it saves what an interruption would lose."""

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
        """Refuse stages under which the state would not have come about."""
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
        """A stage begins, or the one goes on that was put aside."""
        if self._state is not None:
            run.restore(self._state.tensors, self._state.facts["run"])
            self._state = None
        self.stage, self._run = stage, run

    def reason_to_stop(self, settings: OptimiserSettings, finished: bool) -> str:
        """Why to stop before the last step, or nothing; `finished` at the final size."""
        assert self._run is not None
        if settings.max_seconds is not None and time.monotonic() - self._began >= settings.max_seconds:
            return f"time limit of {settings.max_seconds:g} s reached"
        return self._run.reason_to_stop() if finished else ""

    def save(self, *, ended: bool) -> None:
        """Save where it is time, or where a stage has `ended`."""
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
