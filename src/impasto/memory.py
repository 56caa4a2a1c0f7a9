"""Memory: amounts as text, what work needs (`Cost`), which way of working fits (`fit`), and what the process uses.

torch is imported only when a GPU is asked about.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import math
import os
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
"""Bytes that any work takes in addition to its tensors: kernels in other layouts, buffers of the libraries."""

FLOAT = 4
"""Bytes of a float32."""

_UNITS = {"B": 1} | {
    name: base**power
    for power, letter in enumerate("KMGT", 1)
    for name, base in ((letter, 1000), (f"{letter}B", 1000), (f"{letter}IB", 1024))
}
_CONTROL_GROUP = Path("/sys/fs/cgroup")
_SHARE_OF_FREE = 0.8  # share of the free memory to use if there is no budget
_SETTLED = 50e6  # bytes of earlier work that are still in use when later work begins
_RAN_OUT = re.compile(
    r"out of memory|can(?:'t|not) allocate memory|not enough memory|failed to allocate|DefaultCPUAllocator|bad_alloc"
    # What oneDNN says; without a descriptor it means that there is no such operation.
    r"|could not create a (?:primitive(?! desc)|memory)",
    re.IGNORECASE,
)


def parse(amount: Any) -> Any:
    """Convert text such as ``"4GB"``, ``"800 MB"`` or ``"3.5GiB"`` to bytes.

    K, M, G and T are powers of 1000; Ki, Mi, Gi and Ti are powers of 1024. What is not text is returned as it is.

    Raises:
        ValueError: the text is not an amount, or has no unit.
    """
    if not isinstance(amount, str):
        return amount
    match = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)\s*([KMGT]?I?B?)", amount.strip(), re.IGNORECASE)
    if match is None or match[2].upper() not in _UNITS:
        raise ValueError("expected an amount of memory with its unit, as in 4GB or 800MiB")
    return round(float(match[1]) * _UNITS[match[2].upper()])


def describe(amount: float) -> str:
    """Write bytes for people, with three digits: ``4 GB``, ``817 MB``."""
    unit = "GB" if amount >= 0.9995e9 else "MB"
    return f"{amount / _UNITS[unit]:.3g} {unit}"


@dataclass(frozen=True)
class Cost:
    """The memory that work needs at each of its moments: a fixed number of bytes, and a number for each pixel.

    ``a + b`` is the cost of both at the same time, ``a | b`` of one after the other, and ``2 * a`` of a twice.

    Attributes:
        moments: pairs of fixed bytes and bytes per pixel.

    Examples:
        >>> picture, features = Cost.of_pixels(12), Cost.of_pixels(128)
        >>> (picture + features | 2 * features).at((512, 512))
        67108864.0
    """

    moments: tuple[tuple[float, float], ...] = ((0.0, 0.0),)

    @classmethod
    def of_bytes(cls, amount: float) -> Cost:
        """A fixed number of bytes for every picture."""
        return cls(((amount, 0.0),))

    @classmethod
    def of_pixels(cls, amount: float) -> Cost:
        """A number of bytes for each pixel."""
        return cls(((0.0, amount),))

    def at(self, size: tuple[int, int]) -> float:
        """Return the bytes at the largest moment, for a picture of this height and width."""
        return max(fixed + each * size[0] * size[1] for fixed, each in self.moments)

    def most_pixels(self, amount: float) -> float:
        """Return how many pixels a picture may have that needs no more than these bytes; 0 if none may."""
        free = [(amount - fixed, each) for fixed, each in self.moments]
        return min(0.0 if left < 0 else left / each if each else math.inf for left, each in free)

    def __add__(self, other: Cost) -> Cost:
        return Cost(tuple((a + c, b + d) for (a, b), (c, d) in product(self.moments, other.moments)))

    def __or__(self, other: Cost) -> Cost:
        return Cost(self.moments + other.moments)

    def __rmul__(self, times: float) -> Cost:
        return Cost(tuple((times * fixed, times * each) for fixed, each in self.moments))


PICTURE = Cost.of_pixels(3 * FLOAT)
"""The cost of a picture, 1×3×H×W float32."""


@dataclass(frozen=True)
class Plan(Generic[Way]):
    """A way of working, chosen by `fit`.

    Attributes:
        way: the chosen way.
        peak: predicted peak memory of the process in bytes; on a GPU, of its allocations.
    """

    way: Way
    peak: float


class ShortageError(RequestError):
    """Work does not fit into the memory that it may use.

    Attributes:
        needed: bytes that it takes at least.
        budget: bytes that it may use.
        share: share of the picture's pixels that would fit, or a little less; 0 if none would.
    """

    needed: float = 0.0
    budget: float = 0.0
    share: float = 0.0


_releases: list[Callable[[], Callable[[], None] | None]] = []


def release_on_shortage(release: Callable[[], None]) -> None:
    """Register a bound method that frees memory; `fit` calls it when memory is short, while its object exists."""
    _releases[:] = [each for each in _releases if each() is not None]
    _releases.append(weakref.WeakMethod(release))


def fit(
    ways: Iterable[tuple[Way, Cost]], size: tuple[int, int], budget: int | None, on: device, later: Cost | None = None
) -> Plan[Way]:
    """Choose the first of several ways of working that stays within a budget.

    Args:
        ways: the ways, from the fastest to the one that needs the least memory; each with its cost in addition to
            what is in use now.
        size: height and width of the picture.
        budget: most bytes for the process. None means most of the free memory; the last way is then chosen even if it
            does not fit.
        on: device of the work.
        later: cost of later work on a picture of the same size. An error then names a budget for both.

    Raises:
        RequestError: no way fits the budget.
        ValueError: there is no way.
    """
    used, plan, least = in_use(on), None, Cost()
    most = budget or used + _SHARE_OF_FREE * available(on)
    for way, least in ways:
        if plan is None and used + least.at(size) > most:  # freeing what caches keep may be enough
            for each in list(_releases):
                if (release := each()) is not None:
                    release()
            give_back_freed_memory()
            used = in_use(on)
        plan = Plan(way, used + least.at(size))
        if plan.peak <= most:
            return plan
    if plan is None:
        raise ValueError("there is no way of working; expected at least one")
    if budget is None:
        return plan
    height, width = size
    needed = plan.peak if later is None else max(plan.peak, used + later.at(size)) + _SETTLED
    error = ShortageError(
        f"memory is {describe(budget)}; painting {width}×{height} pixels takes at least "
        f"{describe(1.005 * needed)}: raise --memory, or paint with a smaller --size"
    )
    left = budget - used - _SETTLED
    error.needed, error.budget = 1.005 * needed, budget
    error.share = min(each.most_pixels(left) for each in (least, later or least)) / (height * width)
    raise error


def memory_left(budget: int | None, spare: int) -> int | None:
    """Return a budget without what is to be left of it; None if there is none."""
    return None if budget is None else max(1, budget - spare)


def with_less(
    work: Callable[[Way], Made], way: Way, less: Callable[[Way], Way | None], refusal: Callable[[], str]
) -> Made:
    """Call ``work(way)``, and again with a way that needs less each time that memory runs out.

    Args:
        work: does the work.
        way: the first way.
        less: returns a way that needs less memory; None if there is none.
        refusal: returns the message of the error.

    Raises:
        ImpastoError: memory runs out even in the last way.
    """
    while True:
        try:
            return work(way)
        except (MemoryError, RuntimeError, OSError) as error:
            if not is_out_of_memory(error):
                raise
            smaller = less(way)
            if smaller is None:
                raise ImpastoError(refusal()) from None
            way = smaller
        # After the handler, so that the memory of the failed attempt is free.
        give_back_freed_memory()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory ran out: torch raises RuntimeError on a CPU, a subclass of it on a GPU."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and _RAN_OUT.search(str(error)) is not None
    )


def usual_budget(on: device) -> int:
    """The bytes that work may use without a budget: those of the process now, and most of the free ones."""
    return int(in_use(on) + _SHARE_OF_FREE * available(on))


def available(on: device) -> int:
    """The bytes that are free now on the machine, in the process's container, or on a GPU."""
    if on.type == "cuda":
        import torch

        return torch.cuda.mem_get_info(on)[0] + torch.cuda.memory_reserved(on) - torch.cuda.memory_allocated(on)
    import psutil

    free = psutil.virtual_memory().available
    try:  # the limit of a container, which psutil does not know; its file cache counts as free
        limit, used = ((_CONTROL_GROUP / f"memory.{name}").read_text().strip() for name in ("max", "current"))
        cached = re.search(r"^inactive_file (\d+)$", (_CONTROL_GROUP / "memory.stat").read_text(), re.MULTILINE)
        left = int(limit) - int(used) + (int(cached[1]) if cached else 0)
    except (OSError, ValueError):  # no container, or the limit is "max"
        return free
    return max(0, min(free, left))


