"""Layers over strips of rows, equal to the whole picture in a fraction of its memory.

A strip is given as many rows beyond its own as the windows of the layers reach, so nothing is approximated: only at
the picture's own border does a layer pad, as it does when it sees the picture whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

VALUES = 5 * 2**22
"""Values of the widest layer that are worked on at a time: 64 channels of 512 px and a margin are done in one go."""

LEAST = 2**21
"""As few of them as make sense: with less, most of the work is on rows beyond the strips."""

COPIES = 20
"""Times that many are in memory at once: what goes in and comes out, copies, and gaps between blocks freed."""

Rows = tuple[int, int]
"""The first row and the one after the last."""

Size = tuple[int, int]
"""Height and width of a whole picture, or of the whole of its features."""

Edges = tuple[bool, bool]
"""Whether a strip reaches the picture's upper and lower border."""


class Layer(Protocol):
    """A layer that can say which of its input's rows it needs."""

    def size(self, size: Size, /) -> Size:
        """Of its output, for an input of `size`."""
        ...

    def needs(self, rows: Rows, size: Size, /) -> Rows:
        """Rows of the input, which is of `size`, behind `rows` of the output."""
        ...

    def __call__(self, x: Tensor, given: Rows, rows: Rows, size: Size, /) -> Tensor:
        """`rows` of the output, of the rows `given` of an input of `size`."""
        ...


@dataclass(frozen=True)
class Each:
    """Position by position: ``function(x, rows)``, which may write into x."""

    function: Callable[[Tensor, Rows], Tensor]

    def size(self, size: Size, /) -> Size:
        """The same."""
        return size

    def needs(self, rows: Rows, _size: Size, /) -> Rows:
        """The same."""
        return rows

    def __call__(self, x: Tensor, _given: Rows, rows: Rows, _size: Size, /) -> Tensor:
        """Row by row."""
        return self.function(x, rows)


@dataclass(frozen=True)
class Window:
    """A 3×3 window: ``function(x, edges)`` pads at the edges alone, so elsewhere it loses a row."""

    function: Callable[[Tensor, Edges], Tensor]

    def size(self, size: Size, /) -> Size:
        """The same."""
        return size

    def needs(self, rows: Rows, size: Size, /) -> Rows:
        """A row more on either side."""
        return max(0, rows[0] - 1), min(size[0], rows[1] + 1)

    def __call__(self, x: Tensor, _given: Rows, rows: Rows, size: Size, /) -> Tensor:
        """The rows whose windows are known."""
        return self.function(x, (rows[0] == 0, rows[1] == size[0]))


