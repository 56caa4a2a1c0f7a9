"""Painting with feed-forward networks: Johnson, Alahi & Fei-Fei 2016."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial, reduce
from operator import or_
from pathlib import Path

import torch
from torch import Tensor

from ...errors import RequestError
from ...memory import PICTURE, Cost
from ...nets.descreen import descreened
from ...nets.files import load_transformer
from ...nets.transformer import Transformer
from ...painter import Regions
from ...recipe import Recipe
from ...strips import Size
from ..common.one_pass import Frame, OnePassPainter, Painted, Pass
from ..common.options import options_of
from .gallery import find
from .options import JohnsonOptions

_SOME = 1e-6  # where none of a network's styles applies, it paints a mixture that does not show


def bind(recipe: Recipe, styles: Sequence[Tensor], device: torch.device) -> JohnsonPainter:
    """Load the networks; `styles` is empty, since they know theirs."""
    if styles:
        raise RequestError("johnson takes no style picture: its networks know their styles; name one with net")
    return JohnsonPainter(recipe, device)


class JohnsonPainter(OnePassPainter[None]):
    """One pass a network; styles of one network are blended in it, those of several by their pictures.

    Each network goes with the weights of its styles, one row a share of the recipe.
    """

    keeps_tones = True

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        options = options_of(recipe, JohnsonOptions)
        super().__init__(recipe, (), device)
        self.grain = options.grain
        rows: dict[Path, dict[str, list[float]]] = {}
        nets = dict(recipe.nets)
        for number, share in enumerate(options.net):
            if share.weight:
                path, style = find(share.name)
                row = rows.setdefault(path, {}).setdefault(style, [0.0] * len(options.net))
                row[number] += share.weight
        self.nets: list[tuple[Transformer, Tensor]] = []
        for path, wanted in rows.items():
            net, nets[path.name] = load_transformer(path, device, self.dtype)
            nothing = [0.0] * len(options.net)
            self.nets.append((net, torch.tensor([wanted.get(style, nothing) for style in net.spec.styles]).T))
        self.frame = Frame(max(net.spec.stride for net, _ in self.nets))
        self.recipe = recipe.model_copy(update={"nets": nets})

    def encode(self, size: int, *, apart: bool) -> None:
        """Nothing: the networks know their styles."""

    def cost(self, size: Size, stats: None, *, apart: bool) -> Cost:  # noqa: ARG002
        """The largest network's layers, and pictures before, after and mixed; see `OnePassPainter.cost`."""
        return reduce(or_, (net.cost for net, _ in self.nets)) + 3 * PICTURE

    def pictures(self, seen: Pass[None]) -> Iterator[Painted]:
        """One forward pass of each network; see `OnePassPainter.pictures`."""
        total = sum(weights.sum() for _, weights in self.nets)
        picture: Tensor | None = None
        for net, weights in self.nets:
            if seen.regions is None:
                share = weights.sum() / total
                paint = partial(net.paint, seen.photo, weights.sum(0) / weights.sum(), None)
            else:
                its = weights.sum(1) > 0
                share = seen.regions.everywhere(*seen.photo.shape[2:])[its].sum(0, keepdim=True)
                mix = weights[its] / weights[its].sum(1, keepdim=True)
                paint = partial(net.paint, seen.photo, mix, partial(_within, seen.regions, its))
            painted = seen.strips.run(paint)
            # Or the lattice of the net's grid would be enlarged with its strokes.
            if seen.coarse and net.spec.stride > 1:
                painted = descreened(painted, min(4, net.spec.stride))
            painted = painted.clamp_(0, 1) * share
            picture = painted if picture is None else picture.add_(painted)
        assert picture is not None
        yield Painted(picture)


def _within(regions: Regions, its: Tensor, height: int, width: int) -> Tensor:
    """Shares of one network's styles among themselves."""
    shares = regions.everywhere(height, width)[its] + _SOME
    return shares / shares.sum(0, keepdim=True)
