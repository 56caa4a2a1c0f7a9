"""Feed-forward networks as plain data: architecture, styles, output, normalisation."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Self, get_args

from ..errors import RequestError, WeightsError
from ..untrusted import shorten
from .architecture import JOHNSON, Block, parse, stride
from .enlarge import FORMS, Enlarge

Chroma = Literal["sharp", "soft"]
"""Resolution of the convolutions' colour: full, or half as in `impasto.nets.chroma.soften_chroma`."""


@dataclass(frozen=True)
class TransformerSpec:
    """A feed-forward network, described by plain data.

    Attributes:
        architecture: see `impasto.nets.architecture`.
        styles: names of the styles, in the order of the rows of each normalisation.
        output: ``linear``; ``tanh``: ``(150·tanh(x) + 127.5) / 255`` (Johnson et al. 2016); or ``colour``: the output
            is added to the photograph in the style's colours. These are its normalised channels times a matrix plus
            an offset of the style, at first a transfer of mean and deviation (Reinhard et al. 2001). The convolutions
            then only have to learn strokes.
        norm: ``everywhere``: instance normalisation after every convolution but the last (Dumoulin et al. 2017).
            ``encoder``: only before the first residual block, where it removes the photograph's contrast; later
            layers have scale and shift only. A spike in a feature then cannot weaken the rest of it, so the network
            learns none (Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", section 2).
        enlarge: how ``u`` blocks enlarge.
        chroma: ``soft``: the colour of the convolutions' output has half the resolution of its brightness.
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
        """The blocks of `architecture`."""
        return parse(self.architecture)

    @property
    def stride(self) -> int:
        """Sides of pictures have to be multiples of this."""
        return stride(self.blocks)

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
            fields: dict[str, Any] = {**data, "styles": tuple(data["styles"])}
            return cls(**fields)
        except (AttributeError, TypeError, KeyError, ValueError) as error:
            raise WeightsError(f"not a description of a feed-forward network: {shorten(error)}") from None
