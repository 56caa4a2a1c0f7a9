"""`Preset`: settings that have a name."""

from __future__ import annotations

from dataclasses import dataclass

from ...recipe import Options


@dataclass(frozen=True)
class Preset:
    """Options of a method, with the encoder and the size that belong to them.

    Attributes:
        description: what the preset is for, in one line.
        options: the options; those not set keep their defaults.
        encoder: see `Recipe.encoder`.
        size: see `Recipe.size`.
    """

    description: str
    options: Options
    encoder: str = "vgg19"
    size: int | None = 512
