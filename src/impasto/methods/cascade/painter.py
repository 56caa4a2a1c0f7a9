"""Painting by other methods in turn: each goes on from the picture so far, at a larger size."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterator, MutableMapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Any

from torch import Tensor

from ...control import part
from ...errors import RequestError
from ...images.geometry import fitted_size, resize
from ...painter import Painter, Regions, Step
from ...recipe import Options, Recipe
from ..common.fitting import check_start
from ..common.loader import Loader, Nets
from ..common.options import options_of
from ..common.scales import restored, tones_of, with_tones
from .options import CascadeOptions, Rung

APPROXIMATE = 700
"""Longest side in pixels beyond which `swap` matches approximately: exact matches grow with the square of pixels."""

_UNSURE = 2
"""Pixels of a rung's picture: finer shapes are often lost there already."""

Kept = MutableMapping[Any, Any]


@dataclass(frozen=True)
class CascadeNets(Nets):
    """The networks of every rung, in order."""

    rungs: Sequence[Nets]


def load(recipe: Recipe, loader: Loader) -> CascadeNets:
    """Load every rung's networks, those that several use once."""
    from .. import METHODS

    loader = loader.sharing()
    rungs = options_of(recipe, CascadeOptions).rungs
    nets = [METHODS[rung.method].load_by(_recipe_of(rung, recipe, recipe.size), loader) for rung in rungs]
    sha256 = {name: found for each in nets for name, found in each.sha256.items()}
    return CascadeNets(loader.device, loader.dtype, sha256, nets)


class CascadePainter(Painter):
    """Paints with each rung's painter in turn, from the picture of the one before.

    Args:
        recipe: its options state the rungs.
        nets: from `load`.
        styles: 1×3×H×W each, at their own sizes.
        kept: statistics of the styles, by the number of the rung and its own painter's keys; by default those of one
            size are kept.
    """

    def __init__(self, recipe: Recipe, nets: CascadeNets, styles: Sequence[Tensor], kept: Kept | None = None) -> None:
        self.options = options_of(recipe, CascadeOptions)
        if not styles:
            raise RequestError("no style picture; give at least one")
        self.recipe = recipe.model_copy(update={"nets": {**recipe.nets, **nets.sha256}})
        self.device = nets.device
        self._nets, self._styles, self._kept = nets.rungs, [style.to(nets.device) for style in styles], kept
        self._bound: tuple[list[int], list[Painter]] | None = None

    def run(self, content: Tensor, regions: Regions | None, start: Tensor | None) -> Iterator[Step]:
        """Paint; see `Painter.paint`. There is a step a rung, its picture shown at the final size."""
        content = content.to(self.device)
        shape = (content.shape[2], content.shape[3])
        final = self.recipe.size or max(shape)
        given = fitted_size(*shape, final)
        sizes = [rung.longest(final, shape) for rung in self.options.rungs]
        painters = self._painters(sizes)
        start = None if start is None else check_start(start, content)
        shares = _shares(painters, shape, sizes, 0 if start is None else max(start.shape[2:]))
        for number, (painter, rung, size) in enumerate(zip(painters, self.options.rungs, sizes, strict=True), 1):
            what = f"{rung.method} at {size} px"
            with part(*shares[number - 1], what):
                begun = None if start is None else _begun(start, shape, size)
                if begun is not None and number > 1:
                    begun = sharpened(begun, content, rung.start_detail)
                last = _last(painter, content, regions, begun)
            if rung.keep_tones and number > 1 and start is not None:
                start = with_tones(last.image.clone(), tones_of(start))
            else:
                start = last.image
            note = "; ".join(filter(None, (what, last.note)))
            image = resize(start, *given).contiguous()
            yield replace(last, image=image, index=number, total=len(painters), note=note)
            del last, begun, image  # or they would be held while the next rung paints

    def encode_ahead(self, *, regions: bool = False) -> None:
        """See `Painter.encode_ahead`."""
        if self.recipe.size:
            # Of a square: that of a sliver, which has larger rungs, is seen with the photograph.
            sizes = [rung.longest(self.recipe.size, (1, 1)) for rung in self.options.rungs]
            for painter in self._painters(sizes):
                painter.encode_ahead(regions=regions)

    def estimate_work(self, size: tuple[int, int], start: int = 0) -> float:
        """See `Painter.estimate_work`."""
        final = self.recipe.size or max(size)
        sizes = [rung.longest(final, size) for rung in self.options.rungs]
        before = [start, *sizes]
        return sum(
            each.estimate_work(size, begun) for each, begun in zip(self._painters(sizes), before, strict=False)
        )

    def _painters(self, sizes: list[int]) -> Sequence[Painter]:
        """The rungs' painters, each at its size."""
        from .. import METHODS

        if self._bound is None or self._bound[0] != sizes:
            bound: list[Painter] = []
            for number, (rung, size, nets) in enumerate(zip(self.options.rungs, sizes, self._nets, strict=True)):
                detail = rung.start_detail if number else self.recipe.start_detail
                recipe = _recipe_of(rung, self.recipe, size).model_copy(update={"start_detail": detail})
                kept = None if self._kept is None else _KeptOfRung(self._kept, number)
                bound.append(METHODS[rung.method].bound(recipe, nets, self._styles, kept))
            self._bound = (sizes, bound)
        return self._bound[1]


