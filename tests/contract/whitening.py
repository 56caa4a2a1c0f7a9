"""The next one-pass method as an author would write it: whitening and colouring at one layer (Li et al. 2017)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from impasto.encoders.vgg import VGG
from impasto.images.geometry import fit
from impasto.memory import Cost
from impasto.methods import Method
from impasto.methods.common.loader import Loader, Nets
from impasto.methods.common.one_pass import Frame, OnePassPainter, Painted, Pass
from impasto.methods.common.options import options_of
from impasto.nets.decoder import Decoder
from impasto.nets.files import ADAIN_KIND
from impasto.recipe import NetName, Options, Recipe, StyleScale
from impasto.statistics.moments import Moments, blend, moments
from impasto.statistics.transport import newton_schulz_roots
from impasto.strips import Size

LAYER = "relu3_1"


class WhiteningOptions(Options):
    """Li et al. 2017: the photo's features are whitened, then take the style's covariance."""

    net: NetName = "adain"
    style_scale: StyleScale = 1.0


METHOD = Method("whitening", "Whiten and colour features", WhiteningOptions, {}, __name__, "WhiteningPainter")


@dataclass(frozen=True)
class WhiteningNets(Nets):
    encoder: VGG
    decoder: Decoder


def load(recipe: Recipe, loader: Loader) -> WhiteningNets:
    net, weights = options_of(recipe, WhiteningOptions).net, loader.weights(recipe.encoder, LAYER)
    found = loader.decoder(net, kind=ADAIN_KIND, weights=weights, layer=LAYER)
    sha256 = {recipe.encoder: weights.sha256, net: found.sha256}
    encoder = loader.encoder(weights, LAYER, **found.encoder)
    return WhiteningNets(loader.device, loader.dtype, sha256, encoder, found.decoder)


class WhiteningPainter(OnePassPainter[list[Moments]]):
    """Encode, whiten and colour, decode."""

    def __init__(self, recipe: Recipe, nets: WhiteningNets, styles: Sequence[Tensor], kept=None) -> None:
        self.options = options_of(recipe, WhiteningOptions)
        super().__init__(recipe, nets, styles, kept)
        self.encoder, self.decoder = nets.encoder, nets.decoder
        self.frame = Frame(nets.decoder.spec.stride, margin=8)

    def encode(self, size: int, *, apart: bool) -> list[Moments]:
        fitted = [fit(style, round(size * self.options.style_scale)) for style in self.styles]
        found = [self.encoder.measure(style, (), (LAYER,), correlated=(LAYER,))[1][LAYER] for style in fitted]
        return found if apart else [blend(found, self.recipe.style_shares())]

    def cost(self, size: Size, stats: list[Moments] | None, *, apart: bool) -> Cost:
        return self.encoder.encode_cost((LAYER,)) | self.decoder.cost

    def work(self, size: Size) -> float:
        return self.encoder.work((LAYER,)) * size[0] * size[1] + self.decoder.work(size)

    def encode_work(self, size: int) -> float:
        pixels = sum(style.shape[2] * style.shape[3] * (size / max(style.shape[2:])) ** 2 for style in self.styles)
        return self.encoder.work((LAYER,)) * pixels * self.options.style_scale**2

    def pictures(self, pass_: Pass[list[Moments]]) -> Iterator[Painted]:
        x = pass_.strips.run(lambda values: self.encoder.encode(pass_.photo, (LAYER,), values)[LAYER])
        shares = torch.ones(1) if pass_.regions is None else pass_.regions.everywhere(*x.shape[2:])
        made = sum(whitened(x, style) * share for style, share in zip(pass_.stats, shares, strict=True))
        made = made.to(x.dtype)
        yield Painted(pass_.strips.run(lambda values: self.decoder.paint({LAYER: made}, values=values)).clamp_(0, 1))


def whitened(x: Tensor, style: Moments) -> Tensor:
    """Features whitened, then coloured by a style's covariance."""
    own = moments(x.float(), correlations=True)
    (inverse,), (root,) = (newton_schulz_roots(_shrunk(m), (p,)) for m, p in ((own, -0.5), (style, 0.5)))
    made = root @ inverse @ ((x - own.mean) / own.std).flatten(2)
    return made.view_as(x) * style.std + style.mean


def _shrunk(found: Moments) -> Tensor:
    unit = torch.eye(found.mean.shape[1], device=found.mean.device)
    return 0.9 * found.correlation + 0.1 * unit if found.correlation is not None else unit[None]
