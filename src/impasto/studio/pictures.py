"""Pictures that people send: checked before they are decoded, and kept in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..errors import ImageError
from . import previews
from .limits import Limits
from .names import safe_name
from .previews import Encoded
from .recipes import Found, found_in
from .refusals import Refusal, public

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

    from ..images.picture import Picture
    from .clips import Clip

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP", "AVIF")
"""What is read, by Pillow's names; their headers state the size. With the extra ``heic``, HEIC too."""

LEAST_SIDE = 2
"""Pixels of the shorter side, at least: no method paints less."""

_OTHER = {"jpegxl": "JPEG XL", "jpegls": "JPEG-LS", "jpegxr": "JPEG XR", "qoi": "QOI", "raw": "camera raw"}
_BEGINNINGS = (  # of pictures whose readers are not let near what strangers send
    (b"8BPS", "Photoshop"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\0\0\1\0", "an icon"),
    (b"v/1\1", "OpenEXR"),
    (b"#?RADIANCE", "Radiance"),
)
_READ = "expected a PNG, JPEG, WebP, TIFF, AVIF, HEIC, GIF or BMP picture"


@dataclass(eq=False)
class Upload:
    """A picture that somebody sent.

    Attributes:
        data: the file.
        name: of the file, without folders and signs that mean something elsewhere.
        size: width and height in pixels, upright.
        view: H×W×3 uint8, upright and in sRGB, of at most `previews.LONGEST` pixels a side.
        found: the recipe inside, if it is a painting by impasto.
        palette: its main colours.
        thumbnails: its thumbnails by style and size.
        id: its name on the shelf.
        clip: the clip of which it is the first frame; None for a picture.
    """

    data: bytes
    name: str
    size: tuple[int, int]
    view: NDArray[Any]
    found: Found | None
    palette: list[str]
    thumbnails: Thumbnails = field(default_factory=lambda: Thumbnails())
    id: str = ""
    clip: Clip | None = None

    @property
    def bytes(self) -> int:
        """Memory that it takes, and room on the disk."""
        return len(self.data) + self.view.nbytes + (0 if self.clip is None else self.clip.bytes)

    def small(self, longest: int) -> Picture:
        """Return the picture for a small painting."""
        from ..images.picture import Picture
        from ..images.read import read

        image = _image(self.view)
        image.thumbnail((longest, longest))
        return Picture(read(image).pixels, source="the photo")

    def described(self) -> dict[str, Any]:
        """Return what a client is told of it."""
        width, height = self.size
        return {
            "id": self.id,
            "width": width,
            "height": height,
            "name": self.name,
            "recipe": None if self.found is None else self.found.described(),
            "palette": self.palette,
            **({} if self.clip is None else {"clip": self.clip.described()}),
        }


class Thumbnails:
    """The thumbnails of one photograph, the most recently used ones. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, int], Encoded] = OrderedDict()

    def find(self, key: tuple[str, int]) -> Encoded | None:
        """Return a thumbnail by style and size."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def keep(self, key: tuple[str, int], made: Encoded, most: int) -> None:
        """Keep a thumbnail, and drop the least recently used beyond `most`."""
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > most:
                self._kept.popitem(last=False)


def receive(data: bytes, filename: str, limits: Limits) -> Upload:
    """Check and read a picture.

    Args:
        data: the file.
        filename: what its owner calls it.
        limits: of the studio.

    Raises:
        Refusal: it is too large, has no format that is read here, or is damaged.
    """
    name = safe_name(filename)
    _check(data, name, limits)
    from ..images.read import read

    try:
        picture = read(data, previews.LONGEST // 2)
    except ImageError as error:
        raise Refusal(422, _said(error, name)) from None
    view = previews.levels(picture.pixels, previews.LONGEST)
    return Upload(data, name, _upright_size(data, picture), view, found_in(data), previews.palette(view))


def _check(data: bytes, name: str, limits: Limits) -> None:
    """Check a picture by its header, before anything is decoded.

    Raises:
        Refusal: see `receive`.
    """
    from ..images import codecs
    from ..images.foreign import what_else
    from ..images.source import TooLargeError, UnknownFormatError, open_image

    if not data:
        raise Refusal(422, f"{name} is empty (0 bytes); expected a picture: send it again")
    kind = codecs.kind_of(data)
    other = _OTHER.get(kind or "") or next((what for begin, what in _BEGINNINGS if data.startswith(begin)), None)
    if other:
        repair = "develop it, and export it as JPEG" if kind == "raw" else "export it as PNG or JPEG"
        raise Refusal(415, f"{name} is a picture of another kind ({other}); {_READ}: {repair}")
    try:
        image: Image.Image = codecs.open_heif(data, name) if kind else open_image(data, name, FORMATS)
    except UnknownFormatError:
        what, repair = what_else(data)
        found = f"but {what}" if what else "that can be read"
        raise Refusal(415, f"{name} is not a picture {found}; {_READ}: {repair}") from None
    except TooLargeError as error:
        raise Refusal(413, public(error)) from None
    except ImageError as error:
        raise Refusal(415 if kind else 422, public(error)) from None
    width, height = image.size
    if min(width, height) < LEAST_SIDE:
        raise Refusal(
            422, f"{name} is {width}×{height}; expected at least {LEAST_SIDE} pixels a side: use a larger one"
        )
    if width * height > limits.max_pixels:
        raise Refusal(
            413,
            f"{name} is {width}×{height}, {width * height / 1e6:.0f} megapixels; expected at most "
            f"{limits.max_pixels / 1e6:.0f}: make it smaller first",
        )


def _upright_size(data: bytes, picture: Picture) -> tuple[int, int]:
    """Width and height of the whole file. `picture` may have fewer pixels, but it is upright."""
    from ..images import codecs
    from ..images.source import open_image

    image = codecs.open_heif(data, "the file") if codecs.kind_of(data) else open_image(data, "the file", FORMATS)
    width, height = image.size
    across, down = picture.size
    return (height, width) if (width > height) != (across > down) and across != down else (width, height)


def _image(values: NDArray[Any]) -> Image.Image:
    from PIL import Image

    return Image.fromarray(values)


def _said(error: ImageError, name: str) -> str:
    return public(str(error).replace("the picture given as bytes", name))