@dataclass(frozen=True)
class Halve:
    """Pooling of 2×2 windows, which leaves a side of one position as it is."""

    function: Callable[[Tensor], Tensor]
    ceil: bool

    def size(self, size: Size, /) -> Size:
        """Half of it."""
        if min(size) < 2:
            return size
        height, width = ((side + self.ceil) // 2 for side in size)
        return height, width

    def needs(self, rows: Rows, size: Size, /) -> Rows:
        """Twice as many."""
        return rows if min(size) < 2 else (2 * rows[0], min(size[0], 2 * rows[1]))

    def __call__(self, x: Tensor, _given: Rows, _rows: Rows, size: Size, /) -> Tensor:
        """Pooled."""
        return x if min(size) < 2 else self.function(x)


@dataclass(frozen=True)
class Double:
    """A 3×3 window that gives four positions for one: ``function(x, edges)`` is as that of `Window`."""

    function: Callable[[Tensor, Edges], Tensor]

    def size(self, size: Size, /) -> Size:
        """Twice it."""
        return 2 * size[0], 2 * size[1]

    def needs(self, rows: Rows, size: Size, /) -> Rows:
        """Half as many, and a row more on either side."""
        return max(0, rows[0] // 2 - 1), min(size[0], -(-rows[1] // 2) + 1)

    def __call__(self, x: Tensor, _given: Rows, rows: Rows, size: Size, /) -> Tensor:
        """The rows whose windows are known, and the odd ones cut off."""
        first, end = rows[0] // 2, -(-rows[1] // 2)
        made = self.function(x, (first == 0, end == size[0]))
        return made[:, :, rows[0] - 2 * first : rows[1] - 2 * first]


def ranges(height: int, rows: int, unit: int = 1) -> list[Rows]:
    """Strips of about `rows` rows, each a multiple of `unit` but for the last."""
    step = max(1, rows // unit) * unit
    return [(top, min(top + step, height)) for top in range(0, height, step)]


def run(
    layers: Sequence[Layer], read: Callable[[Rows], Tensor], size: Size, wanted: Mapping[int, Rows]
) -> dict[int, Tensor]:
    """Run a chain of layers for no more rows than are wanted.

    Args:
        layers: the chain.
        read: rows of its input, N×C×h×W; they are not written to if the first layer does not.
        size: of the whole input.
        wanted: rows of the output of layers, by place in the chain; the last layer's among them.

    Returns:
        What is wanted, by place.
    """
    sizes = [size]
    for layer in layers:
        sizes.append(layer.size(sizes[-1]))
    needed = [wanted[len(layers) - 1]]  # from the last output back to the input
    for place in range(len(layers) - 1, -1, -1):
        low, high = layers[place].needs(needed[-1], sizes[place])
        if place - 1 in wanted:
            low, high = min(low, wanted[place - 1][0]), max(high, wanted[place - 1][1])
        needed.append((low, high))
    needed.reverse()
    x = read(needed[0])
    found: dict[int, Tensor] = {}
    for place, layer in enumerate(layers):
        given = layer.needs(needed[place + 1], sizes[place])  # less than there is where more was wanted of it
        x = layer(_cut(x, needed[place], given), given, needed[place + 1], sizes[place])
        if place in wanted:
            found[place] = _cut(x, needed[place + 1], wanted[place])
    return found


def _cut(x: Tensor, rows: Rows, wanted: Rows) -> Tensor:
    return x if wanted == rows else x[:, :, wanted[0] - rows[0] : wanted[1] - rows[0]]


@dataclass(frozen=True)
class Chain:
    """Features that are stored, and layers that have yet to be run over them, strip by strip.

    Attributes:
        source: N×C×h×w.
        values: worked on at a time, where there are most channels.
        layers: to be run; none writes into its input if it is the first.
        widths: channels that they change to, in turn.
    """

    source: Tensor
    values: int
    layers: tuple[Layer, ...] = ()
    widths: tuple[int, ...] = ()

    @property
    def channels(self) -> int:
        """Of the result."""
        return self.widths[-1] if self.widths else self.source.shape[1]

    @property
    def size(self) -> Size:
        """Of the result."""
        size = (self.source.shape[2], self.source.shape[3])
        for layer in self.layers:
            size = layer.size(size)
        return size

    def then(self, layer: Layer, channels: int | None = None) -> Chain:
        """With one layer more, which may change the number of channels."""
        widths = self.widths if channels is None else (*self.widths, channels)
        return Chain(self.source, self.values, (*self.layers, layer), widths)

    def strips(self) -> Iterator[tuple[Rows, Tensor]]:
        """The result, from the top."""
        height, width = self.size
        widest = max(self.source.shape[1], *self.widths, 1)
        for rows in ranges(height, max(8, self.values // (self.source.shape[0] * width * widest))):
            if not self.layers:
                yield rows, self.source[:, :, rows[0] : rows[1]]
                continue
            size = (self.source.shape[2], self.source.shape[3])
            last = len(self.layers) - 1
            yield rows, run(self.layers, self._read, size, {last: rows})[last]

    def stored(self) -> Chain:
        """The same, nothing left to be run."""
        return Chain(self.whole(), self.values)

    def kept(self, most: int) -> Chain:
        """The same, stored where that takes no more than so many values."""
        height, width = self.size
        count, channels = self.source.shape[0], self.channels
        return self.stored() if self.layers and count * channels * height * width <= most else self

    def whole(self, dtype: torch.dtype | None = None) -> Tensor:
        """The result, stored, channels last."""
        made: Tensor | None = None
        height, width = self.size
        for (first, end), strip in self.strips():
            if (first, end) == (0, height):
                return strip if dtype is None else strip.to(dtype)
            if made is None:
                made = empty(strip, height, width, dtype)
            made[:, :, first:end] = strip
        assert made is not None
        return made

    def _read(self, rows: Rows) -> Tensor:
        return self.source[:, :, rows[0] : rows[1]]


def empty(like: Tensor, height: int, width: int, dtype: torch.dtype | None = None) -> Tensor:
    """Room for features of so many rows and columns, channels last, as many channels as `like` has."""
    count, channels = like.shape[:2]
    return like.new_empty(count, height, width, channels, dtype=dtype or like.dtype).permute(0, 3, 1, 2)
