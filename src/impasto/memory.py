"""Memory: amounts, what work needs (`Cost`), which way of working fits (`fit`), and what the process holds.

Imports no torch before a GPU is asked about.
"""

from __future__ import annotations

import contextlib
import ctypes
import re
import sys
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .errors import ImpastoError, RequestError

if TYPE_CHECKING:
    from torch import device

Way = TypeVar("Way")
Made = TypeVar("Made")

SPARE = 100e6
"""Bytes that any work takes beside its tensors: kernels in other layouts, the libraries' own buffers."""

FLOAT = 4
"""Bytes of a float32."""

_UNITS = {"B": 1} | {
    name: base**power
    for power, letter in enumerate("KMGT", 1)
    for name, base in ((letter, 1000), (f"{letter}B", 1000), (f"{letter}IB", 1024))
}
_CONTROL_GROUP = Path("/sys/fs/cgroup")
_SHARE_OF_FREE = 0.8  # of free memory is used where no budget is given
_SETTLED = 50e6  # bytes of earlier work that are still in use when later work begins
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


@dataclass(frozen=True)
class Cost:
    """Memory that work needs, at each of its moments: some bytes, and some for each pixel of the picture.

    ``a + b`` is both at the same time, ``a | b`` one after the other, ``2 * a`` the same thing twice.

    Attributes:
        moments: pairs of bytes, and bytes a pixel.

    Example:
        >>> picture, features = Cost.of_pixels(12), Cost.of_pixels(128)
        >>> (picture + features | 2 * features).at((512, 512))
        67108864.0
    """

    moments: tuple[tuple[float, float], ...] = ((0.0, 0.0),)

    @classmethod
    def of_bytes(cls, amount: float) -> Cost:
        """The same for every picture."""
        return cls(((amount, 0.0),))

    @classmethod
    def of_pixels(cls, amount: float) -> Cost:
        """So many bytes for each pixel."""
        return cls(((0.0, amount),))

    def at(self, size: tuple[int, int]) -> float:
        """Bytes at the busiest moment, for a picture of a height and a width."""
        return max(fixed + each * size[0] * size[1] for fixed, each in self.moments)

    def __add__(self, other: Cost) -> Cost:
        return Cost(tuple((a + c, b + d) for (a, b), (c, d) in product(self.moments, other.moments)))

    def __or__(self, other: Cost) -> Cost:
        return Cost(self.moments + other.moments)

    def __rmul__(self, times: float) -> Cost:
        return Cost(tuple((times * fixed, times * each) for fixed, each in self.moments))


PICTURE = Cost.of_pixels(3 * FLOAT)
"""A picture, 1×3×H×W float32."""


@dataclass(frozen=True)
class Plan(Generic[Way]):
    """A way of working, chosen by `fit`.

    Attributes:
        way: what was chosen.
        peak: predicted peak memory of the process (on a GPU: of its allocations) in bytes.
    """

    way: Way
    peak: float


_releases: list[Callable[[], Callable[[], None] | None]] = []


def release_on_shortage(release: Callable[[], None]) -> None:
    """Have a bound method called where memory is needed, as long as its object lives."""
    _releases[:] = [each for each in _releases if each() is not None]
    _releases.append(weakref.WeakMethod(release))


def fit(
    ways: Iterable[tuple[Way, Cost]], size: tuple[int, int], budget: int | None, on: device, later: Cost | None = None
) -> Plan[Way]:
    """The first of several ways of working that keeps within a budget.

    Args:
        ways: the quickest first, the one that needs least last; each with its cost beside what is in use.
        size: height and width of the picture.
        budget: bytes the process may use; None for most of what is free, and then the last way need not fit.
        on: where the work is done.
        later: cost of the work that follows, on a picture of the same size; a refusal names enough for both.

    Raises:
        RequestError: nothing fits the budget.
    """
    used, plan = in_use(on), None
    most = budget or used + _SHARE_OF_FREE * available(on)
    for way, cost in ways:
        if plan is None and used + cost.at(size) > most:  # what is kept for later may be what is lacking
            for each in list(_releases):
                if (release := each()) is not None:
                    release()
            give_back_freed_memory()
            used = in_use(on)
        plan = Plan(way, used + cost.at(size))
        if plan.peak <= most:
            return plan
    if plan is None:
        raise ValueError("there is no way of working; expected at least one")
    if budget is None:
        return plan
    height, width = size
    least = plan.peak if later is None else max(plan.peak, used + later.at(size)) + _SETTLED
    raise RequestError(
        f"memory is {describe(budget)}; painting {width}×{height} pixels takes at least "
        f"{describe(1.005 * least)}: raise --memory, or paint with a smaller --size"
    )


def with_less(
    work: Callable[[Way], Made], way: Way, less: Callable[[Way], Way | None], refusal: Callable[[], str]
) -> Made:
    """``work(way)``, with ever less at a time while memory runs out.

    Args:
        work: what to do.
        way: how, at first.
        less: a way that needs less; None where there is none.
        refusal: what to say then.

    Raises:
        ImpastoError: memory runs out in the last way too.
    """
    while True:
        try:
            return work(way)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            smaller = less(way)
            if smaller is None:
                raise ImpastoError(refusal()) from None
            way = smaller
        # Out of the handler, so that what the failed attempt held is free.
        give_back_freed_memory()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out: torch's CPU allocator raises a plain RuntimeError, CUDA's a subclass of its own."""
    words = str(error).lower()
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(hint in words for hint in _WORDS)
    )


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


def in_use(on: device) -> int:
    """Bytes this process holds now, in memory or of a GPU."""
    if on.type == "cuda":
        import torch

        return torch.cuda.memory_allocated(on)
    import psutil

    return psutil.Process().memory_info().rss


def peak_memory_mb(on: device | None = None) -> float:
    """Peak memory so far in MiB: of the process, or of the GPU where one is used."""
    if on is not None and on.type == "cuda":
        import torch

        return torch.cuda.max_memory_allocated(on) / 2**20
    if sys.platform == "win32":
        import psutil

        return psutil.Process().memory_info().peak_wset / 2**20
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def give_back_freed_memory() -> None:
    """Return to the system what `keep_freed_memory` kept: before work whose blocks are of other sizes."""
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
