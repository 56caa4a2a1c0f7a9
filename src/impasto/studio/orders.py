"""A request for a painting, and the recipe and pictures that it stands for."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import ImpastoError, RequestError, near_misses
from ..methods import make_recipe, method
from ..methods.effort import EFFORTS, check_shared, way
from ..recipe import NetShare, Recipe, Style
from ..values import explain
from .clips import clip_of
from .limits import Limits
from .pictures import Upload
from .recipes import OWN, check_names
from .refusals import Refusal, public

if TYPE_CHECKING:
    from PIL import Image

    from ..images.picture import Picture

GALLERY, DRAWN = "johnson", 512  # the method of the gallery; pixels of a drawn style
_IN_MEMORY = "in memory"  # end of the name of a mask, which is no file
_OTHER = frozenset({"nets", "method", "options", "styles", "version"})

Identifier = Annotated[str, Field(min_length=1, max_length=64)]
Share = Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StyleChoice(_Request):
    """One style of a request: a name, or a picture that was sent."""

    name: Annotated[str, Field(min_length=1, max_length=100)] | None = Field(
        default=None, description="Name of a style of the gallery, or of a drawn style."
    )
    picture: Identifier | None = Field(default=None, description="Id of a picture that was sent, instead of a name.")
    weight: Share = Field(default=1.0, description="Weight of this style among several.")
    mask: Identifier | None = Field(default=None, description="Id of a picture: the style applies where it is white.")


class Start(_Request):
    """The job whose painting is continued."""

    job: Identifier


class FilmChoice(_Request):
    """How a clip is painted."""

    steady: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = Field(
        default=0.95, description="From 0, each frame by itself, to 1, strokes stay with things for seconds."
    )
    sound: bool = Field(default=True, description="Copy the sound.")


class PaintRequest(_Request):
    """What to paint, and how."""

    photo: Identifier = Field(description="Id of the photograph, a picture that was sent.")
    styles: Annotated[list[StyleChoice], Field(min_length=1, max_length=8)]
    effort: str | None = Field(default=None, max_length=32, description="draft, quick, fine or best.")
    boldness: float | None = Field(default=None, description="From 0, every detail of the photo, to 1, large forms.")
    method: str | None = Field(default=None, max_length=64, description="A method, instead of effort and boldness.")
    preset: str | None = Field(default=None, max_length=64, description="A preset of the method.")
    settings: dict[str, Any] = Field(default_factory=dict[str, Any], max_length=100, description="Settings by name.")
    size: int | None = Field(default=None, description="Longest side in pixels.")
    print: str | None = Field(default=None, max_length=32, description="Size of a print, such as 40x30cm or A4.")
    dpi: float | None = Field(default=None, description="Pixels per inch of the print.")
    start: Start | None = Field(default=None, description="Job whose painting is continued.")
    film: FilmChoice | None = Field(default=None, description="Paint the whole clip whose id the photo is.")
    keep: bool = Field(default=False, description="Go on painting if nobody watches any more.")


class PrintRequest(_Request):
    """How large an ended job is painted again."""

    print: str | None = Field(default=None, max_length=32, description="Size of the print, such as 40x30cm or A4.")
    dpi: float | None = Field(default=None, description="Pixels per inch of the print.")
    size: int | None = Field(default=None, description="Longest side in pixels, instead of a print.")
    keep: bool = Field(default=False, description="Go on painting if nobody watches any more.")


def parse(model: type[_Request], data: Any) -> Any:
    """Check a request.

    Raises:
        Refusal: a field is missing, unknown or out of range.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise Refusal(422, public(explain(error))) from None


@dataclass(frozen=True, eq=False)
class Order:
    """A painting to be made.

    Attributes:
        recipe: what it is painted with.
        photo: the photograph.
        styles: what makes each style picture; none if networks know the styles.
        masks: files of the masks, one for each style; None if there are none.
        start: what makes the painting to continue from, or None.
        film: how the clip of the photograph is painted; None paints the photograph.
    """

    recipe: Recipe
    photo: Upload
    styles: Sequence[Callable[[], Any]]
    masks: Sequence[bytes | None] | None
    start: Callable[[], Picture] | None = None
    film: FilmChoice | None = None


