"""`Painting`: the result of a method with all its inputs, to blend with the photograph and to write to a file."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from ..errors import RequestError
from ..painter import Regions, Step
from ..prints import DPI
from ..recipe import Recipe
from ..values import explain
from .inputs import regions_of

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image
    from torch import Tensor

    from ..images.picture import Picture

FINISHED, INTERRUPTED = "finished", "interrupted"


@dataclass(frozen=True, eq=False)
class Painting:
    """A painted picture with everything it was made from.

    Attributes:
        step: the last step. Its image, 1×3×H×W, is the method's own, before strength, colour and masks are applied.
        recipe: what it was painted with; ``nets`` has the sha256 of each network.
        photo: the photograph.
        styles: the style pictures, in the recipe's order.
        masks: one for each style, 1×1×H×W in [0, 1], each of its own size; None means everywhere. Empty if there are
            no masks.
        regions: where each style applies; None means everywhere.
        device: the device it was painted on.
        seconds: how long it took, without loading the networks.
        stopped: why it ended: ``finished``, ``interrupted``, or the reason of an early stop.

    Examples:
        >>> painting = impasto.paint("photo.jpg", "painting.jpg", effort="draft")
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
        """The picture with strength, colour and masks applied, 1×3×H×W float32 RGB in [0, 1].

        Examples:
            >>> tuple(painting.image.shape)
            (1, 3, 384, 512)
        """
        from ..methods.common.finish import finish
        from ..runtime import isolated

        with isolated():
            return finish(self.step.image, self.photo.pixels, self.recipe, self.regions)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels.

        Examples:
            >>> painting.size
            (512, 384)
        """
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
        """Change strength, colour or feather without painting again. An argument that is None keeps its value.

        The arguments are the fields of `Recipe` of the same names.

        Args:
            strength: how much of the painting shows, from 0 (the photograph) to 1.
            colour: ``style``, ``luminance``, ``oklab`` or ``histogram``.
            colour_strength: how far the colours follow `colour`, from 0 to 1.
            feather: width of the soft border of masks, as a fraction of the longest side, from 0 to 1.

        Returns:
            A new painting.

        Raises:
            RequestError: a value is out of range; or ``coral``, which is applied before painting, is given or taken
                away.

        Examples:
            >>> painting.finished(strength=0.5).recipe.strength
            0.5
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
        """Convert to an 8-bit PIL image: RGB, or RGBA if the photograph has an alpha channel.

        Examples:
            >>> painting.to_pil().mode
            'RGB'
        """
        from ..images.picture import to_pil

        image = self.image
        return to_pil(image, _alpha(self.photo, image))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Convert to H×W×3 uint8, or H×W×4 if the photograph has alpha, by ``numpy.asarray(painting)``."""
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
        """Write the picture atomically, with its recipe in the metadata: ``impasto replay`` can paint it again.

        Args:
            target: path that ends in .png, .jpg, .webp, .tif, .avif or .jxl; ``-`` writes PNG to standard output.
            overwrite: replace an existing file.
            quality: quality of JPEG, WebP, AVIF and JPEG XL, 1 to 100.
            bits: bits of a channel: 8, or 16 for PNG, TIFF and JPEG XL.
            keep_gps: keep the place where the photograph was taken.

        Raises:
            RequestError: the ending is unknown, a setting does not fit the format, or the file exists.
            OutputError: the system refuses, for example because the disk is full.

        Examples:
            >>> painting.save("painted.jpg", quality=90)
        """
        from ..images.write import check_target, write

        check_target(target, overwrite, quality=quality, bits=bits)
        image = self.image
        write(image, target, overwrite=overwrite, **_written(self, image, bits, quality, keep_gps=keep_gps))

    def encode(
        self,
        extension: str,
        *,
        quality: int = 95,
        bits: int = 8,
        longest: int | None = None,
        dpi: float | None = None,
    ) -> bytes:
        """Return the bytes of a file such as `save` writes.

        Args:
            extension: of the file, such as ``.png``; it chooses the format.
            quality: see `save`.
            bits: see `save`.
            longest: most pixels of the longest side; a larger picture is made smaller. None keeps its size.
            dpi: pixels per inch that the file states. None states those of the recipe, or of the photograph.

        Raises:
            RequestError: see `save`.

        Examples:
            >>> len(painting.encode(".jpg", quality=50)) < len(painting.encode(".png"))
            True
        """
        from ..images.geometry import fit
        from ..images.write import encode

        image = self.image
        if longest is not None and longest < max(self.size):
            image = fit(image, longest)
        written = _written(self, image, bits, quality)
        if dpi is not None:
            written["dpi"] = (dpi, dpi)
        return encode(image, f"painting{extension}", **written)

    def _repr_png_(self) -> Any:
        """Encode as PNG, for a notebook to show."""
        import io

        out = io.BytesIO()
        self.to_pil().save(out, "PNG")
        return out.getvalue()


def _alpha(photo: Picture, image: Tensor) -> Tensor | None:
    from ..images.geometry import resize

    return None if photo.alpha is None else resize(photo.alpha, *image.shape[2:])


def _written(painting: Painting, image: Tensor, bits: int, quality: int, *, keep_gps: bool = False) -> dict[str, Any]:
    """What a file of `image` has beside it, as arguments of `images.write.write`."""
    from .. import __version__
    from .provenance import Provenance, inputs_of

    dpi = painting.recipe.dpi or (DPI if painting.recipe.print else None)
    kept = Provenance(
        version=__version__,
        photo=Path(painting.photo.source).name if painting.photo.sha256 else None,
        device=painting.device,
        bits=bits,
        quality=quality,
        keep_gps=keep_gps,
        stopped=None if painting.stopped == FINISHED else painting.stopped,
        recipe=painting.recipe.portable(),
        losses=dict(painting.step.losses),
        inputs=inputs_of(painting.recipe, painting.photo, painting.styles),
    )
    return {
        "metadata": kept.stored(),
        "alpha": _alpha(painting.photo, image),
        "exif": painting.photo.exif,
        "dpi": painting.photo.dpi if dpi is None else (dpi, dpi),
        "quality": quality,
        "bits": bits,
        "keep_gps": keep_gps,
    }


def _colours(recipe: Recipe) -> str:
    return f"{recipe.colour} by {recipe.colour_strength:g}"
