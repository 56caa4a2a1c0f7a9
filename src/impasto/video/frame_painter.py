"""Paints the frames of a film one after the other, each with what the ones before have left."""

from __future__ import annotations

import contextlib
import dataclasses
from collections import OrderedDict
from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..control import Cancel
from ..images.grain import carrying
from ..losses.held import Held
from ..methods.common.finish import finish
from ..methods.common.stages import Holdable
from ..painter import Painter, Regions
from ..recipe import Recipe
from ..session.turns import TURNS
from .flow import Motion
from .frames import Frame, Pixels
from .masks import Masks
from .options import FilmSettings
from .shot import Shot, matching_curves, with_curves
from .steady import Painting, begun_from
from .timeline import Timeline

if TYPE_CHECKING:
    from ..session.bound import BoundPainter
    from ..session.session import Session

_KEPT_PAINTERS = 3
_HOLD = 2.0  # strength of the temporal loss at --steady 1


@dataclass(frozen=True, eq=False)
class PaintedFrame:
    """A painted frame.

    Attributes:
        pixels: H×W×3 of 8 bits, finished.
        own: the same without what the frames before have left.
    """

    pixels: Pixels
    own: Pixels


class FramePainter:
    """Paints frames.

    Args:
        session: keeps networks and statistics.
        recipe: what to paint with; its size is that of the frames.
        settings: how steady, and which styles when.
        size: width and height of the frames.
        cancel: see `Painter.paint`.

    Attributes:
        shot: what is carried from frame to frame.
        recipe: the recipe with the sha256 of the networks; after the first frame.
    """

    def __init__(
        self, session: Session, recipe: Recipe, settings: FilmSettings, size: tuple[int, int], cancel: Cancel | None
    ) -> None:
        self.recipe, self.settings, self.shot = recipe, settings, Shot(size, recipe.seed)
        self._session, self._cancel = session, cancel
        self._timeline, self._masks = Timeline(recipe, settings.style_at), Masks(recipe, size)
        self._painters: OrderedDict[tuple[Any, ...], tuple[BoundPainter, Painter]] = OrderedDict()

    def paint(self, frame: Frame, motion: Motion | None) -> PaintedFrame:
        """Paint a frame.

        Args:
            frame: the frame.
            motion: how it has moved since the last one; None for the first one, and where nothing is kept steady.
        """
        shot, steady = self.shot, self.settings.steady
        if motion is None or motion.cut or shot.painting is None:
            if shot.anchor is None or motion is not None:
                shot.begin(frame)
            motion = None
        else:
            shot.grain.follow(motion)
        photo = tensor_of(frame.pixels)
        shares = self._timeline.shares_at(frame.time)
        recipe = self._timeline.recipe_with(shares)
        regions = self._masks.regions(recipe, frame)
        if motion is not None and motion.still and (regions is not None or len(shares) > 1):
            motion = dataclasses.replace(motion, still=False)  # the frame is the same, but its painting is not
        if motion is not None and motion.still and shot.painting is not None:
            own = ours = shot.painting
        else:
            own = self._painted(photo, frame.pixels, regions, recipe, shares, motion)
            ours = shot.moved.add(own, frame.pixels, motion, steady)
        shot.source, shot.painting = frame.pixels, ours
        finished = self._finished(ours, photo, recipe, regions)
        return PaintedFrame(finished, finished if own is ours else self._finished(own, photo, recipe, regions))

    def close(self) -> None:
        """Close the masks."""
        self._masks.close()

    def _painted(
        self,
        photo: Tensor,
        pixels: Pixels,
        regions: Regions | None,
        recipe: Recipe,
        shares: dict[int, int],
        motion: Motion | None,
    ) -> Painting:
        """The method's own painting of a frame."""
        start: Tensor | None = None
        steady = self.settings.steady
        with self._turn():
            painter = self._painter(recipe, shares, continued=False)
            if steady > 0 and motion is not None and isinstance(painter, Holdable) and painter.resumable:
                continued = self._painter(recipe, shares, continued=True)
                assert isinstance(continued, Holdable)
                assert self.shot.painting is not None
                start = tensor_of_painting(begun_from(self.shot.painting, pixels, motion))
                trust = torch.from_numpy(np.ascontiguousarray(motion.trust))[None, None]
                held = Held(start.to(painter.device), trust.to(painter.device), _HOLD * steady)
                painter = continued.holding(held)
            with self._grain():
                step = None
                with contextlib.closing(painter.paint(photo, regions, start, self._cancel)) as steps:
                    for step in steps:  # noqa: B007 (the last one is used)
                        pass
        assert step is not None
        return step.image[0].permute(1, 2, 0).float().cpu().contiguous().numpy()

    @contextlib.contextmanager
    def _turn(self) -> Generator[None]:
        with TURNS.take(0, self._cancel) as turn:
            yield
            turn.rest()

    def _grain(self) -> contextlib.AbstractContextManager[None]:
        return carrying(self.shot.grain.noise) if self.settings.steady > 0 else contextlib.nullcontext()

    def _painter(self, recipe: Recipe, shares: dict[int, int], *, continued: bool) -> Painter:
        """The painter of a recipe, which is kept for the next frames."""
        coral = self.shot.number if recipe.colour == "coral" else 0
        key = (*sorted(shares.items()), coral, continued)
        if key not in self._painters:
            if continued:
                recipe = recipe.model_copy(update={"options": recipe.options.continued()})
            bound = self._session.bind(recipe)
            self._painters[key] = bound, self._recoloured(bound)
            while len(self._painters) > _KEPT_PAINTERS:
                self._painters.popitem(last=False)
            self.recipe = self.recipe.model_copy(update={"nets": {**self.recipe.nets, **bound.recipe.nets}})
        self._painters.move_to_end(key)
        return self._painters[key][1]

    def _recoloured(self, bound: BoundPainter) -> Painter:
        """The painter, with styles in the colours of the shot's first frame if the recipe wants that."""
        assert self.shot.anchor is not None
        return bound.painter_of(tensor_of(self.shot.anchor))

    def _finished(self, painting: Painting, photo: Tensor, recipe: Recipe, regions: Regions | None) -> Pixels:
        """Apply colours, strength and masks; the curves of ``histogram`` are the same throughout a shot."""
        if recipe.colour == "histogram" and recipe.colour_strength:
            assert self.shot.anchor is not None
            if self.shot.curves is None:
                self.shot.curves = matching_curves(painting, self.shot.anchor)
            matched = with_curves(painting, self.shot.curves)
            share = np.float32(recipe.colour_strength)
            painting = (painting + share * (matched - painting)).astype(np.float32, copy=False)
            recipe = recipe.model_copy(update={"colour": "style"})
        with torch.inference_mode():
            image = finish(tensor_of_painting(painting), photo, recipe, regions)
        return np.ascontiguousarray(image[0].permute(1, 2, 0).mul(255).add_(0.5).clamp_(0, 255).byte().numpy())


def tensor_of(pixels: Pixels) -> Tensor:
    """Convert H×W×3 of 8 bits to 1×3×H×W in [0, 1]."""
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float().div_(255).contiguous()


def tensor_of_painting(painting: Painting) -> Tensor:
    """Convert H×W×3 in [0, 1] to 1×3×H×W."""
    return torch.from_numpy(painting).permute(2, 0, 1)[None].contiguous()
