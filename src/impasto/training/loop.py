"""The training loop: any `Task`, on one device or several, stopped and resumed exactly."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from ..errors import ImpastoError, MissingExtraError
from ..images.atomic import make_folder
from ..memory import describe, peak_memory_mb
from ..weights.files import CHECKPOINT as CHECKPOINT
from ..weights.files import TRAINED as NET
from .average import RunningMean
from .curve import LOG as LOG
from .data import Batches, Prefetch
from .journal import Journal
from .muon import Muon
from .opening import describe_opening, warn_of_full_disk
from .options import TrainOptions
from .progress import Clock, Progress, tell
from .results import Results
from .schedule import TURN, Turn, learning_rate, steps_that_fit, turned
from .state import State, find_state, restore_random_state
from .stop import Stop
from .task import Task
from .times import describe_time

_LOG_EVERY = 10  # steps
_MEASURED_STEPS, _MEASURED_SECONDS = 20, 30.0  # after the first of these the speed of a run is known
_AGREE_EVERY = 10  # steps after which several processes look at the clock together


def accelerator(device: torch.device) -> Any:
    """Make the `accelerate.Accelerator` of this process: one of several only under ``accelerate launch``.

    Raises:
        MissingExtraError: accelerate is not installed.
    """
    try:
        from accelerate import Accelerator
    except ImportError:
        raise MissingExtraError("accelerate", "train", "Training") from None
    return Accelerator(cpu=device.type == "cpu")


def train(
    task: Task,
    batches: Batches,
    options: TrainOptions,
    out: Path,
    *,
    metadata: Mapping[str, Any],
    resume: bool = False,
    processes: Any = None,
    report: Callable[[Progress], None] | None = None,
) -> Path:
    """Train `task`, and leave in the folder `out` the net, a checkpoint, a log, sample sheets and a curve.

    Ctrl-C, SIGTERM or SIGHUP ends the run after the present step, saves a checkpoint, and the net so far with a sheet
    and the curve, and raises KeyboardInterrupt. An error leaves the net so far with a sheet and the curve, too.
    `resume` continues with the same weights, optimiser, running mean, random state and pictures; another number of
    steps in `options` bends the learning rate from there.

    Args:
        task: what is learned, its net on its device.
        batches: photos and paintings by number.
        options: how long and how fast.
        out: folder of the run; made if it does not exist.
        metadata: recipe and data, kept in the net.
        resume: continue from the checkpoint in `out`.
        processes: from `accelerator`; made here if None.
        report: called after every step.

    Returns:
        The net's file.

    Raises:
        RequestError: `out` holds another run, or there is no checkpoint to resume.
        OutputError: a file cannot be written.
        ImpastoError: the loss is no longer a number.
        KeyboardInterrupt: the run was stopped.
    """
    run = _Run(task, options, out, metadata, batches, processes or accelerator(task.device))
    start = run.begin(resume=resume)
    make = _pinned(batches) if task.device.type == "cuda" else batches
    with (
        run.results.naming_unreadable() if run.main else contextlib.nullcontext(),
        Journal(out, start, main=run.main) as journal,
        Stop() as stop,
        run.results.keeping(journal, run.clock) if run.main else contextlib.nullcontext(),
        Prefetch(make, start, run.total, options.workers) as supply,
    ):
        for step, (photos, paintings) in enumerate(supply, start + 1):
            terms, entry = run.step(photos, paintings, step - 1)
            run.measure(step)
            last, over = step >= run.total, run.time_is_over(step)
            logged = step % _LOG_EVERY == 0 or last
            losses = _read(terms) if logged or step == start + 1 else None
            if logged and losses is not None:
                journal.write(step, {"loss": sum(losses.values()), **losses, **_read(entry)})
            validate = step % options.validate_every == 0 or last
            checkpoint = step % options.save_every == 0 or last
            if report and run.main:
                saving = (*(("net", "sample sheet") if validate else ()), *(("checkpoint",) if checkpoint else ()))
                report(Progress(step, run.total, losses, *run.clock.speed(), saving))
            if validate:
                run.validate(journal)
            stopped = stop.asked and not last
            if (checkpoint or stopped or over) and run.main:
                run.results.save_checkpoint(run.optimiser, run.clock)
            if (stopped or over) and run.main and not validate:
                run.results.save_unvalidated(journal, run.clock, losses or _read(terms))
            if stopped:
                raise KeyboardInterrupt
            if over and not last and run.main:
                tell(f"the time is over after {step} of {run.total} steps; --resume continues the run")
            if last or over:
                break
    return out / NET


def _read(values: Mapping[str, float | Tensor]) -> dict[str, float]:
    """The values as numbers, for which a GPU waits."""
    return {name: float(value.detach() if isinstance(value, Tensor) else value) for name, value in values.items()}


class _Run:
    """A task with its optimiser, the running mean of its weights, its clock, and the files that the run leaves."""

    def __init__(
        self,
        task: Task,
        options: TrainOptions,
        out: Path,
        metadata: Mapping[str, Any],
        batches: Batches,
        processes: Any,
    ) -> None:
        self.task, self.options, self.out, self.metadata = task, options, out, metadata
        self.batches, self.processes = batches, processes
        self.main: bool = processes.is_main_process
        self.recipe = dict(metadata["recipe"])  # the results have it too: it may change on the way
        self.optimiser = _make_optimiser(task, options)
        self.average = RunningMean(task.net, options.ema)
        self.net = task.net  # `begin` replaces it where gradients are shared between processes
        self.turn: Turn | None = None
        self.start = 0  # steps done in earlier sittings
        self._fit = options.max_time is not None

    @property
    def total(self) -> int:
        """Steps in all."""
        return self.turn.steps if self.turn else self.options.steps

    def begin(self, *, resume: bool) -> int:
        """Make the folder, continue from the checkpoint to resume, and return the number of steps done."""
        state = find_state(self.out, self.recipe, self.batches.sources, resume=resume)
        make_folder(self.out)
        if state is not None:
            self._continue(state)
        self.net, self.optimiser = self.processes.prepare(self.task.net, self.optimiser)
        self.task.net.train()
        images = sum(self.batches.counts) * self.batches.world
        self.clock = Clock(self.total - self.start, images, state and state.spent)
        metadata = {**self.metadata, "recipe": self.recipe}
        self.results = Results(self.out, self.task, self.average, self.batches, metadata, self.start)
        if self.main:
            warn_of_full_disk(self.task, self.out, resumed=state is not None)
            steps = self.start, self.total
            for line in describe_opening(self.task, self.batches, self.options, self.out, self.recipe, steps):
                tell(line)
        return self.start

    def _continue(self, state: State) -> None:
        """Take over a checkpoint. Another number of steps than it was asked for bends the learning rate from here."""
        self.task.net.load_state_dict(state.net)
        self.average.weights = {name: value.to(self.task.device) for name, value in state.ema.items()}
        self.optimiser.load_state_dict(state.optimiser)
        restore_random_state(state.rng)
        self.start = state.step
        self.turn = Turn.of(state.recipe)
        self._fit = self._fit and self.turn is None and state.recipe.get("max_time") is not None
        before = state.recipe["steps"]
        if self.options.steps != before:
            asked = self.options.model_copy(update={"steps": before})
            self._set_turn(turned(asked, state.step, self.options.steps, self.turn))
            self._fit = False
        elif self.turn is not None:
            self._set_turn(self.turn)

    def _set_turn(self, turn: Turn) -> None:
        self.turn = turn
        self.recipe[TURN] = turn.to_json()

    def step(
        self, photos: Tensor, paintings: Tensor, number: int
    ) -> tuple[dict[str, Tensor], Mapping[str, float | Tensor]]:
        """Take a step, the first being 0.

        Returns:
            Weighted loss terms; learning rate and length of the gradient. Values are on the task's device.
        """
        rate = learning_rate(self.options, number, self.turn)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        photos, paintings = (batch.to(self.task.device, non_blocking=True) for batch in (photos, paintings))
        terms = self.task.loss(self.net, photos, paintings, number)
        loss = cast(Tensor, sum(terms.values()))
        self.optimiser.zero_grad()
        self.processes.backward(loss)
        length = nn.utils.clip_grad_norm_(self.task.net.parameters(), self.options.clip or math.inf)
        if not torch.isfinite(length):
            raise ImpastoError(
                f"the loss is no longer a number at step {number + 1}: start again in another folder with a smaller "
                "--lr"
            )
        self.optimiser.step()
        self.average.update(self.task.net, number)
        self.results.done = number + 1
        self.clock.tick()
        return terms, {"lr": rate, "gradient": length}

    def measure(self, step: int) -> None:
        """Once the speed is known, fit the number of steps to the time that there is, and tell how long they take."""
        sitting = step - self.start
        most = self.options.max_time.total_seconds() if self.options.max_time else math.inf
        late = self.batches.world == 1 and self.clock.seconds() >= min(_MEASURED_SECONDS, most / 4)
        if not (sitting == _MEASURED_STEPS or (late and sitting < _MEASURED_STEPS)) or self.clock.measured:
            return
        self.clock.measured = True
        if self._fit:
            fitting = self._agreed(step + steps_that_fit(most - self.clock.seconds(), self.clock.pace()))
            if fitting < self.total:
                self._set_turn(turned(self.options, step, fitting, self.turn))
                self.clock.steps_left = fitting - step
            if self.main:
                tell(f"{self.total} steps fit in {describe_time(most)}")
        if self.main and self.clock.steps_left:
            left, peak = self.clock.steps_left * self.clock.pace(), peak_memory_mb(self.task.device) * 2**20
            tell(
                f"about {describe_time(left)} for {self.clock.steps_left} more steps; memory so far: "
                f"{describe(peak)} at most"
            )

    def time_is_over(self, step: int) -> bool:
        """Whether the run has taken as long as it may."""
        if self.options.max_time is None:
            return False
        over = self.clock.seconds() >= self.options.max_time.total_seconds()
        if self.batches.world == 1:
            return over
        return step % _AGREE_EVERY == 0 and bool(self._agreed(int(over)))

    def _agreed(self, value: int) -> int:
        """The main process's value, in all processes."""
        if self.batches.world == 1:
            return value
        from accelerate.utils import broadcast_object_list

        values = [value]
        broadcast_object_list(values)
        return values[0]

    def validate(self, journal: Journal) -> None:
        """Validate, and write the net, a sheet and the curve. Other processes wait."""
        if self.main:
            self.results.validate(journal, self.clock)
        self.processes.wait_for_everyone()


def _make_optimiser(task: Task, options: TrainOptions) -> Optimizer:
    trained = [parameter for parameter in task.net.parameters() if parameter.requires_grad]
    betas = (0.9, options.beta2)
    if options.optimizer == "muon":
        return Muon(trained, lr=options.lr, betas=betas)
    return Adam(trained, lr=options.lr, betas=betas, fused=task.device.type == "cuda" or None)


def _pinned(batches: Callable[[int], tuple[Tensor, Tensor]]) -> Callable[[int], tuple[Tensor, Tensor]]:
    """The same batches in pinned memory, from which a GPU copies without making the host wait."""

    def make(number: int) -> tuple[Tensor, Tensor]:
        photos, paintings = (batch.pin_memory() if batch.numel() else batch for batch in batches(number))
        return photos, paintings

    return make
