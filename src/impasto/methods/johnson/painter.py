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

_MIN_SHARE = 1e-6  # added to shares: where none of a network's styles applies, it paints a mixture that is not shown


@dataclass(frozen=True)
class JohnsonNets(Nets):
    """The networks.

    Attributes:
        weighted: each network with the weights of its styles, R×S: a row for each of the recipe's R styles, a column
            for each of the network's S styles.
    """

    weighted: Sequence[tuple[Transformer, Tensor]]


def load(recipe: Recipe, loader: Loader) -> JohnsonNets:
    """Load the networks of the styles that the recipe names."""
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
    """Paints by one pass of each network.

    Styles of one network are blended inside it. Pictures of several networks are mixed.
    """

    keeps_tones = True

    def __init__(
        self, recipe: Recipe, nets: JohnsonNets, styles: Sequence[Tensor] = (), kept: KeptStats[None] | None = None
    ) -> None:
        if styles:
            raise RequestError(
                "johnson takes no style picture: its networks were trained for their styles; name one with net"
            )
        super().__init__(recipe, nets, (), kept)
        self.grain = options_of(recipe, JohnsonOptions).grain
        self.nets = nets.weighted
        self.frame = Frame(max(net.spec.stride for net, _ in self.nets))

    def encode(self, size: int, *, apart: bool) -> None:
        """Encode nothing; see `OnePassPainter.encode`."""

    def cost(self, size: Size, stats: None, *, apart: bool) -> Cost:  # noqa: ARG002 (no style is encoded)
        """Memory of the largest network and of three pictures; see `OnePassPainter.cost`."""
        return reduce(or_, (net.cost for net, _ in self.nets)) + 3 * PICTURE

    def work(self, size: Size) -> float:
        """See `OnePassPainter.work`."""
        return sum(net.work for net, _ in self.nets) * size[0] * size[1]

    def encode_work(self, size: int) -> float:  # noqa: ARG002 (no style is encoded)
        """Return 0; see `OnePassPainter.encode_work`."""
        return 0.0

    def pictures(self, pass_: Pass[None]) -> Iterator[Painted]:
        """One forward pass of each network; see `OnePassPainter.pictures`."""
        total = sum(weights.sum() for _, weights in self.nets)
        picture: Tensor | None = None
        for net, weights in self.nets:
            if pass_.regions is None:
                share = weights.sum() / total
                paint = partial(net.paint, pass_.photo, weights.sum(0) / weights.sum(), None)
            else:
                own = weights.sum(1) > 0  # the recipe's styles that this network paints
                share = pass_.regions.everywhere(*pass_.photo.shape[2:])[own].sum(0, keepdim=True)
                mix = weights[own] / weights[own].sum(1, keepdim=True)
                paint = partial(net.paint, pass_.photo, mix, partial(_shares_among, pass_.regions, own))
            painted = pass_.strips.run(paint)
            # Otherwise the next pass would enlarge the lattice that the network leaves.
            if pass_.coarse and net.spec.stride > 1:
                painted = remove_lattice(painted, min(4, net.spec.stride))
            painted = painted.clamp_(0, 1) * share
            picture = painted if picture is None else picture.add_(painted)
        assert picture is not None
        yield Painted(picture)


def _shares_among(regions: Regions, own: Tensor, height: int, width: int) -> Tensor:
    """Return the shares of one network's styles, S×1×H×W, scaled so that they sum to 1."""
    shares = regions.everywhere(height, width)[own] + _MIN_SHARE
    return shares / shares.sum(0, keepdim=True)
