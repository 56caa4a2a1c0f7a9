"""`read`, `bind` and `paint`: the library's verbs. Imports no torch until one is used."""

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
    from .session.inputs import ImageLike
    from .session.painting import Painting
    from .session.session import BoundPainter, Session

_sessions: dict[str, Session] = {}


def read(source: ImageLike) -> Picture:
    """Read a picture: a path, ``-`` for standard input, bytes, a PIL image, an array or a tensor.

    Returns:
        Its pixels, 1×3×H×W float32 RGB in [0, 1], and what of its file goes along.

    Raises:
        ImageError: it is missing, unreadable, damaged, or too large.

    Example:
        >>> read("photo.jpg").size
        (1200, 800)
    """
    from .images.read import read

    return read(source)


def bind(recipe: Recipe, *, device: str = "auto", styles: Sequence[ImageLike] | None = None) -> BoundPainter:
    """Load a recipe's networks and styles onto a device, ready for any number of photographs.

    Args:
        recipe: what to paint with; see `make_recipe`.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        styles: pictures to use in place of reading the recipe's style paths, in the same order.

    Raises:
        RequestError: something asked for does not exist or does not fit together.

    Example:
        >>> painter = bind(make_recipe("adain", [Style(path="scream.jpg")]))
        >>> painter.paint("photo.jpg").done().save("painting.png")
    """
    from .session.session import Session

    return Session(device=device, cache=0).bind(recipe, styles=styles)


def read_regions(recipe: Recipe, photo: Picture, masks: Sequence[ImageLike | None] | None = None) -> Regions | None:
    """Where each of a recipe's styles applies on a photograph; None where it has no masks.

    A mask of another size is fitted to the photograph, with a warning where it has other proportions.

    Args:
        recipe: its styles name the masks.
        photo: may itself be a mask, by its alpha channel.
        masks: pictures to use in place of the recipe's, one a style, None for everywhere.

    Raises:
        RequestError: a mask is unreadable, black all over, or the alpha channel of a photograph that has none.
    """
    from .session.inputs import read_masks, regions_of

    return regions_of(recipe, photo, read_masks(recipe, photo, masks, read))


def last(steps: Iterable[Step]) -> Step:
    """The answer of a painting: its last step."""
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
    masks: Sequence[ImageLike | None] | None = None,
    start: ImageLike | None = None,
    device: str = "auto",
    cancel: Cancel | None = None,
    watch: Watch | None = None,
    **settings: Any,
) -> Painting:
    """Paint a photograph in the manner of one or more pictures. Networks are kept from one call to the next.

    Args:
        photo: a path, bytes, PIL image, array (H×W×3) or tensor (1×3×H×W in [0, 1]).
        styles: the same kinds; a path may carry a weight and a mask, as in ``"scream.jpg:0.3@sky.png"``.
        effort: how much time it may take: ``draft``, ``quick`` (the default), ``fine`` or ``best``.
        boldness: 0 keeps every detail of the photo, 1 large forms only; 0.5 by default.
        method: one of `METHODS`, in place of effort and boldness.
        preset: one of the method's named settings.
        masks: where each style applies, white for wholly, in place of masks that paths carry; None for everywhere.
        start: the painting so far, of the photo's proportions, to go on from.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        cancel: a `threading.Event`, say: the painting ends with `Cancelled` soon after it is set.
        watch: is called with the `Progress`.
        **settings: fields of `Recipe` (`size`, `colour`, `seed`, ...); and with `method`, of its options.

    Returns:
        The painting: ``.save(path)`` writes it with its recipe, ``.to_pil()`` is an image,
        ``.finished(strength=0.5)`` is the same with other controls.

    Raises:
        RequestError: an unreadable picture, an unknown name, a value out of range.
        Cancelled: `cancel` was set.
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
    recipe = make_recipe(method, named, preset=preset, settings=settings)
    session = _sessions.get(device) or _sessions.setdefault(device, Session(device=device))
    return session.paint(recipe, photo, styles=sources, masks=masks, start=start, cancel=cancel, watch=watch).done()
