"""Thumbnails: a photograph painted small in a style, before anything larger goes on."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from ..errors import ImpastoError, near_misses
from ..methods import make_recipe
from ..methods.effort import way
from ..recipe import Recipe, Style
from ..session.turns import TURNS
from . import previews
from .limits import Limits
from .orders import GALLERY, drawn
from .pictures import Upload
from .previews import Encoded
from .refusals import Refusal, public

if TYPE_CHECKING:
    from ..session.session import Session

SIZES = (96, 128, 192, 256, 384)
"""Longest sides in pixels; what is asked for is rounded up to one of these."""

PICTURE = "picture:"
"""Begins the name of a style that is a picture which was sent."""

_FIRST = 1  # priority of small paintings; jobs have 0
_STYLE = 256  # most pixels of a style picture
_SHARE = 0.75  # of the pixels of a side, for styles that take ten times as long as those of the gallery
_USUAL = 192  # pixels of the thumbnails that the page asks for
_BLANK = (_USUAL, 24)  # the picture that is painted to load networks and learn styles


class Thumbnails:
    """Paints thumbnails in a thread of its own. Paintings in progress pause for them.

    Args:
        session: returns what paints.
        limits: of the studio.
        eager: `warm` loads networks.
    """

    def __init__(self, session: Callable[[], Session], limits: Limits, *, eager: bool = True) -> None:
        self._session, self._limits, self._eager = session, limits, eager
        self._worker = ThreadPoolExecutor(1, "studio thumbnails")
        self._lock = threading.Lock()
        self._waiting: dict[tuple[str, str, int], Future[Encoded]] = {}
        self._asked: deque[tuple[Future[Encoded], Callable[[], Encoded]]] = deque()
        self._warmed = self._closed = False

    def ask(self, photo: Upload, style: str, size: int, find: Callable[[str], Upload]) -> Future[Encoded]:
        """Ask for a thumbnail; the answer is there at once if it was painted before.

        Args:
            photo: the photograph.
            style: name of a style of the gallery or of a drawn style, or `PICTURE` and the id of a picture.
            size: longest side in pixels.
            find: finds a picture of the session by its id.

        Raises:
            Refusal: there is no such style, or too many thumbnails wait.
        """
        longest = next((each for each in SIZES if each >= size), SIZES[-1])
        source = find(style.removeprefix(PICTURE)) if style.startswith(PICTURE) else None
        if (kept := photo.thumbnails.find((style, longest))) is not None:
            future: Future[Encoded] = Future()
            future.set_result(kept)
            return future
        key = (photo.id, style, longest)
        with self._lock:
            if key in self._waiting:
                return self._waiting[key]
            if len(self._waiting) >= self._limits.thumbnails:
                raise Refusal(
                    429, f"{len(self._waiting)} thumbnails wait; expected fewer: try again soon", {"Retry-After": "1"}
                )
            future = Future()
            self._waiting[key] = future
            self._asked.append((future, partial(self._make, photo, style, longest, source)))
        future.add_done_callback(lambda _: self._forget(key))
        self._worker.submit(self._paint_all)
        return future

    def _paint_all(self) -> None:
        """Paint what was asked for, in one turn: between two turns a large painting would go on for a while."""
        if not self._asked:  # painted in an earlier turn
            return
        with TURNS.take(_FIRST):
            while (asked := self._next()) is not None:
                future, make = asked
                if not future.set_running_or_notify_cancel():
                    continue
                try:
                    future.set_result(make())
                except Exception as error:
                    future.set_exception(error)

    def _next(self) -> tuple[Future[Encoded], Callable[[], Encoded]] | None:
        with self._lock:
            return self._asked.popleft() if self._asked else None

    def warm(self) -> None:
        """Load and draw what thumbnails need, unless that was done; wait while any are asked for."""
        with self._lock:
            if self._warmed or not self._eager:
                return
            self._warmed = True
        threading.Thread(target=self._draw, name="studio drawing", daemon=True).start()
        self._go_on(self._preparations())

    def _draw(self) -> None:
        """Draw the drawn styles, as thumbnails want them, while networks are loaded."""
        from ..demo.styles import STYLES

        for style in STYLES:
            if self._closed:
                return
            drawn(style, _sides(_USUAL)[1])

    def _go_on(self, preparations: Iterator[None]) -> None:
        with contextlib.suppress(RuntimeError):  # it is closed
            self._worker.submit(self._prepare, preparations)

    def _prepare(self, preparations: Iterator[None]) -> None:
        """Prepare one thing, unless thumbnails wait, and then wait in the queue again."""
        try:
            if not self._waiting:
                next(preparations)
        except Exception:  # nothing is left; or something is missing, of which whoever paints is told
            return
        self._go_on(preparations)

    def _preparations(self) -> Iterator[None]:
        from PIL import Image

        from ..demo.styles import STYLES
        from ..methods.johnson.gallery import gallery

        blank = Image.new("RGB", _BLANK, "grey")
        for style in [*list(gallery())[:1], *STYLES]:
            recipe, picture = small_recipe(style, _USUAL, None)
            self._session().paint(
                recipe, blank, styles=None if picture is None else [picture], priority=_FIRST
            ).done()
            yield

    def close(self) -> None:
        """Paint nothing more that waits."""
        self._closed = True
        self._worker.shutdown(wait=False, cancel_futures=True)
        while (asked := self._next()) is not None:
            asked[0].cancel()

    def _forget(self, key: tuple[str, str, int]) -> None:
        with self._lock:
            self._waiting.pop(key, None)

    def _make(self, photo: Upload, style: str, longest: int, source: Upload | None) -> Encoded:
        from ..images.geometry import fit

        recipe, picture = small_recipe(style, longest, source)
        try:
            work = self._session().paint(
                recipe, photo.small(2 * longest), styles=None if picture is None else [picture], priority=_FIRST
            )
            made = previews.encode(previews.levels(fit(work.done().image, longest)))
        except ImpastoError as error:
            raise Refusal(422, public(error)) from None
        photo.thumbnails.keep((style, longest), made, self._limits.kept_thumbnails)
        return made


def small_recipe(style: str, longest: int, source: Upload | None) -> tuple[Recipe, Any]:
    """Return the recipe for a small painting of a session, and its style picture if it has one.

    Args:
        style: see `Thumbnails.ask`.
        longest: longest side in pixels.
        source: the picture that the style is; None if it has a name.

    Raises:
        Refusal: there is no such style.
    """
    from ..demo.styles import STYLES
    from ..methods.johnson.gallery import gallery

    if source is None and style in gallery():
        return make_recipe(GALLERY, settings={"net": style, "size": longest}), None
    if source is None and style not in STYLES:
        known = [*gallery(), *STYLES]
        raise Refusal(
            404, f"there is no style {public(repr(style))}; expected one of the list{near_misses(style, known)}"
        )
    chosen, (side, most) = way("draft"), _sides(longest)
    picture = drawn(style, most) if source is None else dataclasses.replace(source.small(most), source="the style")
    settings = {**chosen.settings, "size": side}
    named = Style(path=style if source is None else source.name)
    return make_recipe(chosen.method, [named], preset=chosen.preset, settings=settings, exact_preset=False), picture


def _sides(longest: int) -> tuple[int, int]:
    """Longest sides of a thumbnail and of its style picture, for styles that are pictures."""
    side = round(_SHARE * longest)
    return side, min(side, _STYLE)
