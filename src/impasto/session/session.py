"""`Session`: paints photograph after photograph; networks and style statistics are loaded and encoded once."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from pydantic import ByteSize, TypeAdapter, ValidationError

from .. import memory
from ..control import Cancel, Control, Watch, say
from ..errors import Cancelled, ImpastoError, RequestError
from ..images.source import STANDARD_STREAM
from ..methods import method
from ..painter import Checkpoint, Painter, Regions, Step, controlled
from ..recipe import Recipe
from .cache import Cache, Shelf
from .inputs import name_of, open_pictures, read_masks, regions_of
from .painting import FINISHED, INTERRUPTED, Painting
from .provenance import warn_of_other_nets
from .turns import TURNS

if TYPE_CHECKING:
    from torch import Tensor, device

    from ..images.picture import Picture
    from ..methods.common.loader import Nets
    from .inputs import ImageLike
    from .records import Record

CACHE = 512_000_000
"""Bytes that a session keeps at most, by default."""


class Session:
    """Keeps networks and style statistics from one painting to the next, and paints one picture at a time.

    Args:
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        cache: bytes to keep at most, or text such as ``"1GB"``; 0 for nothing. It counts as memory in use, and is
            given up first where a painting needs it.

    Raises:
        RequestError: no such device, or a bound that is no amount of memory.

    Example:
        >>> with Session() as session:
        ...     for photo in photos:
        ...         work = session.paint(recipe, photo)
        ...         for step in work:
        ...             print(step.index, step.total)
        ...         work.painting.save(photo.with_suffix(".painted.png"))
    """

    def __init__(self, *, device: str = "auto", cache: int | str = CACHE) -> None:
        from ..runtime import pick_device

        self.device: device = pick_device(device)
        self.cache = Cache(_bytes(cache))

    def paint(
        self,
        recipe: Recipe,
        photo: ImageLike,
        *,
        styles: Sequence[ImageLike] | None = None,
        masks: Sequence[ImageLike | None] | None = None,
        start: ImageLike | None = None,
        cancel: Cancel | None = None,
        watch: Watch | None = None,
        priority: int = 0,
        checkpoint: Checkpoint | None = None,
        records: Sequence[Record] = (),
        nets: Mapping[str, str] | None = None,
    ) -> Work:
        """A painting, begun when its first step is asked for. It waits while another is painted in this process.

        Args:
            recipe: what to paint with.
            photo: a path, ``-`` for standard input, bytes, a PIL image, an array or a tensor.
            styles: pictures to use in place of reading the recipe's style paths, in the same order.
            masks: likewise, one a style; None for everywhere.
            start: the painting so far, in place of the recipe's; see `Painter.paint`.
            cancel: the painting ends with `Cancelled` within about a second once it is set.
            watch: is told of the progress.
            priority: a painting of less lets this one go first, also in its midst.
            checkpoint: where its state is kept; see `Painter.keeping`.
            records: follow its steps.
            nets: sha256 by name of the networks that an earlier painting was made with, to warn of others.
        """
        from ..images.read import read

        def begin() -> _Begun:
            say("reading the pictures")
            sources = _sources(recipe, styles)
            content, pictures = open_pictures(read(photo), sources, self.read)
            found = read_masks(recipe, content, masks, self.read)
            regions = regions_of(recipe, content, found)
            source = recipe.start if start is None else start
            begun = None if source is None else read(source).pixels
            say("loading the networks")
            bound = self._bound(recipe, pictures)
            warn_of_other_nets(bound.recipe, nets or {})
            if checkpoint is not None:
                bound = bound.keeping(checkpoint)
            return _Begun(bound.given(start, masks), content, found, regions, begun)

        return Work(begin, cancel, watch, priority, records)

    def bind(self, recipe: Recipe, *, styles: Sequence[ImageLike] | None = None) -> BoundPainter:
        """Load networks and encode styles now: a painter for any number of photographs.

        Args:
            recipe: what to paint with.
            styles: see `paint`.
        """
        sources = _sources(recipe, styles)
        bound = self._bound(recipe, [self.read(source) for source in sources], shared=False)
        bound.painter.encode_ahead()
        return bound

    def read(self, source: ImageLike) -> Picture:
        """A picture that may be needed again; one in a file is read anew only where the file has changed."""
        from ..images.read import read

        if not isinstance(source, str | Path) or str(source) == STANDARD_STREAM or not Path(source).is_file():
            return read(source)
        stat = Path(source).stat()
        key = ("picture", str(Path(source).resolve()), stat.st_size, stat.st_mtime_ns, str(source))
        return self.cache.keep(key, lambda: read(source))

    def close(self) -> None:
        """Free what is kept. The session can be used again, and then loads anew."""
        self.cache.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _bound(self, recipe: Recipe, styles: Sequence[Picture], *, shared: bool = True) -> BoundPainter:
        self.cache.begin()
        nets = method(recipe.method).load(recipe, self.device, self.cache.keep)
        return BoundPainter(self, recipe, nets, styles, shared=shared)

    def statistics(self, recipe: Recipe, nets: Nets, names: Sequence[str]) -> Shelf:
        """Where those of style pictures are kept, which `names` tell apart by their content."""
        shares = tuple((part.weight, part.mask is not None) for part in recipe.parts)
        settings = recipe.options.model_dump_json()
        whose = (recipe.method, settings, shares, recipe.seed, nets.device, nets.dtype, *names, *nets.sha256.values())
        return Shelf(self.cache, whose)


class BoundPainter:
    """A recipe with its networks loaded and its styles read, for any number of photographs; made by `Session.bind`.

    Attributes:
        recipe: its networks resolved to their sha256.
        painter: of the method alone: without strength, colours and masks.
        styles: the style pictures.
    """

    def __init__(
        self, session: Session, recipe: Recipe, nets: Nets, styles: Sequence[Picture], *, shared: bool
    ) -> None:
        """`shared` says that the session keeps the styles' statistics; else the painter does, of one size."""
        self._session, self._nets, self.styles = session, nets, styles
        names = [style.sha256 or _digest(style.pixels) for style in styles] if shared else []
        kept = session.statistics(recipe, nets, names) if shared else None
        self.painter = method(recipe.method).bound(recipe, nets, [style.pixels for style in styles], kept)
        self.recipe, self.device = self.painter.recipe, self.painter.device
        self.resumable = self.painter.resumable

    @property
    def checkpoint(self) -> Checkpoint | None:
        """Where the state of its paintings is kept."""
        return self.painter.checkpoint

    def keeping(self, checkpoint: Checkpoint) -> Self:
        """See `Painter.keeping`."""
        bound = copy.copy(self)
        bound.painter = self.painter.keeping(checkpoint)
        return bound

    def given(self, start: ImageLike | None, masks: Sequence[ImageLike | None] | None) -> Self:
        """The same, whose recipe names the start and the masks that are used in place of its own."""
        recipe = self.recipe
        if start is not None:
            recipe = recipe.model_copy(update={"start": name_of(start)})
        if masks is not None:
            recipe = recipe.with_masks([None if mask is None else name_of(mask) for mask in masks])
        bound = copy.copy(self)
        bound.recipe = recipe
        return bound

    def paint(
        self,
        photo: ImageLike,
        regions: Regions | None = None,
        start: ImageLike | None = None,
        cancel: Cancel | None = None,
        watch: Watch | None = None,
        *,
        masks: Sequence[ImageLike | None] | None = None,
    ) -> Work:
        """Paint a photograph: the steps, then `Work.painting`.

        Args:
            photo: a path, bytes, a PIL image, an array or a tensor 1×3×H×W in [0, 1].
            regions: where each style applies, in place of masks.
            start: see `Painter.paint`, as any of these kinds.
            cancel: likewise.
            watch: likewise.
            masks: where each style applies, in place of those the recipe names.

        Example:
            >>> painter = impasto.bind(recipe)
            >>> painting = painter.paint("photo.jpg").done()
        """
        from ..images.read import read

        def begin() -> _Begun:
            content = read(photo)
            found = [] if regions is not None else read_masks(self.recipe, content, masks, self._session.read)
            where = regions if regions is not None else regions_of(self.recipe, content, found)
            source = self.recipe.start if start is None else start
            return _Begun(
                self.given(start, masks), content, found, where, None if source is None else read(source).pixels
            )

        return Work(begin, cancel, watch)

    def painter_of(self, content: Tensor) -> Painter:
        """The method's painter, its styles recoloured where the recipe wants the photograph's colours in them."""
        from ..methods.common.finish import recoloured

        styles = recoloured([style.pixels for style in self.styles], content, self.recipe)
        if styles is None:
            return self.painter
        painter = method(self.recipe.method).bound(self.recipe, self._nets, styles)
        return painter if self.checkpoint is None else painter.keeping(self.checkpoint)


