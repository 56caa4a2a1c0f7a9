"""Optimal transport between Gaussians: features with another picture's means, deviations and correlations.

Lu et al. 2019, "A Closed-form Solution to Universal Style Transfer". Of all linear maps between two Gaussians, this
one moves the features least. Without correlations it is AdaIN.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .moments import Moments

_MIN_EIGENVALUE = 1e-4  # smallest eigenvalue of a correlation matrix: directions that hardly vary are not magnified
_MIN_RELATIVE = 1e-5  # smallest eigenvalue, relative to the matrix's norm, that `newton_schulz_roots` expects
_ROUNDS = 10  # iterations of `newton_schulz_roots`

MAX_SHARE = 0.9
"""Largest share of the correlations with which `newton_schulz_roots` is exact: no eigenvalue is then small."""


def transport(
    own: Moments, style: Moments, share: float, alpha: float = 1.0, root: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The map ``x ↦ T (x − μ) + μ_s`` that gives features with moments `own` those of the style.

    ``T = D_s S^½ (S^½ C S^½)^-½ S^½ D^-1`` with C and S the correlations of features and style, and D and D_s their
    standard deviations: the optimal map between Gaussians of Lu et al. 2019, applied to features divided by their
    standard deviations.

    Args:
        own: moments of the features, N rows, with correlations.
        style: moments of the style, N rows or 1, with correlations.
        share: share of the correlations, 0 to 1, to which those of both pictures are shrunk; 0 is AdaIN.
        alpha: share of the result, 0 to 1; the rest is the features themselves.
        root: the result of `correlation_root` for the style and the share, if known.

    Returns:
        The matrix T, N×C×C, and the mean of the result, N×C×1×1, in float32.
    """
    assert own.correlation is not None
    root = correlation_root(style, share) if root is None else root
    # The map can also be written with the root of C. The root of S is computed once for many photographs.
    (between,) = _root_finder(root, share)(root @ _shrink(own.correlation, share) @ root, (-0.5,))
    matrix = style.std.flatten(2) * (root @ between @ root) / own.std.flatten(2).transpose(1, 2)
    return alpha * matrix + (1 - alpha) * _identity(matrix), own.mean.lerp(style.mean, alpha)


def correlation_root(style: Moments, share: float) -> Tensor:
    """The square root of a style's correlations, shrunk to a share of them: N×C×C."""
    assert style.correlation is not None
    (root,) = _root_finder(style.correlation, share)(_shrink(style.correlation, share), (0.5,))
    return root


def _root_finder(like: Tensor, share: float) -> Callable[[Tensor, tuple[float, ...]], list[Tensor]]:
    """Return the function that computes roots of matrices on the device of `like`.

    On a GPU, the eigenvalues of a few matrices take as long as the rest of a training step. ONNX has none.
    """
    by_products = like.is_cuda or torch.compiler.is_exporting()
    return newton_schulz_roots if by_products and share <= MAX_SHARE else _roots


def _identity(like: Tensor) -> Tensor:
    return torch.eye(like.shape[1], dtype=like.dtype, device=like.device)


def _shrink(correlation: Tensor, share: float) -> Tensor:
    """``share·C + (1 − share)·I`` (Ledoit & Wolf 2004): correlations of few positions are mostly noise."""
    share = min(share, 1 - _MIN_EIGENVALUE)
    return correlation * share + _identity(correlation) * (1 - share)


def _roots(matrices: Tensor, powers: tuple[float, ...] = (0.5, -0.5)) -> list[Tensor]:
    """Powers of symmetric positive N×C×C matrices, by their eigenvalues."""
    try:
        values, vectors = torch.linalg.eigh(matrices)
    except NotImplementedError:  # on Apple's GPUs
        values, vectors = (part.to(matrices) for part in torch.linalg.eigh(matrices.cpu()))
    values = values.clamp_min(_MIN_EIGENVALUE**2)  # smaller ones are rounding errors
    return [(vectors * values.pow(power).unsqueeze(1)) @ vectors.transpose(1, 2) for power in powers]


def newton_schulz_roots(matrices: Tensor, powers: tuple[float, ...] = (0.5, -0.5)) -> list[Tensor]:
    """Square roots of symmetric positive N×C×C matrices, and their inverses, by matrix products alone.

    Newton-Schulz iteration (Higham 2008, section 6.3): with ``Y₀ = A/‖A‖``, ``Z₀ = I`` and ``T = (3I − ZY)/2``,
    ``Y ← YT`` tends to ``(A/‖A‖)^½`` and ``Z ← TZ`` to its inverse. Each round is scaled as far as the smallest
    eigenvalue allows (Chen & Chow 2014), so small eigenvalues of ZY grow by a factor of 6.75 instead of 2.25.

    Unlike in `_roots`, eigenvalues are not clamped. That is not needed up to a share of `MAX_SHARE`: correlations
    then have no eigenvalue below 0.1, and the product in `transport` none below 0.01.

    Args:
        matrices: N×C×C.
        powers: which to return, in order: 0.5, -0.5.
    """
    unit = _identity(matrices)
    length = torch.linalg.matrix_norm(matrices, keepdim=True)
    root, inverse = matrices / length, unit.expand_as(matrices)
    smallest = _MIN_RELATIVE**0.5
    for _ in range(_ROUNDS):
        stretch = (3 / (1 + smallest + smallest**2)) ** 0.5
        turn = torch.baddbmm(unit, inverse, root, beta=1.5 * stretch, alpha=-0.5 * stretch**3)
        root, inverse = root.bmm(turn), turn.bmm(inverse)
        smallest = 0.5 * stretch * smallest * (3 - (stretch * smallest) ** 2)
    made = {0.5: root * length.sqrt(), -0.5: inverse / length.sqrt()}
    return [made[power] for power in powers]
