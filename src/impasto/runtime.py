"""Device, precision, seed and memory."""

from __future__ import annotations

import contextlib
import functools
import sys
from typing import TYPE_CHECKING

from .errors import RequestError
from .recipe import Precision

if TYPE_CHECKING:
    import torch


def pick_device(name: str = "auto") -> torch.device:
    """Resolve ``auto | cpu | cuda[:n] | mps`` to a device that is really there."""
    import torch

    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    kind = name.partition(":")[0]
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if kind not in there:
        raise RequestError(f"device is {name!r}; expected auto, cpu, cuda or mps")
    if not there[kind]:
        usable = ", ".join(key for key, value in there.items() if value)
        raise RequestError(f"device {name!r} is not available here; usable: {usable}")
    return torch.device(name)


@functools.cache
def _cpu_has_bf16() -> bool:
    """Whether this processor multiplies bfloat16 in hardware (AVX-512 BF16, AMX or Arm BF16)."""
    import torch

    try:
        return torch.ops.mkldnn._is_mkldnn_bf16_supported()
    except (AttributeError, RuntimeError):
        return False


def compute_dtype(device: torch.device, precision: Precision) -> torch.dtype:
    """Arithmetic of the network: float32 when exact or where nothing faster is sound, else bfloat16."""
    import torch

    if precision == "exact":
        return torch.float32
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    if device.type == "cpu" and _cpu_has_bf16():
        return torch.bfloat16
    return torch.float32


def peak_memory_mb(device: torch.device | None = None) -> float:
    """Peak memory so far in MiB: of the process, or of the GPU where one is used."""
    if device is not None and device.type == "cuda":
        import torch

        return torch.cuda.max_memory_allocated(device) / 2**20
    if sys.platform == "win32":
        import psutil

        return psutil.Process().memory_info().peak_wset / 2**20
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def give_back_freed_memory() -> None:
    """Return to the system what `keep_freed_memory` kept: before work whose blocks are of other sizes."""
    import ctypes

    if not sys.platform.startswith("linux"):
        return
    with contextlib.suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


def keep_freed_memory(keep: bool = True) -> None:
    """Let the C library keep large freed blocks for the next step, or have it give them back at once.

    An optimisation frees and asks for the same hundreds of megabytes at every step; glibc would return
    each to the system and fetch it anew, page by page, a tenth of the step's time. But blocks of many sizes leave
    gaps among those kept: where memory is scarce they had better go. With another C library a no-op.
    """
    import ctypes

    if not sys.platform.startswith("linux"):
        return
    trim_threshold, top_pad, mmap_threshold, mmap_max = -1, -2, -3, -4
    with contextlib.suppress(OSError, AttributeError):  # another C library
        library = ctypes.CDLL(None)
        library.mallopt(mmap_max, 0 if keep else 2**16)
        # Of no effect where none is mapped, and 32 MiB the most glibc takes.
        library.mallopt(mmap_threshold, (32 if keep else 4) * 2**20)
        library.mallopt(trim_threshold, 2**31 - 1 if keep else 2**27)
        library.mallopt(top_pad, 64 * 2**20)
        if not keep:
            library.malloc_trim(0)
