"""How unlike two pictures' textures are, by a measure that no network is trained on: sliced Wasserstein distance.

The distance of two pictures is found from the distributions of their patches, at several scales:

1. A picture is fitted to 512, 256, 128 and 64 px on its longest side. A side is never under 7 px.
2. From each of these but the smallest, the next one enlarged to it is taken away. Left are four bands: what is seen
   at 512 px and not at 256, and so on (a Laplacian pyramid), and the smallest picture itself.
3. In each band 8192 patches of 7×7 px are drawn, RGB: 8192 points of 147 dimensions. Places are drawn once, as
   fractions of height and width, for both pictures.
4. The points are projected on 128 random directions of length 1, and sorted along each. The mean of
   ``|p − q|`` over ranks and directions, p of one picture and q of the other, is the band's distance
   (Wasserstein-1, sliced).
5. It is divided by the mean of ``|q − mean q|``, the spread of the style's own patches.

The mean over the bands is the result. It is 0 for the style itself, and about 1 for a picture that is even where the
style varies. Without bands, colours would decide nearly all: most of what a patch varies in is its mean.

After Rabin et al. 2011 (sliced Wasserstein), Karras et al. 2018 (of patches in the bands of a pyramid) and Elnekave &
Weiss 2022 (for patches at every scale).
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor
from torch.nn import functional

from ..images.geometry import fitted_size

SIZE = 512
SCALES = 4
PATCH = 7
PATCHES = 8192
DIRECTIONS = 128
_LEAST_SPREAD = 1 / 1020  # a quarter of a level of 8 bits: what rounding leaves of an even picture


def texture_distance(picture: Tensor, style: Tensor, *, size: int = SIZE, seed: int = 0) -> float:
    """Sliced Wasserstein distance between the patches of a picture and of a style: see the module's definition.

    It is worked out on the CPU in float64, with seeded draws: the same everywhere, to rounding.

    Args:
        picture: 1×3×H×W in [0, 1], of any size.
        style: likewise.
        size: longest side of the largest scale in pixels; each further one is half as large.
        seed: of patches and directions.

    Returns:
        0 or more; 0 for the style itself.

    Examples:
        >>> texture_distance(style, style)
        0.0
    """
    generator = torch.Generator().manual_seed(seed)
    apart: list[float] = []
    for own, aim in zip(_bands(picture, size), _bands(style, size), strict=True):
        places = torch.rand(PATCHES, 2, generator=generator, dtype=torch.float64)
        directions = torch.randn(3 * PATCH**2, DIRECTIONS, generator=generator, dtype=torch.float64)
        directions /= directions.norm(dim=0)
        p, q = (_quantiles(band, places, directions) for band in (own, aim))
        spread = (q - q.mean(dim=1, keepdim=True)).abs().mean()
        apart.append(float((p - q).abs().mean() / spread.clamp(min=_LEAST_SPREAD)))
    return sum(apart) / len(apart)


def _bands(picture: Tensor, size: int) -> list[Tensor]:
    """What each scale shows and the next does not, 1×3×h×w each; the smallest scale as it is."""
    scales = [_fit(picture.detach().cpu().double(), size >> scale) for scale in range(SCALES)]
    finer = [scale - _resize(smaller, *scale.shape[2:]) for scale, smaller in itertools.pairwise(scales)]
    return [*finer, scales[-1]]


def _fit(picture: Tensor, longest: int) -> Tensor:
    height, width = fitted_size(picture.shape[2], picture.shape[3], longest)
    return _resize(picture, max(height, PATCH), max(width, PATCH))


def _resize(picture: Tensor, height: int, width: int) -> Tensor:
    return functional.interpolate(picture, (height, width), mode="bicubic", antialias=True)


def _quantiles(band: Tensor, places: Tensor, directions: Tensor) -> Tensor:
    """Patches projected, sorted along each direction: `DIRECTIONS` × `PATCHES`."""
    height, width = band.shape[2:]
    top = (places[:, 0] * (height - PATCH + 1)).long()
    left = (places[:, 1] * (width - PATCH + 1)).long()
    within = torch.arange(PATCH)
    rows = top[:, None, None] + within[None, :, None]
    columns = left[:, None, None] + within[None, None, :]
    patches = band[0, :, rows, columns].transpose(0, 1).flatten(1)
    return (directions.T @ patches.T).sort(dim=1).values
