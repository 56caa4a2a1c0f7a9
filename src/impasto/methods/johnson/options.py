"""Settings of painting with feed-forward networks. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, field_validator

from ...recipe import GRAIN, Grain, NetShare, Options, SidesUsed, StyleScale
from ...settings import setting


def _shares(value: Any) -> Any:
    """Read ``"great-wave:0.7,the-scream:0.3"``, or a sequence of its parts, as what pydantic validates as shares."""
    parts: Sequence[Any] = value.split(",") if isinstance(value, str) else value
    return tuple(NetShare.parse(part) if isinstance(part, str) else part for part in parts)


class JohnsonOptions(Options):
    """Johnson, Alahi & Fei-Fei 2016, with styles that blend as in Dumoulin et al. 2017."""

    net: Annotated[tuple[NetShare, ...], BeforeValidator(_shares)] = setting(
        "picture",
        default=(NetShare(name="starry-night"),),
        min_length=1,
        description="A style of the gallery, or a network's file, as FILE[#STYLE]. Several are blended by their "
        "weights.",
    )
    style_scale: StyleScale = setting(
        "strokes",
        default=1.0,
        description="Size of strokes as a share of the picture: 1 is one pass at 512 px; 2 paints at 256 px first, "
        "boldly. Larger pictures are painted from that size upwards.",
    )
    grain: Grain = GRAIN

    @field_validator("net")
    @classmethod
    def _sensible(cls, shares: tuple[NetShare, ...]) -> tuple[NetShare, ...]:
        if len({(share.name, share.mask) for share in shares}) < len(shares):
            raise ValueError("the same style is given twice; give it once with the summed weight")
        if sum(share.weight for share in shares) <= 0:
            raise ValueError("the weights sum to 0; give at least one style a positive weight")
        return shares

    @property
    def known_styles(self) -> tuple[NetShare, ...]:
        """The shares of `net`."""
        return self.net

    def with_masks(self, masks: Sequence[str | None]) -> Self:
        """See `Options.with_masks`."""
        pairs = zip(self.net, masks, strict=True)
        return self.model_copy(update={"net": tuple(s.model_copy(update={"mask": mask}) for s, mask in pairs)})

    def sides_used(self, size: int) -> SidesUsed:
        """See `Options.sides_used`."""
        from ..common.scales import scales

        return SidesUsed(max(size, *scales(size, self.style_scale)), 0)

    @property
    def style_name(self) -> str:
        """The styles' names."""
        named = (share.name.rpartition("#") for share in self.net if share.weight)
        return "+".join(style if hash_ else PurePath(style).stem for _, hash_, style in named)
