"""Inverse networks: from a VGG layer's features back to a picture; described by a `DecoderSpec`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..borders import convolve
from ..errors import RequestError
from ..memory import Cost
from ..painter import Regions
from ..statistics.moments import Moments, adain, affine, moments, moments_over, spread
from ..strips import VALUES, Chain, Edges, Pointwise, Rows, Size, Upsample, Window
from ..weights.layers import layer_stride
from .decoder_spec import DecoderSpec
from .enlarge import Enlarge, enlarged_and_convolved
from .learned_step import LearnedStep


class Conv(nn.Module):
    """Padding, 3×3 convolution of stride 1 of what may first be enlarged, and optionally normalisation and ReLU."""

    def __init__(self, inputs: int, outputs: int, spec: DecoderSpec, *, up: bool, last: bool) -> None:
        super().__init__()
        self.up: Enlarge | None = spec.enlarge if up else None
        self.reflect = spec.padding == "reflect"
        # A transposed convolution grows its input by one position a side, so it crops what a plain one pads.
        if spec.transposed:
            self.conv = nn.ConvTranspose2d(inputs, outputs, 3, padding=2 if self.reflect else 1)
        else:
            self.conv = nn.Conv2d(inputs, outputs, 3, padding=0 if self.reflect else 1)
        self.norm: nn.Module | None = None
        if not last and spec.norm != "none":
            self.norm = (
                nn.InstanceNorm2d(outputs, affine=True) if spec.norm == "instance" else nn.BatchNorm2d(outputs)
            )
        self.relu = not last
        nn.init.kaiming_normal_(self.conv.weight, nonlinearity="relu" if self.relu else "linear")
        nn.init.zeros_(cast(Tensor, self.conv.bias))

    def forward(self, x: Tensor) -> Tensor:
        """N×I×H×W -> N×O×H×W."""
        x = self.convolved(x)
        if self.norm is not None:
            x = self.norm(x)
        return F.relu(x, inplace=True) if self.relu else x

    def convolved(self, x: Tensor, edges: Edges = (1, 1), given: Affine | None = None) -> Tensor:
        """The convolution alone, padded where `x` reaches the picture's upper and lower border.

        `given` is done to `x` before, where `takes_affine`.
        """
        top, bottom = edges
        weight, bias = self.conv.weight, cast(Tensor, self.conv.bias)
        if isinstance(self.conv, nn.ConvTranspose2d):
            weight = weight.transpose(0, 1).flip(2, 3)
        if self.up:
            x = F.pad(x, (1, 1, top, bottom), mode="replicate" if self.reflect else "constant")
            return enlarged_and_convolved(x, weight, self.up, bias)
        if self.reflect:
            return convolve(x, *(given.into(weight, bias) if given else (weight, bias)), edges)
        x = self.conv(x)
        return x if top and bottom else x[:, :, 1 - top : x.shape[2] - 1 + bottom]

    @property
    def takes_affine(self) -> bool:
        """Whether a gain and a shift of its input can be its weights': not where zeros lie beyond the border."""
        return self.reflect and not self.up


