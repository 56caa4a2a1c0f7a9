"""VGG-16 and VGG-19 as a pure function of an image and layers, which returns features by layer.

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
from ..statistics.moments import Moments, RunningMoments
from ..strips import VALUES, Chain, Pointwise, Pool, Rows, Size, StripJoiner, Window, multiply_adds
from ..weights.canonical import layer_size
from ..weights.layers import CHANNELS, layer_stride
from .layers import Layers, Pullback, Tap, undo_relu

_STORED = "pool2"  # stored when a picture is encoded in strips: it has few values, and deeper layers reach far

# Copies of the largest layer that a convolution makes (measured): oneDNN changes the layout of float32.
_CONVOLVING = {torch.float32: 3.0, torch.bfloat16: 0.5}


class VGG(Layers):
    """A fixed VGG; its weights have no gradients.

    Args:
        weights: the convolutions, and their preprocessing.
        device: device to run on.
        dtype: type of the convolutions and of the features.
        until: deepest layer that will be needed; deeper weights are not stored. None stores all.
        **overrides: fields of `EncoderSpec` to change (padding, pooling, pool_gain, pool_ceil, mean, ...).

    Examples:
        >>> features = encoder(picture, ["relu1_1", "relu2_1"])
        >>> tuple(features["relu2_1"].shape)
        (1, 8, 18, 24)
    """

    def __call__(self, image: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        """Compute the features of an image; stops at the deepest layer.

        Args:
            image: N×3×H×W float32 RGB, nominally in [0, 1].
            layers: canonical names, such as ``relu4_1``; see `impasto.weights.layers.resolve_layer`.

        Returns:
            N×C×H'×W' tensors in the encoder's dtype, by layer.

        Raises:
            RequestError: the network has no such layer, or no weights for it.
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
                # In place, unless the convolution's output is wanted too.
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
        """Compute features strip by strip, from the top.

        Each strip is computed from as many extra rows as the layers reach. So together the strips are the features
        of the whole picture.

        Args:
            image: N×3×H×W float32 RGB.
            layers: canonical names.
            values: number of values of the first layer's features to process at a time.

        Yields:
            By layer, the rows of the features, and the features of these rows.
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
            # The deeper layers reach far. They run over stored features, so the shallow layers do not run again.
            yield from self._through(Chain(kept.features, values), names[len(shallow) :], wanted - set(shallow))

    def _through(
        self, chain: Chain, names: Sequence[str], wanted: set[str]
    ) -> Iterator[dict[str, tuple[Rows, Tensor]]]:
        """Add consecutive layers to the chain and run it; yields the outputs of the wanted ones as `strips` does."""
        places: dict[int, str] = {}
        for name in names:
            if name.startswith("conv"):
                chain = chain.then(Window(partial(self.conv, name)), self.channels(name))
            elif name.startswith("relu"):
                keep = name.replace("relu", "conv") in wanted
                chain = chain.then(Pointwise(_relu if keep else _relu_in_place))
            else:
                chain = chain.then(Pool(self.pool_windows, self.spec.pool_ceil))
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
        gather: Mapping[str, RunningMoments] | None = None,
    ) -> dict[str, Tensor]:
        """Compute features in little more memory than they take; see `strips`.

        Args:
            image: N×3×H×W float32 RGB.
            layers: canonical layers to return.
            values: see `strips`.
            gather: layers of which only moments are needed; their features are added to these.

        Returns:
            See `__call__`.
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
        """Compute features at some layers, and channel moments at others.

        Args:
            image: N×3×H×W float32 RGB.
            layers: layers whose features to return.
            measured: layers whose moments to return.
            values: see `strips`.
            correlated: those of `measured` whose moments have correlations.

        Returns:
            Features by layer, and moments by layer.
        """
        gather = {layer: RunningMoments(layer in correlated) for layer in measured}
        features = self.encode(image, layers, values, gather)
        return features, {layer: each.moments() for layer, each in gather.items()}

    def size(self, layer: str, height: int, width: int) -> Size:
        """Height and width of a canonical layer's features, for a picture of `height` × `width`."""
        return layer_size(self.spec, layer, height, width)

    def _prepared(self, part: Tensor, _rows: Rows) -> Tensor:
        """Pixels as the input of the first convolution."""
        return self.preprocess(part).to(self.dtype, memory_format=torch.channels_last)

    @torch.no_grad()
    def vjp(self, image: Tensor, layers: Iterable[str], *, again: bool = False) -> tuple[dict[str, Tensor], Pullback]:
        """Compute features, and a function for their vector-Jacobian product: it takes gradients back to the image.

        The result is that of autograd through `__call__`, in two thirds of the time. The network is a chain with
        fixed weights, so the backward pass consists of convolutions with flipped kernels, and each loss adds its
        gradient to the running one instead of making another tensor.

        Args:
            image: N×3×H×W float32 RGB.
            layers: canonical names.
            again: let the function be called more than once. Otherwise it frees each layer's features after use, and
                a second call raises RuntimeError.

        Returns:
            Features as `__call__` returns them, and the function; see `Pullback`.
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
                raise RuntimeError("the pullback was called twice; expected vjp(..., again=True) for that")
            while left:  # popped, so that each layer's features are freed after use
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
        """Apply a convolution to the whole picture, and count its work."""
        made = self.conv(name, x)
        worked(multiply_adds(x.shape[1], made))
        return made

    def work(self, layers: Iterable[str]) -> float:
        """Multiply-adds of `encode` for each pixel; `vjp` with its backward pass takes twice as many."""
        total, channels = 0.0, 3
        for name in self.until(set(layers)):
            if name.startswith("conv"):
                total += 9 * channels * self.channels(name) / layer_stride(name) ** 2
                channels = self.channels(name)
        return total

    def features_cost(self, layers: Iterable[str]) -> Cost:
        """Memory of the features at some layers."""
        values = sum(self.channels(layer) / layer_stride(layer) ** 2 for layer in layers)
        return Cost.of_pixels(values * self.dtype.itemsize)

    def encode_cost(self, layers: Iterable[str]) -> Cost:
        """Memory of `encode` in addition to the strips: features at these layers, and stored features."""
        return self.features_cost(layers) + self.features_cost([_STORED])

    def vjp_cost(self, layers: Collection[str]) -> Cost:
        """Peak memory of `vjp` for a whole picture.

        The outputs of convolutions (ReLUs are in place) and of poolings, and the indices of maxima, are kept until
        the pullback passes them. Copies of the image and the working memory of a convolution come on top.
        """
        item = self.dtype.itemsize
        total = largest = 0.0
        for name in self.until(layers):
            area, channels = layer_stride(name) ** 2, self.channels(name)
            # A ReLU is in place, unless the convolution's output is wanted too.
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
