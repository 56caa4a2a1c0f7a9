"""Amounts of memory: read, written, and what is free. Imports no torch before a GPU is asked about."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import device

_UNITS = {"B": 1} | {
    name: base**power
    for power, letter in enumerate("KMGT", 1)
    for name, base in ((letter, 1000), (f"{letter}B", 1000), (f"{letter}IB", 1024))
}
_CONTROL_GROUP = Path("/sys/fs/cgroup")
_SHARE_OF_FREE = 0.8  # of free memory is used where no budget is given
_WORDS = ("out of memory", "can't allocate memory", "not enough memory", "failed to allocate")


def parse(amount: Any) -> Any:
    """Bytes of ``"4GB"``, ``"800 MB"`` or ``"3.5GiB"``; K, M, G, T are powers of 1000, KiB … of 1024.

    What is not text comes back as it is.

    Raises:
        ValueError: no amount, or a number without its unit.
    """
    if not isinstance(amount, str):
        return amount
    match = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)\s*([KMGT]?I?B?)", amount.strip(), re.IGNORECASE)
    if match is None or match[2].upper() not in _UNITS:
        raise ValueError("expected an amount of memory with its unit, as in 4GB or 800MiB")
    return round(float(match[1]) * _UNITS[match[2].upper()])


def describe(amount: float) -> str:
    """Bytes as a person writes them, three digits: ``4 GB``, ``817 MB``."""
    unit = "GB" if amount >= 0.9995e9 else "MB"
    return f"{amount / _UNITS[unit]:.3g} {unit}"


def available(on: device) -> int:
    """Bytes that are free now, of the machine (or the container around the process) or of a GPU."""
    if on.type == "cuda":
        import torch

        return torch.cuda.mem_get_info(on)[0] + torch.cuda.memory_reserved(on) - torch.cuda.memory_allocated(on)
    import psutil

    free = psutil.virtual_memory().available
    try:  # a container's limit, which psutil does not see; the cache of files in it can be given up
        limit, used = ((_CONTROL_GROUP / f"memory.{name}").read_text().strip() for name in ("max", "current"))
        cached = re.search(r"^inactive_file (\d+)$", (_CONTROL_GROUP / "memory.stat").read_text(), re.MULTILINE)
        left = int(limit) - int(used) + (int(cached[1]) if cached else 0)
    except (OSError, ValueError):  # none, or "max"
        return free
    return max(0, min(free, left))


def allowed(budget: int | None, on: device) -> float:
    """Bytes the process may use: its budget, or with what it uses already most of what is free."""
    return budget or in_use(on) + _SHARE_OF_FREE * available(on)


def in_use(on: device) -> int:
    """Bytes this process holds now, in memory or of a GPU."""
    if on.type == "cuda":
        import torch

        return torch.cuda.memory_allocated(on)
    import psutil

    return psutil.Process().memory_info().rss


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out: torch's CPU allocator raises a plain RuntimeError, CUDA's a subclass of its own."""
    words = str(error).lower()
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(hint in words for hint in _WORDS)
    )
