"""The skeleton of the methods that paint in one pass: sizes, coarse to fine, borders, memory, strips.

A method says how its styles are encoded, what it holds in memory, and what it makes of one picture at one size.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Generic, NamedTuple, TypeVar

from torch import Tensor

from ...control import expect, say
from ...images.geometry import fitted_size, resize
from ...images.grain import grained
from ...memory import PICTURE, Cost, keep_freed_memory
from ...nets.descreen import descreened
from ...painter import Painter, Regions, Step
from ...recipe import Recipe
from ...strips import Size, Strips, plan_strips
from .fitting import SMALLEST, check_start, fitted_photo, pad_regions, pad_to_cover
from .loader import Nets
from .scales import finer, restored, scales, tones_of, with_tones

Stats = TypeVar("Stats")

KeptStats = MutableMapping[tuple[int, bool], Stats]
"""The styles' statistics, by the longest side of the picture they are seen beside, and whether each is apart."""

NOTHING = Cost()


@dataclass(frozen=True)
class Frame:
    """How far a photograph is mirrored beyond its border before it is painted, so that features cover it.

    Attributes:
        unit: pixels of one position of the features.
        patch: side of a patch in positions.
        stride: positions between patches.
        margin: pixels to mirror on all four sides as well.
        outer: pixels around these that the encoder sees, and that are not painted.
    """

    unit: int = 1
    patch: int = 1
    stride: int = 1
    margin: int = 0
    outer: int = 0


@dataclass
class Pass(Generic[Stats]):
    """One picture to be painted at one size.

    Attributes:
        photo: 1×3×H×W, what to paint, with its frame.
        size: longest side without the frame.
        stats: the styles as they are seen beside a picture of that size.
        prepared: what `OnePassPainter.prepare` found for that size.
        regions: where each style applies, of the photo without `outer`; None for everywhere.
        outer: pixels on each side of the photo that are not painted.
        coarse: whether finer passes follow.
        strips: how large strips may be; `Strips.run` does work in them, in smaller ones where memory runs out.
    """

    photo: Tensor
    size: int
    stats: Stats
    prepared: Any
    regions: Regions | None
    outer: int
    coarse: bool
    strips: Strips

    def free_photo(self) -> None:
        """Free the photo, which is needed no longer."""
        self.photo = self.photo.new_empty(0)


class Painted(NamedTuple):
    """A picture that a pass has made, 1×3×H×W in [0, 1], losses before it, and what is worth telling."""

    picture: Tensor
    losses: Mapping[str, float] = {}
    note: str = ""


@dataclass
class _Painting(Generic[Stats]):
    """What all passes of one painting share: regions, and by size the styles and what was prepared."""

    regions: Regions | None
    stats: dict[int, Stats]
    prepared: Mapping[int, Any]
    several: bool = False
    tones: Tensor | None = None


