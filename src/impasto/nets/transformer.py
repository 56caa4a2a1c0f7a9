"""Feed-forward networks that repaint a photograph in one style, or in several that share the convolutions.

Johnson, Alahi & Fei-Fei 2016, "Perceptual Losses for Real-Time Style Transfer", with instance normalisation (Ulyanov
et al. 2016) that is conditional on the style (Dumoulin et al. 2017, "A Learned Representation for Artistic Style"):
each style has its own scale and shift after every normalisation. Styles are mixed by mixing these.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..memory import Cost
from ..statistics.moments import mean_and_variance
from ..strips import VALUES, Chain, Pointwise, Rows, Window
from .chroma import REACH, soften_chroma, soften_chroma_of_rows
from .enlarge import Enlarge, enlarge_and_convolve
from .filter import EPSILON, Affine, Filter, statistics
from .transformer_spec import TransformerSpec

_MIN_DEVIATION = 0.05  # of colours, so that even photographs are not magnified

Shares = Callable[[int, int], Tensor]
"""Returns the shares of regions for a height and width, R×1×H×W."""


class Norm(nn.Module):
    """Instance normalisation with a scale and a shift for each style.

    Args:
        styles: number of styles.
        channels: number of channels.
        instance: normalise; otherwise there are only scale and shift.
    """

    def __init__(self, styles: int, channels: int, *, instance: bool = True) -> None:
        super().__init__()
        self.instance = instance
        self.scale = nn.Parameter(torch.ones(styles, channels))
        self.shift = nn.Parameter(torch.zeros(styles, channels))

    def affine(self, mix: Tensor) -> tuple[Tensor, Tensor]:
        """Mix scale and shift of the styles by N×S weights: N×C float32 each."""
        return mix @ self.scale.float(), mix @ self.shift.float()

    def forward(self, x: Tensor, mix: Tensor) -> Tensor:
        """Normalise N×C×H×W over positions."""
        gain, offset = self.affine(mix)
        if self.instance:
            mean, variance = mean_and_variance(x.float())
            gain = gain * (variance.flatten(1) + EPSILON).rsqrt()
            offset = offset - mean.flatten(1) * gain
        return torch.addcmul(offset[:, :, None, None].to(x.dtype), x, gain[:, :, None, None].to(x.dtype))


class Conv(nn.Module):
    """A convolution with reflection padding, optionally of the enlarged input."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, *, up: Enlarge | None = None, bias: bool
    ) -> None:
        super().__init__()
        self.up: Enlarge | None = up
        self.pad, self.stride = kernel // 2, stride
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """N×I×H×W, padded and convolved."""
        if self.up:
            return enlarge_and_convolve(F.pad(x, (1, 1, 1, 1), mode="replicate"), self.conv.weight, self.up)
        return self.conv(F.pad(x, (self.pad,) * 4, mode="reflect"))


class Layer(nn.Module):
    """A convolution and its normalisation."""

    def __init__(self, conv: Conv, norm: Norm) -> None:
        super().__init__()
        self.conv, self.norm = conv, norm

    def forward(self, x: Tensor, mix: Tensor) -> Tensor:
        """N×I×H×W -> N×O×H'×W', normalised."""
        return self.norm(self.conv(x), mix)


