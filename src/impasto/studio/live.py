"""`Live`: paints the frames of a camera one by one, small and at once."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import ImpastoError
from . import previews
from .limits import Limits
from .refusals import Refusal, public
from .thumbnails import PICTURE, small_recipe

if TYPE_CHECKING:
    from PIL import Image

    from ..recipe import Recipe
    from ..session.session import Session
    from .jobs import Queue
    from .pictures import Upload

LEAST, MOST = 96, 480
"""Longest sides in pixels that frames are painted at."""

_PRIORITY = 1  # frames are small, and go before jobs as thumbnails do
_QUALITY = 85
_FORMATS = ("JPEG", "WEBP", "PNG")


class Painted(NamedTuple):
    """A painted frame.

    Attributes:
        data: a JPEG file.
        seconds: how long painting took.
        others: jobs of other sessions that are painted or wait.
    """

    data: bytes
    seconds: float
    others: int


@dataclass
class _Painter:
    """A session that paints live."""

    seen: float
    busy: bool = False
    leaving: bool = False
    known: dict[tuple[str, int], tuple[Recipe, Any]] = field(default_factory=dict[tuple[str, int], Any])


class Live:
    """Paints frames for a few sessions at a time, one frame of each.

    Where jobs or other sessions want to paint too, each frame is followed by a rest as long as it took.

    Args:
        session: returns what paints.
        limits: of the studio.
        queue: the jobs.
        clock: the time in seconds.
    """

    def __init__(
        self,
        session: Callable[[], Session],
        limits: Limits,
        queue: Queue,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session, self._limits, self._queue, self._clock = session, limits, queue, clock
        self._lock = threading.Lock()
        self._painters: dict[str, _Painter] = {}
        self.workers = ThreadPoolExecutor(max(1, limits.live), "studio live")

    def begin(self, owner: str) -> None:
        """Note that a session paints a frame; `end` has to follow.

        Raises:
            Refusal: too many sessions paint live, or this one has not its last frame yet.
        """
        with self._lock:
            before = self._clock() - self._limits.live_idle
            for name in [name for name, each in self._painters.items() if not each.busy and each.seen < before]:
                del self._painters[name]
            if owner not in self._painters and len(self._painters) >= self._limits.live:
                raise Refusal(
                    429,
                    f"{len(self._painters)} people paint live; expected at most {self._limits.live}: try again later",
                    {"Retry-After": "5"},
                )
            painter = self._painters.setdefault(owner, _Painter(self._clock()))
            if painter.busy:
                raise Refusal(429, "your last frame is not painted yet; expected one frame at a time: wait for it")
            painter.busy, painter.leaving = True, False

    def end(self, owner: str) -> None:
        """Note that a session's frame is painted, or could not be."""
        with self._lock:
            if (painter := self._painters.get(owner)) is not None:
                painter.busy, painter.seen = False, self._clock()
                if painter.leaving:
                    del self._painters[owner]

    def leave(self, owner: str) -> None:
        """Make room for another session, once the frame that is painted is done."""
        with self._lock:
            if (painter := self._painters.get(owner)) is not None:
                painter.leaving = True
                if not painter.busy:
                    del self._painters[owner]

    def paint(self, owner: str, data: bytes, style: str, size: int, find: Callable[[str], Upload]) -> Painted:
        """Paint a frame between `begin` and `end`.

        Args:
            owner: the session.
            data: a picture file.
            style: see `Thumbnails.ask`.
            size: longest side in pixels.
            find: finds a picture of the session by its id.

        Raises:
            Refusal: it is no picture, too large, or there is no such style.
        """
        image = self._opened(data, size)
        recipe, picture = self._recipe(owner, style, size, find)
        began = time.monotonic()
        try:
            work = self._session().paint(
                recipe, image, styles=None if picture is None else [picture], priority=_PRIORITY
            )
            values = previews.levels(work.done().image, size)
        except ImpastoError as error:
            raise Refusal(422, public(error)) from None
        return Painted(_jpeg(values), time.monotonic() - began, self._queue.others(owner))

    def rest_after(self, painted: Painted) -> float:
        """Return the seconds for which a session rests, so that others paint."""
        shared = not self._queue.is_idle or len(self._painters) > 1
        return painted.seconds if shared else 0.0

    def close(self) -> None:
        """Paint nothing more."""
        self.workers.shutdown(wait=False, cancel_futures=True)

    def _recipe(self, owner: str, style: str, size: int, find: Callable[[str], Upload]) -> tuple[Recipe, Any]:
        """The recipe and the style picture, made once for a style and size."""
        source = find(style.removeprefix(PICTURE)) if style.startswith(PICTURE) else None
        known = self._painters[owner].known
        if (style, size) not in known:
            known.clear()
            known[style, size] = small_recipe(style, size, source)
        return known[style, size]

    def _opened(self, data: bytes, size: int) -> Image.Image:
        from ..images.source import UnknownFormatError, open_image

        try:
            image = open_image(data, "the frame", _FORMATS)
            if image.width * image.height > self._limits.live_pixels:
                raise Refusal(
                    413,
                    f"the frame is {image.width}×{image.height}; expected at most {self._limits.live_pixels} pixels: "
                    "make it smaller",
                )
            image.thumbnail((size, size))
            return image.convert("RGB")
        except ImpastoError as error:
            raise Refusal(415 if isinstance(error, UnknownFormatError) else 422, public(error)) from None
        except (OSError, SyntaxError, ValueError):
            raise Refusal(422, "the frame is damaged; expected a JPEG picture: send another") from None


def _jpeg(values: Any) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(values).save(out, "JPEG", quality=_QUALITY)
    return out.getvalue()
