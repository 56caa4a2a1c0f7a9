"""Grain in the even areas of a photograph, from which a network can make strokes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Sequence
from contextvars import ContextVar

import torch
import torch.nn.functional as F
from torch import Tensor

_WINDOW = 16  # side in pixels of the windows in which contrast is measured
_WAVES = (2, 4, 8)  # pixels between the knots of the grain, the sizes of strokes: 2 and its doubles


Noise = Callable[[int, int], Tensor]
"""Returns noise 1×1×H×W with standard deviation 1 for a height and a width."""

_carried: ContextVar[Noise | None] = ContextVar("carried", default=None)


@contextlib.contextmanager
def carrying(noise: Noise) -> Generator[None]:
    """Take the noise of `grained` from elsewhere inside the block: from a film, in which grain moves with things."""
    before = _carried.set(noise)
    try:
        yield
    finally:
        _carried.reset(before)


def grained(photo: Tensor, contrast: float, seed: int = 0) -> Tensor:
    """Add grey noise to a photograph where it has less than a minimum contrast.

    A feed-forward network makes strokes from the structure of its input. In an even area, such as a clear sky, it
    finds only the grid of its own layers, and paints a weave or nothing. The noise brings the contrast up to
    `contrast`; where the photograph has as much, nothing is added.

    Args:
        photo: N×3×H×W in [0, 1].
        contrast: smallest standard deviation of the luminance in windows of about 16 pixels, in the range 0 to 1.
            0 returns the photograph.
        seed: seed of the noise, which is the same on every device.
    """
    if contrast <= 0:
        return photo
    missing = (contrast**2 - _variance(photo.mean(1, keepdim=True))).clamp_min_(0).sqrt_()
    amount = F.interpolate(missing, scale_factor=_WINDOW // 2, mode="bilinear")[
        ..., : photo.shape[2], : photo.shape[3]
    ]
    carried = _carried.get()
    if carried is None:
        noise = make_noise(photo.shape, seed, photo.device)
    else:
        noise = carried(photo.shape[2], photo.shape[3]).to(photo.device)
    return torch.addcmul(photo, noise, amount).clamp_(0, 1)


def _variance(plane: Tensor) -> Tensor:
    """The variance in overlapping windows of N×1×H×W, one for every half window."""
    half = _WINDOW // 2
    height, width = plane.shape[2:]
    padded = F.pad(plane, (half // 2, _WINDOW - width % half, half // 2, _WINDOW - height % half), mode="replicate")
    mean = F.avg_pool2d(padded, _WINDOW, half)
    return F.avg_pool2d(padded.square_(), _WINDOW, half).sub_(mean.square_())


def make_noise(shape: Sequence[int], seed: int, device: torch.device | str = "cpu") -> Tensor:
    """Make noise with standard deviation 1: waves of several lengths, the longer ones stronger.

    Args:
        shape: N, any number, H and W.
        seed: of the noise, which is the same on every device.
        device: where the noise is used.

    Returns:
        N×1×H×W.
    """
    generator = torch.Generator().manual_seed(seed)
    count, _, height, width = shape
    total: Tensor | None = None
    for length in reversed(_WAVES):  # from the longest to the shortest, each with twice as many knots
        rows, columns = height // length + 2, width // length + 2
        knots = torch.randn(count, 1, rows, columns, generator=generator).mul_(length**0.5)
        knots = knots.to(device, non_blocking=True)
        total = knots if total is None else knots.add_(_doubled(total, rows, columns))
    assert total is not None
    total = _doubled(total, height, width)
    if total.numel() == 1:
        return total  # one pixel has no deviation
    return total / total.std().clamp_min(1e-6)


def _doubled(plane: Tensor, height: int, width: int) -> Tensor:
    return F.interpolate(plane, scale_factor=2, mode="bicubic")[..., :height, :width]
