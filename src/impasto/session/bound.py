"""`BoundPainter`: a recipe with its networks loaded and its styles read."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

from ..control import Cancel, Watch
from ..methods import method
from ..painter import Checkpoint, Painter, Regions
from ..recipe import Recipe
from .inputs import mask_list, name_of, read_masks, regions_of
from .printing import require_memory, with_print
from .work import Inputs, Work

if TYPE_CHECKING:
    from torch import Tensor

    from ..images.picture import Picture
    from ..methods.common.loader import Nets
    from .inputs import ImageLike, Masks
    from .session import Session


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
        self._session, self._nets, self.styles, self._shared = session, nets, styles, shared
        names = [_name(style) for style in styles] if shared else []
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

    def with_inputs(self, start: ImageLike | None, masks: Masks | None) -> Self:
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
            names = [None if mask is None else name_of(mask) for mask in mask_list(masks) or ()]
            recipe = recipe.with_masks(names)
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
        masks: Masks | None = None,
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

        def begin() -> Inputs:
            longest = self.recipe.sides_used().photo
            content, where = read(photo, longest), regions
            found: Sequence[Tensor | None] = []
            if where is None:
                found = read_masks(self.recipe, content, masks, lambda mask: self._session.read(mask, longest))
            sized, cut = with_print(self.recipe, content, self.device)
            source = self.recipe.start if start is None else start
            begin_from = None if source is None else read(source).pixels
            bound, masked = self._sized(sized), where is not None or any(mask is not None for mask in found)
            require_memory(bound.painter, sized, content.size, regions=masked)
            if cut is not None:
                content, found, begin_from, where = cut.inputs(content, found, begin_from, where)
            if where is None:
                where = regions_of(sized, content, found)
            return Inputs(bound.with_inputs(start, masks), content, found, where, begin_from)

        return Work(begin, cancel, watch)

    def _sized(self, recipe: Recipe) -> BoundPainter:
        """A painter for a recipe that states the size, with the networks and styles of this one."""
        if recipe is self.recipe:
            return self
        bound = BoundPainter(self._session, recipe, self._nets, self.styles, shared=self._shared)
        return bound if self.checkpoint is None else bound.keeping(self.checkpoint)

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


def _name(style: Picture) -> str:
    """A name for the pixels of a style: a file may be read with all of its pixels or with fewer."""
    from ..methods.common.resume import digest

    return digest(style.pixels) if style.sha256 is None else f"{style.sha256} {style.size}"
