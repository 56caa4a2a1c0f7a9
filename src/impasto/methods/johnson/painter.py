"""Painting with feed-forward networks: Johnson, Alahi & Fei-Fei 2016."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from ...errors import RequestError
from ...images.geometry import fitted_size, resize
from ...images.grain import grained
from ...nets.descreen import descreened
from ...nets.files import load_transformer
from ...nets.transformer import Transformer
from ...painter import Painter, Regions, Step
from ...recipe import Recipe
from ...runtime import compute_dtype, keep_freed_memory
from ..common.fitting import covered, fitted_photo
from ..common.scales import coarse_to_fine, scales, tones_of, with_tones
from ..common.within import Strips, strips
from .gallery import find
from .options import JohnsonOptions

_SOME = 1e-6  # where none of a network's styles applies, it paints a mixture that does not show


def bind(recipe: Recipe, styles: Sequence[Tensor], device: torch.device) -> JohnsonPainter:
    """Load the networks; `styles` is empty, since they know theirs."""
    if styles:
        raise RequestError("johnson takes no style picture: its networks know their styles; name one with net")
    return JohnsonPainter(recipe, device)


class JohnsonPainter(Painter):
    """One pass a network; styles of one network are blended in it, those of several by their pictures.

    Each network goes with the weights of its styles, one row a share of the recipe.
    """

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        options = recipe.options
        if not isinstance(options, JohnsonOptions):
            raise RequestError(f"recipe holds {type(options).__name__}; expected JohnsonOptions")
        self.options, self.device = options, device
        dtype = compute_dtype(device, recipe.precision)
        rows: dict[Path, dict[str, list[float]]] = {}
        nets = dict(recipe.nets)
        for number, share in enumerate(options.net):
            if not share.weight:
                continue
            path, style = find(share.name)
            row = rows.setdefault(path, {}).setdefault(style, [0.0] * len(options.net))
            row[number] += share.weight
        self._nets: list[tuple[Transformer, Tensor]] = []
        for path, wanted in rows.items():
            net, nets[path.name] = load_transformer(path, device, dtype)
            nothing = [0.0] * len(options.net)
            self._nets.append((net, torch.tensor([wanted.get(style, nothing) for style in net.spec.styles]).T))
        self.recipe = recipe.model_copy(update={"nets": nets})
        keep_freed_memory()

    def paint(self, content: Tensor, regions: Regions | None = None) -> Iterator[Step]:
        """Paint; see `Painter.paint`. One step; a large picture from coarse to fine."""
        content = content.to(self.device)
        height, width = content.shape[2:]
        final = self.recipe.size or max(height, width)
        sizes, given = scales(final, self.options.style_scale), fitted_size(height, width, final)
        if len(sizes) > 1:  # refused, if at all, before the passes of less memory
            for net, _ in self._nets:
                self._strips(content.new_empty(1).expand(1, 3, *given), net, later=True)
        first: list[Tensor] = []  # tones of the picture painted first

        def toned(picture: Tensor) -> Tensor:
            if first:
                return with_tones(picture, first[0])
            if len(sizes) > 1:
                first.append(tones_of(picture))
            return picture

        def fitted(photo: Tensor, size: int) -> Tensor:
            return fitted_photo(photo, size)[0]

        def coarse(photo: Tensor, _size: int) -> Tensor:
            return toned(self._once(photo, regions, coarse=True)[0])

        # Handed over, not held: a large picture is let go as soon as it is used.
        picture, note = self._once(coarse_to_fine(content, sizes, fitted, coarse), regions, coarse=False)
        yield Step(resize(toned(picture), *given).contiguous(), 1, 1, note=note)

    def _once(self, photo: Tensor, regions: Regions | None, *, coarse: bool) -> tuple[Tensor, str]:
        """A picture painted in one pass a network, the last or a coarse one, and what is worth telling of it."""
        photo = grained(photo, self.options.grain, self.recipe.seed)
        picture, note = None, ""
        total = sum(weights.sum() for _, weights in self._nets)
        for net, weights in self._nets:
            framed, (rows, columns) = covered(photo, net.spec.stride)
            if regions is None:
                share = weights.sum() / total
                paint = partial(net.paint, framed, weights.sum(0) / weights.sum(), None)
            else:
                its = weights.sum(1) > 0
                share = regions.everywhere(*photo.shape[2:])[its].sum(0, keepdim=True)
                mix = weights[its] / weights[its].sum(1, keepdim=True)
                paint = partial(net.paint, framed, mix, partial(_within, regions, its))
            plan = self._strips(framed, net)
            note = plan.note
            painted = plan.run(paint)
            if coarse and net.spec.stride > 1:  # or the lattice of the net's grid would be enlarged with its strokes
                painted = descreened(painted, min(4, net.spec.stride))
            painted = painted[:, :, rows, columns].clamp_(0, 1) * share
            picture = painted if picture is None else picture.add_(painted)
        assert picture is not None
        return picture, note

    def _strips(self, photo: Tensor, net: Transformer, *, later: bool = False) -> Strips:
        """For a photograph that is in memory, framed too, or later will be."""
        held, item = _held(photo, net)
        held += 2 * photo.numel() * photo.element_size() if later else 0
        size = (photo.shape[2], photo.shape[3])
        return strips(size, self.device, self.recipe.memory, held, item, held if later else 0)


def _within(regions: Regions, its: Tensor, height: int, width: int) -> Tensor:
    """Shares of one network's styles among themselves."""
    shares = regions.everywhere(height, width)[its] + _SOME
    return shares / shares.sum(0, keepdim=True)


def _held(photo: Tensor, net: Transformer) -> tuple[float, int]:
    """Bytes that painting holds whatever the strips, pictures before and after included, and those of a value."""
    item = net.last.conv.weight.dtype.itemsize
    return photo.shape[2] * photo.shape[3] * (net.held * item + 3 * 3 * 4), item
