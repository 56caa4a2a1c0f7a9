"""From a trainer's arguments to a finished run: pictures, held-out pictures, task, loop."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .. import __version__
from ..errors import ImpastoWarning
from ..memory import keep_freed_memory
from ..runtime import compute_dtype, pick_device
from ..weights.canonical import VGGWeights
from .data import Batches, Cropping, Pictures, name_some, pillow_silenced
from .loop import accelerator, train
from .options import TrainOptions
from .progress import Progress
from .state import find_state
from .task import Task

_SHEET_SIDE = 288  # pixels, longest side of held-out pictures
_HEADER_SECONDS = 2.0  # for looking at files before the first step
_FEW = 200  # pictures below which a net learns them rather than what they share
_SHIPPED = "3932 photos and 4044 paintings"  # that the shipped nets learned from
_SCALE_BATCHES = 12
_SCALE_CROPS, _SCALE_SIDE = 8, 192  # crops in a batch of the sample, and their side in pixels


@dataclass(frozen=True)
class Setting:
    """What a task is built from.

    Attributes:
        weights: of the encoder.
        device: where it trains.
        dtype: arithmetic of the networks.
        held_out: photos and paintings for validation, each 1×3×H×W in [0, 1].
        sample: batches of crops of photos, N×3×S×S, the same at every start, for statistics of the encoder.
        init: weights to begin with, by name; empty for random ones.
        photos: those that are not held out.
        out: folder of the run.
    """

    weights: VGGWeights
    device: torch.device
    dtype: torch.dtype
    held_out: tuple[Sequence[Tensor], Sequence[Tensor]]
    sample: Sequence[Tensor]
    init: Mapping[str, Tensor]
    photos: Pictures = field(default_factory=Pictures.none)
    out: Path = Path()


@pillow_silenced()
def run(
    make: Callable[[Setting], Task],
    options: TrainOptions,
    *,
    weights: VGGWeights,
    photos: Sequence[str],
    paintings: Sequence[str],
    counts: tuple[int, int],
    out: str | Path,
    recipe: Mapping[str, Any],
    init: Mapping[str, Tensor] | None = None,
    resume: bool = False,
    device: str = "auto",
    report: Callable[[Progress], None] | None = None,
) -> Path:
    """Train a task.

    Args:
        make: makes the task.
        options: the trainer's settings.
        weights: of the encoder.
        photos: folders or ``.tar`` files, each ``PATH[:WEIGHT]``.
        paintings: likewise; not looked at if the task learns from photos alone.
        counts: photos and paintings in a batch.
        out: folder of the run.
        recipe: what the net records beside the options: task, preset, encoder and parent.
        init: weights to begin with, by name.
        resume: continue the run in `out`.
        device: auto, cpu, cuda or mps.
        report: called after every step.

    Returns:
        The net's file.

    Raises:
        RequestError: pictures are missing, or as `impasto.training.loop.train` says.
    """
    where = pick_device(device)
    processes = accelerator(where)
    where = processes.device
    keep_freed_memory()
    torch.manual_seed(options.seed)
    kinds = Pictures.find(photos, "photos"), Pictures.find(paintings, "paintings") if counts[1] else Pictures.none()
    cropping = Cropping(options.crop, options.resize, options.squash)
    batches = Batches(*kinds, cropping, counts, options.seed, processes.process_index, processes.num_processes)
    recipe = {**options.model_dump(mode="json"), **recipe}
    find_state(Path(out), recipe, batches.sources, resume=resume)  # the loop reads it; here it is refused early
    numbers = len(kinds[0]), len(kinds[1])
    held_out = [
        [kind.load(entry, _SHEET_SIDE) for entry in kind.hold_out(options.held_out, options.seed)] if count else []
        for kind, count in zip(kinds, counts, strict=True)
    ]
    if processes.is_main_process:
        if not resume:
            _warn_of_few(numbers)
        _look_for_unreadable(kinds)
    sample = Batches(*kinds, Cropping(_SCALE_SIDE), (_SCALE_CROPS, min(counts[1], 1)), options.seed)
    setting = Setting(
        weights=weights,
        device=where,
        dtype=compute_dtype(where, options.precision),
        held_out=(held_out[0], held_out[1]),
        sample=[sample(number)[0] for number in range(_SCALE_BATCHES)],
        init=init or {},
        photos=kinds[0],
        out=Path(out),
    )
    data = {"photos": kinds[0].description, "paintings": kinds[1].description}
    metadata = {"recipe": recipe, "data": data, "impasto": __version__}
    return train(
        make(setting),
        batches,
        options,
        Path(out),
        metadata=metadata,
        resume=resume,
        processes=processes,
        report=report,
    )


def _warn_of_few(numbers: tuple[int, int]) -> None:
    """Warn where there are few photos or paintings."""
    few = [
        f"{count} {name}" for count, name in zip(numbers, ("photos", "paintings"), strict=True) if 0 < count < _FEW
    ]
    if few:
        warnings.warn(
            f"{' and '.join(few)} will do, but {_FEW} or more make a better net; the shipped nets "
            f"learned from {_SHIPPED}",
            ImpastoWarning,
            stacklevel=2,
        )


def _look_for_unreadable(kinds: tuple[Pictures, Pictures]) -> None:
    """Warn of pictures that cannot be read, as far as that is seen quickly."""
    for pictures in kinds:
        pictures.check_headers(_HEADER_SECONDS / len(kinds))
    if broken := sorted(kinds[0].broken | kinds[1].broken):
        warnings.warn(name_some(broken), ImpastoWarning, stacklevel=2)