def make_order(
    request: PaintRequest,
    find: Callable[[str], Upload],
    limits: Limits,
    start: Callable[[], Picture] | None = None,
) -> Order:
    """Make an order of a request.

    Args:
        request: the request.
        find: finds a picture of the session by its id.
        limits: of the studio.
        start: makes the painting to continue from.

    Raises:
        Refusal: a picture is missing, a setting is wrong, or a name stands for nothing that is shipped.
    """
    photo = find(request.photo)
    if request.film is not None:
        request = _for_film(request, photo)
    known = [_is_gallery(choice) for choice in request.styles]
    if any(known) and not all(known):
        raise Refusal(
            422,
            "styles of the gallery and pictures are asked for together; expected one kind: networks know the styles "
            "of the gallery, and take no picture",
        )
    masks = [None if choice.mask is None else find(choice.mask).data for choice in request.styles]
    chosen = _choose(request, gallery=known[0])
    try:
        if known[0]:
            styles, sources = [], []
            chosen["settings"]["net"] = tuple(
                NetShare(name=choice.name or "", weight=choice.weight, mask=_mask_name(choice, number))
                for number, choice in enumerate(request.styles, 1)
            )
        else:
            styles, sources = _style_pictures(request.styles, find)
        recipe = make_recipe(
            chosen["method"], styles, preset=chosen["preset"], settings=chosen["settings"], exact_preset=False
        )
    except ValidationError as error:
        raise Refusal(422, public(explain(error))) from None
    except ImpastoError as error:
        raise Refusal(422, public(error)) from None
    own = [*(style.path for style in styles), *(part.mask for part in recipe.parts if part.mask)]
    check_names(recipe, own)
    _check_size(recipe, photo, limits.max_size if request.film is None else limits.clip_size)
    files = masks if any(mask is not None for mask in masks) else None
    return Order(recipe, photo, sources, files, start, request.film)


def _for_film(request: PaintRequest, photo: Upload) -> PaintRequest:
    """Check a request for a clip, which is painted in one pass unless something else is asked for.

    Raises:
        Refusal: the photograph is of no clip, or something is asked for that clips have not.
    """
    clip_of(photo)
    for name in ("print", "dpi", "start"):
        if getattr(request, name) is not None or name in request.settings:
            raise Refusal(422, f"{name} belongs to single pictures; expected a clip without it: leave it out")
    if request.effort is None and request.method is None:
        return request.model_copy(update={"effort": EFFORTS[0]})
    return request


def _is_gallery(choice: StyleChoice) -> bool:
    """Whether a style is of the gallery.

    Raises:
        Refusal: it has neither name nor picture, or both, or an unknown name.
    """
    from ..demo.styles import STYLES
    from ..methods.johnson.gallery import gallery

    if (choice.name is None) == (choice.picture is None):
        raise Refusal(422, "a style has a name and a picture, or neither; expected one of them")
    if choice.name is None or choice.name in STYLES:
        return False
    if choice.name not in gallery():
        known = [*gallery(), *STYLES]
        hint = near_misses(choice.name, known) or ": see the list of styles"
        raise Refusal(422, f"there is no style {public(repr(choice.name))}; expected one of {len(known)}{hint}")
    return True


