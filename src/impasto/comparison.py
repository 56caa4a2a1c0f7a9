"""One photograph painted in several ways, side by side on a sheet. Imports no torch until it paints."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import ImpastoError, ImpastoWarning, RequestError
from .methods import make_recipe, method
from .recipe import Recipe, Style
from .session.inputs import name_styles, open_pictures
from .session.painting import Painting
from .session.session import Session

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

    from .images.picture import Picture
    from .session.inputs import ImageLike

WAYS = ("cascade", "adain", "swap", "gatys:quick")
STRENGTHS = (0.4, 0.7, 1.0)
SIZE = 320
_LARGEST = 512  # pixels of a picture's longest side on the sheet


@dataclass(frozen=True, slots=True)
class Trial:
    """One painting of a comparison, at full strength.

    Attributes:
        label: its method and preset.
        painting: at full strength.
    """

    label: str
    painting: Painting


def compare(
    photo: ImageLike,
    *styles: ImageLike,
    methods: Sequence[str] = WAYS,
    strengths: Sequence[float] = STRENGTHS,
    size: int = SIZE,
    device: str = "auto",
) -> Image.Image:
    """Paint a photograph by several methods and strengths, on one labelled sheet.

    Args:
        photo: whatever `paint` takes.
        styles: whatever `paint` takes; several are mixed.
        methods: a row each, as METHOD or METHOD:PRESET; of johnson, which takes no style picture, as johnson:NET.
        strengths: a column each, 0 to 1.
        size: longest side of each painting in pixels.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.

    Raises:
        RequestError: an unreadable picture, an unknown name, a value out of range.
        ImpastoError: none could be painted. Where only some could not, they are left out with a warning.
    """
    named, sources = name_styles(styles)
    recipes = plan(named, methods, size)
    check_strengths(strengths)
    trials: list[Trial] = []
    failed: ImpastoError | None = None
    with Session(device=device) as session:
        content, pictures = open_pictures(photo, sources, session.read)
        for label, recipe in recipes.items():
            try:
                given = pictures if recipe.styles else None
                trials.append(Trial(label, session.paint(recipe, content, styles=given).done()))
            except ImpastoError as error:
                failed = error
                warnings.warn(f"{label} is left out: {error}", ImpastoWarning, stacklevel=2)
    if failed is not None and not trials:
        raise failed
    return sheet(content, pictures, trials, strengths)


def plan(styles: Sequence[Style], methods: Sequence[str], size: int) -> dict[str, Recipe]:
    """The recipes of a comparison by label, each METHOD, METHOD:PRESET or METHOD:NET of `methods`.

    Raises:
        RequestError: an unknown name, a method that takes no style pictures without its net, or a size out of range.
    """
    if not styles:
        raise RequestError("no style picture; give at least one")
    if not methods or len(set(methods)) < len(methods):
        raise RequestError(f"methods are {', '.join(methods) or 'none'}; expected at least one, each once")
    recipes: dict[str, Recipe] = {}
    for way in methods:
        name, _, more = way.partition(":")
        label = f"{name} {more}".strip()
        if method(name).styles:
            recipes[label] = make_recipe(name, styles, preset=more or None, settings={"size": size})
        elif more:
            recipes[label] = make_recipe(name, settings={"size": size, "net": more})
        else:
            raise RequestError(
                f"{name} takes no style picture, its networks know their styles; expected one of these, as in "
                f"{name}:great-wave"
            )
    return recipes


def check_strengths(strengths: Sequence[float]) -> None:
    """Refuse strengths that no sheet can show."""
    if not strengths or not all(0 <= strength <= 1 for strength in strengths):
        shown = ", ".join(f"{strength:g}" for strength in strengths) or "none"
        raise RequestError(f"strengths are {shown}; expected at least one, each from 0 to 1")


def sheet(
    content: Picture, styles: Sequence[Picture], trials: Sequence[Trial], strengths: Sequence[float]
) -> Image.Image:
    """Photo and styles down the first column, then a row a painting and a column a strength, seconds under each."""
    from PIL import ImageOps

    from .images.contact import PAPER, contact_sheet, on_paper

    width, height = trials[0].painting.size

    def framed(picture: Picture) -> Image.Image:
        """As large as the paintings: a tall style beside wide ones would stretch its whole row."""
        return ImageOps.pad(on_paper(picture.to_pil()), (width, height), color=PAPER)

    inputs = [("the photo", content), *((Path(style.source).stem, style) for style in styles)]
    cells: list[Image.Image | Tensor | None] = []
    labels: list[str] = []
    for row in range(max(len(trials), len(inputs))):
        label, picture = inputs[row] if row < len(inputs) else ("", None)
        labels.append(label)
        cells.append(picture and framed(picture))
        if row < len(trials):
            painting = trials[row].painting
            cells += [painting.finished(strength=strength).image.cpu() for strength in strengths]
            labels += [f"{trials[row].label}, {_seconds(painting.seconds)}"] * len(strengths)
        else:
            cells += [None] * len(strengths)
            labels += [""] * len(strengths)
    return contact_sheet(
        cells,
        columns=1 + len(strengths),
        cell=min(max(height, width), _LARGEST),
        labels=labels,
        headings=["", *(f"strength {strength:g}" for strength in strengths)],
    )


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
