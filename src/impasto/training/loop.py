"""The training loop: any `Task`, one device or several, stopped and resumed at will."""

from __future__ import annotations

import contextlib
import json
import math
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.optim import Adam

from ..errors import ImpastoError, MissingExtraError, OutputError, RequestError
from ..weights.files import TRAINED
from ..weights.shipped import save_net
from .curve import LOG, draw_curve
from .data import Ahead, Batches
from .muon import Muon
from .options import TrainOptions
from .state import State, load_state, random_state, restore_random_state, save_state
from .task import Task

# What may change between a run and its continuation: it decides when to look, not what is learned.
FREE_SETTINGS = frozenset({"validate_every", "save_every", "workers"})
_LOG_EVERY = 10

CHECKPOINT, NET = "checkpoint.pt", TRAINED

_aten = torch.ops.aten


@dataclass(frozen=True)
class Progress:
    """Where a run stands: sent after every step."""

    step: int
    total: int
    losses: Mapping[str, float] | None
    images_per_second: float
    seconds_left: float


def learning_rate(options: TrainOptions, step: int) -> float:
    """Rate of the step numbered from 0."""
    warm = min(1.0, (step + 1) / options.warmup) if options.warmup else 1.0
    if options.schedule == "inverse":
        return warm * options.lr / (1 + options.decay * step)
    if options.schedule == "constant":
        return warm * options.lr
    return warm * options.lr * (0.01 + 0.99 * (0.5 + 0.5 * math.cos(math.pi * step / options.steps)))


def accelerator(device: torch.device) -> Any:
    """Accelerate's view of this process among its fellows; alone unless started by `accelerate launch`."""
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
    """Train `task`, and leave in the folder `out` the net, a checkpoint, a log and sample sheets.

    A stop by Ctrl-C (or SIGTERM) lets the step end, saves, and raises KeyboardInterrupt. `resume` then goes
    on with the same weights, optimiser, running mean, random state and pictures.

    Args:
        task: what is learned, its net on its device.
        batches: photos and paintings by number.
        options: how long, how fast.
        out: a folder, made if need be.
        metadata: recipe and data, kept in the net.
        resume: continue from `out`'s checkpoint.
        processes: from `accelerator`; made here if None.
        report: called after every step.

    Returns:
        The net's file.

    Raises:
        RequestError: `out` holds another run, or what is to be resumed is not there.
        ImpastoError: the loss is no longer a number.
    """
    group = processes or accelerator(task.device)
    recipe = dict(metadata["recipe"])
    learned = [parameter for parameter in task.net.parameters() if parameter.requires_grad]
    of_all: dict[str, Any] = {"lr": options.lr, "betas": (0.9, options.beta2)}
    on_gpu = task.device.type == "cuda"
    muon = options.optimizer == "muon"
    optimiser = Muon(learned, **of_all) if muon else Adam(learned, **of_all, fused=on_gpu or None)
    average = _Average(task.net, options.ema)
    start = 0
    _make_folder(out)
    checkpoint = out / CHECKPOINT
    if resume:
        state = load_state(checkpoint, recipe, free=FREE_SETTINGS)
        task.net.load_state_dict(state.net)
        average.weights = {name: value.to(task.device) for name, value in state.ema.items()}
        optimiser.load_state_dict(state.optimiser)
        restore_random_state(state.rng)
        start = state.step
    elif checkpoint.exists():
        raise RequestError(f"{out} already holds a run; continue it with --resume, or give another folder")
    net, optimiser = group.prepare(task.net, optimiser)
    task.net.train()

    def keep(step: int) -> None:
        if group.is_main_process:
            save_state(
                checkpoint,
                State(
                    step=step,
                    net=task.net.state_dict(),
                    ema=average.weights,
                    optimiser=optimiser.state_dict(),
                    rng=random_state(),
                    recipe=recipe,
                ),
            )

    def show(step: int) -> None:
        """Validate, and write the net as it is; other processes wait."""
        if group.is_main_process:
            with average.in_place(task.net):
                task.net.eval()
                figures, sheet = task.validate()
                task.net.train()
            journal.write(step, {"validation": figures})
            sheet.save(out / f"sheet-{step:06d}.png")
            done = {
                "steps": step,
                "validation": figures,
                "unreadable": len(batches.photos.broken | batches.paintings.broken),
                "crops_per_second": clock.mean(),
            }
            save_net(out / NET, average.weights, {**task.metadata(), **metadata, **done})
            draw_curve(out)
        group.wait_for_everyone()

    step = start
    clock = _Clock(options.steps - start, (batches.counts[0] + batches.counts[1]) * batches.world)
    with (
        _Journal(out, start, main=group.is_main_process) as journal,
        _Stop() as stop,
        Ahead(_pinned(batches) if on_gpu else batches, start, options.steps, options.workers) as supply,
    ):
        for photos, paintings in supply:
            rate = learning_rate(options, step)
            for settings in optimiser.param_groups:
                settings["lr"] = rate
            photos, paintings = (batch.to(task.device, non_blocking=True) for batch in (photos, paintings))
            terms = task.loss(net, photos, paintings, step)
            loss = cast(Tensor, sum(terms.values()))
            optimiser.zero_grad(set_to_none=True)
            group.backward(loss)
            norm = nn.utils.clip_grad_norm_(task.net.parameters(), options.clip or math.inf)
            if not torch.isfinite(norm):
                raise ImpastoError(
                    f"the loss is no longer a number at step {step + 1}; the checkpoint in {out} is from before: "
                    "train anew with a smaller --lr"
                )
            optimiser.step()
            average.update(task.net, step)
            step += 1
            losses = None
            if step % _LOG_EVERY == 0 or step == options.steps:
                losses = {name: float(value.detach()) for name, value in terms.items()}
                journal.write(step, {"loss": sum(losses.values()), **losses, "lr": rate, "gradient": float(norm)})
            if report and group.is_main_process:
                report(Progress(step, options.steps, losses, *clock.tick()))
            if step % options.validate_every == 0 or step == options.steps:
                show(step)
            if step % options.save_every == 0 or step == options.steps or stop.asked:
                keep(step)
            if stop.asked and step < options.steps:
                raise KeyboardInterrupt
    return out / NET