@dataclass(frozen=True)
class Affine:
    """A gain and a shift of each channel, 1×C×1×1, and the mean of what they are for."""

    gain: Tensor
    shift: Tensor
    mean: Tensor

    def into(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """Weights, O×C×3×3, and biases that do it all at once, in the type of those given.

        What the weights lose in rounding is made good in the biases, as far as it is the same everywhere.
        """
        exactly = weight.float()
        scaled = (exactly * self.gain).to(weight.dtype, memory_format=torch.channels_last)
        then = exactly.sum((2, 3)) @ (self.gain * self.mean + self.shift).flatten()
        now = scaled.float().sum((2, 3)) @ self.mean.flatten()
        return scaled, (bias.float() + then - now).to(bias.dtype)


class Decoder(nn.Module):
    """The network a `DecoderSpec` describes.

    Features go in as the encoder gives them. Inside, each channel is divided by `scale_<layer>`, its mean
    activation over photographs, so that mean activations are 1 as in the original AdaIN's encoder. (A ReLU
    network is positively homogeneous, and AdaIN commutes with a channel's scale, so dividing the features is
    the same as rescaling the encoder's filters.)
    """

    def __init__(self, spec: DecoderSpec) -> None:
        super().__init__()
        self.spec = spec
        stages: list[nn.Module] = []
        convs: list[nn.Module] = []
        inputs = spec.width(spec.layer)
        for index, widths in enumerate(spec.stages):
            convs = []
            for place, outputs in enumerate(widths):
                last = index == len(spec.stages) - 1 and place == len(widths) - 1
                convs.append(Conv(inputs, outputs, spec, up=index > 0 and place == 0, last=last))
                inputs = outputs
            stages.append(nn.ModuleList(convs))
        self.stages = nn.ModuleList(stages)
        self.gains = nn.ParameterDict({name: torch.full((1, spec.width(name), 1, 1), 0.1) for name in spec.skip})
        final = cast(Conv, convs[-1]).conv
        with torch.no_grad():  # begin near mid-grey: the losses of a picture far outside [0, 1] teach nothing
            final.weight.mul_(0.1)
            cast(Tensor, final.bias).fill_(0.5 if spec.output == "linear" else 0.0)
        cell = min(4, spec.stride)
        self.steps = nn.ModuleList(LearnedStep(cell, spec.step_width, first=not n) for n in range(spec.steps))
        for layer in spec.style_layers:
            self.register_buffer(f"scale_{layer}", torch.ones(1, spec.width(layer), 1, 1))

        for weight in filter(
            lambda p: p.dim() == 4, self.parameters()
        ):  # convolutions on the CPU are fastest with channels last
            weight.data = weight.data.contiguous(memory_format=torch.channels_last)

    def scale(self, layer: str) -> Tensor:
        """Mean activation of each channel of `layer` over photographs, 1×C×1×1."""
        return self.get_buffer(f"scale_{layer}")

    def set_scales(self, scales: Mapping[str, Tensor]) -> None:
        """Store mean activations by layer, 1×C×1×1 each, all above zero."""
        for layer in self.spec.style_layers:
            self.scale(layer).copy_(scales[layer])

    def learned_steps(self, count: int) -> tuple[LearnedStep, ...]:
        """So many that may follow its picture, the last of its own as often as need be; none if it has none."""
        own = [cast(LearnedStep, step) for step in self.steps]
        return tuple((own + own[-1:] * (count - len(own)))[:count])

    @property
    def cost(self) -> Cost:
        """Memory that `paint` takes beside the strips: the features it holds at its busiest."""
        spec = self.spec
        waiting = {name: spec.width(name) / layer_stride(name) ** 2 for name in spec.skip}
        source = spec.width(spec.layer) / spec.stride**2
        most = source + sum(waiting.values())
        for index, widths in enumerate(spec.stages[:-1]):
            made = widths[-1] / 4 ** (spec.block - 1 - index)
            most = max(most, source + made + sum(waiting.values()))
            waiting.pop(f"relu{spec.block - index}_1", None)
            source = made
        return Cost.of_pixels(most * next(self.parameters()).element_size())

    def work(self, size: Size, values: int = VALUES) -> float:
        """Multiply-adds of `paint`, for a picture of height and width `size`.

        What lies before moments is done twice where it is too large to be kept.
        """
        total, inputs = 0.0, self.spec.width(self.spec.layer)
        for index, widths in enumerate(self.spec.stages):
            pixels = size[0] * size[1] / 4 ** (self.spec.block - 1 - index)
            *inner, last = zip((inputs, *widths), widths, strict=False)
            before = 9 * pixels * sum(i * o for i, o in inner)
            twice = f"relu{self.spec.block - index}_1" in self.spec.inject and last[0] * pixels > values
            total += before * (2 if twice else 1) + 9 * pixels * last[0] * last[1]
            inputs = widths[-1]
        return total

    def forward(self, features: Mapping[str, Tensor], style: Mapping[str, Moments] | None = None) -> Tensor:
        """Features N×C×h×w at `spec.content_layers` to pictures N×3×(h·stride)×(w·stride), float32 RGB.

        Args:
            features: by layer, as the encoder gives them or transformed.
            style: moments of the encoder's features at each of `spec.inject`; not needed where that is empty.

        Returns:
            The picture, nominally in [0, 1], not clamped. It covers whole strides: the caller pads the photo
            up to a multiple of `spec.stride` and crops the picture back.
        """
        self._refuse(features, style)
        spec = self.spec
        x = self._scaled(features[spec.layer], spec.layer)
        for index, stage in enumerate(self.stages):
            name = f"relu{spec.block - index}_1"
            convs = cast(nn.ModuleList, stage)
            for conv in convs[:-1]:
                x = conv(x)
            if style is not None and name in spec.inject:
                x = adain(x, self._inside(style[name], name))
                if name in spec.skip:
                    x = x + self._scaled(features[name], name) * self.gains[name].to(x.dtype)
            x = convs[-1](x)
        x = x.float()
        return x.sigmoid() if spec.output == "sigmoid" else x

    @torch.no_grad()
    def paint(
        self,
        features: dict[str, Tensor],
        style: Mapping[str, Moments] | None = None,
        regions: Regions | None = None,
        *,
        values: int = VALUES,
        keep: int | None = None,
    ) -> Tensor:
        """`forward` for features of any size, in little more memory than they and the picture take.

        The layers run over strips of rows. Where moments are imposed they are those of the whole picture, so
        the result is too: what lies before is run once for them and again to go on, unless it is small enough
        to be kept.

        Args:
            features: see `forward`. They are not written to, but taken out, so that each is freed once it has served.
            style: see `forward`; a row of moments for each of the regions.
            regions: where the rows of moments apply; what they replace is then measured by region too.
            values: of the widest layer to work on at a time.
            keep: most values of features to store rather than to work out again; as many as `values` by default.
        """
        keep = values if keep is None else keep
        self._refuse(features, style)
        spec = self.spec
        chain = Chain(features.pop(spec.layer), values).then(Pointwise(lambda x, _: self._scaled(x, spec.layer)))
        for index, stage in enumerate(self.stages):
            name = f"relu{spec.block - index}_1"
            *convs, last = cast("list[Conv]", list(cast(nn.ModuleList, stage)))
            for conv in convs:
                chain = self._through(conv, chain, keep)
            given = None
            if style is not None and name in spec.inject:
                chain = chain.stored_if_small(keep)
                own = moments_over(chain.strips(), chain.size, regions)
                gain, shift = affine(own, self._inside(style[name], name))
                if len(gain) == 1 and regions is None and name not in spec.skip and last.takes_affine:
                    given = Affine(gain, shift, own.mean)
                else:
                    chain = chain.then(_affine(gain, shift, chain.size, regions))
                if name in spec.skip:
                    chain = chain.then(Pointwise(partial(self._with_skip, features.pop(name), name)))
            chain = self._through(last, chain, keep, given)
            if index < len(self.stages) - 1:
                chain = chain.stored()
        picture = chain.whole(torch.float32)
        return picture.sigmoid_() if spec.output == "sigmoid" else picture

    def _through(self, conv: Conv, chain: Chain, keep: int, given: Affine | None = None) -> Chain:
        """The chain with a convolution, of what `given` makes of its result, its normalisation and its ReLU."""
        window = Upsample(conv.convolved) if conv.up else Window(partial(conv.convolved, given=given))
        chain = chain.then(window, channels=conv.conv.out_channels)
        norm = conv.norm
        if isinstance(norm, nn.InstanceNorm2d):
            chain = chain.stored_if_small(keep)
            bias, weight = norm.bias.view(1, -1, 1, 1), norm.weight.view(1, -1, 1, 1)
            # The layer's own epsilon is also that of the moments.
            own = moments_over(chain.strips(), chain.size)
            chain = chain.then(_affine(*affine(own, Moments(bias, weight))))
        elif norm is not None:
            chain = chain.then(Pointwise(lambda x, _: norm(x)))
        return chain.then(Pointwise(lambda x, _: F.relu_(x))) if conv.relu else chain

    def _with_skip(self, features: Tensor, layer: str, x: Tensor, rows: Rows) -> Tensor:
        part = self._scaled(features[:, :, rows[0] : rows[1]], layer)
        return x.add_(part.mul_(self.gains[layer].to(x.dtype)))

    def _refuse(self, features: Mapping[str, Tensor], style: Mapping[str, Moments] | None) -> None:
        spec = self.spec
        for layer in spec.content_layers:
            if layer not in features or features[layer].shape[1] != spec.width(layer):
                got = features[layer].shape[1] if layer in features else "none"
                raise RequestError(
                    f"this decoder expects {spec.width(layer)} channels of {layer}, got {got}: use the layer and "
                    "the encoder it was trained for"
                )
        missing = [name for name in spec.inject if style is None or name not in style]
        if missing:
            raise RequestError(f"this decoder needs the style's moments at {', '.join(missing)}")

    def _scaled(self, features: Tensor, layer: str) -> Tensor:
        return features / self.scale(layer).to(features.dtype)

    def _inside(self, style: Moments, layer: str) -> Moments:
        """An encoder's moments in the units the network works in."""
        scale = self.scale(layer)
        return Moments(style.mean / scale, style.std / scale)

    def moments_of(self, features: Mapping[str, Tensor]) -> dict[str, Moments]:
        """Channel moments of an encoder's features at every layer this network works with."""
        return {layer: moments(features[layer]) for layer in self.spec.style_layers}


def _affine(gain: Tensor, shift: Tensor, size: Size = (0, 0), regions: Regions | None = None) -> Pointwise:
    """A gain and a shift a channel, in a new tensor: what comes in may be stored."""
    if regions is None:
        return Pointwise(lambda x, _: (x * gain.to(x.dtype)).add_(shift.to(x.dtype)))
    shares = regions.everywhere(*size)

    def apply(x: Tensor, rows: Rows) -> Tensor:
        here = shares[:, :, rows[0] : rows[1]]
        return (x * spread(gain, here, x.dtype)).add_(spread(shift, here, x.dtype))

    return Pointwise(apply)
