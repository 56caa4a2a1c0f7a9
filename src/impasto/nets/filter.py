"""A feed-forward network's convolution as a layer over strips, with the normalisation that comes before it.

Normalising, padding and convolving are one step: what is normalised is written into the padded copy that the
convolution reads. At the widths that are quick, copies take longer than products.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..statistics.moments import mean_and_variance
from ..strips import Chain, Rows, Size
from .enlarge import Enlarge, folded, interleaved

EPSILON = 1e-3
"""Added to variances: a flat crop has none, and with less its gradient grows beyond bounds from layer to layer."""

_COLUMNS = 4  # of a picture, worked on together where a position has few channels
_FEW = 4  # channels, a picture's 3 colours above all


class Convolution(Protocol):
    """A convolution with reflected borders, of a picture that may first be enlarged by 2."""

    conv: nn.Conv2d
    up: Enlarge | None
    pad: int
    stride: int


@dataclass
class Affine:
    """What has yet to be done to a layer: gains and offsets of the channels, R×C, and a ReLU.

    `where` has the shares of the R regions at the layer's positions, R×1×H×W; None where there is but one.
    """

    gain: Tensor
    offset: Tensor
    where: Tensor | None = None
    relu: bool = True

    def __call__(self, x: Tensor, out: Tensor, top: int) -> Tensor:
        """Of 1×C×H×W, the layer's rows from `top`, into `out`, which may be `x` itself."""
        height, width = x.shape[2:]
        gain, offset = (self._spread(values, top, height, width) for values in (self.gain, self.offset))
        torch.addcmul(offset, _lines(x), gain, out=_lines(out))
        return out.relu_() if self.relu else out

    def throughout(self, x: Tensor, values: int) -> Tensor:
        """Of the whole layer, in place, so many values at a time."""
        for (first, _), rows in Chain(x, values).strips():
            self(rows, rows, first)
        return x

    def _spread(self, values: Tensor, top: int, height: int, width: int) -> Tensor:
        # Rows of W·C values, as they lie in memory: loops over the few channels alone would be slow.
        if self.where is None:
            return values[0].repeat(width)
        shares = self.where[:, 0, top : top + height].flatten(1).to(values.dtype)
        return (shares.T @ values).view(height, -1)


class Filter:
    """A convolution as a layer of `impasto.strips`, of what `before` makes of its input.

    Args:
        of: the convolution.
        before: what has yet to be done to the input.
    """

    def __init__(self, of: Convolution, before: Affine | None) -> None:
        self._of, self._before = of, before
        self._zoom = 2 if of.up else 1
        self._folded = folded(of.conv.weight, of.up) if of.up else None

    def size(self, size: Size, /) -> Size:
        """See `Layer.size`."""
        height, width = (side * self._zoom // self._of.stride for side in size)
        return height, width

    def needs(self, rows: Rows, size: Size, /) -> Rows:
        """See `Layer.needs`."""
        first, end = self._seen(rows)
        return max(0, first), min(size[0], end)

    def __call__(self, x: Tensor, given: Rows, rows: Rows, _size: Size, /) -> Tensor:
        """See `Layer`."""
        pad = self._of.pad
        first, end = self._seen(rows)
        above, below = given[0] - first, end - given[1]
        padded = x.new_empty(1, end - first, x.shape[3] + 2 * pad, x.shape[1]).permute(0, 3, 1, 2)
        inside = padded[:, :, above : padded.shape[2] - below, pad : padded.shape[3] - pad]
        if self._before is None:
            inside.copy_(x)
        else:
            self._before(x, inside, given[0])
        _reflect(padded, above, below, pad, skip=0 if self._of.up else 1)
        if self._folded is None:
            return _products(self._of.conv, padded)
        made = interleaved(F.conv2d(padded, self._folded))
        top = rows[0] % self._zoom
        return made[:, :, top : top + rows[1] - rows[0]]

    def _seen(self, rows: Rows) -> Rows:
        """Rows of the input behind `rows` of the output, those beyond its borders too."""
        of, zoom = self._of, self._zoom
        return rows[0] // zoom * of.stride - of.pad, (-(-rows[1] // zoom) - 1) * of.stride + of.pad + 1


def statistics(x: Tensor, values: int) -> tuple[Tensor, Tensor]:
    """Mean and variance of the channels of 1×C×H×W over all positions, C each float32, so many values at a time."""
    strips = [(rows[1] - rows[0], strip) for rows, strip in Chain(x, values).strips()]
    together = 1 if x.shape[3] % _COLUMNS else _COLUMNS  # of few channels alone, statistics are slow
    parts = [_statistics(_beside(strip, together)) for _, strip in strips]
    counts = torch.tensor([height for height, _ in strips], device=x.device) / x.shape[2] / together
    counts = counts.repeat_interleave(together)
    means, variances = (torch.cat([part[n].float().view(together, -1).T for part in parts], 1) for n in (0, 1))
    mean = means @ counts
    return mean, (variances + (means - mean[:, None]).square()) @ counts


def _statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    try:
        return torch.batch_norm_update_stats(x, None, None, 0.0)  # four times as fast as the other
    except NotImplementedError:  # on Apple's GPUs
        mean, variance = mean_and_variance(x.float())
        return mean.flatten(), variance.flatten()


def _lines(x: Tensor) -> Tensor:
    """1×C×H×W, channels last, as H×(W·C), without a copy."""
    _, channels, height, width = x.shape
    return x.as_strided((height, width * channels), (x.stride(2), 1))


def _beside(x: Tensor, columns: int) -> Tensor:
    """1×C×H×W, channels last, with neighbouring columns as channels of one: 1×(columns·C)×H×(W/columns)."""
    channels, height, width = x.shape[1:]
    return x.permute(0, 2, 3, 1).reshape(1, height, width // columns, columns * channels).permute(0, 3, 1, 2)


def _products(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """`conv` of 1×C×H×W, channels last; where its channels are few, several columns at once.

    Libraries work on 16 channels or more and pad fewer with nothing: a picture's 3 colours, in four columns, make 12.
    """
    inputs, outputs, kernel = conv.in_channels, conv.out_channels, conv.kernel_size[1]
    columns = _COLUMNS if outputs < inputs else _COLUMNS // 2
    width = x.shape[3] - kernel + 1
    if conv.stride[1] > 1 or min(inputs, outputs) > _FEW or x.shape[3] % columns or width % columns:
        return conv(x)
    taps = -(-(kernel + columns - 1) // columns)
    rows = [F.pad(conv.weight, (n, columns * taps - kernel - n)) for n in range(columns)]
    weight = torch.stack(rows).unflatten(4, (taps, columns)).permute(0, 1, 5, 2, 3, 4).flatten(2, 3).flatten(0, 1)
    found = F.conv2d(_beside(x, columns), weight, None if conv.bias is None else conv.bias.repeat(columns))
    return found.permute(0, 2, 3, 1).reshape(1, -1, width, outputs).permute(0, 3, 1, 2)


def _reflect(x: Tensor, above: int, below: int, sides: int, skip: int = 1) -> None:
    """Fill the border of `x` with what is inside, mirrored, as `F.pad(..., mode="reflect")` or edge and all."""
    for n in range(sides):
        x[:, :, :, sides - 1 - n] = x[:, :, :, sides + skip + n]
        x[:, :, :, n - sides] = x[:, :, :, -sides - 1 - skip - n]
    for n in range(above):
        x[:, :, above - 1 - n] = x[:, :, above + skip + n]
    for n in range(below):
        x[:, :, n - below] = x[:, :, -below - 1 - skip - n]
