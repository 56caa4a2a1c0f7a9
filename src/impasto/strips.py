"""Layers that run over strips of rows: the same result as over the whole picture, in a fraction of the memory.

Encoder, decoders and feed-forward networks describe their layers as `Layer`, and a `Chain` runs them. Each strip has
extra rows, as many as the windows of the layers reach, so nothing is approximated. A layer pads only at the border of
the picture, as it does with the whole picture.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from .control import worked

VALUES = 5 * 2**22
"""Largest number of values of the widest layer to process at a time: 64 channels of 512 px with a margin fit."""

MIN_ROWS = 4
"""Smallest number of rows of a strip."""

Rows = tuple[int, int]
"""The first row, and the row after the last."""

Size = tuple[int, int]
"""Height and width of a whole picture or of all its features."""

Edges = tuple[int, int]
"""Rows that a window reaches beyond the upper and the lower border of the picture, which the layer has to pad."""


class Layer(Protocol):
    """A layer that knows which rows of its input it needs."""

    def size(self, size: Size, /) -> Size:
        """Return the size of the output for an input of `size`."""
        ...

    def needs(self, rows: Rows, size: Size, /) -> Rows:
        """Return the rows of an input of `size` that `rows` of the output depend on."""
        ...

    def __call__(self, x: Tensor, given: Rows, rows: Rows, size: Size, /) -> Tensor:
        """Compute `rows` of the output from `x`, the rows `given` of an input of `size`."""
        ...


@dataclass(frozen=True)
class Pointwise:
    """A layer that treats each position by itself.

    Attributes:
        function: ``function(x, rows)`` computes the output; it may write into x.
    """

    function: Callable[[Tensor, Rows], Tensor]

    def size(self, size: Size, /) -> Size:
        """See `Layer.size`."""
        return size

    def needs(self, rows: Rows, _size: Size, /) -> Rows:
        """See `Layer.needs`."""
        return rows

    def __call__(self, x: Tensor, _given: Rows, rows: Rows, _size: Size, /) -> Tensor:
        """See `Layer`."""
        return self.function(x, rows)


@dataclass(frozen=True)
class Window:
    """A layer with a window around each position, such as a convolution.

    Attributes:
        function: ``function(x, edges)`` computes the output. It pads only by `edges`, so the output loses rows
            elsewhere.
        reach: rows that the window reaches up and down.
    """

    function: Callable[[Tensor, Edges], Tensor]
    reach: int = 1

    def size(self, size: Size, /) -> Size:
        """See `Layer.size`."""
        return size

    def needs(self, rows: Rows, size: Size, /) -> Rows:
        """See `Layer.needs`."""
        return max(0, rows[0] - self.reach), min(size[0], rows[1] + self.reach)

    def __call__(self, x: Tensor, _given: Rows, rows: Rows, size: Size, /) -> Tensor:
        """See `Layer`."""
        return self.function(x, (max(0, self.reach - rows[0]), max(0, rows[1] + self.reach - size[0])))


@dataclass(frozen=True)
class Pool:
    """Pooling over 2×2 windows; features with a side of one position stay as they are.

    Attributes:
        function: computes the output.
        ceil: whether odd sizes are rounded up.
    """

    function: Callable[[Tensor], Tensor]
    ceil: bool

    def size(self, size: Size, /) -> Size:
        """See `Layer.size`."""
        if min(size) < 2:
            return size
        height, width = ((side + self.ceil) // 2 for side in size)
        return height, width

    def needs(self, rows: Rows, size: Size, /) -> Rows:
        """See `Layer.needs`."""
        return rows if min(size) < 2 else (2 * rows[0], min(size[0], 2 * rows[1]))

    def __call__(self, x: Tensor, _given: Rows, _rows: Rows, size: Size, /) -> Tensor:
        """See `Layer`."""
        return x if min(size) < 2 else self.function(x)


@dataclass(frozen=True)
class Upsample:
    """A layer with a 3×3 window that doubles height and width.

    Attributes:
        function: see `Window`.
    """

    function: Callable[[Tensor, Edges], Tensor]

    def size(self, size: Size, /) -> Size:
        """See `Layer.size`."""
        return 2 * size[0], 2 * size[1]

    def needs(self, rows: Rows, size: Size, /) -> Rows:
        """See `Layer.needs`."""
        return max(0, rows[0] // 2 - 1), min(size[0], -(-rows[1] // 2) + 1)

    def __call__(self, x: Tensor, _given: Rows, rows: Rows, size: Size, /) -> Tensor:
        """See `Layer`; rows come in pairs, and those not asked for are cut off."""
        first, end = rows[0] // 2, -(-rows[1] // 2)
        made = self.function(x, (int(first == 0), int(end == size[0])))
        return _cut(made, (2 * first, 2 * end), rows)


def ranges(height: int, rows: int, unit: int = 1) -> list[Rows]:
    """Split `height` rows into strips of about `rows` rows, each a multiple of `unit` except for the last."""
    step = max(1, rows // unit) * unit
    return [(top, min(top + step, height)) for top in range(0, height, step)]


@dataclass(frozen=True)
class Chain:
    """Stored features, and layers that still have to run over them, strip by strip.

    Attributes:
        source: the stored features, N×C×h×w.
        values: number of values to process at a time, in the layer that has most.
        layers: the layers to run. The first one does not write into its input.
        widths: channels of each layer's output.

    Examples:
        >>> halved = Chain(picture, VALUES).then(Pool(lambda x: torch.nn.functional.avg_pool2d(x, 2), ceil=False))
        >>> tuple(halved.whole().shape)
        (1, 3, 18, 24)
    """

    source: Tensor
    values: int
    layers: tuple[Layer, ...] = ()
    widths: tuple[int, ...] = ()

    @property
    def channels(self) -> int:
        """Channels of the result."""
        return self.widths[-1] if self.widths else self.source.shape[1]

    @property
    def sizes(self) -> list[Size]:
        """Sizes of the source and of each layer's output."""
        sizes = [(self.source.shape[2], self.source.shape[3])]
        for layer in self.layers:
            sizes.append(layer.size(sizes[-1]))
        return sizes

    @property
    def size(self) -> Size:
        """Size of the result."""
        return self.sizes[-1]

    def then(self, layer: Layer, channels: int | None = None) -> Chain:
        """Return the chain with one more layer, whose output has `channels`; None keeps their number."""
        return Chain(self.source, self.values, (*self.layers, layer), (*self.widths, channels or self.channels))

    def rows(self) -> list[Rows]:
        """The strips of the result, as many rows as `values` allows. A single last row joins the strip before."""
        sizes = self.sizes
        last = sizes[-1][0]
        # Values of the largest layer for each row of the result.
        busiest = max(
            channels * height * width / last
            for channels, (height, width) in zip((self.source.shape[1], *self.widths), sizes, strict=True)
        )
        strips = ranges(last, max(MIN_ROWS, int(self.values / (self.source.shape[0] * busiest))))
        if len(strips) > 1 and strips[-1][1] - strips[-1][0] < 2:
            strips[-2:] = [(strips[-2][0], last)]
        return strips

    def strips(self) -> Iterator[tuple[Rows, Tensor]]:
        """Compute the result strip by strip, from the top."""
        last = len(self.layers) - 1
        for found in self.strips_of({last}):
            yield found[last]

    def strips_of(self, places: Collection[int]) -> Iterator[dict[int, tuple[Rows, Tensor]]]:
        """Compute the outputs of some layers strip by strip, from the top.

        Args:
            places: positions of the layers in the chain; the last layer is always included.

        Yields:
            By position, the rows and the output of those rows.
        """
        last = len(self.layers) - 1
        sizes = self.sizes[1:] if self.layers else self.sizes
        height = sizes[-1][0]
        for first, end in self.rows():
            if not self.layers:
                yield {last: ((first, end), self.source[:, :, first:end])}
                continue
            wanted = {last: (first, end)}
            for place in places:
                # A layer before poolings has `each` rows for one of the result; the last strip takes the remainder.
                each = 2 ** sum(1 for n in range(place + 1, last + 1) if sizes[n][0] < sizes[n - 1][0])
                wanted[place] = (first * each, sizes[place][0] if end == height else end * each)
            found = run(self.layers, self._read, self.sizes[0], wanted)
            yield {place: (wanted[place], found[place]) for place in wanted}

    def stored(self) -> Chain:
        """Run all layers and return a chain that stores the result."""
        return Chain(self.whole(), self.values)

    def stored_if_small(self, limit: int) -> Chain:
        """Run all layers if the result has at most `limit` values; otherwise return the chain as it is."""
        height, width = self.size
        count, channels = self.source.shape[0], self.channels
        return self.stored() if self.layers and count * channels * height * width <= limit else self

    def whole(self, dtype: torch.dtype | None = None) -> Tensor:
        """Compute the result as one tensor in channels-last layout."""
        made = StripJoiner(self.size)
        for rows, strip in self.strips():
            made.add(rows, strip, dtype)
        return made.features

    def _read(self, rows: Rows) -> Tensor:
        return self.source[:, :, rows[0] : rows[1]]


