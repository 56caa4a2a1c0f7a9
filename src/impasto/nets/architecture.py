"""Architecture strings of feed-forward networks, in the notation of Johnson et al. 2016.

``c9s1-32,d64,d128,R128×5,u64,u32,c9s1-3`` lists the blocks:

* ``cKsS-F``: a K×K convolution of stride S with F filters;
* ``dF``: a 3×3 convolution of stride 2, which halves the picture;
* ``RF``: a residual block of two 3×3 convolutions, ``RF×N`` for N of them;
* ``uF``: the picture enlarged by 2, then a 3×3 convolution.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from ..errors import RequestError

JOHNSON = "c9s1-32,d64,d128,R128×5,u64,u32,c9s1-3"
"""The paper's network."""

_GRAMMAR = re.compile(
    r"c(?P<kernel>\d+)s(?P<stride>\d+)-(?P<filters>\d+)|(?P<kind>[dRu])(?P<width>\d+)(?:[×x*](?P<times>\d+))?"
)
_WIDEST, _LARGEST_KERNEL, _MOST_BLOCKS = 1024, 31, 64


@dataclass(frozen=True)
class Block:
    """One block of a network.

    Attributes:
        kind: what it does.
        filters: channels of its output.
        kernel: side of its convolutions.
        stride: stride of its convolution.
    """

    kind: Literal["conv", "residual", "up"]
    filters: int
    kernel: int = 3
    stride: int = 1


def parse(architecture: str) -> tuple[Block, ...]:
    """Read the blocks of an architecture string.

    Raises:
        RequestError: it cannot be read, or its blocks do not fit together. The message names the block.
    """
    blocks: list[Block] = []
    width, scale, position = 3, 1, 0
    for number, token in enumerate(architecture.split(","), 1):
        text = token.strip()
        where = f"architecture {architecture!r}, block {number} at character {position + 1}: {text!r}"
        position += len(token) + 1
        found = _GRAMMAR.fullmatch(text)
        if found is None:
            raise RequestError(f"{where} is not a block; expected one like c9s1-32, d64, R128, R128×5 or u64")
        times = int(found["times"] or 1)
        block = _block(found)
        if found["times"] and block.kind != "residual":
            raise RequestError(f"{where} repeats a block that changes the size; expected × only after R blocks")
        if not (1 <= block.filters <= _WIDEST and times >= 1 and len(blocks) + times <= _MOST_BLOCKS):
            raise RequestError(f"{where}; expected 1-{_WIDEST} filters and at most {_MOST_BLOCKS} blocks")
        if block.kernel % 2 == 0 or block.kernel > _LARGEST_KERNEL or block.stride not in (1, 2):
            raise RequestError(f"{where}; expected an odd kernel up to {_LARGEST_KERNEL} and a stride of 1 or 2")
        if block.kind == "residual" and block.filters != width:
            raise RequestError(f"{where} gets {width} channels; expected as many filters, to add the two")
        scale = scale * block.stride if block.kind == "conv" else scale
        if block.kind == "up":
            if scale == 1:
                raise RequestError(f"{where} enlarges a picture of full size; expected a d before each u")
            scale //= 2
        width = block.filters
        blocks += [block] * times
    if scale != 1 or width != 3 or blocks[-1].kind != "conv":
        raise RequestError(
            f"architecture {architecture!r} ends with {width} channels at 1/{scale} of the size; "
            "expected a last block like c9s1-3, and as many u as d"
        )
    return tuple(blocks)


def _block(found: re.Match[str]) -> Block:
    if found["kernel"]:
        return Block("conv", int(found["filters"]), int(found["kernel"]), int(found["stride"]))
    width = int(found["width"])
    return {"d": Block("conv", width, 3, 2), "R": Block("residual", width), "u": Block("up", width)}[found["kind"]]


def stride(blocks: tuple[Block, ...]) -> int:
    """The factor by which the picture is smaller at its smallest."""
    scale = deepest = 1
    for block in blocks:
        scale = scale // 2 if block.kind == "up" else scale * block.stride
        deepest = max(deepest, scale)
    return deepest
