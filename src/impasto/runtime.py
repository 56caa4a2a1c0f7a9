"""The device to work on, its arithmetic, the processor's name, and what a caller has set in the same process."""

from __future__ import annotations

import contextlib
import functools
import os
import platform
import re
import sys
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, cast

from .errors import RequestError
from .values import Precision

if TYPE_CHECKING:
    import torch


_forked = False  # this process is the child of one that used torch, and has not worked yet


def _note_fork() -> None:
    global _forked
    _forked = "torch" in sys.modules


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)


@contextlib.contextmanager
def isolated() -> Generator[None]:
    """Work inside the block as if the process were impasto's own, whatever its program has set.

    New tensors are float32 and on the processor, as torch's defaults are. In the child of a fork, torch works with
    one thread: the threads of its parent do not exist there, and OpenMP would wait for them for ever.
    """
    import torch

    global _forked
    if _forked:
        torch.set_num_threads(1)
        _forked = False
    dtype, device = torch.get_default_dtype(), torch.get_default_device()
    with contextlib.ExitStack() as restored:
        if dtype != torch.float32:
            torch.set_default_dtype(torch.float32)
            restored.callback(torch.set_default_dtype, dtype)
        if device.type != "cpu":
            restored.enter_context(torch.device("cpu"))
        yield


def pick_device(name: str | torch.device = "auto") -> torch.device:
    """Return the device of a name.

    Args:
        name: ``cpu``, ``cuda``, ``cuda:N`` or ``mps``; ``auto`` takes a GPU if there is one. A device is taken too.

    Raises:
        RequestError: the name is unknown, or this machine does not have the device.
    """
    import torch

    name = str(name) if isinstance(name, torch.device) else name
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    kind = name.partition(":")[0] if isinstance(cast(object, name), str) else None
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if kind not in available:
        raise RequestError(f"device is {name!r}; expected auto, cpu, cuda, cuda:N or mps")
    if not available[kind]:
        usable = ", ".join(key for key, value in available.items() if value)
        raise RequestError(f"device {name!r} is not available here; usable: {usable}")
    return torch.device(name)


@functools.cache
def _cpu_has_bf16() -> bool:
    """Say whether this processor multiplies bfloat16 in hardware (AVX-512 BF16, AMX or Arm BF16)."""
    import torch

    try:
        return torch.ops.mkldnn._is_mkldnn_bf16_supported()
    except (AttributeError, RuntimeError):
        return False


def compute_dtype(device: torch.device, precision: Precision) -> torch.dtype:
    """Return the type of numbers that networks compute with.

    Args:
        device: where they compute.
        precision: ``exact`` for float32; ``auto`` for bfloat16 if the device is fast and accurate with it.
    """
    import torch

    if precision == "exact":
        return torch.float32
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    if device.type == "cpu" and _cpu_has_bf16():
        return torch.bfloat16
    return torch.float32


def processor_name() -> str:
    """Return the processor's name as the system gives it."""
    try:
        found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()
