"""Decoders as plain data: the layer to invert, the widths, and where moments are imposed.

It covers the mirrored encoder of AdaIN (Huang & Belongie 2017), the normalised inverse networks of style-swap (Chen &
Schmidt 2016), and mirrored decoders that also impose the style's moments at shallower layers, similar to the style
decoration of Avatar-Net (Sheng et al. 2018). Features of shallower layers can enter too, each layer by a branch.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

from torch import Tensor

from ..errors import RequestError, WeightsError
from ..untrusted import shorten
from ..weights.layers import BLOCKS, CHANNELS, layer_stride
from .enlarge import FORMS, Enlarge

LAYERS = ("relu2_1", "relu3_1", "relu4_1")
"""Layers that a decoder can invert."""

Branch = Literal["gain", "matrix"]

_WIDEST, _MOST_CONVOLUTIONS, _MOST_STEPS = 4096, 64, 64  # far beyond any that was trained


@dataclass(frozen=True)
class DecoderSpec:
    """A decoder, described by plain data.

    Attributes:
        layer: the encoder layer to invert.
        stages: output channels of each 3×3 convolution, from deep to shallow. The size doubles between stages, and
            the last convolution has 3 channels.
        padding: padding of the convolutions.
        norm: normalisation before each ReLU.
        transposed: use transposed convolutions of stride 1 instead of plain ones.
        output: linear, or a sigmoid.
        inject: encoder layers whose style moments are imposed, each on the input of the last convolution of its
            stage.
        skip: layers below `layer` whose features, transformed like the deepest ones, are added to the input of the
            last convolution of their stage, after imposed moments. They have the outlines that the deepest layer has
            lost.
        branch: what is learned of each layer of `skip`. ``gain``: a factor for each channel; the layer has to be one
            of `inject`. ``matrix``: a 1×1 convolution with bias, which is zero before training.
        channels: channels of the encoder's blocks, at least up to `layer`.
        enlarge: how the size doubles between stages.
        steps: number of learned steps, which reduce the distance to the given features; see `LearnedStep`.
        step_width: channels inside a learned step.
    """

    layer: str = "relu4_1"
    stages: tuple[tuple[int, ...], ...] = ((256,), (256, 256, 256, 128), (128, 64), (64, 3))
    padding: Literal["reflect", "zeros"] = "reflect"
    norm: Literal["none", "instance", "batch"] = "none"
    transposed: bool = False
    output: Literal["linear", "sigmoid"] = "linear"
    inject: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    branch: Branch = "gain"
    channels: tuple[int, ...] = CHANNELS
    enlarge: Enlarge = "nearest"
    steps: int = 0
    step_width: int = 96

    def __post_init__(self) -> None:
        if self.layer not in LAYERS:
            raise RequestError(f"decoder layer is {self.layer!r}; expected one of {', '.join(LAYERS)}")
        if len(self.stages) != self.block or not all(self.stages) or self.stages[-1][-1] != 3:
            raise RequestError(
                f"decoder stages are {self.stages}; expected {self.block} of them for "
                f"{self.layer}, ending in 3 channels"
            )
        widths = (*self.channels, self.step_width, *(width for stage in self.stages for width in stage))
        if not all(1 <= width <= _WIDEST for width in widths) or sum(map(len, self.stages)) > _MOST_CONVOLUTIONS:
            raise RequestError(
                f"decoder widths are {shorten(widths)}; expected 1 to {_WIDEST}, and at most {_MOST_CONVOLUTIONS} "
                "convolutions"
            )
        if len(self.channels) < self.block:
            raise RequestError(f"decoder channels are {self.channels}; expected at least {self.block} of them")
        if self.steps not in range(_MOST_STEPS + 1):
            raise RequestError(f"decoder steps are {self.steps}; expected 0 to {_MOST_STEPS}")
        if self.enlarge not in FORMS:
            raise RequestError(f"enlarge is {self.enlarge!r}; expected {' or '.join(FORMS)}")
        if self.branch not in get_args(Branch):
            raise RequestError(f"branch is {self.branch!r}; expected {' or '.join(get_args(Branch))}")
        if self.branch == "gain" and set(self.skip) - set(self.inject):
            raise RequestError(
                f"skip is {self.skip} and inject is {self.inject}; expected skip to be a part of inject"
            )
        self._check_layers(self.inject, "style moments cannot be imposed at", "imposing moments there")
        self._check_layers(self.skip, "features cannot be added at", "adding features there")

    def _check_layers(self, names: tuple[str, ...], refusal: str, aim: str) -> None:
        """Check that these layers are below `layer`, and that their stages have as many channels."""
        below = [f"relu{block}_1" for block in range(1, self.block)]
        for name in names:
            if name not in below or names.count(name) > 1:
                raise RequestError(f"{refusal} {shorten(repr(name))}; expected some of {', '.join(below)}, each once")
            widths = self.stages[self.block - int(name[4])]
            if len(widths) < 2 or widths[-2] != self.width(name):
                raise RequestError(
                    f"the stage of {name} has widths {widths}; {aim} needs {self.width(name)} "
                    "channels before its last convolution"
                )

    @property
    def block(self) -> int:
        """Encoder block of `layer`, which is also the number of stages."""
        return int(self.layer[4])

    @property
    def stride(self) -> int:
        """Pixels of the picture for each position of the features, along a side."""
        return layer_stride(self.layer)

    @property
    def grid(self) -> int:
        """Period in pixels of the lattice that the last two enlargements leave; see `remove_lattice`."""
        return min(4, self.stride)

    @property
    def style_layers(self) -> tuple[str, ...]:
        """Layers whose moments are needed: `layer`, those of `inject`, then those of `skip` alone."""
        return (self.layer, *self.inject, *(name for name in self.skip if name not in self.inject))

    @property
    def content_layers(self) -> tuple[str, ...]:
        """Layers whose transformed features are the input: `layer`, then those of `skip`."""
        return (self.layer, *self.skip)

    def width(self, layer: str) -> int:
        """Channels of an encoder layer."""
        return self.channels[int(layer[4]) - 1]

    def to_json(self) -> dict[str, Any]:
        """Convert to plain data for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what `to_json` gave.

        Raises:
            WeightsError: fields are missing, unknown or do not fit together.
        """
        try:
            fields = {**data}
            fields["stages"] = tuple(tuple(int(n) for n in stage) for stage in fields["stages"])
            fields["channels"] = tuple(int(n) for n in fields["channels"])
            for name in ("inject", "skip"):
                fields[name] = tuple(fields[name])
            return cls(**fields)
        except (AttributeError, TypeError, KeyError, ValueError, OverflowError) as error:
            raise WeightsError(f"not a description of a decoder: {shorten(error)}") from None


def mirror(layer: str = "relu4_1", channels: tuple[int, ...] = CHANNELS, **overrides: Any) -> DecoderSpec:
    """Make the mirror image of the VGG-19 encoder up to `layer`.

    Args:
        layer: the encoder layer to invert.
        channels: channels of the encoder's blocks.
        **overrides: other fields of `DecoderSpec`.
    """
    block = int(layer[4]) if layer in LAYERS else 4
    counts = BLOCKS["vgg19"]
    stages: list[tuple[int, ...]] = []
    for b in range(block, 0, -1):
        # The first stage has only the mirror image of the block's first convolution.
        same = (channels[b - 1],) * ((1 if b == block else counts[b - 1]) - 1)
        stages.append((*same, channels[b - 2] if b > 1 else 3))
    fields: dict[str, Any] = {"layer": layer, "stages": tuple(stages), "channels": channels, **overrides}
    return DecoderSpec(**fields)


def tail(spec: DecoderSpec, weights: Mapping[str, Tensor], layer: str) -> tuple[DecoderSpec, dict[str, Tensor]]:
    """Cut off the part of a decoder after the imposed moments of a shallower layer: a decoder of that layer.

    Raises:
        RequestError: the decoder imposes no moments there.
    """
    if layer not in spec.inject or layer not in LAYERS:
        raise RequestError(
            f"a decoder from {spec.layer} with moments imposed at {spec.inject} has no part for {layer}"
        )
    first = spec.block - int(layer[4])
    at = len(spec.stages[first]) - 1  # the last convolution of that stage
    kept = dataclasses.replace(
        spec,
        layer=layer,
        stages=(spec.stages[first][at:], *spec.stages[first + 1 :]),
        inject=tuple(name for name in spec.inject if name < layer),
        skip=tuple(name for name in spec.skip if name < layer),
    )
    moved: dict[str, Tensor] = {}
    for name, value in weights.items():
        kind, *where = name.split(".")
        if kind == "stages":
            stage, place = int(where[0]) - first, int(where[1])
            if stage > 0 or (stage == 0 and place >= at):
                where[:2] = str(stage), str(place - at if stage == 0 else place)
                moved[".".join((kind, *where))] = value
        elif kind in ("gains", "branches"):
            if where[0] in kept.skip:
                moved[name] = value
        elif kind.removeprefix("scale_") in kept.style_layers:
            moved[name] = value
    return kept, moved
