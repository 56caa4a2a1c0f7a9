"""The training loop: any `Task`, on one device or several, stopped and resumed exactly."""

from __future__ import annotations

import contextlib
import json
import math
import signal
import sys
import threading
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from ..control import ending_signals
from ..errors import ImpastoError, MissingExtraError, OutputError, RequestError
from ..weights.files import TRAINED
from ..weights.shipped import save_net
from .curve import LOG, draw_curve
from .data import Batches, Prefetch
from .muon import Muon
from .options import TrainOptions
from .progress import Clock, Progress
from .state import State, load_state, random_state, restore_random_state, save_state
from .task import Task

FREE_SETTINGS = frozenset({"validate_every", "save_every", "workers"})
"""Settings that a resumed run may change: what is learned does not depend on them."""

CHECKPOINT, NET = "checkpoint.pt", TRAINED
"""File names in the folder of a run."""

_LOG_EVERY = 10  # steps

_aten = torch.ops.aten


def learning_rate(options: TrainOptions, step: int) -> float:
    """Learning rate of a step; the first step is 0."""
    warm = min(1.0, (step + 1) / options.warmup) if options.warmup else 1.0
    if options.schedule == "inverse":
        return warm * options.lr / (1 + options.decay * step)
    if options.schedule == "constant":
        return warm * options.lr
    return warm * options.lr * (0.01 + 0.99 * (0.5 + 0.5 * math.cos(math.pi * step / options.steps)))


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

    Ctrl-C, SIGTERM or SIGHUP ends the run after the present step, saves a checkpoint and the net so far, and raises
    KeyboardInterrupt. `resume` continues with the same weights, optimiser, running mean, random state and pictures.

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
        ImpastoError: the loss is no longer a number.
        KeyboardInterrupt: the run was stopped.
    """
    run = _Run(task, options, out, metadata, processes or accelerator(task.device))
    start = run.begin(resume=resume)
    clock = Clock(options.steps - start, sum(batches.counts) * batches.world)
    make = _pinned(batches) if task.device.type == "cuda" else batches
    with (
        _Journal(out, start, main=run.main) as journal,
        _Stop() as stop,
        Prefetch(make, start, options.steps, options.workers) as supply,
    ):
        for step, (photos, paintings) in enumerate(supply, start + 1):
            terms, entry = run.step(photos, paintings, step - 1)
            last = step == options.steps
            logged = step % _LOG_EVERY == 0 or last
            losses = None
            if logged or step == start + 1:
                losses = {name: float(value.detach()) for name, value in terms.items()}
            if logged and losses is not None:
                figures = {name: float(value) for name, value in entry.items()}
                journal.write(step, {"loss": sum(losses.values()), **losses, **figures})
            validate = step % options.validate_every == 0 or last
            checkpoint = step % options.save_every == 0 or last
            if report and run.main:
                saving = (*(("net", "sample sheet") if validate else ()), *(("checkpoint",) if checkpoint else ()))
                report(Progress(step, options.steps, losses, *clock.tick(), saving))
            if validate:
                run.validate(step, journal, batches, clock)
            if checkpoint or stop.asked:
                run.save_checkpoint(step)
            if stop.asked and not last:
                if not validate:
                    run.save_net(step, {}, batches, clock)
                raise KeyboardInterrupt
    return out / NET


class _Run:
    """A task with its optimiser, the running mean of its weights, and the files that the run leaves."""

    def __init__(
        self, task: Task, options: TrainOptions, out: Path, metadata: Mapping[str, Any], processes: Any
    ) -> None:
        self.task, self.options, self.out, self.metadata = task, options, out, metadata
        self.processes = processes
        self.main: bool = processes.is_main_process
        self.recipe = dict(metadata["recipe"])
        self.optimiser = _make_optimiser(task, options)
        self.average = _RunningMean(task.net, options.ema)
        self.net = task.net  # `begin` replaces it where gradients are shared between processes

    def begin(self, *, resume: bool) -> int:
        """Make the folder, load the checkpoint to resume, and return the number of steps done."""
        _make_folder(self.out)
        checkpoint = self.out / CHECKPOINT
        start = 0
        if resume:
            state = load_state(checkpoint, self.recipe, free=FREE_SETTINGS)
            self.task.net.load_state_dict(state.net)
            self.average.weights = {name: value.to(self.task.device) for name, value in state.ema.items()}
            self.optimiser.load_state_dict(state.optimiser)
            restore_random_state(state.rng)
            start = state.step
        elif checkpoint.exists():
            raise RequestError(f"{self.out} already holds a run; continue it with --resume, or give another folder")
        self.net, self.optimiser = self.processes.prepare(self.task.net, self.optimiser)
        self.task.net.train()
        return start

    def step(
        self, photos: Tensor, paintings: Tensor, number: int
    ) -> tuple[dict[str, Tensor], Mapping[str, float | Tensor]]:
        """Take a step, the first being 0.

        Returns:
            Weighted loss terms; learning rate and length of the gradient. Values are on the task's device.
        """
        rate = learning_rate(self.options, number)
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
                f"the loss is no longer a number at step {number + 1}; the last checkpoint in {self.out} is from "
                "before: start again in another folder with a smaller --lr"
            )
        self.optimiser.step()
        self.average.update(self.task.net, number)
        return terms, {"lr": rate, "gradient": length}

    def save_checkpoint(self, step: int) -> None:
        """Write all that the next step depends on."""
        if self.main:
            save_state(
                self.out / CHECKPOINT,
                State(
                    step=step,
                    net=self.task.net.state_dict(),
                    ema=self.average.weights,
                    optimiser=self.optimiser.state_dict(),
                    rng=random_state(),
                    recipe=self.recipe,
                ),
            )

    def validate(self, step: int, journal: _Journal, batches: Batches, clock: Clock) -> None:
        """Validate the running mean, and write it as the net, with a sheet and the curve. Other processes wait."""
        if self.main:
            with self.average.in_place(self.task.net):
                self.task.net.eval()
                figures, sheet = self.task.validate()
                self.task.net.train()
            journal.write(step, {"validation": figures})
            sheet.save(self.out / f"sheet-{step:06d}.png")
            self.save_net(step, figures, batches, clock)
            draw_curve(self.out)
        self.processes.wait_for_everyone()

    def save_net(self, step: int, figures: Mapping[str, float], batches: Batches, clock: Clock) -> None:
        """Write the running mean as the net, with the figures of its validation, if there was one."""
        if self.main:
            done = {
                "steps": step,
                "validation": figures,
                "unreadable": len(batches.photos.broken | batches.paintings.broken),
                "crops_per_second": clock.mean(),  # images/s: a crop of a photo or a painting is an image
            }
            save_net(self.out / NET, self.average.weights, {**self.task.metadata(), **self.metadata, **done})


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


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{out} cannot be made: {error.strerror or error}") from None


class _RunningMean:
    """Running mean of a net's weights; buffers of integers are copied.

    Args:
        net: begins the mean.
        decay: share of the mean that a step keeps, 0 to below 1.
    """

    def __init__(self, net: nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights = {name: value.detach().clone() for name, value in net.state_dict().items()}

    @torch.no_grad()
    def update(self, net: nn.Module, step: int) -> None:
        """Take in the weights after a step, the first being 0."""
        # The decay is smaller in the first steps: otherwise the random first weights would stay in the mean for long.
        decay = min(self.decay, (1 + step) / (10 + step))
        means, values = [], []
        for name, value in net.state_dict().items():
            if value.is_floating_point():
                means.append(self.weights[name])
                values.append(value)
            else:
                self.weights[name].copy_(value)
        _aten._foreach_lerp_.Scalar(means, values, 1 - decay)  # all weights in one operation, which suits a GPU

    @contextlib.contextmanager
    def in_place(self, net: nn.Module) -> Generator[None]:
        """Give the net the mean as its weights for a while."""
        own = {name: value.detach().clone() for name, value in net.state_dict().items()}
        net.load_state_dict(self.weights)
        try:
            yield
        finally:
            net.load_state_dict(own)


class _Journal:
    """``log.jsonl``: one JSON object a line. A resumed run removes the lines after its checkpoint."""

    def __init__(self, out: Path, start: int, *, main: bool) -> None:
        self._file = None
        if not main:
            return
        path = out / LOG
        kept = [line for line in path.read_text().splitlines() if _step_of(line) <= start] if start else []
        path.write_text("".join(f"{line}\n" for line in kept))
        self._file = path.open("a", buffering=1)

    def write(self, step: int, entry: Mapping[str, Any]) -> None:
        if self._file is not None:
            self._file.write(json.dumps({"step": step, **entry}) + "\n")

    def __enter__(self) -> _Journal:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()


def _step_of(line: str) -> float:
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return math.inf  # a crash cut the line short


class _Stop:
    """Turns the first Ctrl-C, SIGTERM or SIGHUP into a request to stop after the step; the second stops at once."""

    asked = False

    def __enter__(self) -> _Stop:
        self._old_handlers: dict[int, Any] = {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, *ending_signals()):
                self._old_handlers[number] = signal.signal(number, self._ask)
        return self

    def _ask(self, *_: object) -> None:
        self.asked = True
        print("stopping after this step; press Ctrl-C again to stop at once", file=sys.stderr)
        self._restore()

    def _restore(self) -> None:
        while self._old_handlers:
            signal.signal(*self._old_handlers.popitem())

    def __exit__(self, *_: object) -> None:
        self._restore()
