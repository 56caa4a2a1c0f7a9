"""`Session`: paints many photographs, and loads networks and encodes styles only once."""

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
from .cache import Cache, CacheView
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
"""Bytes that a session keeps at most by default."""


class Session:
    """Keeps networks and style statistics from one painting to the next, and paints one picture at a time.

    Threads may share a session. As a context manager it frees what it keeps at the end.

    Args:
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
        cache: most memory to keep things in, in bytes or as text such as ``"1GB"``; 0 keeps nothing. It counts as
            memory in use, and is freed when a painting needs it.

    Attributes:
        device: the device it paints on.
        cache: what it keeps.

    Raises:
        RequestError: the device is not there, or `cache` is not an amount of memory.

    Examples:
        >>> session = impasto.Session(cache="1GB")
        >>> recipe = impasto.make_recipe("adain", [impasto.Style(path="painting.jpg")])
        >>> session.paint(recipe, "photo.jpg").done().save("first.png")
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
        """Paint a photograph. The work begins with the first step, and waits while another picture is painted.

        Args:
            recipe: what to paint with.
            photo: the photograph; see `impasto.read` for the kinds.
            styles: pictures to use instead of the files that the recipe names, in the same order.
            masks: pictures to use instead of the recipe's masks, one for each style; None means everywhere.
            start: a picture to continue from, instead of the recipe's; see `Painter.paint`.
            cancel: see `Painter.paint`.
            watch: see `Painter.paint`.
            priority: a painting of lower priority lets this one go first, even in the middle of its own work.
            checkpoint: where the state is saved; see `Painter.keeping`.
            records: objects that follow the steps.
            nets: sha256 by name of the networks of an earlier painting; there is a warning if others are used.

        Returns:
            The steps; then ``painting`` has the result.

        Raises:
            RequestError: while painting: a picture is unreadable, a network is missing, or a size does not fit.
            Cancelled: while painting: `cancel` was set.

        Examples:
            >>> for step in (work := session.paint(recipe, "photo.jpg")):
            ...     print(step.index, "of", step.total)
            1 of 1
            >>> work.painting.save("painted.png")
        """
        from ..images.read import read

        def begin() -> _Inputs:
            say("reading the pictures")
            sources = _sources(recipe, styles)
            content, pictures = open_pictures(read(photo), sources, self.read)
            found = read_masks(recipe, content, masks, self.read)
            regions = regions_of(recipe, content, found)
            source = recipe.start if start is None else start
            begin_from = None if source is None else read(source).pixels
            say("loading the networks")
            bound = self._bound(recipe, pictures)
            warn_of_other_nets(bound.recipe, nets or {})
            if checkpoint is not None:
                bound = bound.keeping(checkpoint)
            return _Inputs(bound.with_inputs(start, masks), content, found, regions, begin_from)

        return Work(begin, cancel, watch, priority, records)

    def bind(self, recipe: Recipe, *, styles: Sequence[ImageLike] | None = None) -> BoundPainter:
        """Load the networks and encode the styles now, to paint any number of photographs.

        Args:
            recipe: what to paint with.
            styles: see `paint`.

        Raises:
            RequestError: a picture is unreadable or a network is missing.

        Examples:
            >>> session.bind(recipe).paint("photo.jpg").done().size
            (512, 384)
        """
        sources = _sources(recipe, styles)
        bound = self._bound(recipe, [self.read(source) for source in sources], shared=False)
        bound.painter.encode_ahead()
        return bound

    def read(self, source: ImageLike) -> Picture:
        """Read a picture that may be needed again. A file is kept, and read again only if it has changed.

        Args:
            source: the picture; see `impasto.read`.

        Raises:
            ImageError: it cannot be read.

        Examples:
            >>> session.read("painting.jpg") is session.read("painting.jpg")
            True
        """
        from ..images.read import read

        if not isinstance(source, str | Path) or str(source) == STANDARD_STREAM or not Path(source).is_file():
            return read(source)
        stat = Path(source).stat()
        key = ("picture", str(Path(source).resolve()), stat.st_size, stat.st_mtime_ns, str(source))
        return self.cache.keep(key, lambda: read(source))

    def close(self) -> None:
        """Free what is kept. The session can still be used, and loads again what it needs.

        Examples:
            >>> session.close()
        """
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

    def statistics(self, recipe: Recipe, nets: Nets, names: Sequence[str]) -> CacheView:
        """Return the part of the cache that holds the statistics of style pictures.

        Args:
            recipe: its method and settings belong to the key.
            nets: networks that the statistics are computed with.
            names: a digest of each style picture.

        Examples:
            >>> nets = impasto.METHODS["adain"].load(recipe, session.device)
            >>> len(session.statistics(recipe, nets, ["digest of a picture"]))
            0
        """
        shares = tuple((part.weight, part.mask is not None) for part in recipe.parts)
        settings = recipe.options.model_dump_json()
        whose = (recipe.method, settings, shares, recipe.seed, nets.device, nets.dtype, *names, *nets.sha256.values())
        return CacheView(self.cache, whose)


class BoundPainter:
    """A recipe with its networks loaded and its styles read; made by `Session.bind`.

    Args:
        session: reads masks, and keeps statistics.
        recipe: what to paint with.
        nets: its networks.
        styles: its style pictures.
        shared: the session keeps the statistics of the styles. Otherwise the painter does, for one size only.

    Attributes:
        recipe: what it paints with; ``nets`` has the sha256 of each network.
        painter: the method's own painter, without strength, colour and masks.
        styles: the style pictures.
        device: where it paints.
        resumable: whether its paintings can be saved between two steps and resumed.

    Examples:
        >>> recipe = impasto.make_recipe("gatys", [impasto.Style(path="painting.jpg")], settings={"steps": 1})
        >>> painter = impasto.bind(recipe)
        >>> painter.paint("photo.jpg").done().save("first.png")
    """

    def __init__(
        self, session: Session, recipe: Recipe, nets: Nets, styles: Sequence[Picture], *, shared: bool
    ) -> None:
        self._session, self._nets, self.styles = session, nets, styles
        names = [style.sha256 or _digest(style.pixels) for style in styles] if shared else []
        kept = session.statistics(recipe, nets, names) if shared else None
        self.painter = method(recipe.method).bound(recipe, nets, [style.pixels for style in styles], kept)
        self.recipe, self.device = self.painter.recipe, self.painter.device
        self.resumable = self.painter.resumable

    @property
    def checkpoint(self) -> Checkpoint | None:
        """Where its paintings save their state; None if they do not.

        Examples:
            >>> painter.checkpoint is None
            True
        """
        return self.painter.checkpoint

    def keeping(self, checkpoint: Checkpoint) -> Self:
        """Return a painter that saves the state of its paintings; see `Painter.keeping`.

        Args:
            checkpoint: where to save.

        Raises:
            RequestError: the method cannot be resumed.

        Examples:
            >>> painter.keeping(impasto.StateFile("state.safetensors")).paint("photo.jpg").done().size
            (512, 384)
        """
        bound = copy.copy(self)
        bound.painter = self.painter.keeping(checkpoint)
        return bound

    def with_inputs(self, start: ImageLike | None, masks: Sequence[ImageLike | None] | None) -> Self:
        """Return a painter whose recipe names another start and other masks. It reads neither.

        Args:
            start: the picture to continue from; None keeps the recipe's.
            masks: one for each style; None keeps the recipe's.

        Examples:
            >>> painter.with_inputs("start.png", None).recipe.start
            'start.png'
        """
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
        """Paint a photograph. The work begins with the first step.

        Args:
            photo: the photograph; see `impasto.read` for the kinds.
            regions: where each style applies, instead of masks.
            start: a picture to continue from, of the same kinds; see `Painter.paint`.
            cancel: see `Painter.paint`.
            watch: see `Painter.paint`.
            masks: pictures to use instead of the recipe's masks, one for each style; None means everywhere.

        Returns:
            The steps; then ``painting`` has the result.

        Raises:
            RequestError: while painting: a picture is unreadable, or its size or proportions do not fit.
            Cancelled: while painting: `cancel` was set.

        Examples:
            >>> painter.paint("photo.jpg").done().size
            (512, 384)
        """
        from ..images.read import read

        def begin() -> _Inputs:
            content = read(photo)
            found = [] if regions is not None else read_masks(self.recipe, content, masks, self._session.read)
            where = regions if regions is not None else regions_of(self.recipe, content, found)
            source = self.recipe.start if start is None else start
            return _Inputs(
                self.with_inputs(start, masks), content, found, where, None if source is None else read(source).pixels
            )

        return Work(begin, cancel, watch)

    def painter_of(self, content: Tensor) -> Painter:
        """Return the method's painter; with the colour ``coral``, its styles have the photograph's colours.

        Args:
            content: the photograph, 1×3×H×W in [0, 1].

        Examples:
            >>> painter.painter_of(torch.rand(1, 3, 36, 48)) is painter.painter
            True
        """
        from ..methods.common.finish import recolour_styles

        styles = recolour_styles([style.pixels for style in self.styles], content, self.recipe)
        if styles is None:
            return self.painter
        painter = method(self.recipe.method).bound(self.recipe, self._nets, styles)
        return painter if self.checkpoint is None else painter.keeping(self.checkpoint)


@dataclasses.dataclass(frozen=True, eq=False)
class _Inputs:
    """The inputs of a painting, read and checked."""

    bound: BoundPainter
    content: Picture
    masks: Sequence[Tensor | None]
    regions: Regions | None
    start: Tensor | None


@dataclasses.dataclass(eq=False)
class _State:
    """The progress of a painting, shared between `Work` and its generator."""

    inputs: _Inputs | None = None
    last: Step | None = None
    ended: bool = False
    seconds: float = 0.0


class Work:
    """A painting in progress, made by `Session.paint`: an iterator over its steps.

    It may be left early. Other paintings wait until it has ended, is closed, or is no longer referenced.

    Args:
        begin: reads the pictures and loads the networks.
        cancel: see `Session.paint`.
        watch: see `Session.paint`.
        priority: see `Session.paint`.
        records: see `Session.paint`.

    Examples:
        >>> recipe = impasto.make_recipe("adain", [impasto.Style(path="painting.jpg")])
        >>> work = impasto.Session().paint(recipe, "photo.jpg")
        >>> [step.total for step in work]
        [1]
    """

    def __init__(
        self,
        begin: Callable[[], _Inputs],
        cancel: Cancel | None = None,
        watch: Watch | None = None,
        priority: int = 0,
        records: Sequence[Record] = (),
    ) -> None:
        self._records, self._state = records, _State()
        # The generator refers to the state and not to this object, so it is closed with the last reference to this.
        self._steps = _in_turn(_paint(begin, self._state, records), cancel, watch, priority)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Step:
        return next(self._steps)

    def close(self) -> None:
        """Stop painting. A painter with a checkpoint saves its state.

        Examples:
            >>> work.close()
        """
        self._steps.close()

    def done(self) -> Painting:
        """Run the remaining steps and return the painting.

        Raises:
            RequestError: see `Session.paint`.
            Cancelled: see `Session.paint`.

        Examples:
            >>> work.done().size
            (512, 384)
        """
        for _ in self:
            pass
        return self.painting

    def finish_records(self) -> list[Path]:
        """Let the records write what they write at the end, and return the files they made.

        Examples:
            >>> work.finish_records()
            []
        """
        return [path for record in self._records for path in record.finish()]

    @property
    def last(self) -> Step | None:
        """The last step, before strength, colour and masks are applied; None before the first.

        Examples:
            >>> work.last.index
            1
        """
        return self._state.last

    @property
    def painting(self) -> Painting:
        """The painting so far; after the last step, the result.

        Raises:
            ImpastoError: there is no step yet.

        Examples:
            >>> work.painting.stopped
            'finished'
        """
        inputs, step = self._state.inputs, self._state.last
        if inputs is None or step is None:
            raise ImpastoError("the painting has no steps; expected at least one")
        early = step.index < step.total
        stopped = INTERRUPTED if early and not self._state.ended else (early and step.note) or FINISHED
        return Painting(
            step,
            inputs.bound.recipe,
            inputs.content,
            inputs.bound.styles,
            inputs.masks,
            inputs.regions,
            str(inputs.bound.device),
            self._state.seconds,
            stopped,
        )


def _in_turn(painting: Generator[Step], cancel: Cancel | None, watch: Watch | None, priority: int) -> Generator[Step]:
    """Yield the steps of a painting once no other one is painted."""
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
    if cancelled:  # a new exception: the traceback of the other keeps tensors alive
        memory.give_back_freed_memory()
        raise Cancelled(cancelled)


def _paint(begin: Callable[[], _Inputs], state: _State, records: Sequence[Record]) -> Generator[Step]:
    """Yield the steps of a painting with strength, colour and masks applied."""
    from ..methods.common.finish import finish

    state.inputs = inputs = begin()
    content, bound = inputs.content.pixels, inputs.bound
    painter = bound.painter_of(content)
    say("painting")
    began = time.monotonic()
    with contextlib.closing(painter.paint(content, inputs.regions, inputs.start)) as steps:
        for step in steps:
            state.last, state.seconds = step, time.monotonic() - began
            shown = dataclasses.replace(step, image=finish(step.image, content, bound.recipe, inputs.regions))
            for record in records:
                record.step(shown, state.seconds)
            yield shown
        state.ended = True


def _sources(recipe: Recipe, styles: Sequence[ImageLike] | None) -> Sequence[ImageLike]:
    """Return what to read the styles of a recipe from."""
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
