"""Painting by several methods in turn, each from the picture so far, at a larger size."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Hashable, Iterator, MutableMapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Any, Self

from torch import Tensor

from ...control import part
from ...errors import RequestError
from ...images.geometry import fitted_size, resize
from ...losses.held import Held
from ...painter import Painter, Regions, Step
from ...recipe import Options, Recipe
from ...strips import Size
from ..common.fitting import check_start
from ..common.loader import Loader, Nets
from ..common.options import options_of
from ..common.scales import restored, tones_of, with_tones
from ..common.stages import StagedPainter
from .colours import with_colours
from .options import CascadeOptions, Rung
from .resume import Progress, origin

_LOST_BELOW = 2
"""Pixels of a rung's picture: shapes smaller than that are often lost in it."""

_USUAL = 512
"""Longest side in pixels that is taken where a recipe states none and there is no photo."""

_SHOWN = 10
"""Most pictures that a rung shows before its result. Each is enlarged to the final size, which takes time."""

Kept = MutableMapping[Any, Any]


@dataclass(frozen=True)
class CascadeNets(Nets):
    """The networks of every rung, in order."""

    rungs: Sequence[Nets]


def load(recipe: Recipe, loader: Loader) -> CascadeNets:
    """Load the networks of every rung. A network of several rungs is loaded once."""
    from .. import METHODS

    loader = loader.sharing()
    rungs = options_of(recipe, CascadeOptions).rungs
    nets = [METHODS[rung.method].load_by(_recipe_of(rung, recipe, recipe.size), loader) for rung in rungs]
    sha256 = {name: found for each in nets for name, found in each.sha256.items()}
    return CascadeNets(loader.device, loader.dtype, sha256, nets)


