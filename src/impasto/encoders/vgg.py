"""VGG-16 and VGG-19 as a pure function: (image, layers) -> {layer: features}.

Simonyan & Zisserman 2014, "Very Deep Convolutional Networks for Large-Scale Image Recognition".
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import RequestError
from ..statistics.moments import Gathered, Moments
from ..strips import VALUES, Each, Edges, Halve, Layer, Rows, Size, Window, empty, ranges, run
from ..weights.canonical import VGGWeights
from ..weights.layers import CHANNELS, deepest, layer_names, layer_stride, resolve_layer

Tap = Callable[[Tensor | None], Tensor]
"""Adds a layer's own gradient to the one that comes from deeper layers (None where nothing does).

It may write into the tensor it is given."""

Pullback = Callable[[Mapping[str, Tap]], Tensor]
"""Taps by layer -> gradient with respect to the image, N×3×H×W float32. Callable once."""

_STORED = "pool2"  # kept on the way where a picture is worked on in strips: few values, before the reach grows

_aten = torch.ops.aten

# Copies of the largest layer that a convolution makes (measured): oneDNN lays float32 out anew, bfloat16 not.
_CONVOLVING = {torch.float32: 3.0, torch.bfloat16: 0.5}


class VGG:
    """A fixed VGG; its weights never get gradients.

    Args:
        weights: the convolutions and the preprocessing they want.
        device: where it runs.
        dtype: arithmetic of the convolutions; features come out in it.
        until: deepest layer that will be asked for; deeper weights are not kept.
        **overrides: fields of `EncoderSpec` to change (padding, pooling, pool_gain, pool_ceil, mean, ...).
    """

    def __init__(
        self,
        weights: VGGWeights,
        *,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        until: str | None = None,
        **overrides: Any,
    ) -> None:
        self.spec = dataclasses.replace(weights.spec, **overrides)
        self.source, self.sha256 = weights.source, weights.sha256
        self.device, self.dtype = torch.device(device), dtype
        self._order = layer_names(self.spec.arch)
        last = self._order.index(resolve_layer(until, self.spec.arch)) if until else len(self._order) - 1
        self._params: dict[str, tuple[Tensor, Tensor]] = {}
        self._transposed: dict[str, Tensor] = {}
        for name, (weight, bias) in weights.tensors.items():
            if self._order.index(name) <= last:
                kernel = weight.to(self.device, dtype).contiguous(memory_format=torch.channels_last)
                self._params[name] = (kernel, bias.to(self.device, dtype))
        flip = [2, 1, 0] if self.spec.channels == "bgr" else [0, 1, 2]
        self._flip = torch.tensor(flip, device=self.device)
        shape = (1, 3, 1, 1)
        self._mean = torch.tensor(self.spec.mean, device=self.device).view(shape)
        self._std = torch.tensor(self.spec.std, device=self.device).view(shape)

    def preprocess(self, image: Tensor) -> Tensor:
        """N×3×H×W float32 RGB in [0, 1] -> what the first convolution wants, in float32."""
        return (image.index_select(1, self._flip) * self.spec.scale - self._mean) / self._std

    def __call__(self, image: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        """Features of `image` at canonical `layers`; stops at the deepest one.

        Args:
            image: N×3×H×W float32 RGB, nominally in [0, 1].
            layers: canonical names (`relu4_1`); see `impasto.weights.layers.resolve_layer`.

        Returns:
            N×C×H'×W' tensors in the encoder's dtype, by layer.
        """
        wanted = set(layers)
        found: dict[str, Tensor] = {}
        if not wanted:
            return found
        x = self.preprocess(image).to(self.dtype, memory_format=torch.channels_last)
        for name in self._order:
            if name.startswith("conv"):
                x = self._conv(name, x)
            elif name.startswith("relu"):
                # In place only where the convolution's own output was not asked for.
                x = F.relu(x) if name.replace("relu", "conv") in wanted else F.relu_(x)
            else:
                x = self._pool(x)
            if name in wanted:
                found[name] = x
                if len(found) == len(wanted):
                    return found
        raise RequestError(f"no layer {', '.join(sorted(wanted - set(found)))} in {self.spec.arch}")

    @torch.no_grad()
    def strips(
        self, image: Tensor, layers: Iterable[str], values: int = VALUES
    ) -> Iterator[dict[str, tuple[Rows, Tensor]]]:
        """Features as `__call__` gives them, for a strip of the picture at a time, from the top.

        A strip sees as far beyond itself as the layers do: put together, they are the whole picture's features.

        Args:
            image: N×3×H×W float32 RGB.
            layers: canonical names.
            values: of the first layer's features to work on at a time.

        Yields:
            By layer, the rows of its features that these are, and they.
        """
        wanted = set(layers)
        if not wanted:
            return

        def read(rows: Rows) -> Tensor:
            part = self.preprocess(image[:, :, rows[0] : rows[1]])
            return part.to(self.dtype, memory_format=torch.channels_last)

        size = (image.shape[2], image.shape[3])
        names, chain, sizes = self._chain(size, wanted)
        several = values < size[0] * size[1] * CHANNELS[0]
        if not several or _STORED not in names[:-1]:
            yield from _strips(names, chain, sizes, read, size, wanted, values // CHANNELS[0])
            return
        # The deeper layers reach far: they run over features that are stored, not over the shallow layers again.
        middle = names.index(_STORED) + 1
        stored: Tensor | None = None
        shallow = wanted & set(names[:middle]) | {_STORED}
        for found in _strips(names[:middle], chain[:middle], sizes, read, size, shallow, values // CHANNELS[0]):
            (first, end), features = found[_STORED]
            stored = empty(features, *sizes[_STORED]) if stored is None else stored
            stored[:, :, first:end] = features
            if _STORED not in wanted:
                del found[_STORED]
            yield found
        assert stored is not None
        kept, deep = stored, wanted - shallow
        widest = max(kept.shape[1], *(weight.shape[0] for name, (weight, _) in self._params.items() if name in names))
        yield from _strips(
            names[middle:],
            chain[middle:],
            sizes,
            lambda rows: kept[:, :, rows[0] : rows[1]],
            sizes[_STORED],
            deep,
            values // widest,
            layer_stride(_STORED),
        )

    @torch.no_grad()
    def encode(
        self,
        image: Tensor,
        layers: Iterable[str],
        values: int = VALUES,
        gather: Mapping[str, Gathered] | None = None,
    ) -> dict[str, Tensor]:
        """Features as `__call__` gives them, in little more memory than they themselves take; see `strips`.

        Args:
            image: N×3×H×W float32 RGB.
            layers: canonical names of those to keep.
            values: see `strips`.
            gather: layers whose moments alone are wanted, and what takes them in.
        """
        kept, gather = set(layers), gather or {}
        wanted = kept | set(gather)
        made: dict[str, Tensor] = {}
        sizes = self._chain((image.shape[2], image.shape[3]), wanted)[2] if wanted else {}
        for found in self.strips(image, wanted, values):
            for name, (rows, features) in found.items():
                if name in gather:
                    gather[name].add(features)
                if name not in kept:
                    continue
                if features.shape[2] == sizes[name][0]:
                    made[name] = features
                else:
                    into = made.setdefault(name, empty(features, *sizes[name])) if rows[0] == 0 else made[name]
                    into[:, :, rows[0] : rows[1]] = features
        return made

    def measure(
        self,
        image: Tensor,
        layers: Iterable[str],
        measured: Iterable[str],
        values: int = VALUES,
        correlated: Sequence[str] = (),
    ) -> tuple[dict[str, Tensor], dict[str, Moments]]:
        """A picture's features at some layers, and channel moments of others, whose features are not kept.

        Args:
            image: N×3×H×W float32 RGB.
            layers: whose features to keep.
            measured: whose moments to find.
            values: see `strips`.
            correlated: those of `measured` whose moments come with correlations.
        """
        gather = {layer: Gathered(layer in correlated) for layer in measured}
        features = self.encode(image, layers, values, gather)
        return features, {layer: each.moments() for layer, each in gather.items()}

    def _chain(self, size: Size, wanted: set[str]) -> tuple[tuple[str, ...], list[Layer], dict[str, Size]]:
        """The layers down to the deepest one wanted, what they do, and the sizes they give."""
        unknown = wanted - set(self._order)
        if unknown:
            raise RequestError(f"no layer {', '.join(sorted(unknown))} in {self.spec.arch}")
        names = self._order[: self._order.index(deepest(wanted, self.spec.arch)) + 1]
        chain: list[Layer] = []
        sizes: dict[str, Size] = {}
        for name in names:
            if name.startswith("conv"):
                chain.append(Window(partial(self._conv, name)))
            elif name.startswith("relu"):
                keep = name.replace("relu", "conv") in wanted
                chain.append(Each(_relu if keep else _relu_in_place))
            else:
                chain.append(Halve(self._pool, self.spec.pool_ceil))
            size = chain[-1].size(size)
            sizes[name] = size
        return names, chain, sizes

    @torch.no_grad()
    def vjp(self, image: Tensor, layers: Iterable[str], *, again: bool = False) -> tuple[dict[str, Tensor], Pullback]:
        """Features of `image`, and the function that carries gradients at them back to the image.

        The same result as autograd through `__call__`, in two thirds of its time: the network is a chain and
        its weights are fixed, so the backward pass is a convolution with the flipped kernel, done in place,
        and each loss adds its gradient to the running one instead of making another tensor.

        Args:
            image: N×3×H×W float32 RGB.
            layers: canonical names.
            again: let the function be called more than once. It then keeps what it needs, where it otherwise lets
                each layer's features go as soon as they have served, and is refused a second time.
        """
        wanted = set(layers)
        unknown = wanted - set(self._order)
        if unknown:
            raise RequestError(f"no layer {', '.join(sorted(unknown))} in {self.spec.arch}")
        depth = max(map(self._order.index, wanted), default=-1) + 1
        x = self.preprocess(image).to(self.dtype, memory_format=torch.channels_last)
        features: dict[str, Tensor] = {}
        undo: list[tuple[str, Tap]] = []
        for name in self._order[:depth]:
            before = x
            if name.startswith("conv"):
                x = self._conv(name, x)
                undo.append((name, self._undo_conv(name, before.shape)))
            elif name.startswith("relu"):
                x = F.relu(x) if name.replace("relu", "conv") in wanted else F.relu_(x)
                undo.append((name, _undo_relu(x)))
            else:
                x, step = self._pool_with_undo(before)
                undo.append((name, step))
            if name in wanted:
                features[name] = x

        @torch.no_grad()
        def pullback(taps: Mapping[str, Tap]) -> Tensor:
            gradient: Tensor | None = None
            left = undo.copy() if again else undo
            if depth and not left:
                raise RuntimeError("carried back once already; expected `again` for a second time")
            while left:  # popped, so that each layer's features are freed as soon as they have served
                name, step = left.pop()
                if name in taps:
                    gradient = taps[name](gradient)
                if gradient is not None:
                    gradient = step(gradient)
            if gradient is None:
                return torch.zeros_like(image)
            gradient = gradient.float() * (self.spec.scale / self._std)
            return gradient.index_select(1, self._flip).contiguous()

        return features, pullback

    def channels(self, layer: str) -> int:
        """Channels of a canonical layer's features."""
        last = self._order.index(layer) + 1
        return next(self._params[name][0].shape[0] for name in reversed(self._order[:last]) if name in self._params)

    def bytes_per_pixel(self, layers: Iterable[str]) -> float:
        """Memory that `vjp` needs at its peak, divided by the image's pixels.

        Every convolution's output is kept until the pullback passes it (its ReLU is in place), every pooling's
        output, and where its maxima were. Beside them live copies of the image, and what a convolution works in.
        """
        item = self.dtype.itemsize
        wanted = set(layers)
        total = largest = 0.0
        for name in self._order[: max(map(self._order.index, wanted), default=-1) + 1]:
            area, channels = layer_stride(name) ** 2, self.channels(name)
            # A ReLU is in place only where the convolution's own output was not asked for.
            kept = item * (not name.startswith("relu") or name.replace("relu", "conv") in wanted)
            if name.startswith("pool") and self.spec.pooling == "max":
                kept += torch.int64.itemsize
            total += kept * channels / area
            largest = max(largest, channels * item / area)
        return total + _CONVOLVING[self.dtype] * largest + 4 * 3 * torch.float32.itemsize

    def _kernel_transposed(self, name: str) -> Tensor:
        if name not in self._transposed:
            kernel = self._params[name][0].flip(2, 3).transpose(0, 1)
            self._transposed[name] = kernel.contiguous(memory_format=torch.channels_last)
        return self._transposed[name]

    def _undo_conv(self, name: str, shape: torch.Size) -> Tap:
        kernel = self._kernel_transposed(name)
        pad = self._pad_mode(name, shape)
        if pad is None:
            return lambda gradient: F.conv2d(_given(gradient), kernel, padding=1)
        undo_pad = _aten.reflection_pad2d_backward if pad == "reflect" else _aten.replication_pad2d_backward

        def undo(gradient: Tensor | None) -> Tensor:
            padded = F.conv2d(_given(gradient), kernel, padding=2)
            return undo_pad(padded, padded.new_empty(shape), [1, 1, 1, 1])

        return undo

    def _pool_with_undo(self, x: Tensor) -> tuple[Tensor, Tap]:
        """Pool, with the way back. Max pooling keeps its input (already kept for the ReLU) and the indices."""
        gain, ceil = self.spec.pool_gain, self.spec.pool_ceil
        if min(x.shape[2:]) < 2:
            return x, _given
        if self.spec.pooling == "max":
            y, where = F.max_pool2d(x, 2, ceil_mode=ceil, return_indices=True)

            def undo(gradient: Tensor | None) -> Tensor:
                g = _given(gradient) if gain == 1 else _given(gradient) * gain
                args = ([2, 2], [2, 2], [0, 0], [1, 1], ceil, where)
                return _aten.max_pool2d_with_indices_backward(g, x, *args)

            return (y if gain == 1 else y * gain), undo
        y = self._pool(x)

        def undo_mean(gradient: Tensor | None) -> Tensor:
            g = _given(gradient) * gain
            if self.spec.pooling == "avg":
                return _aten.avg_pool2d_backward(g, x, [2, 2], [2, 2], [0, 0], ceil, True, None)
            # y = gain * sqrt(sum of squares in the window), so dy/dx = gain² x / y
            scaled = g * gain * 4 / y
            return _aten.avg_pool2d_backward(scaled, x, [2, 2], [2, 2], [0, 0], ceil, True, None) * x

        return y, undo_mean

    def _pad_mode(self, name: str, shape: torch.Size) -> str | None:
        """How the input of a convolution is padded beyond zeros; a side of one position cannot be reflected."""
        if self.spec.padding == "reflect":
            return "reflect" if min(shape[2:]) > 1 else "replicate"
        return "replicate" if self.spec.padding == "replicate-first" and name == "conv1_1" else None

    def _conv(self, name: str, x: Tensor, edges: Edges = (True, True)) -> Tensor:
        """The convolution, padded where `x` reaches the picture's upper and lower border."""
        if name not in self._params:
            raise RequestError(f"{self.source} holds no weights for {name}: they end before it")
        weight, bias = self._params[name]
        mode = self._pad_mode(name, x.shape)
        top, bottom = map(int, edges)
        if mode is None:
            made = F.conv2d(x, weight, bias, padding=1)
            return made if top and bottom else made[:, :, 1 - top : made.shape[2] - 1 + bottom]
        return F.conv2d(F.pad(x, (1, 1, top, bottom), mode=mode), weight, bias)

    def _pool(self, x: Tensor) -> Tensor:
        if min(x.shape[2:]) < 2:
            return x  # a picture of a few pixels keeps its last position instead of vanishing
        ceil = self.spec.pool_ceil
        if self.spec.pooling == "max":
            x = F.max_pool2d(x, 2, ceil_mode=ceil)
        elif self.spec.pooling == "avg":
            x = F.avg_pool2d(x, 2, ceil_mode=ceil)
        else:
            x = F.avg_pool2d(x.square(), 2, ceil_mode=ceil).mul(4).clamp_min(1e-12).sqrt()
        return x if self.spec.pool_gain == 1 else x * self.spec.pool_gain


