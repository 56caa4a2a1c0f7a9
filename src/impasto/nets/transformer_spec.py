"""Feed-forward networks as plain data: architecture, styles, output, normalisation."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Self, get_args

from ..errors import RequestError, WeightsError
from .architecture import JOHNSON, Block, parse, stride
from .enlarge import FORMS, Enlarge

Chroma = Literal["sharp", "soft"]
"""Of what the convolutions paint: as fine as its luma, or half as fine; see `impasto.nets.chroma.softened`."""


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
