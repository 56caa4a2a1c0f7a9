"""Ways to keep the photograph's colours: Gatys et al. 2016, "Preserving Color in Neural Artistic Style Transfer"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .colour_space import from_srgb, to_srgb
from .picture import Raster

if TYPE_CHECKING:
    from torch import Tensor

# Björn Ottosson 2020, "A perceptual color space for image processing": linear RGB to cones, their cube roots to Lab.
_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ],
    np.float32,
)
_OKLAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ],
    np.float32,
)
_EPS = 1e-5


def luminance(painting: Tensor, photo: Tensor) -> Tensor:
    """Combine the painting's lightness with the photo's chroma, in YIQ; both 1×3×H×W of the same size."""
    from skimage.color import rgb2yiq, yiq2rgb

    made, own = rgb2yiq(_raster(painting)), rgb2yiq(_raster(photo))
    return _tensor(yiq2rgb(_lightness_of(made, own)), painting)


def oklab(painting: Tensor, photo: Tensor) -> Tensor:
    """Combine the painting's lightness with the photo's colours, in Oklab; both 1×3×H×W of the same size."""
    made, own = _to_oklab(_raster(painting)), _to_oklab(_raster(photo))
    return _tensor(_from_oklab(_lightness_of(made, own)), painting)


def histogram(painting: Tensor, photo: Tensor) -> Tensor:
    """Give each channel of the painting the histogram of the photo's; 1×3×H×W each."""
    from skimage.exposure import match_histograms

    return _tensor(match_histograms(_raster(painting), _raster(photo), channel_axis=2), painting)


def coral(style: Tensor, photo: Tensor) -> Tensor:
    """Recolour the style by a linear map, so that it has the photo's mean and covariance of colours.

    The map is the symmetric one of Gatys et al. 2016, ``Σ_photo^½ Σ_style^-½``; CORAL (Sun et al. 2016).

    Args:
        style: 1×3×H×W in [0, 1].
        photo: 1×3×H×W in [0, 1], of any size.
    """
    import torch

    colours, aim = (picture[0].flatten(1).double() for picture in (style, photo))
    turn = _power(torch.cov(aim, correction=0), 0.5) @ _power(torch.cov(colours, correction=0), -0.5)
    moved = turn @ (colours - colours.mean(1, keepdim=True)) + aim.mean(1, keepdim=True)
    return moved.view_as(style[0])[None].to(style.dtype).clamp_(0, 1)


def _power(covariance: Tensor, exponent: float) -> Tensor:
    import torch

    values, vectors = torch.linalg.eigh(covariance)
    return vectors @ torch.diag((values.clamp_min(0) + _EPS) ** exponent) @ vectors.T


def _lightness_of(made: NDArray[Any], own: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate([made[..., :1], own[..., 1:]], axis=2)


def _to_oklab(rgb: Raster) -> Raster:
    return np.cbrt(from_srgb(rgb) @ _CONES.T) @ _OKLAB.T


def _from_oklab(lab: NDArray[Any]) -> NDArray[Any]:
    linear = np.clip((lab @ np.linalg.inv(_OKLAB).T) ** 3 @ np.linalg.inv(_CONES).T, 0, 1)
    return to_srgb(linear)


def _raster(picture: Tensor) -> Raster:
    return picture[0].permute(1, 2, 0).float().cpu().numpy()


def _tensor(raster: NDArray[Any], like: Tensor) -> Tensor:
    import torch

    pixels = torch.from_numpy(np.ascontiguousarray(raster.transpose(2, 0, 1), np.float32))[None]
    return pixels.to(like.device).clamp_(0, 1)
