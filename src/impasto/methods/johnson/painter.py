"""Painting with feed-forward networks: Johnson, Alahi & Fei-Fei 2016."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from operator import or_
from pathlib import Path

import torch
from torch import Tensor

from ...errors import RequestError
from ...memory import PICTURE, Cost
from ...nets.descreen import remove_lattice
from ...nets.transformer import Transformer
from ...painter import Regions
from ...recipe import Recipe
from ...strips import Size
from ..common.loader import Loader, Nets
from ..common.one_pass import Frame, KeptStats, OnePassPainter, Painted, Pass
from ..common.options import options_of
from .gallery import find
from .options import JohnsonOptions

_SOME = 1e-6  # where none of a network's styles applies, it paints a mixture that does not show


@dataclass(frozen=True)
class JohnsonNets(Nets):
    """Each network, with the weights of its styles: one row a share of the recipe."""

    weighted: Sequence[tuple[Transformer, Tensor]]


def load(recipe: Recipe, loader: Loader) -> JohnsonNets:
    """Load the networks that know the styles of the recipe."""
    options = options_of(recipe, JohnsonOptions)
    rows: dict[Path, dict[str, list[float]]] = {}
    for number, share in enumerate(options.net):
        if share.weight:
            path, style = find(share.name)
            row = rows.setdefault(path, {}).setdefault(style, [0.0] * len(options.net))
            row[number] += share.weight
    nothing = [0.0] * len(options.net)
    weighted: list[tuple[Transformer, Tensor]] = []
    sha256: dict[str, str] = {}
    for path, wanted in rows.items():
        net, sha256[path.name] = loader.transformer(path)
        weighted.append((net, torch.tensor([wanted.get(style, nothing) for style in net.spec.styles]).T))
    return JohnsonNets(loader.device, loader.dtype, sha256, weighted)


class JohnsonPainter(OnePassPainter[None]):
    """One pass a network; styles of one network are blended in it, those of several by their pictures."""

    keeps_tones = True

    def __init__(
        self, recipe: Recipe, nets: JohnsonNets, styles: Sequence[Tensor] = (), kept: KeptStats[None] | None = None
    ) -> None:
        if styles:
            raise RequestError("johnson takes no style picture: its networks know their styles; name one with net")
        super().__init__(recipe, nets, (), kept)
        self.grain = options_of(recipe, JohnsonOptions).grain
        self.nets = nets.weighted
        self.frame = Frame(max(net.spec.stride for net, _ in self.nets))

    def encode(self, size: int, *, apart: bool) -> None:
        """Nothing: the networks know their styles."""

    def cost(self, size: Size, stats: None, *, apart: bool) -> Cost:  # noqa: ARG002 (no style is encoded)
        """The largest network's layers, and pictures before, after and mixed; see `OnePassPainter.cost`."""
        return reduce(or_, (net.cost for net, _ in self.nets)) + 3 * PICTURE

    def work(self, size: Size) -> float:
        """See `OnePassPainter.work`."""
        return sum(net.work for net, _ in self.nets) * size[0] * size[1]

    def encode_work(self, size: int) -> float:  # noqa: ARG002 (no style is encoded)
        """See `OnePassPainter.encode_work`."""
        return 0.0

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
                painted = remove_lattice(painted, min(4, net.spec.stride))
            painted = painted.clamp_(0, 1) * share
            picture = painted if picture is None else picture.add_(painted)
        assert picture is not None
        yield Painted(picture)


def _within(regions: Regions, its: Tensor, height: int, width: int) -> Tensor:
    """Shares of one network's styles among themselves."""
    shares = regions.everywhere(height, width)[its] + _SOME
    return shares / shares.sum(0, keepdim=True)
