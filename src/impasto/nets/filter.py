"""Convolutions of feed-forward networks as layers over strips, together with the normalisation before them.

Normalisation writes into the padded copy that the convolution reads. In narrow networks, copies take more time than
multiplications.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..statistics.moments import mean_and_variance
from ..strips import Chain, Rows, Size
from .enlarge import Enlarge, fold_weights, interleave

EPSILON = 1e-3
"""Added to variances. With less, gradients of even crops, whose variance is 0, grow from layer to layer."""

_COLUMNS = 4  # neighbouring columns to process together if there are few channels
_FEW_CHANNELS = 4  # includes the 3 of a picture


class Convolution(Protocol):
    """A convolution with reflected borders, optionally of an enlarged picture."""

    conv: nn.Conv2d
    up: Enlarge | None
    pad: int
    stride: int


@dataclass
class Affine:
    """Gains and offsets of channels, and a ReLU, that have not been applied to a layer yet.

    Attributes:
        gain: R×C, a row for each region.
        offset: R×C.
        where: shares of the R regions at the layer's positions, R×1×H×W; None if there is one region.
        relu: whether a ReLU follows.
    """

    gain: Tensor
    offset: Tensor
    where: Tensor | None = None
    relu: bool = True

    def __call__(self, x: Tensor, out: Tensor, top: int) -> Tensor:
        """Apply to 1×C×H×W, rows of the layer from `top` on, and write into `out`, which may be `x`."""
        height, width = x.shape[2:]
        gain, offset = (self._expand(values, top, height, width) for values in (self.gain, self.offset))
        torch.addcmul(offset, _as_rows(x), gain, out=_as_rows(out))
        return out.relu_() if self.relu else out

    def apply_to_all(self, x: Tensor, values: int) -> Tensor:
        """Apply to the whole layer in place, `values` at a time."""
        for (first, _), rows in Chain(x, values).strips():
            self(rows, rows, first)
        return x

    def _expand(self, values: Tensor, top: int, height: int, width: int) -> Tensor:
        # Rows of W·C values, as in memory: loops over few channels are slow.
        if self.where is None:
            return values[0].repeat(width)
        shares = self.where[:, 0, top : top + height].flatten(1).to(values.dtype)
        return (shares.T @ values).view(height, -1)


class Filter:
    """A convolution as an `impasto.strips.Layer`.

    Args:
        of: the convolution.
        before: applied to the input first; None for nothing.
    """

    def __init__(self, of: Convolution, before: Affine | None) -> None:
        self._of, self._before = of, before
        self._zoom = 2 if of.up else 1
        self._folded = fold_weights(of.conv.weight, of.up) if of.up else None

    def size(self, size: Size, /) -> Size:
        """See `Layer.size`."""
        height, width = (side * self._zoom // self._of.stride for side in size)
        return height, width

    def needs(self, rows: Rows, size: Size, /) -> Rows:
        """See `Layer.needs`."""
        first, end = self._input_rows(rows)
        return max(0, first), min(size[0], end)

    def __call__(self, x: Tensor, given: Rows, rows: Rows, _size: Size, /) -> Tensor:
        """See `Layer`."""
        pad = self._of.pad
        first, end = self._input_rows(rows)
        above, below = given[0] - first, end - given[1]
        padded = x.new_empty(1, end - first, x.shape[3] + 2 * pad, x.shape[1]).permute(0, 3, 1, 2)
        inside = padded[:, :, above : padded.shape[2] - below, pad : padded.shape[3] - pad]
        if self._before is None:
            inside.copy_(x)
        else:
            self._before(x, inside, given[0])
        _reflect(padded, above, below, pad, skip=0 if self._of.up else 1)
        if self._folded is None:
            return _convolve(self._of.conv, padded)
        made = interleave(F.conv2d(padded, self._folded))
        top = rows[0] % self._zoom
        return made[:, :, top : top + rows[1] - rows[0]]

    def _input_rows(self, rows: Rows) -> Rows:
        """The rows of the input that `rows` of the output depend on, including rows beyond its borders."""
        of, zoom = self._of, self._zoom
        return rows[0] // zoom * of.stride - of.pad, (-(-rows[1] // zoom) - 1) * of.stride + of.pad + 1


def statistics(x: Tensor, values: int) -> tuple[Tensor, Tensor]:
    """Mean and variance of the channels of 1×C×H×W, C float32 each, computed `values` at a time."""
    strips = [(rows[1] - rows[0], strip) for rows, strip in Chain(x, values).strips()]
    together = 1 if x.shape[3] % _COLUMNS else _COLUMNS  # statistics of few channels are slow
    parts = [_statistics(_join_columns(strip, together)) for _, strip in strips]
    counts = torch.tensor([height for height, _ in strips], device=x.device) / x.shape[2] / together
    counts = counts.repeat_interleave(together)
    means, variances = (torch.cat([part[n].float().view(together, -1).T for part in parts], 1) for n in (0, 1))
    mean = means @ counts
    return mean, (variances + (means - mean[:, None]).square()) @ counts


def _statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    try:
        return torch.batch_norm_update_stats(x, None, None, 0.0)  # four times as fast as `mean_and_variance`
    except NotImplementedError:  # on Apple's GPUs
        mean, variance = mean_and_variance(x.float())
        return mean.flatten(), variance.flatten()


def _as_rows(x: Tensor) -> Tensor:
    """View 1×C×H×W in channels-last layout as H×(W·C)."""
    _, channels, height, width = x.shape
    return x.as_strided((height, width * channels), (x.stride(2), 1))


def _join_columns(x: Tensor, columns: int) -> Tensor:
    """Join neighbouring columns of 1×C×H×W, channels-last, to one with more channels: 1×(columns·C)×H×(W/columns)."""
    channels, height, width = x.shape[1:]
    return x.permute(0, 2, 3, 1).reshape(1, height, width // columns, columns * channels).permute(0, 3, 1, 2)


def _convolve(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """Apply `conv` to 1×C×H×W, channels-last; if there are few channels, to several columns at a time.

    Libraries pad channels to 16 or more. The 3 channels of a picture, in four columns, are 12.
    """
    inputs, outputs, kernel = conv.in_channels, conv.out_channels, conv.kernel_size[1]
    columns = _COLUMNS if outputs < inputs else _COLUMNS // 2
    width = x.shape[3] - kernel + 1
    if conv.stride[1] > 1 or min(inputs, outputs) > _FEW_CHANNELS or x.shape[3] % columns or width % columns:
        return conv(x)
    taps = -(-(kernel + columns - 1) // columns)
    rows = [F.pad(conv.weight, (n, columns * taps - kernel - n)) for n in range(columns)]
    weight = torch.stack(rows).unflatten(4, (taps, columns)).permute(0, 1, 5, 2, 3, 4).flatten(2, 3).flatten(0, 1)
    found = F.conv2d(_join_columns(x, columns), weight, None if conv.bias is None else conv.bias.repeat(columns))
    return found.permute(0, 2, 3, 1).reshape(1, -1, width, outputs).permute(0, 3, 1, 2)


def _reflect(x: Tensor, above: int, below: int, sides: int, skip: int = 1) -> None:
    """Fill the border of `x` with its reflected inside, without the edge itself, or with it if `skip` is 0."""
    for n in range(sides):
        x[:, :, :, sides - 1 - n] = x[:, :, :, sides + skip + n]
        x[:, :, :, n - sides] = x[:, :, :, -sides - 1 - skip - n]
    for n in range(above):
        x[:, :, above - 1 - n] = x[:, :, above + skip + n]
    for n in range(below):
        x[:, :, n - below] = x[:, :, -below - 1 - skip - n]