class CascadePainter(Painter):
    """Paints with the painter of each rung in turn, from the picture of the one before.

    Args:
        recipe: its options state the rungs.
        nets: from `load`.
        styles: 1×3×H×W each, at their own sizes.
        kept: a cache of style statistics, by the number of the rung and the key of its painter. None keeps those of
            one painting's sizes.

    Attributes:
        held: holds the paintings of rungs that optimise at a picture; None does not.
    """

    held: Held | None = None

    def __init__(self, recipe: Recipe, nets: CascadeNets, styles: Sequence[Tensor], kept: Kept | None = None) -> None:
        self.options = options_of(recipe, CascadeOptions)
        if not styles:
            raise RequestError("no style picture; give at least one")
        self.recipe = recipe.model_copy(update={"nets": {**recipe.nets, **nets.sha256}})
        self.device = nets.device
        self._nets, self._styles, self._kept = nets.rungs, [style.to(nets.device) for style in styles], kept
        self._bound: tuple[list[int], list[Painter]] | None = None
        self.resumable = any(painter.resumable for painter in self._painters(self._square_sizes()))

    def run(self, content: Tensor, regions: Regions | None, start: Tensor | None) -> Iterator[Step]:
        """Paint; see `Painter.paint`. Pictures are shown at the final size.

        A rung that optimises shows up to `_SHOWN` pictures on the way, and its state is saved. Every rung shows its
        result.
        """
        content = content.to(self.device)
        shape = (content.shape[2], content.shape[3])
        final = self.recipe.size or max(shape)
        given = fitted_size(*shape, final)
        sizes = [rung.longest(final, shape) for rung in self.options.rungs]
        painters = self._painters(sizes)
        _check_memory(painters, sizes, given, regions=regions is not None)
        start = None if start is None else check_start(start, content)
        begin = 0 if start is None else max(start.shape[2:])
        shares = _work_shares(painters, shape, sizes, begin)
        ends = _ends(painters, shape, sizes, begin)
        begins = [0, *ends]
        made_from = (
            origin(self.recipe, self.options, self._styles, content, regions, start) if self.checkpoint else {}
        )
        progress = Progress(self.checkpoint, made_from)
        if progress.start is not None:
            start = progress.start.to(self.device)
        for number, (painter, rung, size) in enumerate(zip(painters, self.options.rungs, sizes, strict=True)):
            if number < progress.rung:
                continue  # done before the painting was interrupted
            what = f"{rung.method} at {size} px"
            if painter.resumable and (checkpoint := progress.checkpoint(number, start)) is not None:
                painter = painter.keeping(checkpoint)
            if self.held is not None and isinstance(painter, StagedPainter):
                painter = painter.holding(self.held)
            begun = None if start is None else _resize_start(start, shape, size)
            if begun is not None and number > 0:
                begun = sharpened(begun, content, rung.start_detail)
            tones = tones_of(start) if rung.keep_tones and number > 0 and start is not None else None
            with part(*shares[number], what):
                for step, shown in _shown_steps(painter, content, regions, begun):
                    start = step.image
                    if tones is not None or rung.spread_colours:
                        start = start.clone()  # the two change it in place
                    if tones is not None:
                        with_tones(start, tones)
                    if rung.spread_colours:
                        with_colours(start, self._styles, self.recipe.style_shares(), regions)
                    done = ends[number] if shown is None else begins[number] + shown
                    note = "; ".join(filter(None, (what, step.note)))
                    image = resize(start, *given).contiguous()
                    yield replace(step, image=image, index=done, total=ends[-1], note=note)
                    del step, image  # otherwise they would be held while painting goes on
            del begun

    def holding(self, held: Held) -> Self:
        """See `Holdable.holding`."""
        painter = copy.copy(self)
        painter.held = held
        return painter

    def check_memory(self, size: tuple[int, int], *, regions: bool = False, spare: int = 0) -> None:
        """See `Painter.check_memory`."""
        sizes = [rung.longest(max(size), size) for rung in self.options.rungs]
        _check_memory(self._painters(sizes), sizes, size, regions=regions, spare=spare)

    def encode_ahead(self, *, regions: bool = False) -> None:
        """See `Painter.encode_ahead`."""
        if self.recipe.size:
            for painter in self._painters(self._square_sizes()):
                painter.encode_ahead(regions=regions)

    def _square_sizes(self) -> list[int]:
        """The sizes of the rungs for a square photo; of a very narrow photo some rungs may be larger."""
        return [rung.longest(self.recipe.size or _USUAL, (1, 1)) for rung in self.options.rungs]

    def estimate_work(self, size: tuple[int, int], start: int = 0) -> float:
        """See `Painter.estimate_work`."""
        final = self.recipe.size or max(size)
        sizes = [rung.longest(final, size) for rung in self.options.rungs]
        before = [start, *sizes]
        return sum(
            each.estimate_work(size, begun) for each, begun in zip(self._painters(sizes), before, strict=False)
        )

    def _painters(self, sizes: list[int]) -> Sequence[Painter]:
        """Return the painters of the rungs, each for its size."""
        from .. import METHODS

        if self._bound is None or self._bound[0] != sizes:
            bound: list[Painter] = []
            for number, (rung, size, nets) in enumerate(zip(self.options.rungs, sizes, self._nets, strict=True)):
                detail = rung.start_detail if number else self.recipe.start_detail
                recipe = _recipe_of(rung, self.recipe, size).model_copy(update={"start_detail": detail})
                kept = None if self._kept is None else _RungCache(self._kept, number)
                bound.append(METHODS[rung.method].bound(recipe, nets, self._styles, kept))
            self._bound = (sizes, bound)
        return self._bound[1]


def _check_memory(
    painters: Sequence[Painter], sizes: Sequence[int], size: tuple[int, int], *, regions: bool, spare: int = 0
) -> None:
    """Check that the memory is enough for each rung, the largest of which is the last; see `Painter.check_memory`."""
    for painter, longest in reversed([*zip(painters, sizes, strict=True)]):
        painter.check_memory(fitted_size(*size, longest), regions=regions, spare=spare)