def _pinned(batches: Callable[[int], tuple[Tensor, Tensor]]) -> Callable[[int], tuple[Tensor, Tensor]]:
    """The same batches where a GPU fetches them by itself; an empty one stays where it is."""

    def make(number: int) -> tuple[Tensor, Tensor]:
        photos, paintings = (batch.pin_memory() if batch.numel() else batch for batch in batches(number))
        return photos, paintings

    return make


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{out} cannot be made: {error.strerror or error}") from None


class _Average:
    """Running mean of the weights; buffers are copied."""

    def __init__(self, net: nn.Module, memory: float) -> None:
        self.memory = memory
        self.weights = {name: value.detach().clone() for name, value in net.state_dict().items()}

    @torch.no_grad()
    def update(self, net: nn.Module, step: int) -> None:
        # Early on the mean forgets faster, or it would carry the random start along.
        memory = min(self.memory, (1 + step) / (10 + step))
        own, others = [], []
        for name, value in net.state_dict().items():
            if value.is_floating_point():
                own.append(self.weights[name])
                others.append(value)
            else:
                self.weights[name].copy_(value)
        _aten._foreach_lerp_.Scalar(own, others, 1 - memory)  # of all weights at once: a GPU takes them in one go

    @contextlib.contextmanager
    def in_place(self, net: nn.Module) -> Generator[None]:
        """The net with the mean for its weights."""
        own = {name: value.detach().clone() for name, value in net.state_dict().items()}
        net.load_state_dict(self.weights)
        try:
            yield
        finally:
            net.load_state_dict(own)


class _Clock:
    """Images a second and time left, over the last minutes rather than since the start."""

    def __init__(self, steps: int, images: int) -> None:
        self.left, self.images = steps, images
        self.begun = self.last = time.monotonic()
        self.done = 0
        self.seconds: float | None = None

    def tick(self) -> tuple[float, float]:
        now = time.monotonic()
        took = now - self.last
        self.last = now
        self.left -= 1
        self.done += 1
        self.seconds = took if self.seconds is None else 0.95 * self.seconds + 0.05 * took
        return self.images / max(self.seconds, 1e-9), self.left * self.seconds

    def mean(self) -> float:
        """Images a second since the start, validation included."""
        return round(self.images * self.done / max(self.last - self.begun, 1e-9), 2)


class _Journal:
    """``log.jsonl``: one JSON object a line. Lines after the resumed step are of steps that were lost."""

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
        return math.inf  # a line cut short by a crash


class _Stop:
    """Turns the first Ctrl-C or SIGTERM into a wish; the second stops at once."""

    asked = False

    def __enter__(self) -> _Stop:
        self._old: dict[int, Any] = {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._old[number] = signal.signal(number, self._wish)
        return self

    def _wish(self, *_: object) -> None:
        self.asked = True
        print("stopping after this step; once more to stop at once", file=sys.stderr)
        self._restore()

    def _restore(self) -> None:
        while self._old:
            signal.signal(*self._old.popitem())

    def __exit__(self, *_: object) -> None:
        self._restore()


@contextlib.contextmanager
def progress_bar(*, quiet: bool = False) -> Generator[Callable[[Progress], None]]:
    """A reporter for `train`: a bar on stderr with images a second and the time left."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = ("[progress.description]{task.description}", BarColumn(), MofNCompleteColumn(), "{task.fields[note]}")
    bar = Bar(
        *(TextColumn(c) if isinstance(c, str) else c for c in columns),
        console=Console(stderr=True),
        disable=quiet,
    )
    row = bar.add_task("training", total=None, note="")
    shown = ""

    def report(at: Progress) -> None:
        nonlocal shown
        bar.start()  # with the first step: a run that is refused draws nothing
        if at.losses is not None:
            shown = f"loss {sum(at.losses.values()):.3f}  "
        minutes, seconds = divmod(round(at.seconds_left), 60)
        note = f"{shown}{at.images_per_second:.1f} images/s  {minutes // 60}:{minutes % 60:02d}:{seconds:02d} left"
        bar.update(row, total=at.total, completed=at.step, note=note)

    try:
        yield report
    finally:
        if bar.live.is_started:
            bar.stop()
