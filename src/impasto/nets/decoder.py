"""Decoders: networks that invert a VGG layer's features to a picture. A `DecoderSpec` describes each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..borders import convolve
from ..control import worked
from ..errors import RequestError
from ..memory import Cost
from ..painter import Regions
from ..statistics.moments import Moments, adain, affine, mix_by_region, moments_over
from ..strips import VALUES, Chain, Edges, Pointwise, Rows, Size, Upsample, Window
from ..weights.layers import layer_stride
from .decoder_spec import DecoderSpec
from .enlarge import Enlarge, enlarge_and_convolve
from .learned_step import LearnedStep


class Conv(nn.Module):
    """A 3×3 convolution with padding; enlargement before and normalisation and ReLU after it are optional."""

    def __init__(self, inputs: int, outputs: int, spec: DecoderSpec, *, up: bool, last: bool) -> None:
        super().__init__()
        self.up: Enlarge | None = spec.enlarge if up else None
        self.reflect = spec.padding == "reflect"
        # A transposed convolution makes its input larger by one position on each side: it crops where others pad.
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
        x = self.convolve_rows(x)
        if self.norm is not None:
            x = self.norm(x)
        return F.relu(x, inplace=True) if self.relu else x

    def convolve_rows(self, x: Tensor, edges: Edges = (1, 1), given: Affine | None = None) -> Tensor:
        """Apply enlargement and convolution alone.

        Args:
            x: N×I×h×W: the whole, or a strip of rows.
            edges: 1 if `x` reaches the upper and the lower border of the picture, which are padded, otherwise 0.
            given: a gain and a shift to apply to `x` first; only if `takes_affine`.
        """
        top, bottom = edges
        weight, bias = self.conv.weight, cast(Tensor, self.conv.bias)
        if isinstance(self.conv, nn.ConvTranspose2d):
            weight = weight.transpose(0, 1).flip(2, 3)
        if self.up:
            x = F.pad(x, (1, 1, top, bottom), mode="replicate" if self.reflect else "constant")
            return enlarge_and_convolve(x, weight, self.up, bias)
        if self.reflect:
            return convolve(x, *(given.fold_into(weight, bias) if given else (weight, bias)), edges)
        x = self.conv(x)
        return x if top and bottom else x[:, :, 1 - top : x.shape[2] - 1 + bottom]

    @property
    def takes_affine(self) -> bool:
        """Whether the weights can include a gain and a shift of the input: not if the border is padded with zeros."""
        return self.reflect and not self.up


@dataclass(frozen=True)
class Affine:
    """A gain and a shift of each channel, to be folded into the next convolution.

    Attributes:
        gain: 1×C×1×1.
        shift: 1×C×1×1.
        mean: mean of each channel before them, 1×C×1×1.
    """

    gain: Tensor
    shift: Tensor
    mean: Tensor

    def fold_into(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """Fold gain and shift into a convolution's weight, O×C×3×3, and bias, O; returned in their types.

        The bias corrects the rounding errors of the weight for an input that is the mean everywhere.
        """
        exactly = weight.float()
        scaled = (exactly * self.gain).to(weight.dtype, memory_format=torch.channels_last)
        then = exactly.sum((2, 3)) @ (self.gain * self.mean + self.shift).flatten()
        now = scaled.float().sum((2, 3)) @ self.mean.flatten()
        return scaled, (bias.float() + then - now).to(bias.dtype)


class Decoder(nn.Module):
    """The network that a `DecoderSpec` describes.

    Its input are the encoder's features. Each channel is divided by `scale_<layer>`, its mean activation over
    photographs, so mean activations are 1, as in the encoder of Huang & Belongie 2017. This is the same as rescaling
    the encoder's filters, since a ReLU network is positively homogeneous and AdaIN commutes with scaling channels.
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
        scaled, mapped = (spec.skip if spec.branch == branch else () for branch in ("gain", "matrix"))
        self.gains = nn.ParameterDict({name: torch.full((1, spec.width(name), 1, 1), 0.1) for name in scaled})
        self.branches = nn.ModuleDict({name: nn.Conv2d(spec.width(name), spec.width(name), 1) for name in mapped})
        for parameter in self.branches.parameters():
            nn.init.zeros_(parameter)
        final = cast(Conv, convs[-1]).conv
        with torch.no_grad():  # start near mid-grey: a picture far outside [0, 1] gives no useful gradient
            final.weight.mul_(0.1)
            cast(Tensor, final.bias).fill_(0.5 if spec.output == "linear" else 0.0)
        cell = min(4, spec.stride)
        self.steps = nn.ModuleList(LearnedStep(cell, spec.step_width, first=not n) for n in range(spec.steps))
        for layer in spec.style_layers:
            self.register_buffer(f"scale_{layer}", torch.ones(1, spec.width(layer), 1, 1))

        for parameter in self.parameters():
            if parameter.dim() == 4:  # convolutions on the CPU are fastest in channels-last layout
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)

    def scale(self, layer: str) -> Tensor:
        """The mean activation of each channel of `layer` over photographs, 1×C×1×1."""
        return self.get_buffer(f"scale_{layer}")

    def set_scales(self, scales: Mapping[str, Tensor]) -> None:
        """Store mean activations by layer, 1×C×1×1 each; all have to be positive."""
        for layer in self.spec.style_layers:
            self.scale(layer).copy_(scales[layer])

    def learned_steps(self, count: int) -> tuple[LearnedStep, ...]:
        """Return `count` learned steps to follow the picture; the last is repeated. Empty if the network has none."""
        own = [cast(LearnedStep, step) for step in self.steps]
        return tuple((own + own[-1:] * (count - len(own)))[:count])

    @property
    def cost(self) -> Cost:
        """Peak memory of `paint` in addition to the strips: that of stored features."""
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

        Layers before imposed moments run twice if their output is too large to be stored.
        """
        total, inputs = 0.0, self.spec.width(self.spec.layer)
        for index, widths in enumerate(self.spec.stages):
            pixels = size[0] * size[1] / 4 ** (self.spec.block - 1 - index)
            *inner, last = zip((inputs, *widths), widths, strict=False)
            before = 9 * pixels * sum(i * o for i, o in inner)
            twice = f"relu{self.spec.block - index}_1" in self.spec.inject and last[0] * pixels > values
            total += before * (2 if twice else 1) + 9 * pixels * last[0] * last[1]
            if f"relu{self.spec.block - index}_1" in self.branches:
                total += pixels * last[0] ** 2
            inputs = widths[-1]
        return total

    def forward(self, features: Mapping[str, Tensor], style: Mapping[str, Moments] | None = None) -> Tensor:
        """Invert features to pictures.

        Args:
            features: N×C×h×w by layer, at each of `spec.content_layers`; the encoder's, or transformed.
            style: moments of the encoder's features at each of `spec.inject`; None if there are none.

        Returns:
            N×3×(h·stride)×(w·stride) float32 RGB, nominally in [0, 1], not clamped. The caller pads the photo to
            multiples of `spec.stride` and crops the picture.

        Raises:
            RequestError: a layer or moments are missing, or channels do not match.
        """
        self._check_inputs(features, style)
        spec = self.spec
        x = self._scaled(features[spec.layer], spec.layer)
        for index, stage in enumerate(self.stages):
            name = f"relu{spec.block - index}_1"
            convs = cast(nn.ModuleList, stage)
            for conv in convs[:-1]:
                x = conv(x)
            if style is not None and name in spec.inject:
                x = adain(x, self._rescaled(style[name], name))
            if name in spec.skip:
                x = x + self._branch(self._scaled(features[name], name), name)
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
        """`forward` for one picture of any size, in little more memory than features and picture take.

        The layers run over strips of rows, and the result is that of the whole picture. Imposed moments need those of
        the whole picture. So the layers before them run twice: once to measure, and once to go on. If their output is
        small, it is stored instead.

        Args:
            features: see `forward`. They are removed from the dictionary, so each is freed after use.
            style: see `forward`; with `regions`, a row of moments for each region.
            regions: where each row of moments applies; None means everywhere.
            values: number of values of the widest layer to process at a time.
            keep: largest number of values to store instead of computing them twice; None means `values`.

        Returns:
            See `forward`.
        """
        keep = values if keep is None else keep
        self._check_inputs(features, style)
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
                gain, shift = affine(own, self._rescaled(style[name], name))
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
        """Add a convolution to the chain, with `given` before it and its normalisation and ReLU after it."""
        window = Upsample(conv.convolve_rows) if conv.up else Window(partial(conv.convolve_rows, given=given))
        chain = chain.then(window, channels=conv.conv.out_channels)
        norm = conv.norm
        if isinstance(norm, nn.InstanceNorm2d):
            chain = chain.stored_if_small(keep)
            bias, weight = norm.bias.view(1, -1, 1, 1), norm.weight.view(1, -1, 1, 1)
            # The epsilon of this layer is also that of the moments.
            own = moments_over(chain.strips(), chain.size)
            chain = chain.then(_affine(*affine(own, Moments(bias, weight))))
        elif norm is not None:
            chain = chain.then(Pointwise(lambda x, _: norm(x)))
        return chain.then(Pointwise(lambda x, _: F.relu_(x))) if conv.relu else chain

    def _with_skip(self, features: Tensor, layer: str, x: Tensor, rows: Rows) -> Tensor:
        part = self._scaled(features[:, :, rows[0] : rows[1]], layer)
        worked(part.numel() * part.shape[1] if layer in self.branches else 0)
        return x.add_(self._branch(part, layer))

    def _branch(self, scaled: Tensor, layer: str) -> Tensor:
        """What is added of the features of a layer of `skip`, which are divided by `scale`."""
        if layer in self.branches:
            return self.branches[layer](scaled)
        return scaled * self.gains[layer].to(scaled.dtype)

    def _check_inputs(self, features: Mapping[str, Tensor], style: Mapping[str, Moments] | None) -> None:
        spec = self.spec
        for layer in spec.content_layers:
            if layer not in features or features[layer].shape[1] != spec.width(layer):
                got = features[layer].shape[1] if layer in features else "none"
                raise RequestError(
                    f"this decoder expects {spec.width(layer)} channels of {layer}, got {got}: give it features of "
                    f"{', '.join(spec.content_layers)}, by the encoder it was trained for"
                )
        missing = [name for name in spec.inject if style is None or name not in style]
        if missing:
            raise RequestError(f"this decoder needs the style's moments at {', '.join(missing)}")

    def _scaled(self, features: Tensor, layer: str) -> Tensor:
        return features / self.scale(layer).to(features.dtype)

    def _rescaled(self, style: Moments, layer: str) -> Moments:
        """Divide an encoder's moments by `scale`."""
        scale = self.scale(layer)
        return Moments(style.mean / scale, style.std / scale)


def _affine(gain: Tensor, shift: Tensor, size: Size = (0, 0), regions: Regions | None = None) -> Pointwise:
    """A layer that applies a gain and a shift of each channel. It does not overwrite its input."""
    if regions is None:
        return Pointwise(lambda x, _: (x * gain.to(x.dtype)).add_(shift.to(x.dtype)))
    shares = regions.everywhere(*size)

    def apply(x: Tensor, rows: Rows) -> Tensor:
        here = shares[:, :, rows[0] : rows[1]]
        return (x * mix_by_region(gain, here, x.dtype)).add_(mix_by_region(shift, here, x.dtype))

    return Pointwise(apply)
