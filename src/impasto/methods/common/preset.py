"""`Preset`: settings with a name, and what they stand for."""

from __future__ import annotations

from dataclasses import dataclass

from ...recipe import Options


@dataclass(frozen=True)
class Preset:
    """A method's options under a name, with the encoder and size that belong to them."""

    description: str
    options: Options
    encoder: str = "vgg19"
    size: int | None = 512
