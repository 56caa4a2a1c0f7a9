"""`Session`: paints many photographs, and loads networks and encodes styles only once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from pydantic import ByteSize, TypeAdapter, ValidationError

from .. import memory
from ..control import Cancel, Watch, say
from ..errors import RequestError
from ..images.source import STANDARD_STREAM
from ..methods import method
from ..painter import Checkpoint
from ..recipe import Recipe
from ..weights.locate import split_layout
from .bound import BoundPainter
from .cache import Cache, CacheView
from .inputs import open_pictures, read_masks, regions_of
from .printing import require_memory, with_print
from .provenance import warn_of_other_nets
from .work import Inputs, Work

if TYPE_CHECKING:
    from torch import device

    from ..images.picture import Picture
    from ..methods.common.loader import Nets
    from .inputs import ImageLike, Masks
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
        masks: Masks | None = None,
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

        def begin() -> Inputs:
            say("reading the pictures")
            sources = _sources(recipe, styles)
            used = recipe.sides_used()
            content = read(photo, used.photo)
            content, pictures = open_pictures(content, sources, lambda style: self.read(style, used.style))
            found = read_masks(recipe, content, masks, lambda mask: self.read(mask, used.photo))
            sized, cut = with_print(recipe, content, self.device)
            source = recipe.start if start is None else start
            begin_from = None if source is None else read(source).pixels
            say("loading the networks")
            bound = self._bound(sized, pictures)
            require_memory(bound.painter, sized, content.size, regions=any(mask is not None for mask in found))
            if cut is not None:
                content, found, begin_from, _ = cut.inputs(content, found, begin_from)
            regions = regions_of(sized, content, found)
            warn_of_other_nets(bound.recipe, nets or {})
            if checkpoint is not None:
                bound = bound.keeping(checkpoint)
            return Inputs(bound.with_inputs(start, masks), content, found, regions, begin_from)

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
        from ..runtime import isolated

        sources = _sources(recipe, styles)
        with isolated():
            pictures = [self.read(source, recipe.sides_used().style) for source in sources]
            bound = self._bound(recipe, pictures, shared=False)
            bound.painter.encode_ahead()
        return bound

    def read(self, source: ImageLike, longest: int | None = None) -> Picture:
        """Read a picture that may be needed again. A file is kept, and read again only if it has changed.

        Args:
            source: the picture; see `impasto.read`.
            longest: the longest side that it is used at, in pixels; a large picture is then read with fewer pixels.

        Raises:
            ImageError: it cannot be read.

        Examples:
            >>> session.read("painting.jpg") is session.read("painting.jpg")
            True
        """
        from ..images.read import read

        if not isinstance(source, str | Path) or str(source) == STANDARD_STREAM or not Path(source).is_file():
            return read(source, longest)
        stat = Path(source).stat()
        key = ("picture", str(Path(source).resolve()), stat.st_size, stat.st_mtime_ns, str(source), longest)
        return self.cache.keep(key, lambda: read(source, longest))

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
        shown = [self._visible(style) for style in styles]
        nets = method(recipe.method).load(recipe, self.device, self.cache.keep)
        return BoundPainter(self, recipe, nets, shown, shared=shared)

    def _visible(self, style: Picture) -> Picture:
        """Return what can be seen of a style. It is kept if its file is known."""
        from ..images.visible import visible

        if style.alpha is None or style.sha256 is None:
            return visible(style)
        return self.cache.keep(("visible", style.sha256, style.size, style.source), lambda: visible(style))

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
        read_as = split_layout(recipe.encoder)[1]
        key = (
            recipe.method,
            settings,
            shares,
            read_as,
            recipe.seed,
            nets.device,
            nets.dtype,
            *names,
            *nets.sha256.values(),
        )
        return CacheView(self.cache, key)


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