class Transformer(nn.Module):
    """The network that a `TransformerSpec` describes. It turns pictures into pictures of the same size."""

    def __init__(self, spec: TransformerSpec) -> None:
        super().__init__()
        self.spec = spec
        styles, inputs = len(spec.styles), 3
        blocks: list[nn.Module] = []
        instance = True
        for block in spec.blocks[:-1]:
            instance = instance and (spec.norm == "everywhere" or block.kind not in ("residual", "up"))
            up = spec.enlarge if block.kind == "up" else None
            convs = [Conv(inputs, block.filters, block.kernel, block.stride, up=up, bias=False)]
            if block.kind == "residual":
                convs.append(Conv(inputs, block.filters, block.kernel, bias=False))
            layers = [Layer(conv, Norm(styles, block.filters, instance=instance)) for conv in convs]
            blocks.append(nn.ModuleList(layers))
            inputs = block.filters
        self.blocks = nn.ModuleList(blocks)
        last = spec.blocks[-1]
        self.last = Conv(inputs, last.filters, last.kernel, last.stride, bias=True)
        for conv in (module for module in self.modules() if isinstance(module, nn.Conv2d)):
            nn.init.kaiming_normal_(conv.weight, nonlinearity="linear")
            # Convolutions on the CPU are fastest in channels-last layout.
            conv.weight.data = conv.weight.data.contiguous(memory_format=torch.channels_last)
        with torch.no_grad():
            self.last.conv.weight.mul_(0.1)
            cast(Tensor, self.last.conv.bias).fill_(0.5 if spec.output == "linear" else 0.0)
        if spec.output == "colour":
            self.matrix = nn.Parameter(torch.zeros(styles, 3, 3))
            self.matrix.data.diagonal(dim1=1, dim2=2).fill_(0.25)  # torch.eye on torch's device meta loads a compiler
            self.offset = nn.Parameter(torch.full((styles, 3), 0.5))

    @torch.no_grad()
    def begin_with_colours(self, place: int, picture: Tensor) -> None:
        """Set the colours of style number `place` to mean and deviation of a picture's channels, 1×3×H×W."""
        if self.spec.output == "colour":
            mean, deviation = _colours(picture)
            self.matrix[place] = torch.diag(deviation[0])
            self.offset[place] = mean[0]

    @torch.no_grad()
    def normalised_in_encoder(self, photos: Tensor) -> Transformer:
        """Convert to a network whose `spec.norm` is ``encoder`` and which paints ordinary photographs similarly.

        Normalisations after the encoder are replaced: the scale and shift of each style include the median deviation
        and mean over some photographs, and the convolution includes the geometric mean of the styles' deviations.

        Args:
            photos: N×3×H×W in [0, 1], with sides that are multiples of `spec.stride`.
        """
        made = Transformer(dataclasses.replace(self.spec, norm="encoder")).to(photos.device)
        made.load_state_dict(self.state_dict())
        pairs = [
            (old, new)
            for old, new in zip(self.modules(), made.modules(), strict=True)
            if isinstance(old, Layer) and isinstance(new, Layer) and old.norm.instance != new.norm.instance
        ]
        found: list[list[tuple[Tensor, Tensor]]] = [[] for _ in pairs]

        def look(place: int) -> Callable[[nn.Module, tuple[Tensor, Tensor]], None]:
            def hook(_: nn.Module, seen: tuple[Tensor, Tensor]) -> None:
                variance, mean = torch.var_mean(seen[0].float(), (2, 3), correction=0)
                found[place].append((mean.median(0).values, (variance + EPSILON).sqrt().median(0).values))

            return hook

        hooks = [old.norm.register_forward_pre_hook(look(place)) for place, (old, _) in enumerate(pairs)]
        for mix in torch.eye(len(self.spec.styles), device=photos.device):
            self(photos, mix.expand(len(photos), -1))
        for hook in hooks:
            hook.remove()
        for (_, layer), rows in zip(pairs, found, strict=True):
            mean, deviation = (torch.stack(values) for values in zip(*rows, strict=True))
            shared = deviation.log().mean(0).exp()
            layer.norm.shift.sub_(layer.norm.scale * mean / deviation)
            layer.norm.scale.mul_(shared / deviation)
            layer.conv.conv.weight.div_(shared[:, None, None, None])
        return made

    def forward(self, photo: Tensor, mix: Tensor) -> Tensor:
        """Repaint a batch; differentiable.

        Args:
            photo: N×3×H×W float32 RGB in [0, 1], with sides that are multiples of `spec.stride`.
            mix: N×S weights of the styles; each row has a sum of 1.

        Returns:
            N×3×H×W float32, nominally in [0, 1], not clamped.
        """
        x = _centred(photo).to(memory_format=torch.channels_last)
        for block, found in zip(self.spec.blocks, self.blocks, strict=False):
            layers = cast(list[Layer], found)
            inner = F.relu(layers[0](x, mix))
            x = x + layers[1](inner, mix) if block.kind == "residual" else inner
        made = self.last(x).float()
        if self.spec.chroma == "soft":
            made = soften_chroma(made)
        return self._output(made, photo, mix, _colours(photo))

    @torch.no_grad()
    def paint(self, photo: Tensor, mix: Tensor, where: Shares | None = None, values: int = VALUES) -> Tensor:
        """`forward` for one picture of any size, in little more memory than two layers take.

        Each convolution runs over strips of rows. Normalisations use mean and deviation of the whole layer, so the
        result is that of the whole picture, without seams.

        Args:
            photo: 1×3×H×W float32 RGB in [0, 1], with sides that are multiples of `spec.stride`.
            mix: weights of the styles, S, with a sum of 1; or of each of R regions, R×S.
            where: shares of the regions, which have a sum of 1 at every position. Scales, shifts and colours are
                mixed by them. None if there is one region.
            values: number of values of features to process at a time.

        Returns:
            1×3×H×W float32, nominally in [0, 1], not clamped.
        """
        mix = mix.reshape(-1, mix.shape[-1]).to(photo.device, torch.float32)
        x = _centred(photo).to(self.last.conv.weight.dtype, memory_format=torch.channels_last)
        before: Affine | None = None  # not applied to x yet: the next convolution applies it strip by strip
        for block, found in zip(self.spec.blocks, self.blocks, strict=False):
            layers = cast(list[Layer], found)
            if block.kind == "residual":
                x = x if before is None else before.apply_to_all(x, values)
                inner, then = _layer(layers[0], x, None, mix, where, values)
                inner, last = _layer(layers[1], inner, then, mix, where, values)
                last.relu = False
                x += last.apply_to_all(inner, values)
                before = None
            else:
                x, before = _layer(layers[0], x, before, mix, where, values)
        return self._picture(Chain(x, values).then(Filter(self.last, before), 3).stored(), photo, mix, where)

    def _picture(self, made: Chain, photo: Tensor, mix: Tensor, where: Shares | None) -> Tensor:
        """Turn the output of the last convolution into the picture, 1×3×H×W float32."""
        mean, deviation = (value.expand(len(mix), -1) for value in _colours(photo))
        shares = None if where is None else where(*photo.shape[2:])

        def output(x: Tensor, rows: Rows) -> Tensor:
            seen = photo[:, :, rows[0] : rows[1]].expand(len(mix), -1, -1, -1)
            parts = self._output(x, seen, mix, (mean, deviation))
            return parts if shares is None else (parts * shares[:, :, rows[0] : rows[1]]).sum(0, keepdim=True)

        made = made.then(Pointwise(lambda x, _: x.float()))
        if self.spec.chroma == "soft":
            made = made.then(Window(soften_chroma_of_rows, REACH))
        return made.then(Pointwise(output)).whole()

    @property
    def cost(self) -> Cost:
        """Peak memory of `paint` in addition to the strips: that of its layers."""
        most, source, area = 3.0, 3.0, 1.0
        for block in self.spec.blocks:
            area = area * 4 if block.kind == "up" else area / block.stride**2
            made = block.filters * area
            # A residual block needs its input to the end, so three layers exist at a time.
            most = max(most, source + made * (2 if block.kind == "residual" else 1))
            source = made
        return Cost.of_pixels(most * self.last.conv.weight.element_size())

    @property
    def work(self) -> float:
        """Multiply-adds of `paint` for each pixel; every convolution counts as 3×3."""
        total, inputs, area = 0.0, 3, 1.0
        for block in self.spec.blocks:
            area = area * 4 if block.kind == "up" else area / block.stride**2
            total += 9 * inputs * block.filters * area * (2 if block.kind == "residual" else 1)
            inputs = block.filters
        return total

    def _output(self, x: Tensor, photo: Tensor, mix: Tensor, colours: tuple[Tensor, Tensor]) -> Tensor:
        if self.spec.output == "tanh":
            return (150 * x.tanh() + 127.5) / 255
        if self.spec.output == "linear":
            return x
        mean, deviation = colours
        matrix = torch.einsum("ns,sij->nij", mix, self.matrix.float()) / deviation[:, None, :]
        offset = mix @ self.offset.float() - torch.einsum("nij,nj->ni", matrix, mean)
        return x + torch.einsum("nij,njhw->nihw", matrix, photo) + offset[:, :, None, None]


def _colours(photo: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of the channels, N×3 each; the deviation is at least `_MIN_DEVIATION`."""
    mean, variance = (value.flatten(1) for value in mean_and_variance(photo))
    return mean, (variance + _MIN_DEVIATION**2).sqrt()


def _centred(photo: Tensor) -> Tensor:
    """Scale a photograph to [-1, 1]."""
    return photo * 2 - 1


def _layer(
    layer: Layer, x: Tensor, before: Affine | None, mix: Tensor, where: Shares | None, values: int
) -> tuple[Tensor, Affine]:
    """Convolve the whole picture; return the output, and the normalisation to apply to it."""
    y = Chain(x, values).then(Filter(layer.conv, before), layer.conv.conv.out_channels).whole()
    gain, offset = layer.norm.affine(mix)
    if layer.norm.instance:
        mean, variance = statistics(y, values)
        gain = gain * (variance + EPSILON).rsqrt()
        offset = offset - mean * gain
    return y, Affine(gain.to(y.dtype), offset.to(y.dtype), None if where is None else where(*y.shape[2:]))