@dataclasses.dataclass(frozen=True, eq=False)
class _Begun:
    """All that a painting is made of."""

    bound: BoundPainter
    content: Picture
    masks: Sequence[Tensor | None]
    regions: Regions | None
    start: Tensor | None


@dataclasses.dataclass(eq=False)
class _State:
    """How far a painting is."""

    begun: _Begun | None = None
    last: Step | None = None
    ended: bool = False
    seconds: float = 0.0


class Work:
    """A painting under way: iterate over its steps.

    Leaving it early is safe. Other paintings wait until it has ended, is closed, or nobody holds it any more.

    Args:
        begin: reads and loads.
        cancel: see `Session.paint`, as all others.
        watch: likewise.
        priority: likewise.
        records: likewise.
    """

    def __init__(
        self,
        begin: Callable[[], _Begun],
        cancel: Cancel | None = None,
        watch: Watch | None = None,
        priority: int = 0,
        records: Sequence[Record] = (),
    ) -> None:
        self._records, self._state = records, _State()
        # The generator holds the state and not this object: with the last reference to this it is closed.
        self._steps = _in_turn(_paint(begin, self._state, records), cancel, watch, priority)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Step:
        return next(self._steps)

    def close(self) -> None:
        """End it. A method that keeps its state saves it."""
        self._steps.close()

    def done(self) -> Painting:
        """The painting, after all its steps."""
        for _ in self:
            pass
        return self.painting

    def finish_records(self) -> list[Path]:
        """Have the records write what they write at the end; the files made."""
        return [path for record in self._records for path in record.finish()]

    @property
    def last(self) -> Step | None:
        """The step so far, as the method gave it; None before the first."""
        return self._state.last

    @property
    def painting(self) -> Painting:
        """The painting so far: after the last step, the answer.

        Raises:
            ImpastoError: there is no step yet.
        """
        begun, step = self._state.begun, self._state.last
        if begun is None or step is None:
            raise ImpastoError("the painting has no steps; expected at least one")
        early = step.index < step.total
        stopped = INTERRUPTED if early and not self._state.ended else (early and step.note) or FINISHED
        return Painting(
            step,
            begun.bound.recipe,
            begun.content,
            begun.bound.styles,
            begun.masks,
            begun.regions,
            str(begun.bound.device),
            self._state.seconds,
            stopped,
        )