def _recipe_of(rung: Rung, recipe: Recipe, size: int | None) -> Recipe:
    """What a rung is painted with, at a longest side of `size` pixels."""
    changes = {"method": rung.method, "options": _options_of(rung, recipe, size), "size": size}
    return recipe.model_copy(update={**changes, "start": None, "preset": None})


def _options_of(rung: Rung, recipe: Recipe, size: int | None) -> Options:
    from .. import make_recipe

    scale = options_of(recipe, CascadeOptions).style_scale
    options: Any = make_recipe(rung.method, settings=rung.settings).options
    changes: dict[str, Any] = {}
    if scale != 1 and "style_scale" in type(options).model_fields:
        changes["style_scale"] = min(16.0, max(1 / 16, options.style_scale * scale))
    if rung.method == "swap" and options.search == "auto" and (size or 0) > APPROXIMATE:
        changes["search"] = "patchmatch"
    return options.model_copy(update=changes)


def _shares(
    painters: Sequence[Painter], shape: tuple[int, int], sizes: Sequence[int], start: int
) -> list[tuple[float, float]]:
    """Where in the work, 0 to 1, each rung begins and ends."""
    work = [each.estimate_work(shape, begun) for each, begun in zip(painters, [start, *sizes], strict=False)]
    done = list(accumulate(work, initial=0.0))
    whole = done[-1] or 1.0  # a rung may have no steps
    return list(pairwise(each / whole for each in done))


def _last(painter: Painter, content: Tensor, regions: Regions | None, start: Tensor | None) -> Step:
    (last,) = deque(painter.run(content, regions, start), maxlen=1)
    return last


def _begun(picture: Tensor, shape: tuple[int, int], size: int) -> Tensor:
    """The picture so far as the start of a rung: no larger than its own, and at least 2 pixels a side."""
    height, width = fitted_size(*shape, min(size, max(picture.shape[2:])))
    return resize(picture, max(2, height), max(2, width))


def sharpened(picture: Tensor, content: Tensor, detail: float) -> Tensor:
    """A rung's picture, with the photograph's brightness that is too fine to be drawn well at its size.

    What is finer than its pixels comes back in the rung after it.

    Args:
        picture: 1×3×h×w in [0, 1].
        content: the photograph, 1×3×H×W, at any size.
        detail: how much of that brightness, 0 to 4.
    """
    if not detail:
        return picture
    height, width = picture.shape[2:]
    coarse = resize(content, max(1, height // _UNSURE), max(1, width // _UNSURE))
    return restored(picture, coarse, resize(content, height, width), detail)


class _KeptOfRung(MutableMapping[Hashable, Any]):
    """Of statistics by rung and key, those of one rung."""

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
