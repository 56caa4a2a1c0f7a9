"""Layers over strips of rows, equal to the whole picture in a fraction of its memory.

The one engine of strips: encoder, decoders and feed-forward networks say what their layers do (`Layer`), and a
`Chain` runs them. A strip is given as many rows beyond its own as the windows of the layers reach, so nothing is
approximated: only at the picture's own border does a layer pad, as it does when it sees the picture whole.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from .control import worked
from .memory import SPARE, Cost, Plan, describe, fit, give_back_freed_memory, keep_freed_memory, with_less

VALUES = 5 * 2**22
"""Values of the widest layer that are worked on at a time: 64 channels of 512 px and a margin are done in one go."""

MIN_VALUES = 2**21
"""As few of them as make sense: with less, most of the work is on rows beyond the strips."""

_COPIES = 20  # times that many are in memory at once: what goes in and comes out, copies, gaps between blocks freed
_CHANNELS = 64  # of the widest layer at a picture's own size
MIN_ROWS = 4
"""Rows of a strip at least."""

Rows = tuple[int, int]
"""The first row and the one after the last."""

Size = tuple[int, int]
"""Height and width of a whole picture, or of the whole of its features."""

Edges = tuple[int, int]
"""Rows that a window sees beyond the picture's upper and lower border, which the layer has to make up."""

Made = TypeVar("Made")


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
class Pointwise:
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
    """A window around each position: ``function(x, edges)`` pads at the edges alone, so elsewhere it loses rows.

    Attributes:
        function: what it does.
        reach: rows that the window reaches up and down.
    """

    function: Callable[[Tensor, Edges], Tensor]
    reach: int = 1

    def size(self, size: Size, /) -> Size:
        """The same."""
        return size

    def needs(self, rows: Rows, size: Size, /) -> Rows:
        """The window's reach more on either side."""
        return max(0, rows[0] - self.reach), min(size[0], rows[1] + self.reach)

    def __call__(self, x: Tensor, _given: Rows, rows: Rows, size: Size, /) -> Tensor:
        """The rows whose windows are known."""
        return self.function(x, (max(0, self.reach - rows[0]), max(0, rows[1] + self.reach - size[0])))


@dataclass(frozen=True)
class Pool:
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
class Upsample:
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
        made = self.function(x, (int(first == 0), int(end == size[0])))
        return _cut(made, (2 * first, 2 * end), rows)


