"""VGG-16 and VGG-19 as a pure function: (image, layers) -> {layer: features}.

Simonyan & Zisserman 2014, "Very Deep Convolutional Networks for Large-Scale Image Recognition".
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from ..control import worked
from ..errors import RequestError
from ..memory import PICTURE, Cost
from ..statistics.moments import Gathered, Moments
from ..strips import VALUES, Chain, Pointwise, Pool, Rows, Size, StripJoiner, Window, multiply_adds
from ..weights.canonical import layer_size
from ..weights.layers import CHANNELS, layer_stride
from .layers import Layers, Pullback, Tap, undo_relu

_STORED = "pool2"  # kept on the way where a picture is worked on in strips: few values, before the reach grows

# Copies of the largest layer that a convolution makes (measured): oneDNN lays float32 out anew, bfloat16 not.
_CONVOLVING = {torch.float32: 3.0, torch.bfloat16: 0.5}


class VGG(Layers):
    """A fixed VGG; its weights never get gradients.

    Args:
        weights: the convolutions and the preprocessing they want.
        device: where it runs.
        dtype: arithmetic of the convolutions; features come out in it.
        until: deepest layer that will be asked for; deeper weights are not kept.
        **overrides: fields of `EncoderSpec` to change (padding, pooling, pool_gain, pool_ceil, mean, ...).
    """

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
        for name in self.order:
            if name.startswith("conv"):
                x = self._counted(name, x)
            elif name.startswith("relu"):
                # In place only where the convolution's own output was not asked for.
                x = F.relu(x) if name.replace("relu", "conv") in wanted else F.relu_(x)
            else:
                x = self.pool(x)
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
        names = self.until(wanted)
        several = values < image.shape[2] * image.shape[3] * CHANNELS[0]
        shallow = names[: names.index(_STORED) + 1] if several and _STORED in names[:-1] else names
        chain = Chain(image, values).then(Pointwise(self._prepared))
        kept = None
        for found in self._through(chain, shallow, wanted | {shallow[-1]}):
            if shallow is not names:
                kept = kept or StripJoiner(self.size(_STORED, image.shape[2], image.shape[3]))
                kept.add(*found[_STORED])
            if shallow[-1] not in wanted:
                del found[shallow[-1]]
            yield found
        if kept is not None:
            # The deeper layers reach far: they run over features that are stored, not over the shallow layers again.
            yield from self._through(Chain(kept.features, values), names[len(shallow) :], wanted - set(shallow))

    def _through(
        self, chain: Chain, names: Sequence[str], wanted: set[str]
    ) -> Iterator[dict[str, tuple[Rows, Tensor]]]:
        """The chain through some layers in a row, and what those wanted of them give."""
        places: dict[int, str] = {}
        for name in names:
            if name.startswith("conv"):
                chain = chain.then(Window(partial(self.conv, name)), self.channels(name))
            elif name.startswith("relu"):
                keep = name.replace("relu", "conv") in wanted
                chain = chain.then(Pointwise(_relu if keep else _relu_in_place))
            else:
                chain = chain.then(Pool(self.pooled, self.spec.pool_ceil))
            if name in wanted:
                places[len(chain.layers) - 1] = name
        for found in chain.strips_of(places):
            yield {places[place]: part for place, part in found.items()}

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
        made: dict[str, StripJoiner] = {}
        for found in self.strips(image, kept | set(gather), values):
            for name, (rows, features) in found.items():
                if name in gather:
                    gather[name].add(features)
                if name in kept:
                    whole = made.setdefault(name, StripJoiner(self.size(name, image.shape[2], image.shape[3])))
                    whole.add(rows, features)
        return {name: whole.features for name, whole in made.items()}

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

    def size(self, layer: str, height: int, width: int) -> Size:
        """Height and width of a canonical layer's features, of a picture of `height` × `width`."""
        return layer_size(self.spec, layer, height, width)

    def _prepared(self, part: Tensor, _rows: Rows) -> Tensor:
        """Pixels as the first convolution works on them."""
        return self.preprocess(part).to(self.dtype, memory_format=torch.channels_last)

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
        names = self.until(wanted)
        x = self.preprocess(image).to(self.dtype, memory_format=torch.channels_last)
        features: dict[str, Tensor] = {}
        undo: list[tuple[str, Tap]] = []
        for name in names:
            before = x
            if name.startswith("conv"):
                x = self._counted(name, x)
                undo.append((name, self.undo_conv(name, before.shape)))
            elif name.startswith("relu"):
                x = F.relu(x) if name.replace("relu", "conv") in wanted else F.relu_(x)
                undo.append((name, undo_relu(x)))
            else:
                x, step = self.pool_with_undo(before)
                undo.append((name, step))
            if name in wanted:
                features[name] = x

        @torch.no_grad()
        def pullback(taps: Mapping[str, Tap]) -> Tensor:
            gradient: Tensor | None = None
            left = undo.copy() if again else undo
            if names and not left:
                raise RuntimeError("carried back once already; expected `again` for a second time")
            while left:  # popped, so that each layer's features are freed as soon as they have served
                name, step = left.pop()
                if name in taps:
                    gradient = taps[name](gradient)
                if gradient is not None:
                    channels = gradient.shape[1]
                    gradient = step(gradient)
                    worked(multiply_adds(channels, gradient) if name.startswith("conv") else 0)
            if gradient is None:
                return torch.zeros_like(image)
            gradient = gradient.float() * (self.spec.scale / self.std)
            return gradient.index_select(1, self.flip).contiguous()

        return features, pullback

    def _counted(self, name: str, x: Tensor) -> Tensor:
        """The convolution of a whole picture, counted as work."""
        made = self.conv(name, x)
        worked(multiply_adds(x.shape[1], made))
        return made

    def work(self, layers: Iterable[str]) -> float:
        """Multiply-adds a pixel of `encode`; `vjp` and its way back take twice as many."""
        total, channels = 0.0, 3
        for name in self.until(set(layers)):
            if name.startswith("conv"):
                total += 9 * channels * self.channels(name) / layer_stride(name) ** 2
                channels = self.channels(name)
        return total

    def features_cost(self, layers: Iterable[str]) -> Cost:
        """Memory that features at some layers take."""
        values = sum(self.channels(layer) / layer_stride(layer) ** 2 for layer in layers)
        return Cost.of_pixels(values * self.dtype.itemsize)

    def encode_cost(self, layers: Iterable[str]) -> Cost:
        """Memory that `encode` takes beside the strips: features at these layers, and those stored on the way."""
        return self.features_cost(layers) + self.features_cost([_STORED])

    def vjp_cost(self, layers: Collection[str]) -> Cost:
        """Memory that `vjp` needs at its peak, for a picture that is encoded whole.

        Every convolution's output is kept until the pullback passes it (its ReLU is in place), every pooling's
        output, and where its maxima were. Beside them live copies of the image, and what a convolution works in.
        """
        item = self.dtype.itemsize
        total = largest = 0.0
        for name in self.until(layers):
            area, channels = layer_stride(name) ** 2, self.channels(name)
            # A ReLU is in place only where the convolution's own output was not asked for.
            kept = item * (not name.startswith("relu") or name.replace("relu", "conv") in layers)
            if name.startswith("pool") and self.spec.pooling == "max":
                kept += torch.int64.itemsize
            total += kept * channels / area
            largest = max(largest, channels * item / area)
        return Cost.of_pixels(total + _CONVOLVING[self.dtype] * largest) + 4 * PICTURE


def _relu(x: Tensor, _: Rows) -> Tensor:
    return F.relu(x)


def _relu_in_place(x: Tensor, _: Rows) -> Tensor:
    return F.relu_(x)