class OnePassPainter(Painter, Generic[Stats]):
    """Paints a picture in one pass; a large one small at first, then each time larger from the painting so far.

    Attributes:
        dtype: arithmetic of the networks.
        styles: the style pictures, at their own sizes.
        frame: see `Frame`.
        min_side: pixels a side that a picture is worked on with at least.
        grain: least contrast the networks see the photo with.
        grid: period in pixels of the lattice to take out of pictures; 0 for none.
        keeps_tones: later passes keep the long waves of the first: for networks that give a style's colours anew.
        apart_differs: styles encoded apart are other statistics than styles encoded together.
        bulky: the styles' statistics are as large as features. With `--memory`, those of a size go after its pass.
    """

    frame = Frame()
    min_side: int = SMALLEST
    grain: float = 0.0
    grid: int = 0
    keeps_tones: bool = False
    apart_differs: bool = True
    bulky: bool = False

    def __init__(
        self, recipe: Recipe, nets: Nets, styles: Sequence[Tensor], kept: KeptStats[Stats] | None = None
    ) -> None:
        """`styles` are 1×3×H×W each; `kept` has what was encoded of them, by default for one painting's sizes."""
        self.recipe = recipe.model_copy(update={"nets": {**recipe.nets, **nets.sha256}})
        self.device, self.dtype = nets.device, nets.dtype
        self.styles = [style.to(nets.device) for style in styles]
        self._kept: KeptStats[Stats] = {} if kept is None else kept
        self._keeps_all = kept is not None
        keep_freed_memory()

    @abstractmethod
    def encode(self, size: int, *, apart: bool) -> Stats:
        """The styles' statistics beside a picture of longest side `size`: mixed, or of each style `apart`."""

    @abstractmethod
    def cost(self, size: Size, stats: Stats | None, *, apart: bool) -> Cost:
        """What painting holds beside its strips, for a picture of height and width `size`.

        `stats` is None where the styles have yet to be encoded.
        """

    @abstractmethod
    def pictures(self, seen: Pass[Stats]) -> Iterator[Painted]:
        """What the method makes of one picture; a method that refines it yields every step."""

    @abstractmethod
    def work(self, size: Size) -> float:
        """Multiply-adds of a pass over a picture of height and width `size`, for the progress."""

    @abstractmethod
    def encode_work(self, size: int) -> float:
        """Multiply-adds of `encode`, likewise."""

    def steps(self, size: int) -> int:  # noqa: ARG002
        """How many pictures a pass of that size yields."""
        return 1

    def sizes(self, final: int) -> tuple[int, ...]:
        """Longest sides to paint at, one after the other, for a result of `final` pixels."""
        return scales(final, getattr(self.recipe.options, "style_scale", 1.0))

    def _sizes_from(self, start: int, final: int) -> list[int]:
        """The same from a start so long, which takes the place of the passes up to its size."""
        sizes = self.sizes(final)
        return [size for size in sizes if size > start] or [sizes[-1]]

    def estimate_work(self, size: Size, start: int = 0) -> float:
        """See `Painter.estimate_work`."""
        final = self.recipe.size or max(size)
        return sum(self.work(fitted_size(*size, each)) for each in self._sizes_from(start, final))

    def prepare(self, content: Tensor, size: int, final: int) -> Any:  # noqa: ARG002
        """What a pass of that size, on the way to `final`, has to know of the photograph, before any is painted."""
        return None

    def run(self, content: Tensor, regions: Regions | None, start: Tensor | None) -> Iterator[Step]:
        """Paint; see `Painter.paint`."""
        content = content.to(self.device)
        height, width = content.shape[2:]
        final = self.recipe.size or max(height, width)
        if start is not None:
            start = check_start(start, content)
        begun_at = 0 if start is None else max(start.shape[2:])
        sizes, given = self._sizes_from(begun_at, final), fitted_size(height, width, final)
        apart, unknown = regions is not None, 0.0
        for size in sizes:
            unknown += 0.0 if self._key(size, apart) in self._kept else self.encode_work(size)
        expect(self.estimate_work((height, width), begun_at) + unknown, "encoding the style" if unknown else "")
        stats = dict(self.encode_styles(sizes, apart=regions is not None))
        if len(sizes) > 1:  # a budget too small is refused before the passes of less memory
            self.plan(given, stats[sizes[-1]], apart=regions is not None, later=True)
        # The largest first: a refusal then names a budget that is enough for every size.
        prepared = {size: self.prepare(content, size, sizes[-1]) for size in reversed(sizes)}
        painting = _Painting(regions, stats, prepared, several=len(sizes) > 1)
        begun = self._coarse(content, sizes, painting, start)
        total = self.steps(sizes[-1])
        passes = self._run_pass([begun], sizes[-1], painting, coarse=False)
        del begun  # a large picture is let go as soon as it is used
        for index, (picture, losses, note) in enumerate(passes, 1):
            yield Step(resize(picture, *given).contiguous(), index, total, losses, note)

    def encode_styles(self, sizes: Sequence[int], *, apart: bool) -> Mapping[int, Stats]:
        """The styles encoded as they are seen beside pictures of these sizes, and of no others."""
        if not self._keeps_all:
            for key in [key for key in self._kept if key not in {self._key(size, apart) for size in sizes}]:
                del self._kept[key]
        found: dict[int, Stats] = {}
        # The largest first: a refusal then names a budget that is enough for every size.
        for size in reversed(sizes):
            key = self._key(size, apart)
            stats = self._kept.get(key)
            if stats is None:
                self._kept[key] = stats = self.encode(size, apart=apart)
            found[size] = stats
        return found

    def _key(self, size: int, apart: bool) -> tuple[int, bool]:
        return size, apart and self.apart_differs and len(self.styles) > 1

    def encode_ahead(self, *, regions: bool = False) -> None:
        """See `Painter.encode_ahead`."""
        if self.recipe.size:
            apart = regions or any(part.mask for part in self.recipe.parts)
            self.encode_styles(self.sizes(self.recipe.size), apart=apart)

    def plan_style(
        self, style: Tensor, cost: Cost, kept: Cost = NOTHING, afterwards: Cost = NOTHING, *, apart: bool
    ) -> Strips:
        """How large strips may be for encoding a style picture. A budget too small for painting is refused now.

        Args:
            style: 1×3×H×W.
            cost: of encoding it.
            kept: of statistics, which stay while photos are painted.
            afterwards: of the work that follows a pass.
            apart: whether styles are encoded apart.
        """
        size = (style.shape[2], style.shape[3])
        later = (self.cost(size, None, apart=apart) | afterwards) + kept + 2 * PICTURE
        return plan_strips(cost, size, self.recipe.memory, self.device, self.dtype, later)

    def fitted(self, content: Tensor, size: int) -> Tensor:
        """The photograph at a size."""
        return fitted_photo(content, size, self.min_side)[0]

    def framed(self, photo: Tensor, *, outer: int = 0) -> tuple[Tensor, tuple[slice, slice]]:
        """A photograph mirrored beyond its border, and the rows and columns it has there."""
        frame = self.frame
        return pad_to_cover(photo, frame.unit, frame.patch, frame.stride, frame.margin + outer)

    def unframed(self, picture: Tensor, size: int, stats: Stats, prepared: Any = None) -> Pass[Stats]:
        """A picture to be painted without a margin: where features are looked at, and not the picture's border."""
        photo, _ = pad_to_cover(picture, self.frame.unit, self.frame.patch, self.frame.stride)
        strips = self.plan((photo.shape[2], photo.shape[3]), stats, apart=False)
        return Pass(photo, size, stats, prepared, None, 0, False, strips)

    def plan(self, photo: Size, stats: Stats, *, apart: bool, later: bool = False) -> Strips:
        """How large strips may be for a photo of height and width `photo`, in memory now or only `later`."""
        cost = self.cost(photo, stats, apart=apart)
        cost = cost + 2 * PICTURE if later else cost  # the photo, and it framed
        return plan_strips(cost, photo, self.recipe.memory, self.device, self.dtype, cost if later else None)

    def _coarse(
        self, content: Tensor, sizes: Sequence[int], painting: _Painting[Stats], start: Tensor | None
    ) -> Tensor:
        """What to paint at the last size: the photograph, with the strokes of the start and all smaller paintings."""
        begun = photo = self.fitted(content, sizes[0])
        if start is not None:
            begun = restored(start, resize(content, *start.shape[2:]), photo, self.recipe.start_detail)
            painting.tones = tones_of(start) if self.keeps_tones else None
        for size, larger in pairwise(sizes):
            (made,) = deque(self._run_pass([begun], size, painting, coarse=True), maxlen=1)
            if painting.tones is None and self.keeps_tones:
                painting.tones = tones_of(made.picture)
            smaller, photo = photo, self.fitted(content, larger)
            begun = finer(made.picture, smaller, photo)
            del made  # or it would be held while the next pass paints
        return begun

    def _run_pass(
        self, given: list[Tensor], size: int, painting: _Painting[Stats], *, coarse: bool
    ) -> Iterator[Painted]:
        """The pictures of one pass, without their frame. The photo is taken out of `given`, to be freed."""
        say(f"{size} px" if painting.several else "")
        seen, place = self._prepare_pass(grained(given.pop(), self.grain, self.recipe.seed), size, painting, coarse)
        for picture, losses, note in self.pictures(seen):
            if self.grid:
                picture = descreened(picture, self.grid).clamp_(0, 1)
            picture = picture[:, :, *place]
            if painting.tones is not None:
                picture = with_tones(picture, painting.tones)
            yield Painted(picture, losses, "; ".join(filter(None, (seen.strips.note, note))))
        if coarse and self.bulky and self.recipe.memory is not None:
            painting.stats.pop(size, None)
            self._kept.pop(self._key(size, painting.regions is not None), None)

    def _prepare_pass(
        self, photo: Tensor, size: int, painting: _Painting[Stats], coarse: bool
    ) -> tuple[Pass[Stats], tuple[slice, slice]]:
        """A picture to be painted, and where the photo lies in what is made of it."""
        frame, apart = self.frame, painting.regions is not None
        # A sliver has not so much to mirror.
        outer = frame.outer if min(photo.shape[2:]) > frame.margin + frame.outer else 0
        where = pad_regions(painting.regions, photo, frame.unit, frame.patch, frame.stride, margin=frame.margin)
        framed, place = self.framed(photo, outer=outer)
        stats = painting.stats[size]
        strips = self.plan((framed.shape[2], framed.shape[3]), stats, apart=apart)
        rows, columns = (slice(each.start - outer, each.stop - outer) for each in place)
        seen = Pass(framed, size, stats, painting.prepared[size], where, outer, coarse, strips)
        return seen, (rows, columns)