def in_use(on: device) -> int:
    """The bytes that this process uses now, in memory or on a GPU."""
    if on.type == "cuda":
        import torch

        return torch.cuda.memory_allocated(on)
    import psutil

    return psutil.Process().memory_info().rss


def peak_memory_mb(on: device | None = None) -> float:
    """The peak memory so far in MiB: of the process, or of its allocations on a GPU."""
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
    """Return to the system what `keep_freed_memory` kept. Useful before work whose blocks have other sizes."""
    if not sys.platform.startswith("linux"):
        return
    with contextlib.suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


_own_process = False


def own_process() -> None:
    """Say that painting is all that this process does, so that libraries may be set up for it.

    `keep_freed_memory` may then set up the C library. Threads that compute, and wait for each other, soon sleep
    instead of spinning, if PyTorch is not loaded yet: where other work wants the same cores, spinning makes painting
    slower. ``OMP_WAIT_POLICY`` and ``GOMP_SPINCOUNT`` decide if one is set.

    The command line does it. A library must not: the settings cannot be read, so they could not be restored, and all
    else that the process does would keep its freed memory too.

    Examples:
        >>> impasto.memory.own_process()  # in a program of your own, for a tenth more speed
    """
    global _own_process
    _own_process = True
    if "OMP_WAIT_POLICY" not in os.environ:  # PASSIVE, sleep at once, would make quick nets a fifth slower
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")


def keep_freed_memory(keep: bool = True) -> None:
    """Let the C library keep large freed blocks for the next step, or return them at once.

    It does nothing unless `own_process` was called.

    An optimisation frees and allocates the same hundreds of megabytes at every step. glibc would return each block to
    the system and map it again page by page, which takes a tenth of the step's time. But kept blocks of many sizes
    leave gaps, so when memory is short it is better to return them. This does nothing with another C library.

    Args:
        keep: whether to keep freed blocks.
    """
    if not (_own_process and sys.platform.startswith("linux")):
        return
    trim_threshold, top_pad, mmap_threshold, mmap_max = -1, -2, -3, -4
    with contextlib.suppress(OSError, AttributeError):  # another C library
        library = ctypes.CDLL(None)
        library.mallopt(mmap_max, 0 if keep else 2**16)
        # Has no effect if no block is mapped. 32 MiB is the most that glibc accepts.
        library.mallopt(mmap_threshold, (32 if keep else 4) * 2**20)
        library.mallopt(trim_threshold, 2**31 - 1 if keep else 2**27)
        library.mallopt(top_pad, 64 * 2**20)
        if not keep:
            library.malloc_trim(0)
