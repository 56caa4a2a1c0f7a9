"""`read`, `bind` and `paint`: the library's main functions. torch is imported when one of them is called."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from .errors import ImpastoError, RequestError
from .methods import make_recipe
from .methods.effort import check_shared, way
from .painter import Regions, Step
from .recipe import Recipe

if TYPE_CHECKING:
    from .control import Cancel, Watch
    from .images.picture import Picture
    from .session.inputs import ImageLike, Masks
    from .session.painting import Painting
    from .session.session import BoundPainter, Session

_sessions: dict[str, Session] = {}


def read(source: ImageLike) -> Picture:
    """Read a picture: upright, in sRGB, at its full bit depth. Of an animation, the first frame is read.

    Args:
        source: a path; ``"-"`` for standard input; the bytes of a file, or an open file; a PIL image; an array H×W,
            H×W×3 or H×W×4 of bool, uint8, uint16, or float in [0, 1]; a tensor 1×3×H×W, 3×H×W or H×W of bool, uint8,
            or float in [0, 1]; or a `Picture`, which is returned.

    Returns:
        A `Picture`. Its ``pixels`` are 1×3×H×W float32 RGB in [0, 1]; its ``size`` is width and height in pixels.

    Raises:
        ImageError: the picture is missing, unreadable, damaged, or larger than 400 megapixels.

    Examples:
        >>> impasto.read("photo.jpg").size
        (48, 36)
    """
    from .images.read import read

    return read(source)


def bind(recipe: Recipe, *, device: str = "auto", styles: Sequence[ImageLike] | None = None) -> BoundPainter:
    """Load the networks and styles of a recipe onto a device, to paint any number of photographs.

    Args:
        recipe: what to paint with; `make_recipe` makes one.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``; ``auto`` takes the fastest that is there.
        styles: pictures to use instead of the files that the recipe names, in the same order and of the kinds that
            `read` takes.

    Returns:
        A `BoundPainter`. Call its ``paint`` with each photograph.

    Raises:
        RequestError: a file, a network or the device is missing, or the settings contradict each other.

    Examples:
        >>> painter = impasto.bind(impasto.make_recipe("adain", [impasto.Style(path="painting.jpg")]))
        >>> painter.paint("photo.jpg").done().save("painted.png")
    """
    from .session.session import Session

    return Session(device=device, cache=0).bind(recipe, styles=styles)


def read_regions(recipe: Recipe, photo: Picture, masks: Masks | None = None) -> Regions | None:
    """Read the masks of a recipe, which say where each style applies on a photograph.

    A mask of another size is resized to the photograph. If its proportions differ too, there is a warning.

    Args:
        recipe: its styles name the masks.
        photo: the photograph. Its alpha channel is the mask that a recipe calls ``alpha``.
        masks: pictures to use instead of the recipe's masks, one for each style; None in the list means everywhere.

    Returns:
        The regions of the styles; None if there are no masks.

    Raises:
        RequestError: a mask is unreadable or entirely black, or is the alpha channel of a photo that has none.
    """
    from .session.inputs import read_masks, regions_of

    return regions_of(recipe, photo, read_masks(recipe, photo, masks, read))


def last(steps: Iterable[Step]) -> Step:
    """Run a painting to its end and return the last step, which holds the result.

    Raises:
        ImpastoError: there is no step.
    """
    tail = deque(steps, maxlen=1)
    if not tail:
        raise ImpastoError("the painting has no steps; expected at least one")
    return tail[0]


def paint(
    photo: ImageLike,
    *styles: ImageLike,
    effort: str | None = None,
    boldness: float | None = None,
    method: str | None = None,
    preset: str | None = None,
    exact_preset: bool = False,
    masks: Masks | None = None,
    start: ImageLike | None = None,
    device: str = "auto",
    cancel: Cancel | None = None,
    watch: Watch | None = None,
    **settings: Any,
) -> Painting:
    """Paint a photograph in the style of one or more pictures. Networks stay loaded from one call to the next.

    Args:
        photo: the photograph; see `read` for the kinds.
        styles: the style pictures, of the same kinds. A path may carry a weight and a mask, as in
            ``"scream.jpg:0.3@sky.png"``.
        effort: how much time it may take: ``draft``, ``quick`` (the default), ``fine`` or ``best``.
        boldness: from 0, which keeps every detail of the photo, to 1, which keeps large forms only; 0.5 by default.
        method: one of `METHODS`, instead of effort and boldness.
        preset: the name of one of the method's presets.
        exact_preset: refuse to paint if the preset's encoder is not on this machine. Otherwise the installed one
            takes its place, with a warning.
        masks: where each style applies, white or 1 for fully, instead of the masks in the paths: one for each style,
            of the kinds that `read` takes; None in the list means everywhere. A single one may be given alone.
        start: a picture with the photo's proportions, from which painting continues.
        device: see `bind`.
        cancel: an object with ``is_set()``, such as a `threading.Event`. Painting stops within about a second after
            it is set.
        watch: a function that is called with a `Progress` as the work goes on.
        **settings: fields of `Recipe`, such as ``size``, ``colour`` and ``seed``. With `method` also fields of its
            options.

    Returns:
        The `Painting`: ``save(path)`` writes it, ``to_pil()`` converts it, ``finished(strength=0.5)`` blends it with
        the photo.

    Raises:
        RequestError: a picture is unreadable, a name is unknown, or a value is out of range.
        Cancelled: `cancel` was set.

    Examples:
        >>> painting = impasto.paint("photo.jpg", "painting.jpg", effort="draft")
        >>> painting.save("painted.png")
    """
    from .session.inputs import name_styles
    from .session.session import Session

    if method is None:
        check_shared([*settings, *(["preset"] if preset is not None else [])])
        method, preset, chosen = way(effort, boldness)
        settings = {**chosen, **settings}
    elif effort is not None or boldness is not None:
        raise RequestError(
            f"effort and boldness choose a method, and method={method!r} is given beside them; expected one or the "
            "other"
        )
    named, sources = name_styles(styles)
    recipe = make_recipe(method, named, preset=preset, settings=settings, exact_preset=exact_preset)
    session = _sessions.get(device) or _sessions.setdefault(device, Session(device=device))
    return session.paint(recipe, photo, styles=sources, masks=masks, start=start, cancel=cancel, watch=watch).done()
