"""The whole of adain as one module of plain operations, for export: encoder, transform and decoder.

It paints what `AdainPainter` paints in one pass without grain. Nothing is done in strips.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import torch
from torch import Tensor, nn

from ...errors import RequestError
from ...nets.descreen import remove_lattice
from ...recipe import Recipe, Style
from ...statistics.moments import Moments, affine, moments
from ...statistics.transport import MAX_SHARE, transport
from ...weights.layers import layer_stride
from ..common.any_style import MARGIN
from ..common.loader import Loader
from .options import AdainOptions
from .painter import OUTER, AdainNets, AdainPainter, load

MIN_SIDE = 24
"""Smallest side of a picture in pixels: its frame can be reflected, and its lattice measured."""


def whole_nets(net: Path, encoder: str | None) -> AdainNets:
    """Load the networks in float32 on the CPU.

    Args:
        net: file of the decoder.
        encoder: name or file; None for the default.

    Raises:
        RequestError: the net was trained on too large a share of correlations.
        WeightsError: the encoder is missing, or the net was trained against another one.
    """
    nets = load(_recipe(str(net), encoder), Loader(torch.device("cpu"), "exact"))
    if nets.net.covariance > MAX_SHARE:
        raise RequestError(
            f"{net} was trained with covariance {nets.net.covariance:g}; expected at most {MAX_SHARE:g} for a whole "
            "method, since ONNX finds roots of matrices by products: leave out --whole"
        )
    return nets


def paint_without_grain(nets: AdainNets, photo: Tensor, style: Tensor, alpha: float) -> Tensor:
    """Paint as `impasto adain --grain 0` does, at the photo's own size."""
    *_, last = AdainPainter(_recipe("adain", None, alpha), nets, [style]).paint(photo)
    return last.image


def _recipe(net: str, encoder: str | None, alpha: float = 1.0) -> Recipe:
    options = AdainOptions(net=net, grain=0.0, alpha=alpha)
    recipe = Recipe(method="adain", options=options, styles=(Style(path="style"),), size=None)
    return recipe if encoder is None else recipe.model_copy(update={"encoder": encoder})


class WholeAdain(nn.Module):
    """Encodes the photo, gives its features the moments of the style, and decodes them; see `AdainPainter`.

    Args:
        nets: the encoder, and the decoder of its features.
    """

    def __init__(self, nets: AdainNets) -> None:
        super().__init__()
        self.encoder, self.decoder, self.spec = nets.encoder, nets.net.decoder, nets.net.decoder.spec
        self.covariance = nets.net.covariance

    def forward(self, photo: Tensor, style: Tensor, alpha: Tensor) -> Tensor:
        """Paint.

        Args:
            photo: 1×3×H×W in [0, 1], each side at least `MIN_SIDE`.
            style: 1×3×h×w in [0, 1], each side at least `MIN_SIDE`.
            alpha: how far the features move towards the style's, one number from 0 to 1.

        Returns:
            1×3×H×W in [0, 1].
        """
        height, width = photo.shape[2:]
        wanted = self._measure(self._encode(style, self.spec.style_layers))
        features = self._encode(_framed(photo, self.spec.stride), {*self.spec.content_layers, *self.spec.inject})
        inside = {layer: _blend(wanted[layer], moments(features[layer]), alpha) for layer in self.spec.inject}
        # What is encoded beyond the margin is not painted, and counts for the moments inside only.
        cut = {layer: features[layer] for layer in self.spec.content_layers}
        for layer, x in cut.items():
            outer = OUTER // layer_stride(layer)
            cut[layer] = x[:, :, outer:-outer, outer:-outer]
        own = self._measure(cut)
        moved = {layer: self._transform(x, own[layer], wanted[layer], alpha) for layer, x in cut.items()}
        picture = self.decoder(moved, inside).clamp(0, 1)
        picture = remove_lattice(picture, self.spec.grid).clamp(0, 1)
        return picture[:, :, MARGIN : MARGIN + height, MARGIN : MARGIN + width]

    def _encode(self, image: Tensor, layers: Collection[str]) -> dict[str, Tensor]:
        """The encoder's features, without a test for sides of one position."""
        x, found = self.encoder.preprocess(image), dict[str, Tensor]()
        for name in self.encoder.until(layers):
            if name.startswith("conv"):
                x = self.encoder.conv(name, x)
            else:
                x = x.relu() if name.startswith("relu") else self.encoder.pool_windows(x)
            if name in layers:
                found[name] = x
        return found

    def _measure(self, features: dict[str, Tensor]) -> dict[str, Moments]:
        correlated = self.spec.content_layers if self.covariance else ()
        return {layer: moments(x, correlations=layer in correlated) for layer, x in features.items()}

    def _transform(self, x: Tensor, own: Moments, style: Moments, alpha: Tensor) -> Tensor:
        """Give features the style's moments, and its correlations if the decoder was trained so."""
        if not self.covariance:
            gain, shift = affine(own, style)
            return x.lerp(x * gain + shift, alpha)
        matrix, mean = transport(own, style, self.covariance)
        moved = (matrix @ (x - own.mean).flatten(2)).view(x.shape) + mean
        return x.lerp(moved, alpha)


def _blend(style: Moments, own: Moments, alpha: Tensor) -> Moments:
    return Moments(own.mean.lerp(style.mean, alpha), own.std.lerp(style.std, alpha))


def _framed(photo: Tensor, stride: int) -> Tensor:
    """Reflect the photo around itself, `MARGIN` and `OUTER` pixels and up to a multiple of the stride."""
    for axis in (2, 3):
        photo = photo.index_select(axis, _reflected(photo.shape[axis], MARGIN + OUTER, stride))
    return photo


def _reflected(side: int, margin: int, stride: int) -> Tensor:
    """The pixels of a side that its frame repeats: reflected by the margin, then by what is missing at the end."""
    last = side + 2 * margin - 1
    place = torch.arange(stride * ((last + stride) // stride))
    place = (last - (last - place).abs() - margin).abs()
    return side - 1 - (side - 1 - place).abs()