def _in_turn(painting: Generator[Step], cancel: Cancel | None, watch: Watch | None, priority: int) -> Generator[Step]:
    """The steps of a painting, made when it is its turn."""
    cancelled = ""
    with TURNS.take(priority, cancel) as turn:
        steps = controlled(painting, Control(cancel, watch, turn.give_way))
        try:
            for step in steps:
                turn.rest()
                yield step
        except Cancelled as error:
            cancelled = str(error)
        finally:
            steps.close()
    if cancelled:  # anew: the trace of the other would hold what was worked on
        memory.give_back_freed_memory()
        raise Cancelled(cancelled)


def _paint(begin: Callable[[], _Begun], state: _State, records: Sequence[Record]) -> Generator[Step]:
    """The steps of a painting, finished."""
    from ..methods.common.finish import finish

    state.begun = begun = begin()
    content, bound = begun.content.pixels, begun.bound
    painter = bound.painter_of(content)
    say("painting")
    began = time.monotonic()
    with contextlib.closing(painter.paint(content, begun.regions, begun.start)) as steps:
        for step in steps:
            state.last, state.seconds = step, time.monotonic() - began
            shown = dataclasses.replace(step, image=finish(step.image, content, bound.recipe, begun.regions))
            for record in records:
                record.step(shown, state.seconds)
            yield shown
        state.ended = True


def _sources(recipe: Recipe, styles: Sequence[ImageLike] | None) -> Sequence[ImageLike]:
    """What to read the styles of a recipe from."""
    if styles is None:
        return [style.path for style in recipe.styles]
    if len(styles) != len(recipe.styles):
        raise RequestError(
            f"{len(styles)} style pictures for the {len(recipe.styles)} styles of the recipe; expected one each"
        )
    return styles


def _bytes(amount: int | str) -> int:
    try:
        if isinstance(amount, bool):
            raise ValueError
        found = TypeAdapter(ByteSize).validate_python(memory.parse(amount))
    except (ValidationError, ValueError):
        found = -1
    if found < 0:
        raise RequestError(f"cache is {amount!r}; expected bytes, or an amount such as 512MB or 2GB; 0 for none")
    return int(found)


def _digest(pixels: Tensor) -> str:
    from ..methods.common.resume import digest

    return digest(pixels)
