"""Feed-forward networks that repaint a photograph: one style, or many that share the convolutions.

Johnson, Alahi & Fei-Fei 2016, "Perceptual Losses for Real-Time Style Transfer", with instance normalisation
(Ulyanov et al. 2016) that is conditional on the style (Dumoulin et al. 2017, "A Learned Representation for
Artistic Style"): each style has its own scale and shift after every normalisation, and styles blend by theirs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Self, cast, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import RequestError, WeightsError
from ..statistics.moments import mean_and_variance
from ..strips import VALUES, ranges
from .architecture import JOHNSON, Block, parse, stride
from .chroma import REACH, softened
from .enlarge import FORMS, Enlarge, enlarged_and_convolved, folded, interleaved

_EPS = 1e-3  # a flat crop has no variance: with less, its gradient grows beyond all bounds from layer to layer
_LEAST_DEVIATION = 0.05
_WIDTH = 32  # channels that strips are counted in
_COLUMNS = 4  # of a picture, worked on together where a position has few channels
_FEW = 4  # channels, a picture's 3 colours above all

Chroma = Literal["sharp", "soft"]
"""Of what the convolutions paint: as fine as its luma, or half as fine; see `impasto.nets.chroma.softened`."""

Shares = Callable[[int, int], Tensor]
"""Shares of regions at a height and width, R×1×H×W."""


@dataclass(frozen=True)
class TransformerSpec:
    """A feed-forward network, wholly described by plain data.

    Attributes:
        architecture: see `impasto.nets.architecture`.
        styles: their names, in the order of the rows of every normalisation.
        output: linear; tanh: ``(150·tanh(x) + 127.5) / 255`` as Johnson et al.; colour: linear, added to the
            photograph in colours of the style: its channels normalised as by instance normalisation, then a
            matrix and an offset of the style, which begin as a transfer of mean and deviation (Reinhard et al.
            2001) and leave the convolutions to learn strokes alone.
        norm: everywhere: instance normalisation after every convolution but the last, as Dumoulin et al.; encoder:
            only before the first residual block, where it takes the photograph's contrast away. Later layers are
            but scaled and shifted, as each style has it: a spike in a feature cannot quiet the rest of it, so
            none is learnt (Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", part 2).
        enlarge: what the ``u`` blocks do before they convolve.
        chroma: soft: what the last convolution gives has colour at half the resolution of brightness.
    """

    architecture: str = JOHNSON
    styles: tuple[str, ...] = ("style",)
    output: Literal["linear", "tanh", "colour"] = "colour"
    norm: Literal["everywhere", "encoder"] = "everywhere"
    enlarge: Enlarge = "nearest"
    chroma: Chroma = "sharp"

    def __post_init__(self) -> None:
        parse(self.architecture)
        if not self.styles or len(set(self.styles)) < len(self.styles):
            raise RequestError(f"styles are {', '.join(self.styles) or 'none'}; expected one or more, each once")
        if self.output not in ("linear", "tanh", "colour"):
            raise RequestError(f"output is {self.output!r}; expected linear, tanh or colour")
        if self.norm not in ("everywhere", "encoder"):
            raise RequestError(f"norm is {self.norm!r}; expected everywhere or encoder")
        if self.enlarge not in FORMS:
            raise RequestError(f"enlarge is {self.enlarge!r}; expected {' or '.join(FORMS)}")
        if self.chroma not in get_args(Chroma):
            raise RequestError(f"chroma is {self.chroma!r}; expected {' or '.join(get_args(Chroma))}")

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """What `architecture` says."""
        return parse(self.architecture)

    @property
    def stride(self) -> int:
        """The sides of a picture have to be multiples of this."""
        return stride(self.blocks)

    def to_json(self) -> dict[str, Any]:
        """Plain data for JSON; read back by `from_json`."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what `to_json` gave.

        Raises:
            WeightsError: fields are missing, unknown or do not fit together.
        """
        try:
            fields: dict[str, Any] = {**data, "styles": tuple(data["styles"])}
            return cls(**fields)
        except (TypeError, KeyError, RequestError) as error:
            raise WeightsError(f"not a description of a feed-forward network: {error}") from None


class Norm(nn.Module):
    """Instance normalisation with a scale and a shift for every style; or the scale and the shift alone."""

    def __init__(self, styles: int, channels: int, *, instance: bool = True) -> None:
        super().__init__()
        self.instance = instance
        self.scale = nn.Parameter(torch.ones(styles, channels))
        self.shift = nn.Parameter(torch.zeros(styles, channels))

    def affine(self, mix: Tensor) -> tuple[Tensor, Tensor]:
        """Scale and shift, N×C float32, of the styles mixed by N×S weights."""
        return mix @ self.scale.float(), mix @ self.shift.float()

    def forward(self, x: Tensor, mix: Tensor) -> Tensor:
        """N×C×H×W, normalised over positions."""
        gain, offset = self.affine(mix)
        if self.instance:
            mean, variance = mean_and_variance(x.float())
            gain = gain * (variance.flatten(1) + _EPS).rsqrt()
            offset = offset - mean.flatten(1) * gain
        return torch.addcmul(offset[:, :, None, None].to(x.dtype), x, gain[:, :, None, None].to(x.dtype))


class Conv(nn.Module):
    """Reflection padding and a convolution, of a picture that may first be enlarged by 2."""

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
            return enlarged_and_convolved(F.pad(x, (1, 1, 1, 1), mode="replicate"), self.conv.weight, self.up)
        return self.conv(F.pad(x, (self.pad,) * 4, mode="reflect"))


class Layer(nn.Module):
    """A convolution and its normalisation; what follows them is the network's affair."""

    def __init__(self, conv: Conv, norm: Norm) -> None:
        super().__init__()
        self.conv, self.norm = conv, norm

    def forward(self, x: Tensor, mix: Tensor) -> Tensor:
        """N×I×H×W -> N×O×H'×W', normalised."""
        return self.norm(self.conv(x), mix)


class Transformer(nn.Module):
    """The network a `TransformerSpec` describes: pictures N×3×H×W in [0, 1] to pictures of the same size."""

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
            # Convolutions on the CPU are fastest with channels last.
            conv.weight.data = conv.weight.data.contiguous(memory_format=torch.channels_last)
        with torch.no_grad():
            self.last.conv.weight.mul_(0.1)
            cast(Tensor, self.last.conv.bias).fill_(0.5 if spec.output == "linear" else 0.0)
        if spec.output == "colour":
            self.matrix = nn.Parameter(0.25 * torch.eye(3).repeat(styles, 1, 1))
            self.offset = nn.Parameter(torch.full((styles, 3), 0.5))

    @torch.no_grad()
    def begin_with_colours(self, place: int, picture: Tensor) -> None:
        """Give the style at `place` the mean and the deviation of a picture's channels, 1×3×H×W."""
        if self.spec.output == "colour":
            mean, deviation = _colours(picture)
            self.matrix[place] = torch.diag(deviation[0])
            self.offset[place] = mean[0]

    @torch.no_grad()
    def normalised_in_encoder(self, photos: Tensor) -> Transformer:
        """This network with `spec.norm` encoder, which paints ordinary photographs much as it does.

        Where it normalises after the encoder, the scale and the shift of every style take over the median deviation
        and mean of some photographs, and the convolution what the deviations of all styles have in common.

        Args:
            photos: N×3×H×W in [0, 1], sides multiples of `spec.stride`.
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
                found[place].append((mean.median(0).values, (variance + _EPS).sqrt().median(0).values))

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
        """Repaint a batch, whole and differentiably.

        Args:
            photo: N×3×H×W float32 RGB in [0, 1], sides multiples of `spec.stride`.
            mix: N×S weights of the styles, each row summing to 1.

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
            made = softened(made)
        return self._output(made, photo, mix, _colours(photo))

    @torch.no_grad()
    def paint(self, photo: Tensor, mix: Tensor, where: Shares | None = None, values: int = VALUES) -> Tensor:
        """`forward` for one picture of any size, in little more memory than two layers take.

        Each convolution runs over strips of rows; its output's mean and deviation are those of the whole
        picture before the next one begins, so the result is that of the whole picture, without seams.

        Args:
            photo: 1×3×H×W float32 RGB in [0, 1], sides multiples of `spec.stride`.
            mix: S weights of the styles, summing to 1; or R×S, those of R regions.
            where: shares of the regions at a height and width, R×1×H×W, summing to 1 at every position, where
                scales, shifts and colours are mixed by them.
            values: of features to work on at a time.
        """
        most = values // _WIDTH
        dtype = self.last.conv.weight.dtype
        mix = mix.reshape(-1, mix.shape[-1]).to(photo.device, torch.float32)
        x = _centred(photo).to(dtype, memory_format=torch.channels_last)
        before: _Affine | None = None  # what has yet to be done to x: it is done strip by strip on reading
        for block, found in zip(self.spec.blocks, self.blocks, strict=False):
            layers = cast(list[Layer], found)
            if block.kind == "residual":
                x = x if before is None else before.throughout(x, most)
                inner, then = _layer(layers[0], x, None, mix, where, most)
                inner, last = _layer(layers[1], inner, then, mix, where, most)
                last.relu = False
                x += last.throughout(inner, most)
                before = None
            else:
                x, before = _layer(layers[0], x, before, mix, where, most)
        made = _convolved(self.last, x, before, most)
        picture = torch.empty_like(made, dtype=torch.float32)
        mean, deviation = (value.expand(len(mix), -1) for value in _colours(photo))
        shares = None if where is None else where(*photo.shape[2:])
        for rows in _ranges(made, most):
            seen = photo[:, :, rows].expand(len(mix), -1, -1, -1)
            parts = self._output(self._strip(made, rows), seen, mix, (mean, deviation))
            picture[:, :, rows] = parts if shares is None else (parts * shares[:, :, rows]).sum(0, keepdim=True)
        return picture

    @property
    def held(self) -> float:
        """Most values of features that `paint` holds at a time, for each pixel of the picture."""
        most, source, area = 3.0, 3.0, 1.0
        for block in self.spec.blocks:
            area = area * 4 if block.kind == "up" else area / block.stride**2
            made = block.filters * area
            # A residual block adds to what came in; what lies between its two convolutions is a third.
            most = max(most, source + made * (2 if block.kind == "residual" else 1))
            source = made
        return most

    def _strip(self, made: Tensor, rows: slice) -> Tensor:
        """These rows of what the last convolution gave, float32."""
        if self.spec.chroma == "sharp":
            return made[:, :, rows].float()
        first = max(0, rows.start - REACH)
        around = made[:, :, first : rows.stop + REACH].float()
        return softened(around)[:, :, rows.start - first : rows.stop - first]

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
    """Mean and deviation of the channels, N×3 each; what is nearly flat is not blown up."""
    mean, variance = (value.flatten(1) for value in mean_and_variance(photo))
    return mean, (variance + _LEAST_DEVIATION**2).sqrt()


def _centred(photo: Tensor) -> Tensor:
    """A photograph in the units the first convolution likes."""
    return photo * 2 - 1


@dataclass
class _Affine:
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

    def throughout(self, x: Tensor, most: int) -> Tensor:
        """Of the whole layer, in place."""
        for rows in _ranges(x, most):
            self(x[:, :, rows], x[:, :, rows], rows.start)
        return x

    def _spread(self, values: Tensor, top: int, height: int, width: int) -> Tensor:
        # Rows of W·C values, as they lie in memory: loops over the few channels alone would be slow.
        if self.where is None:
            return values[0].repeat(width)
        shares = self.where[:, 0, top : top + height].flatten(1).to(values.dtype)
        return (shares.T @ values).view(height, -1)


def _lines(x: Tensor) -> Tensor:
    """1×C×H×W, channels last, as H×(W·C), without a copy."""
    _, channels, height, width = x.shape
    return x.as_strided((height, width * channels), (x.stride(2), 1))


def _empty(like: Tensor, channels: int, height: int, width: int) -> Tensor:
    return like.new_empty(1, height, width, channels).permute(0, 3, 1, 2)


def _ranges(x: Tensor, most: int) -> list[slice]:
    """Strips of rows of `x`, each an even number of them, and of about so many positions."""
    height, width = x.shape[2:]
    return [slice(*rows) for rows in ranges(height, max(32, most // width), 2)]


def _layer(
    layer: Layer, x: Tensor, before: _Affine | None, mix: Tensor, where: Shares | None, most: int
) -> tuple[Tensor, _Affine]:
    """The layer's convolution of the whole picture, and its normalisation, not yet applied."""
    y = _convolved(layer.conv, x, before, most)
    gain, offset = layer.norm.affine(mix)
    shares = None if where is None else where(*y.shape[2:])
    if not layer.norm.instance:
        return y, _Affine(gain.to(y.dtype), offset.to(y.dtype), shares)
    strips = _ranges(y, most)
    together = 1 if y.shape[3] % _COLUMNS else _COLUMNS  # of few channels alone, statistics are slow
    parts = [_statistics(_beside(y[:, :, rows], together)) for rows in strips]
    counts = torch.tensor([rows.stop - rows.start for rows in strips], device=y.device) / y.shape[2] / together
    counts = counts.repeat_interleave(together)
    means, variances = (torch.cat([part[n].float().view(together, -1).T for part in parts], 1) for n in (0, 1))
    mean = means @ counts
    variance = (variances + (means - mean[:, None]).square()) @ counts
    gain = gain * (variance + _EPS).rsqrt()
    return y, _Affine(gain.to(y.dtype), (offset - mean * gain).to(y.dtype), shares)


def _statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of the channels of 1×C×H×W, C each."""
    try:
        return torch.batch_norm_update_stats(x, None, None, 0.0)  # four times as fast as the other
    except NotImplementedError:  # on Apple's GPUs
        mean, variance = mean_and_variance(x.float())
        return mean.flatten(), variance.flatten()


def _convolved(conv: Conv, x: Tensor, before: _Affine | None, most: int) -> Tensor:
    """The convolution of the whole picture, strip by strip, after what has yet to be done to its input."""
    zoom = 2 if conv.up else 1
    weight = folded(conv.conv.weight, conv.up) if conv.up else None
    height, width = (side * zoom // conv.stride for side in x.shape[2:])
    y = _empty(x, conv.conv.out_channels, height, width)
    for rows in _ranges(y, most):
        # Rows of the input that these rows of the output see, and how many of them lie beyond its border.
        first = rows.start // zoom * conv.stride - conv.pad
        end = (rows.stop // zoom - 1) * conv.stride + conv.pad + 1
        above, below = max(0, -first), max(0, end - x.shape[2])
        first, end = first + above, end - below
        part = x[:, :, first:end]
        padded = _empty(x, x.shape[1], above + (end - first) + below, x.shape[3] + 2 * conv.pad)
        inside = padded[:, :, above : padded.shape[2] - below, conv.pad : padded.shape[3] - conv.pad]
        if before is None:
            inside.copy_(part)
        else:
            before(part, inside, first)
        _reflect(padded, above, below, conv.pad, skip=0 if conv.up else 1)
        made = _products(conv.conv, padded) if weight is None else interleaved(F.conv2d(padded, weight))
        if rows.stop - rows.start == height:
            return made
        y[:, :, rows] = made
    return y


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