def _strips(
    names: Sequence[str],
    chain: Sequence[Layer],
    sizes: Mapping[str, Size],
    read: Callable[[Rows], Tensor],
    size: Size,
    wanted: set[str],
    positions: int,
    unit: int = 1,
) -> Iterator[dict[str, tuple[Rows, Tensor]]]:
    """See `VGG.strips`: `positions` of an input of `size` at a time, each `unit` pixels of the picture wide."""
    height, width = size

    def step(name: str) -> int:
        return layer_stride(name) // unit

    parts = ranges(height, max(4 * step(names[-1]), positions // width), step(names[-1]))
    # The few rows left over at the bottom may hold none of the deepest layer's.
    if len(parts) > 1 and parts[-1][1] - parts[-1][0] < 2 * step(names[-1]):
        parts[-2:] = [(parts[-2][0], height)]
    for first, end in parts:
        rows: dict[int, Rows] = {}
        for name in wanted:
            rows[names.index(name)] = first // step(name), sizes[name][0] if end == height else end // step(name)
        found = run(chain, read, size, rows)
        yield {names[place]: (rows[place], features) for place, features in found.items()}


def _relu(x: Tensor, _: Rows) -> Tensor:
    return F.relu(x)


def _relu_in_place(x: Tensor, _: Rows) -> Tensor:
    return F.relu_(x)


def _given(gradient: Tensor | None) -> Tensor:
    assert gradient is not None
    return gradient


def _undo_relu(output: Tensor) -> Tap:
    def undo(gradient: Tensor | None) -> Tensor:
        g = _given(gradient)
        return _aten.threshold_backward.grad_input(g, output, 0, grad_input=g)

    return undo
