"""`Painting`: what a method painted, beside its photograph; finished in another way at once, or written."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from ..errors import RequestError
from ..painter import Regions, Step
from ..recipe import Recipe, explain
from .inputs import regions_of

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image
    from torch import Tensor

    from ..images.picture import Picture

FINISHED, INTERRUPTED = "finished", "interrupted"


@dataclass(frozen=True, eq=False)
class Painting:
    """A painted picture, and all it was made of.

    Attributes:
        step: the last one, its image as the method gave it, before strength, colours and masks; 1×3×H×W.
        recipe: what it was painted with, its networks resolved.
        photo: the photograph.
        styles: the style pictures, in the recipe's order.
        masks: of the styles, 1×1×H×W each at its own size; empty where there are none.
        regions: where each style applies; None for everywhere.
        device: it was painted on.
        seconds: it took, networks loaded.
        stopped: why it ended; `FINISHED` where it was painted to its end.

    Example:
        >>> painting = impasto.paint("photo.jpg", "scream.jpg")
        >>> painting.finished(strength=0.6, colour="luminance").save("half.png")
    """

    step: Step
    recipe: Recipe
    photo: Picture
    styles: Sequence[Picture] = ()
    masks: Sequence[Tensor | None] = ()
    regions: Regions | None = None
    device: str = "cpu"
    seconds: float = 0.0
    stopped: str = FINISHED

    @property
    def image(self) -> Tensor:
        """The finished picture, 1×3×H×W float32 RGB in [0, 1]."""
        from ..methods.common.finish import finish

        return finish(self.step.image, self.photo.pixels, self.recipe, self.regions)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        height, width = self.step.image.shape[2:]
        return width, height

    def finished(
        self,
        *,
        strength: float | None = None,
        colour: str | None = None,
        colour_strength: float | None = None,
        feather: float | None = None,
    ) -> Painting:
        """The same painting with other controls, at once; what is None stays as it is.

        Args:
            strength: 0 for the photograph, 1 for the full effect.
            colour: see `Recipe.colour`.
            colour_strength: how far colours follow it, 0 to 1.
            feather: width over which it fades at the border of its masks, of the longest side.

        Raises:
            RequestError: out of range; or coral, which recolours the style before painting.
        """
        asked = {
            "strength": strength,
            "colour": colour,
            "colour_strength": colour_strength,
            "feather": feather,
        }
        changes: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
        before = self.recipe
        try:
            recipe = Recipe(**{name: getattr(before, name) for name in Recipe.model_fields} | changes)
        except ValidationError as error:
            raise explain(error) from None
        if "coral" in (before.colour, recipe.colour) and _colours(before) != _colours(recipe):
            raise RequestError(
                f"colour was {_colours(before)}, and {_colours(recipe)} is asked for: coral recolours the style "
                "before painting; expected another colour, or paint again with it"
            )
        regions = self.regions
        if recipe.feather != before.feather and regions is not None:
            if not self.masks:
                raise RequestError("feather is another, but the regions were given without masks; expected masks")
            regions = regions_of(recipe, self.photo, self.masks)
        return dataclasses.replace(self, recipe=recipe, regions=regions)

    def to_pil(self) -> Image.Image:
        """An 8-bit RGB image; RGBA where the photograph has alpha."""
        from ..images.picture import to_pil

        return to_pil(self.image, self._alpha())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """H×W×3 uint8, or H×W×4 where the photograph has alpha: ``numpy.asarray(painting)``."""
        import numpy as np

        return np.asarray(self.to_pil(), dtype)

    def save(
        self,
        target: str | Path,
        *,
        overwrite: bool = False,
        quality: int = 95,
        bits: int = 8,
        keep_gps: bool = False,
    ) -> None:
        """Write the picture, whole or not at all, with its recipe in it: `impasto replay` paints it again.

        Args:
            target: PNG, JPEG, WebP or TIFF by its ending; ``-`` for PNG on standard output.
            overwrite: replace a file that is there.
            quality: of JPEG and WebP, 1 to 100.
            bits: a channel, 8, or 16 for PNG and TIFF.
            keep_gps: keep where the photograph was taken.

        Raises:
            RequestError: it cannot be written so.
            OutputError: it cannot be written there.
        """
        from .. import __version__
        from ..images.write import check_target, write
        from .provenance import Provenance, inputs_of

        target = str(target)
        check_target(target, overwrite, quality=quality, bits=bits)
        kept = Provenance(
            version=__version__,
            photo=Path(self.photo.source).name if self.photo.sha256 else None,
            device=self.device,
            bits=bits,
            quality=quality,
            keep_gps=keep_gps,
            stopped=None if self.stopped == FINISHED else self.stopped,
            recipe=self.recipe.portable(),
            losses=dict(self.step.losses),
            inputs=inputs_of(self.recipe, self.photo, self.styles),
        )
        write(
            self.image,
            target,
            overwrite=overwrite,
            metadata=kept.stored(),
            alpha=self._alpha(),
            exif=self.photo.exif,
            dpi=self.photo.dpi,
            quality=quality,
            bits=bits,
            keep_gps=keep_gps,
        )

    def _alpha(self) -> Tensor | None:
        from ..images.geometry import resize

        return None if self.photo.alpha is None else resize(self.photo.alpha, *self.step.image.shape[2:])

    def _repr_png_(self) -> Any:
        """As a notebook shows it."""
        import io

        out = io.BytesIO()
        self.to_pil().save(out, "PNG")
        return out.getvalue()


def _colours(recipe: Recipe) -> str:
    return f"{recipe.colour} by {recipe.colour_strength:g}"
