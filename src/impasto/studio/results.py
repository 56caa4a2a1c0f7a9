"""`Result`: a painting that is kept in few bytes, and can still be blended, resized and written."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import ImpastoError
from ..painter import Regions, Step
from . import previews
from .previews import EXTENSIONS, Encoded
from .refusals import Refusal, public

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from ..images.picture import Picture
    from ..session.painting import Painting


@dataclass(frozen=True, eq=False)
class Result:
    """A painting with 8 bits a channel.

    Attributes:
        painting: the painting, without the pixels that the other attributes have.
        image: H×W×3 uint8, before strength, colour and masks are applied.
        photo: the photograph at the same size.
        alpha: H×W uint8, or None if the photograph has none.
        coverage: H×W uint8, how much of the painting covers the photograph; None without masks.
    """

    painting: Painting
    image: NDArray[Any]
    photo: NDArray[Any]
    alpha: NDArray[Any] | None
    coverage: NDArray[Any] | None

    @classmethod
    def of(cls, painting: Painting, photo: str) -> Result:
        """Keep a painting.

        Args:
            painting: the painting.
            photo: name of the photograph's file.
        """
        from ..images.geometry import fit, resize

        image = painting.step.image
        height, width = image.shape[2:]
        content = resize(fit(painting.photo.pixels, painting.recipe.size), height, width)
        alpha, regions = painting.photo.alpha, painting.regions
        return cls(
            dataclasses.replace(
                painting,
                step=Step(image[..., :1, :1], *_rest(painting.step)),
                photo=_without_pixels(painting.photo, photo),
                styles=[_without_pixels(style, style.source) for style in painting.styles],
                masks=(),
                regions=None,
            ),
            previews.levels(image),
            previews.levels(content),
            None if alpha is None else _plane(resize(alpha, height, width)),
            None if regions is None else _plane(resize(regions.coverage, height, width)),
        )

    @property
    def bytes(self) -> int:
        """Memory that it takes."""
        return sum(each.nbytes for each in (self.image, self.photo, self.alpha, self.coverage) if each is not None)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        height, width = self.image.shape[:2]
        return width, height

    def start(self) -> Picture:
        """Return the picture to continue painting from."""
        from ..images.picture import Picture

        return Picture(_tensor(self.image), source="the painting so far")

    def encode(
        self,
        format: str,
        *,
        quality: int = 92,
        strength: float | None = None,
        colour: str | None = None,
        longest: int | None = None,
    ) -> Encoded:
        """Write the painting with its recipe.

        Args:
            format: a key of `previews.EXTENSIONS`.
            quality: from 1 to 100.
            strength: see `Painting.finished`.
            colour: see `Painting.finished`.
            longest: most pixels of the longest side.

        Raises:
            Refusal: an argument is wrong.
        """
        if format not in EXTENSIONS or not previews.has(format):
            here = ", ".join(name for name in EXTENSIONS if previews.has(name))
            raise Refusal(422, f"the format is {public(repr(format))}; expected one of {here}")
        try:
            painting = self._whole().finished(strength=strength, colour=colour)
            data = painting.encode(EXTENSIONS[format], quality=quality, longest=longest)
        except ImpastoError as error:
            raise Refusal(422, public(error)) from None
        return Encoded(data, f"image/{format}")

    def _whole(self) -> Painting:
        kept, painting = self.painting, _tensor(self.image)
        alpha = None if self.alpha is None else _tensor(self.alpha[..., None])
        coverage = None if self.coverage is None else _tensor(self.coverage[..., None])
        return dataclasses.replace(
            kept,
            step=Step(painting, *_rest(kept.step)),
            photo=dataclasses.replace(kept.photo, pixels=_tensor(self.photo), alpha=alpha),
            regions=None if coverage is None else Regions(coverage, coverage),
        )


def _rest(step: Step) -> tuple[Any, ...]:
    return step.index, step.total, dict(step.losses), step.note


def _without_pixels(picture: Picture, name: str) -> Picture:
    return dataclasses.replace(picture, pixels=picture.pixels[..., :1, :1].clone(), alpha=None, source=name)


def _plane(values: Tensor) -> NDArray[Any]:
    """1×1×H×W in [0, 1] as H×W uint8."""
    from ..images.picture import quantise

    return quantise(values[0, 0].cpu().numpy())


def _tensor(values: NDArray[Any]) -> Tensor:
    """H×W×C uint8 as 1×C×H×W in [0, 1]."""
    import numpy as np
    import torch

    return torch.from_numpy(values.transpose(2, 0, 1)[None].astype(np.float32) / np.float32(255))
