"""Strips in which a one-pass method keeps within its budget of memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from torch import Tensor, device

from ...encoders.vgg import VGG
from ...errors import ImpastoError, RequestError
from ...memory import allowed, describe, in_use, is_out_of_memory
from ...nets.decoder import Decoder
from ...runtime import give_back_freed_memory, keep_freed_memory
from ...strips import COPIES, LEAST, VALUES
from ...weights.layers import layer_stride

_SPARE = 100e6  # kernels in other layouts, the libraries' own buffers
_SETTLED = 50e6  # of that is in use, and spared once more, when the photograph comes after its style

Made = TypeVar("Made")


@dataclass(frozen=True)
class Strips:
    """How large strips may be.

    Attributes:
        values: of the widest layer that are worked on at a time.
        peak: predicted peak memory of the process (on a GPU: of its allocations) in bytes.
        size: of what is worked on: height and width, for messages.
        noted: whether a painting should say that it is worked on in strips.
    """

    values: int
    peak: float
    size: tuple[int, int]
    noted: bool

    @property
    def note(self) -> str:
        """What is worth telling, or nothing."""
        return f"in strips, about {describe(self.peak)}" if self.noted else ""

    def run(self, work: Callable[[int], Made]) -> Made:
        """``work(values)``, with half as many each time that memory runs out.

        Raises:
            ImpastoError: it does with the smallest strips.
        """
        values = self.values
        keep_freed_memory(self.values == VALUES)  # in smaller strips memory is scarce
        while True:
            try:
                return work(values)
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                if values <= LEAST:
                    height, width = self.size
                    raise ImpastoError(
                        f"memory ran out at {width}×{height} pixels, even in the smallest strips; use a smaller "
                        "--size, or close other programs"
                    ) from None
            # Out of the handler, so that what the failed attempt held is free.
            values = max(LEAST, values // 2)
            give_back_freed_memory()


def strips(size: tuple[int, int], on: device, budget: int | None, held: float, item: int, later: float = 0) -> Strips:
    """The largest strips that fit.

    Args:
        size: height and width of the picture to work on.
        on: where.
        budget: bytes the process may use at most; None for most of what is free.
        held: bytes that will be held, whatever the strips, beside what is in use now.
        item: bytes of a value.
        later: what a picture as large will hold when it is painted, after this: a refusal says what does for both.

    Raises:
        RequestError: the budget is less than the smallest strips take.
    """
    need = held + _SPARE + LEAST * COPIES * item
    used = in_use(on)
    most = allowed(budget, on)
    if used + need > most or size[0] * size[1] * 64 > VALUES:
        give_back_freed_memory()  # of the picture before, whose blocks were of other sizes
        used = in_use(on)
    if budget is not None and used + need > budget:
        height, width = size
        least = used + need + (max(0, later - held) + _SETTLED if later else 0)
        raise RequestError(
            f"memory is {describe(budget)}; painting {width}×{height} pixels takes at least "
            f"{describe(1.005 * least)}: raise --memory, or paint with a smaller --size"
        )
    values = VALUES
    while values > LEAST and used + held + _SPARE + values * COPIES * item > most:
        values = max(LEAST, values // 2)
    several = size[0] * size[1] * 64 > values
    return Strips(
        values,
        used + held + _SPARE + min(values, size[0] * size[1] * 64) * COPIES * item,
        size,
        several and (budget is not None or values < VALUES),
    )


def held(
    picture: Tensor,
    vgg: VGG,
    layers: Iterable[str] = (),
    *,
    copies: int = 1,
    decoder: Decoder | None = None,
    more: float = 0,
) -> float:
    """Bytes that encoding a picture holds beside the strips, and decoding another of its size.

    Args:
        picture: 1×3×H×W, which is in memory.
        vgg: the encoder.
        layers: whose features are kept.
        copies: of them, at the busiest moment.
        decoder: what makes a picture of features, if it is to be made.
        more: bytes that are held beside.
    """
    kept = sum(vgg.channels(layer) / layer_stride(layer) ** 2 for layer in layers)
    busiest = max(kept + vgg.channels("pool2") / layer_stride("pool2") ** 2, copies * kept)
    picture_bytes = 0.0
    if decoder is not None:
        busiest = max(busiest, (copies - 1) * kept + decoder.held)
        picture_bytes = 3 * 4
    return picture.shape[2] * picture.shape[3] * (busiest * vgg.dtype.itemsize + picture_bytes) + more


def strips_for(picture: Tensor, vgg: VGG, memory: int | None, holding: float, later: float = 0) -> Strips:
    """Strips for encoding a picture, and for what is made of its features, within a budget.

    Args:
        picture: 1×3×H×W.
        vgg: the encoder.
        memory: budget in bytes; None for most of what is free.
        holding: bytes beside the strips, see `held`.
        later: the same of the photograph, where this is its style.
    """
    height, width = picture.shape[2:]
    return strips((height, width), picture.device, memory, holding, vgg.dtype.itemsize, later)
