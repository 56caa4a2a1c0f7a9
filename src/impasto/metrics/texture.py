"""The sliced Wasserstein distance of two pictures' textures, which no network is trained on.

It compares the distributions of patches at several scales:

1. Each picture is resized to 512, 256, 128 and 64 px on its longest side. A side is at least 7 px.
2. From each of these but the smallest, the next smaller one, enlarged, is subtracted. The results and the smallest
   picture are four bands, a Laplacian pyramid.
3. In each band, 8192 RGB patches of 7×7 px are chosen at random: 8192 points in 147 dimensions. The places are the
   same fractions of height and width in both pictures.
4. The points are projected on 128 random directions of length 1, and sorted along each. The band's distance is the
   mean of ``|p − q|`` over ranks and directions, with p of one picture and q of the other (Wasserstein-1).
5. It is divided by the mean of ``|q − mean q|``, the spread of the style's patches.

The result is the mean over the bands. It is 0 for the style itself, and about 1 for a picture that is even where the
style varies. Without bands, the mean colours of patches would outweigh everything else.

Rabin et al. 2011 (sliced Wasserstein distance), Karras et al. 2018 (of patches in a Laplacian pyramid), Elnekave &
Weiss 2022 (of patches at every scale).
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
_MIN_SPREAD = 1 / 1020  # a quarter of an 8-bit level: the rounding errors of an even picture


def texture_distance(picture: Tensor, style: Tensor, *, size: int = SIZE, seed: int = 0) -> float:
    """Sliced Wasserstein distance between the patches of a picture and of a style; see the module.

    It is computed on the CPU in float64 with a seeded generator, so it is the same on every machine up to rounding.

    Args:
        picture: 1×3×H×W in [0, 1], of any size.
        style: 1×3×H×W in [0, 1], of any size.
        size: longest side of the largest scale in pixels; each further scale is half as large.
        seed: seed of patches and directions.

    Returns:
        0 or more; 0 for the style itself.

    Examples:
        >>> texture_distance(style, style)
        0.0
    """
    generator = torch.Generator().manual_seed(seed)
    distances: list[float] = []
    for own, target in zip(_bands(picture, size), _bands(style, size), strict=True):
        places = torch.rand(PATCHES, 2, generator=generator, dtype=torch.float64)
        directions = torch.randn(3 * PATCH**2, DIRECTIONS, generator=generator, dtype=torch.float64)
        directions /= directions.norm(dim=0)
        p, q = (_quantiles(band, places, directions) for band in (own, target))
        spread = (q - q.mean(dim=1, keepdim=True)).abs().mean()
        distances.append(float((p - q).abs().mean() / spread.clamp(min=_MIN_SPREAD)))
    return sum(distances) / len(distances)


def _bands(picture: Tensor, size: int) -> list[Tensor]:
    """The bands of a picture, 1×3×h×w each, from the finest to the smallest picture."""
    scales = [_fit(picture.detach().cpu().double(), size >> scale) for scale in range(SCALES)]
    finer = [scale - _resize(smaller, *scale.shape[2:]) for scale, smaller in itertools.pairwise(scales)]
    return [*finer, scales[-1]]


def _fit(picture: Tensor, longest: int) -> Tensor:
    height, width = fitted_size(picture.shape[2], picture.shape[3], longest)
    return _resize(picture, max(height, PATCH), max(width, PATCH))


def _resize(picture: Tensor, height: int, width: int) -> Tensor:
    return functional.interpolate(picture, (height, width), mode="bicubic", antialias=True)


def _quantiles(band: Tensor, places: Tensor, directions: Tensor) -> Tensor:
    """The projections of patches, sorted along each direction: `DIRECTIONS` × `PATCHES`."""
    height, width = band.shape[2:]
    top = (places[:, 0] * (height - PATCH + 1)).long()
    left = (places[:, 1] * (width - PATCH + 1)).long()
    within = torch.arange(PATCH)
    rows = top[:, None, None] + within[None, :, None]
    columns = left[:, None, None] + within[None, None, :]
    patches = band[0, :, rows, columns].transpose(0, 1).flatten(1)
    return (directions.T @ patches.T).sort(dim=1).values
