"""The common part of methods that paint in one pass: sizes, coarse to fine, borders, memory, strips.

A method states how it encodes styles, how much memory it needs, and how it paints one picture at one size.
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
from ...memory import PICTURE, Cost, keep_freed_memory, memory_left
from ...nets.descreen import remove_lattice
from ...painter import Painter, Regions, Step
from ...recipe import Recipe
from ...strip_plan import StripPlan, plan_strips
from ...strips import Size
from .fitting import SMALLEST, check_start, fitted_photo, pad_regions, pad_to_cover
from .loader import Nets
from .scales import finer, restored, scales, tones_of, with_tones

Stats = TypeVar("Stats")

KeptStats = MutableMapping[tuple[int, bool], Stats]
"""Statistics of the styles, by the longest side of the painting and by whether each style is encoded separately."""

NOTHING = Cost()


@dataclass(frozen=True)
class Frame:
    """How a photograph is padded by reflection before it is painted, so that features cover it.

    Attributes:
        unit: pixels of one position of the features.
        patch: side of a patch in positions.
        stride: positions between patches.
        margin: pixels to add on all four sides as well.
        outer: pixels to add around these for the encoder only; they are not painted.
    """

    unit: int = 1
    patch: int = 1
    stride: int = 1
    margin: int = 0
    outer: int = 0


@dataclass
class Pass(Generic[Stats]):
    """One picture to paint at one size.

    Attributes:
        photo: the picture with its frame, 1×3×H×W in [0, 1].
        size: longest side in pixels without the frame.
        stats: statistics of the styles for that size.
        prepared: what `OnePassPainter.prepare` returned for that size.
        regions: where each style applies on the photo without `outer`; None means everywhere.
        outer: pixels on each side of the photo that are not painted.
        coarse: whether finer passes follow.
        strips: how large strips may be. `StripPlan.run` does the work, in smaller ones if memory runs out.
    """

    photo: Tensor
    size: int
    stats: Stats
    prepared: Any
    regions: Regions | None
    outer: int
    coarse: bool
    strips: StripPlan

    def free_photo(self) -> None:
        """Free the memory of the photo when it is no longer needed."""
        self.photo = self.photo.new_empty(0)


class Painted(NamedTuple):
    """The result of a pass, or of one of its steps.

    Attributes:
        picture: 1×3×H×W in [0, 1].
        losses: loss terms by name, of the picture before the step.
        note: note for the step; may be empty.
    """

    picture: Tensor
    losses: Mapping[str, float] = {}
    note: str = ""


@dataclass
class _Painting(Generic[Stats]):
    """What the passes of one painting share.

    Attributes:
        regions: where each style applies; None means everywhere.
        stats: statistics of the styles by size.
        prepared: results of `OnePassPainter.prepare` by size.
        several: whether there is more than one pass.
        tones: the large areas of light and colour that later passes keep; None if they keep none.
    """

    regions: Regions | None
    stats: dict[int, Stats]
    prepared: Mapping[int, Any]
    several: bool = False
    tones: Tensor | None = None


class OnePassPainter(Painter, Generic[Stats]):
    """Paints a picture in one pass. A large picture is painted small first, and then larger from the last result.

    Attributes:
        dtype: type that the networks compute in.
        styles: the style pictures at their own sizes, 1×3×H×W each.
        frame: how the photograph is padded.
        min_side: smallest side in pixels that is processed.
        grain: smallest contrast of the photo that the networks get, see `grained`; 0 adds no grain.
        grid: period in pixels of the lattice to remove from pictures; 0 if there is none.
        keeps_tones: later passes keep the large areas of light and colour of the first; for networks that apply the
            colours of a style again in every pass.
        apart_differs: whether encoding styles separately gives other statistics than encoding them together.
        bulky: whether the statistics are as large as features. With a memory budget they are freed after each pass.
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
        """Make a painter.

        Args:
            recipe: what to paint with.
            nets: the networks.
            styles: the style pictures, 1×3×H×W each.
            kept: statistics that are encoded already; new ones are added. None keeps those of one painting's sizes.
        """
        self.recipe = recipe.model_copy(update={"nets": {**recipe.nets, **nets.sha256}})
        self.device, self.dtype = nets.device, nets.dtype
        self.styles = [style.to(nets.device) for style in styles]
        self._kept: KeptStats[Stats] = {} if kept is None else kept
        self._keeps_all = kept is not None
        keep_freed_memory()

    @abstractmethod
    def encode(self, size: int, *, apart: bool) -> Stats:
        """Compute the statistics of the styles for a painting of longest side `size`.

        Args:
            size: in pixels.
            apart: keep each style separate, as painting with masks needs it; otherwise mix them.
        """

    @abstractmethod
    def cost(self, size: Size, stats: Stats | None, *, apart: bool) -> Cost:
        """Return the memory that painting needs in addition to its strips.

        Args:
            size: height and width of the picture.
            stats: statistics of the styles; None if they are not encoded yet.
            apart: whether each style is separate.
        """

    @abstractmethod
    def pictures(self, pass_: Pass[Stats]) -> Iterator[Painted]:
        """Paint one picture at one size. A method that refines the picture yields every step."""

    @abstractmethod
    def work(self, size: Size) -> float:
        """Return the multiply-adds of a pass over a picture of height and width `size`, for the progress."""

    @abstractmethod
    def encode_work(self, size: int) -> float:
        """Return the multiply-adds of `encode`, for the progress."""

    def steps(self, size: int) -> int:  # noqa: ARG002 (a hook)
        """Return the number of pictures that a pass of that size yields."""
        return 1

    def sizes(self, final: int) -> tuple[int, ...]:
        """Return the longest sides to paint at, in order, for a result of `final` pixels."""
        return scales(final, getattr(self.recipe.options, "style_scale", 1.0))

    def _sizes_from(self, start: int, final: int) -> list[int]:
        """The sizes after a start of longest side `start`, which replaces the passes up to its size."""
        sizes = self.sizes(final)
        return [size for size in sizes if size > start] or [sizes[-1]]

    def estimate_work(self, size: Size, start: int = 0) -> float:
        """See `Painter.estimate_work`."""
        final = self.recipe.size or max(size)
        return sum(self.work(fitted_size(*size, each)) for each in self._sizes_from(start, final))

    def check_memory(self, size: Size, *, regions: bool = False, spare: int = 0) -> None:
        """See `Painter.check_memory`."""
        cost = self.cost(size, None, apart=regions) + 2 * PICTURE
        plan_strips(cost, size, memory_left(self.recipe.memory, spare), self.device, self.dtype, cost)

    def prepare(self, content: Tensor, size: int, final: int) -> Any:  # noqa: ARG002 (a hook)
        """Compute what a pass of longest side `size` needs of the photograph. This runs before all passes.

        Args:
            content: the photograph, 1×3×H×W.
            size: longest side of the pass in pixels.
            final: longest side of the last pass.
        """
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
        if len(sizes) > 1:  # a budget that is too small for the last pass is refused before the first
            self.plan(given, stats[sizes[-1]], apart=regions is not None, later=True)
        # The largest first: an error then names a budget that is enough for every size.
        prepared = {size: self.prepare(content, size, sizes[-1]) for size in reversed(sizes)}
        painting = _Painting(regions, stats, prepared, several=len(sizes) > 1)
        begun = self._coarse(content, sizes, painting, start)
        total = self.steps(sizes[-1])
        passes = self._run_pass([begun], sizes[-1], painting, coarse=False)
        del begun  # so that a large picture is freed as soon as it is used
        for index, (picture, losses, note) in enumerate(passes, 1):
            yield Step(resize(picture, *given).contiguous(), index, total, losses, note)

    def encode_styles(self, sizes: Sequence[int], *, apart: bool) -> Mapping[int, Stats]:
        """Encode the styles for paintings of these longest sides, and return the statistics by size.

        Without a cache, the statistics of other sizes are dropped.
        """
        if not self._keeps_all:
            for key in [key for key in self._kept if key not in {self._key(size, apart) for size in sizes}]:
                del self._kept[key]
        found: dict[int, Stats] = {}
        # The largest first: an error then names a budget that is enough for every size.
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
    ) -> StripPlan:
        """Choose the size of strips for encoding a style picture, and refuse a budget that is too small for painting.

        Args:
            style: 1×3×H×W.
            cost: memory for encoding it.
            kept: memory of the statistics, which are kept while photos are painted.
            afterwards: memory for the work that follows a pass.
            apart: whether styles are encoded separately.

        Raises:
            RequestError: the budget is too small.
        """
        size = (style.shape[2], style.shape[3])
        later = (self.cost(size, None, apart=apart) | afterwards) + kept + 2 * PICTURE
        return plan_strips(cost, size, self.recipe.memory, self.device, self.dtype, later)

    def fitted(self, content: Tensor, size: int) -> Tensor:
        """Resize the photograph to a longest side of `size` pixels."""
        return fitted_photo(content, size, self.min_side)[0]

    def framed(self, photo: Tensor, *, outer: int = 0) -> tuple[Tensor, tuple[slice, slice]]:
        """Pad a photograph by the frame and `outer` pixels; return it with its own rows and columns there."""
        frame = self.frame
        return pad_to_cover(photo, frame.unit, frame.patch, frame.stride, frame.margin + outer)

    def unframed(self, picture: Tensor, size: int, stats: Stats, prepared: Any = None) -> Pass[Stats]:
        """Make a pass without a margin, for when the features matter and not the border of the picture."""
        photo, _ = pad_to_cover(picture, self.frame.unit, self.frame.patch, self.frame.stride)
        strips = self.plan((photo.shape[2], photo.shape[3]), stats, apart=False)
        return Pass(photo, size, stats, prepared, None, 0, False, strips)

    def plan(self, photo: Size, stats: Stats, *, apart: bool, later: bool = False) -> StripPlan:
        """Choose the size of strips for painting.

        Args:
            photo: height and width of the photo with its frame.
            stats: statistics of the styles.
            apart: whether each style is separate.
            later: the photo is not in memory yet.

        Raises:
            RequestError: the budget is too small.
        """
        cost = self.cost(photo, stats, apart=apart)
        cost = cost + 2 * PICTURE if later else cost  # the photo without and with its frame
        return plan_strips(cost, photo, self.recipe.memory, self.device, self.dtype, cost if later else None)

    def _coarse(
        self, content: Tensor, sizes: Sequence[int], painting: _Painting[Stats], start: Tensor | None
    ) -> Tensor:
        """Paint at all sizes but the last; return the picture to paint at the last size."""
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
            del made  # otherwise it would stay in memory during the next pass
        return begun

    def _run_pass(
        self, given: list[Tensor], size: int, painting: _Painting[Stats], *, coarse: bool
    ) -> Iterator[Painted]:
        """Paint one pass; yield its pictures without their frame. The photo is taken out of `given`, to free it."""
        say(f"{size} px" if painting.several else "")
        pass_, place = self._prepare_pass(grained(given.pop(), self.grain, self.recipe.seed), size, painting, coarse)
        for picture, losses, note in self.pictures(pass_):
            if self.grid:
                picture = remove_lattice(picture, self.grid).clamp_(0, 1)
            picture = picture[:, :, *place]
            if painting.tones is not None:
                picture = with_tones(picture, painting.tones)
            yield Painted(picture, losses, "; ".join(filter(None, (pass_.strips.note, note))))
        if coarse and self.bulky and self.recipe.memory is not None:
            painting.stats.pop(size, None)
            self._kept.pop(self._key(size, painting.regions is not None), None)

    def _prepare_pass(
        self, photo: Tensor, size: int, painting: _Painting[Stats], coarse: bool
    ) -> tuple[Pass[Stats], tuple[slice, slice]]:
        """Make a pass, and return it with the rows and columns of the photo in its result."""
        frame, apart = self.frame, painting.regions is not None
        # A narrow picture has too few pixels to reflect.
        outer = frame.outer if min(photo.shape[2:]) > frame.margin + frame.outer else 0
        where = pad_regions(painting.regions, photo, frame.unit, frame.patch, frame.stride, margin=frame.margin)
        framed, place = self.framed(photo, outer=outer)
        stats = painting.stats[size]
        strips = self.plan((framed.shape[2], framed.shape[3]), stats, apart=apart)
        rows, columns = (slice(each.start - outer, each.stop - outer) for each in place)
        pass_ = Pass(framed, size, stats, painting.prepared[size], where, outer, coarse, strips)
        return pass_, (rows, columns)