class StripJoiner:
    """Joins strips of features to one tensor.

    Args:
        size: height and width of the whole.
    """

    def __init__(self, size: Size) -> None:
        self._size = size
        self._made: Tensor | None = None

    def add(self, rows: Rows, strip: Tensor, dtype: torch.dtype | None = None) -> None:
        """Add the rows of a strip, N×C×h×w. A strip that has all rows is not copied."""
        if rows == (0, self._size[0]):
            self._made = strip if dtype is None else strip.to(dtype)
            return
        if self._made is None:
            self._made = empty(strip, *self._size, dtype)
        self._made[:, :, rows[0] : rows[1]] = strip

    @property
    def features(self) -> Tensor:
        """All features, N×C×H×W, in channels-last layout."""
        assert self._made is not None
        return self._made


def run(
    layers: Sequence[Layer], read: Callable[[Rows], Tensor], size: Size, wanted: Mapping[int, Rows]
) -> dict[int, Tensor]:
    """Run a chain of layers, only for the rows that are wanted.

    Args:
        layers: the chain.
        read: returns rows of the input, N×C×h×W. They are not written to unless the first layer does so.
        size: height and width of the whole input.
        wanted: rows of the outputs of layers, by position in the chain; those of the last layer have to be included.

    Returns:
        The wanted rows, by position.
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
        given = layer.needs(needed[place + 1], sizes[place])  # fewer than there are if more rows of x are wanted
        channels = x.shape[1]
        x = layer(_cut(x, needed[place], given), given, needed[place + 1], sizes[place])
        worked(0 if isinstance(layer, Pointwise | Pool) else multiply_adds(channels, x))
        if place in wanted:
            found[place] = _cut(x, needed[place + 1], wanted[place])
    return found


def multiply_adds(inputs: int, made: Tensor) -> float:
    """The multiply-adds of a 3×3 convolution of `inputs` channels with the output N×C×H×W: the unit of progress."""
    return 9.0 * inputs * made.numel()


def _cut(x: Tensor, rows: Rows, wanted: Rows) -> Tensor:
    return x if wanted == rows else x[:, :, wanted[0] - rows[0] : wanted[1] - rows[0]]


def empty(like: Tensor, height: int, width: int, dtype: torch.dtype | None = None) -> Tensor:
    """Allocate features in channels-last layout, with the number of channels and the device of `like`."""
    count, channels = like.shape[:2]
    return like.new_empty(count, height, width, channels, dtype=dtype or like.dtype).permute(0, 3, 1, 2)