def _recipe_of(rung: Rung, recipe: Recipe, size: int | None) -> Recipe:
    """Return the recipe of a rung, for a longest side of `size` pixels."""
    changes = {"method": rung.method, "options": _options_of(rung, recipe), "size": size}
    return recipe.model_copy(update={**changes, "start": None, "preset": None})


def _options_of(rung: Rung, recipe: Recipe) -> Options:
    """Return the options of a rung: its settings at the cascade's stroke scale."""
    return rung.scaled_options(options_of(recipe, CascadeOptions).style_scale)


def _work_shares(
    painters: Sequence[Painter], shape: Size, sizes: Sequence[int], start: int
) -> list[tuple[float, float]]:
    """Return where in the work, 0 to 1, each rung begins and ends."""
    work = [each.estimate_work(shape, begun) for each, begun in zip(painters, [start, *sizes], strict=False)]
    done = list(accumulate(work, initial=0.0))
    whole = done[-1] or 1.0  # a rung may have no steps
    return list(pairwise(each / whole for each in done))


def _ends(painters: Sequence[Painter], shape: Size, sizes: Sequence[int], start: int) -> list[int]:
    """Return the number of pictures that are shown by the end of each rung."""
    counts: list[int] = []
    for painter, begun in zip(painters, [start, *sizes], strict=False):
        steps = painter.count_steps(shape, begun) if isinstance(painter, StagedPainter) else 1
        counts.append(1 + -(-max(0, steps - 1) // _interval(steps)))
    return list(accumulate(counts))


def _interval(steps: int) -> int:
    """Return after how many steps of a rung the next picture is shown."""
    return max(1, -(-steps // _SHOWN))


def _shown_steps(
    painter: Painter, content: Tensor, regions: Regions | None, start: Tensor | None
) -> Iterator[tuple[Step, int | None]]:
    """Yield the steps of a rung that are shown, each with its number among them, from 1; None for the result."""
    steps = painter.run(content, regions, start)
    if not isinstance(painter, StagedPainter):
        (last,) = deque(steps, maxlen=1)
        yield last, None
        return
    last, following = None, 1
    for last in steps:
        interval = _interval(last.total)
        if following <= last.index < last.total:
            following = last.index + interval
            yield last, 1 + (last.index - 1) // interval
    assert last is not None
    yield last, None


def _resize_start(picture: Tensor, shape: tuple[int, int], size: int) -> Tensor:
    """Resize the picture so far to start a rung: it is not enlarged, and has at least 2 pixels a side."""
    height, width = fitted_size(*shape, min(size, max(picture.shape[2:])))
    return resize(picture, max(2, height), max(2, width))


def sharpened(picture: Tensor, content: Tensor, detail: float) -> Tensor:
    """Add the photo's brightness detail that is too fine to be painted well at the size of a rung's picture.

    The next rung adds what is finer than its pixels.

    Args:
        picture: 1×3×h×w in [0, 1].
        content: the photograph, 1×3×H×W, at any size.
        detail: how much of it to add, 0 to 4.

    Returns:
        1×3×h×w in [0, 1].
    """
    if not detail:
        return picture
    height, width = picture.shape[2:]
    coarse = resize(content, max(1, height // _LOST_BELOW), max(1, width // _LOST_BELOW))
    return restored(picture, coarse, resize(content, height, width), detail)


class _RungCache(MutableMapping[Hashable, Any]):
    """The part of a cache by (rung, key) that belongs to one rung."""

    def __init__(self, kept: Kept, rung: int) -> None:
        self._kept, self._rung = kept, rung

    def __getitem__(self, key: Hashable) -> Any:
        return self._kept[self._rung, key]

    def __setitem__(self, key: Hashable, value: Any) -> None:
        self._kept[self._rung, key] = value

    def __delitem__(self, key: Hashable) -> None:
        del self._kept[self._rung, key]

    def __iter__(self) -> Iterator[Hashable]:
        return (key for rung, key in self._kept if rung == self._rung)

    def __len__(self) -> int:
        return sum(1 for _ in self)
