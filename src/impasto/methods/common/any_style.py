"""Shared by the methods for any style: the size of the style picture, and the moments inside a decoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from ...encoders.vgg import VGG
from ...images.geometry import fit, fitted_size
from ...statistics.moments import Moments, blend
from ...strips import VALUES, Size
from .options import AnyStyleOptions

MARGIN = 8
"""Pixels to reflect around a photograph before a net decodes it; without them a frame is visible at its border."""


def moments_inside(
    style: Mapping[str, Moments], vgg: VGG, photo: Tensor, layers: Sequence[str], alpha: float, values: int = VALUES
) -> dict[str, Moments]:
    """Blend the moments to impose inside a decoder: `alpha` of the style's, and the rest of the photo's own.

    Args:
        style: moments of the style by layer.
        vgg: encoder.
        photo: 1×3×H×W in [0, 1].
        layers: where moments are imposed.
        alpha: share of the style, 0 to 1.
        values: see `Chain.values`.
    """
    if alpha == 1 or not layers:
        return {layer: style[layer] for layer in layers}
    _, own = vgg.measure(photo, (), layers, values)
    return {layer: blend((style[layer], own[layer]), (alpha, 1 - alpha)) for layer in layers}


def fitted_style(style: Tensor, longest: int, options: AnyStyleOptions) -> Tensor:
    """Resize a style picture as the options say, for a painting whose longest side is `longest` pixels."""
    return fit(style, _longest(style, longest, options))


def style_size(style: Tensor, longest: int, options: AnyStyleOptions) -> Size:
    """Return height and width of `fitted_style`."""
    return fitted_size(style.shape[2], style.shape[3], _longest(style, longest, options))


def _longest(style: Tensor, longest: int, options: AnyStyleOptions) -> int:
    wanted = longest * options.style_scale
    return max(1, round(wanted if options.style_upscale else min(wanted, max(style.shape[2:]))))
