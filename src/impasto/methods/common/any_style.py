"""What methods of any style share: how large a style is seen, and what its moments are inside a decoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from ...encoders.vgg import VGG
from ...images.geometry import fit, fitted_size
from ...statistics.moments import Moments, blend
from ...strips import VALUES, Size
from .options import AnyStyleOptions

MARGIN = 8
"""Pixels mirrored around a photograph that a net decodes: without them its border shows as a frame."""


def moments_inside(
    style: Mapping[str, Moments], vgg: VGG, photo: Tensor, layers: Sequence[str], alpha: float, values: int = VALUES
) -> dict[str, Moments]:
    """The moments to impose at `layers` inside a decoder: the style's by `alpha`, the photo's own for the rest."""
    if alpha == 1 or not layers:
        return {layer: style[layer] for layer in layers}
    _, own = vgg.measure(photo, (), layers, values)
    return {layer: blend((style[layer], own[layer]), (alpha, 1 - alpha)) for layer in layers}


def fitted_style(style: Tensor, longest: int, options: AnyStyleOptions) -> Tensor:
    """A style picture as large as the options see it beside a picture whose longest side is `longest`."""
    return fit(style, _longest(style, longest, options))


def style_size(style: Tensor, longest: int, options: AnyStyleOptions) -> Size:
    """Height and width of `fitted_style`."""
    return fitted_size(style.shape[2], style.shape[3], _longest(style, longest, options))


def _longest(style: Tensor, longest: int, options: AnyStyleOptions) -> int:
    wanted = longest * options.style_scale
    return max(1, round(wanted if options.style_upscale else min(wanted, max(style.shape[2:]))))
