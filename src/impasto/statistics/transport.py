"""Gaussian transport: features with another picture's means, deviations and correlations between channels.

Lu et al. 2019, "A Closed-form Solution to Universal Style Transfer": of the linear maps that take one Gaussian to
another, the one that moves features least. AdaIN is the same map where channels are not correlated.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .moments import Moments

_LEAST = 1e-4  # eigenvalue left to a correlation matrix: what hardly varies is not blown up
_SMALLEST = 1e-5  # of eigenvalues over the matrix's length, that `roots_by_products` reckons with
_ROUNDS = 10
_SHRUNK = 0.9  # share of the correlations up to which no eigenvalue comes near `_LEAST`


def transport(
    own: Moments, style: Moments, share: float, alpha: float = 1.0, root: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The map ``x -> matrix @ (x - own.mean) + aim`` that gives features with moments `own` the style's.

    Args:
        own: of the features, N rows, with correlations.
        style: N or 1 rows, with correlations.
        share: of the correlations, 0 to 1. They are shrunk to it in both pictures; 0 is AdaIN.
        alpha: share of the result; the rest is the features themselves.
        root: what `correlation_root` gives of the style and the share, where that is known.

    Returns:
        The matrix, N×C×C, and the aim, N×C×1×1, float32.
    """
    assert own.correlation is not None
    root = correlation_root(style, share) if root is None else root
    # Of the two ways to write that map, the one where the root is of the style, which many photographs share.
    (between,) = _chosen(root, share)(root @ _shrunk(own.correlation, share) @ root, (-0.5,))
    matrix = style.std.flatten(2) * (root @ between @ root) / own.std.flatten(2).transpose(1, 2)
    return alpha * matrix + (1 - alpha) * _unrelated(matrix), own.mean.lerp(style.mean, alpha)


def correlation_root(style: Moments, share: float) -> Tensor:
    """The square root of a style's correlations, shrunk to a share of them, N×C×C."""
    assert style.correlation is not None
    (root,) = _chosen(style.correlation, share)(_shrunk(style.correlation, share), (0.5,))
    return root


def _chosen(like: Tensor, share: float) -> Callable[[Tensor, tuple[float, ...]], list[Tensor]]:
    """What finds roots of matrices, on the device of `like`.

    A GPU takes as long over the eigenvalues of a few matrices as over all the rest of a step in training.
    """
    return roots_by_products if like.is_cuda and share <= _SHRUNK else _roots


def _unrelated(like: Tensor) -> Tensor:
    return torch.eye(like.shape[1], dtype=like.dtype, device=like.device)


def _shrunk(correlation: Tensor, share: float) -> Tensor:
    """Towards none at all, as Ledoit & Wolf 2004 do: what few positions tell of many channels is mostly noise."""
    share = min(share, 1 - _LEAST)
    return correlation * share + _unrelated(correlation) * (1 - share)


def _roots(matrices: Tensor, powers: tuple[float, ...] = (0.5, -0.5)) -> list[Tensor]:
    """Square roots of symmetric positive N×C×C matrices, and the roots' inverses, or those of them asked for."""
    try:
        values, vectors = torch.linalg.eigh(matrices)
    except NotImplementedError:  # on Apple's GPUs, before torch has it there
        values, vectors = (part.to(matrices) for part in torch.linalg.eigh(matrices.cpu()))
    values = values.clamp_min(_LEAST**2)  # less is rounding, in the product of two matrices too
    return [(vectors * values.pow(power).unsqueeze(1)) @ vectors.transpose(1, 2) for power in powers]


def roots_by_products(matrices: Tensor, powers: tuple[float, ...] = (0.5, -0.5)) -> list[Tensor]:
    """`_roots`, by matrix products alone: Newton & Schulz's iteration for a root and its inverse (Higham 2008, 6.3).

    Each round maps the eigenvalues of ``inverse @ root`` towards 1 by a cubic, stretched as far as the smallest of
    them allows (Chen & Chow 2014), so that the small ones rise by 6.75 and not by 2.25. Eigenvalues are not clamped,
    as in `_roots`: correlations so shrunk have none below a tenth, and what is made of them none below a hundredth.
    """
    unit = _unrelated(matrices)
    length = torch.linalg.matrix_norm(matrices, keepdim=True)
    root, inverse = matrices / length, unit.expand_as(matrices)
    least = _SMALLEST**0.5
    for _ in range(_ROUNDS):
        stretch = (3 / (1 + least + least**2)) ** 0.5
        turn = torch.baddbmm(unit, inverse, root, beta=1.5 * stretch, alpha=-0.5 * stretch**3)
        root, inverse = root.bmm(turn), turn.bmm(inverse)
        least = 0.5 * stretch * least * (3 - (stretch * least) ** 2)
    made = {0.5: root * length.sqrt(), -0.5: inverse / length.sqrt()}
    return [made[power] for power in powers]