def ranges(height: int, rows: int, unit: int = 1) -> list[Rows]:
    """Strips of about `rows` rows, each a multiple of `unit` but for the last."""
    step = max(1, rows // unit) * unit
    return [(top, min(top + step, height)) for top in range(0, height, step)]


@dataclass(frozen=True)
class Chain:
    """Features that are stored, and layers that have yet to be run over them, strip by strip.

    Attributes:
        source: N×C×h×w.
        values: worked on at a time, where there are most.
        layers: to be run; none writes into its input if it is the first.
        widths: channels of what each of them gives.

    Example:
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
        """Of the result."""
        return self.widths[-1] if self.widths else self.source.shape[1]

    @property
    def sizes(self) -> list[Size]:
        """Of the source, and of what each layer gives."""
        sizes = [(self.source.shape[2], self.source.shape[3])]
        for layer in self.layers:
            sizes.append(layer.size(sizes[-1]))
        return sizes

    @property
    def size(self) -> Size:
        """Of the result."""
        return self.sizes[-1]

    def then(self, layer: Layer, channels: int | None = None) -> Chain:
        """With one layer more, which may change the number of channels."""
        return Chain(self.source, self.values, (*self.layers, layer), (*self.widths, channels or self.channels))

    def rows(self) -> list[Rows]:
        """The strips that the result comes in, as many rows as `values` allow; a single last row goes along."""
        sizes = self.sizes
        last = sizes[-1][0]
        # Values that the busiest layer has for each row of the result.
        busiest = max(
            channels * height * width / last
            for channels, (height, width) in zip((self.source.shape[1], *self.widths), sizes, strict=True)
        )
        strips = ranges(last, max(MIN_ROWS, int(self.values / (self.source.shape[0] * busiest))))
        if len(strips) > 1 and strips[-1][1] - strips[-1][0] < 2:
            strips[-2:] = [(strips[-2][0], last)]
        return strips

    def strips(self) -> Iterator[tuple[Rows, Tensor]]:
        """The result, from the top."""
        last = len(self.layers) - 1
        for found in self.strips_of({last}):
            yield found[last]

    def strips_of(self, places: Collection[int]) -> Iterator[dict[int, tuple[Rows, Tensor]]]:
        """What some of the layers give, by place, strip by strip from the top; the last layer's is among them."""
        last = len(self.layers) - 1
        sizes = self.sizes[1:] if self.layers else self.sizes
        height = sizes[-1][0]
        for first, end in self.rows():
            if not self.layers:
                yield {last: ((first, end), self.source[:, :, first:end])}
                continue
            wanted = {last: (first, end)}
            for place in places:
                # A layer before poolings has so many rows for each of the result's; the last strip has what is left.
                each = 2 ** sum(1 for n in range(place + 1, last + 1) if sizes[n][0] < sizes[n - 1][0])
                wanted[place] = (first * each, sizes[place][0] if end == height else end * each)
            found = run(self.layers, self._read, self.sizes[0], wanted)
            yield {place: (wanted[place], found[place]) for place in wanted}

    def stored(self) -> Chain:
        """The same, nothing left to be run."""
        return Chain(self.whole(), self.values)

    def stored_if_small(self, most: int) -> Chain:
        """The same, stored where that takes no more than so many values."""
        height, width = self.size
        count, channels = self.source.shape[0], self.channels
        return self.stored() if self.layers and count * channels * height * width <= most else self

    def whole(self, dtype: torch.dtype | None = None) -> Tensor:
        """The result, stored, channels last."""
        made = StripJoiner(self.size)
        for rows, strip in self.strips():
            made.add(rows, strip, dtype)
        return made.features

    def _read(self, rows: Rows) -> Tensor:
        return self.source[:, :, rows[0] : rows[1]]


class StripJoiner:
    """Features put together from their strips.

    Args:
        size: height and width of the whole.
    """

    def __init__(self, size: Size) -> None:
        self._size = size
        self._made: Tensor | None = None

    def add(self, rows: Rows, strip: Tensor, dtype: torch.dtype | None = None) -> None:
        """Take in the rows of a strip, N×C×h×w; where it is all there is, it is not copied."""
        if rows == (0, self._size[0]):
            self._made = strip if dtype is None else strip.to(dtype)
            return
        if self._made is None:
            self._made = empty(strip, *self._size, dtype)
        self._made[:, :, rows[0] : rows[1]] = strip

    @property
    def features(self) -> Tensor:
        """All of them, N×C×H×W, channels last."""
        assert self._made is not None
        return self._made


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
        channels = x.shape[1]
        x = layer(_cut(x, needed[place], given), given, needed[place + 1], sizes[place])
        worked(0 if isinstance(layer, Pointwise | Pool) else multiply_adds(channels, x))
        if place in wanted:
            found[place] = _cut(x, needed[place + 1], wanted[place])
    return found


def multiply_adds(inputs: int, made: Tensor) -> float:
    """Of a 3×3 convolution of `inputs` channels that gave N×C×H×W: the unit of progress."""
    return 9.0 * inputs * made.numel()


def _cut(x: Tensor, rows: Rows, wanted: Rows) -> Tensor:
    return x if wanted == rows else x[:, :, wanted[0] - rows[0] : wanted[1] - rows[0]]


def empty(like: Tensor, height: int, width: int, dtype: torch.dtype | None = None) -> Tensor:
    """Room for features of so many rows and columns, channels last, as many channels as `like` has."""
    count, channels = like.shape[:2]
    return like.new_empty(count, height, width, channels, dtype=dtype or like.dtype).permute(0, 3, 1, 2)


@dataclass(frozen=True)
class Strips(Plan[int]):
    """How large strips may be: `way` is the values of the widest layer to work on at a time.

    Attributes:
        size: height and width of what is worked on, for messages.
        noted: whether a painting should say that it is worked on in strips.
    """

    size: Size
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
        keep_freed_memory(self.way == VALUES)  # in smaller strips memory is scarce
        height, width = self.size
        return with_less(
            work,
            self.way,
            lambda values: max(MIN_VALUES, values // 2) if values > MIN_VALUES else None,
            lambda: (
                f"memory ran out at {width}×{height} pixels, even in the smallest strips; use a smaller --size, or "
                "close other programs"
            ),
        )


def plan_strips(
    held: Cost, size: Size, budget: int | None, on: torch.device, dtype: torch.dtype, later: Cost | None = None
) -> Strips:
    """The largest strips that fit.

    Args:
        held: what is held whatever the strips, beside what is in use now.
        size: height and width of the picture to work on.
        budget: bytes the process may use at most; None for most of what is free.
        on: where.
        dtype: of the features.
        later: what a picture as large holds when it is painted, after this: a refusal says what does for both.

    Raises:
        RequestError: the budget is less than the smallest strips take.
    """

    def with_strips(held: Cost, values: int) -> Cost:
        most = min(values, positions)
        return held + Cost.of_bytes(SPARE + most * _COPIES * dtype.itemsize)

    def ways() -> Iterator[tuple[int, Cost]]:
        values = VALUES
        while values > MIN_VALUES:
            yield values, with_strips(held, values)
            values = max(MIN_VALUES, values // 2)
        yield values, with_strips(held, values)

    positions = size[0] * size[1] * _CHANNELS
    if positions > VALUES:
        give_back_freed_memory()  # of the picture before, whose blocks were of other sizes
    found = fit(ways(), size, budget, on, None if later is None else with_strips(later, MIN_VALUES))
    several = positions > found.way
    return Strips(found.way, found.peak, size, several and (budget is not None or found.way < VALUES))