def _choose(request: PaintRequest, *, gallery: bool) -> dict[str, Any]:
    """Return method, preset and settings of a request.

    Raises:
        Refusal: settings are wrong, or contradict each other.
    """
    settings = {**request.settings}
    reserved = sorted(name for name in settings if name in OWN | _OTHER or (gallery and name == "net"))
    if reserved:
        raise Refusal(
            422, f"{reserved[0]} is given as a setting; expected it to be left to the studio, or its own field"
        )
    for name in ("size", "print", "dpi"):
        if (value := getattr(request, name)) is not None:
            settings[name] = value
    preset, named = request.preset, request.method
    if gallery and named is None:
        named = GALLERY
        if request.boldness is not None and "style_scale" not in settings:
            settings["style_scale"] = way("draft", _checked_boldness(request.boldness)).settings["style_scale"]
    elif named is None:
        try:
            check_shared([*settings, *(["preset"] if preset is not None else [])])
            named, preset, ours = way(request.effort, request.boldness)
        except RequestError as error:
            raise Refusal(422, public(error)) from None
        settings = {**ours, **settings}
    elif request.effort is not None or request.boldness is not None:
        raise Refusal(
            422, f"effort and boldness choose a method, and {named} is given beside them; expected one or the other"
        )
    if gallery and method(named).styles:
        raise Refusal(
            422, f"{named} takes style pictures; expected a picture or a drawn style, not a network's style"
        )
    return {"method": named, "preset": preset, "settings": settings}


def _checked_boldness(boldness: float) -> float:
    try:
        way("draft", boldness)
    except RequestError as error:
        raise Refusal(422, public(error)) from None
    return boldness


def _style_pictures(
    choices: Sequence[StyleChoice], find: Callable[[str], Upload]
) -> tuple[list[Style], list[Callable[[], Any]]]:
    """Return the styles for a recipe, and what makes the picture of each."""
    styles: list[Style] = []
    sources: list[Callable[[], Any]] = []
    for number, choice in enumerate(choices, 1):
        if choice.picture is None:
            name, source = choice.name or "", _drawer(choice.name or "")
        else:
            upload = find(choice.picture)
            name, source = upload.name, _file_of(upload)
        while any(style.path == name for style in styles):
            name = f"{number} {name}"
        styles.append(Style(path=name, weight=choice.weight, mask=_mask_name(choice, number)))
        sources.append(source)
    return styles, sources


def _mask_name(choice: StyleChoice, number: int) -> str | None:
    return None if choice.mask is None else f"mask {number} {_IN_MEMORY}"


def _file_of(upload: Upload) -> Callable[[], Any]:
    return lambda: upload.data


def _drawer(name: str) -> Callable[[], Any]:
    return lambda: drawn(name)


_drawing: dict[str, threading.Lock] = defaultdict(threading.Lock)


def drawn(name: str, size: int = DRAWN) -> Image.Image:
    """Draw a style, or return it as it was drawn before. Threads that want the same style wait for one another."""
    with _drawing[name]:
        return _draw(name, size)


@lru_cache(maxsize=16)
def _draw(name: str, size: int) -> Image.Image:
    from ..demo.styles import draw

    return draw(name, size)


def _check_size(recipe: Recipe, photo: Upload, most: int) -> None:
    """Check that a painting is not larger than the studio allows.

    Raises:
        Refusal: it is.
    """
    from ..session.printing import size_of_print

    try:
        longest = max(size_of_print(recipe, photo.size)) if recipe.print else recipe.size or max(photo.size)
    except ImpastoError as error:
        raise Refusal(422, public(error)) from None
    if longest > most:
        raise Refusal(
            422,
            f"the painting has {longest} pixels on its longest side; expected at most {most}: make size, "
            "print or dpi smaller",
        )


def enlarged(request: PaintRequest, wanted: PrintRequest, job: str) -> PaintRequest:
    """Return the request for a larger painting that continues an ended job.

    Args:
        request: of the ended job.
        wanted: how large.
        job: id of the ended job.

    Raises:
        Refusal: it is not said how large, or twice.
    """
    if (wanted.print is None) == (wanted.size is None):
        raise Refusal(422, "the print has a size in pixels and one of paper, or neither; expected one of them")
    settings: Mapping[str, Any] = {
        name: value for name, value in request.settings.items() if name not in ("size", "print", "dpi", "print_crop")
    }
    changes = {"size": wanted.size, "print": wanted.print, "dpi": wanted.dpi, "start": Start(job=job)}
    return request.model_copy(update={**changes, "settings": dict(settings), "keep": wanted.keep})
