"""The names of paintings, by a pattern such as ``{photo}.{style}.{ext}``. None leads out of the output folder."""

from __future__ import annotations

import os
import re
import string
import unicodedata
from pathlib import PurePath

from ..errors import RequestError, near_misses
from ..images.write import FORMATS
from . import storage
from .clip_names import extension_of, is_clip
from .inputs import Photo
from .ways import Way

PATTERN = "{photo}.{style}.{ext}"
"""The default."""

FIELDS = {
    "photo": "name of the photo without its extension",
    "style": "name of the style, or of several joined by +",
    "ext": "extension of the format",
    "name": "name of the photo with its extension",
    "folder": "name of the folder that the photo is in",
    "method": "name of the method",
}
"""What may stand in braces in a pattern."""

_LONGEST = 240  # bytes of a file's name; most file systems take 255
_SEPARATORS = "/\\" if os.name == "nt" else "/"
_CUT = ("photo", "name", "style", "folder")  # what is cut short in a name that is too long
_UNSAFE = re.compile(r'[/\\\x00-\x1f\x7f]|[<>:"|?*]' if os.name == "nt" else r"[/\x00-\x1f\x7f]")


class Pattern:
    """Makes the names of paintings.

    Args:
        text: the pattern; ``/`` in it makes folders.
        extension: the format of all pictures, such as ``png``; None for that of each photo, or PNG where that cannot
            be written. Clips keep their own.

    Raises:
        RequestError: the pattern names an unknown field, leads out of the folder, or has no extension that can be
            written.
    """

    def __init__(self, text: str = PATTERN, extension: str | None = None) -> None:
        self.text, self._extension = text, _known_extension(extension)
        try:
            self._parts = list(string.Formatter().parse(text))
        except ValueError as error:
            raise self._wrong(str(error)) from None
        for _, name, spec, conversion in self._parts:
            if name is None:
                continue
            if name not in FIELDS:
                raise self._wrong(f"{{{name}}} is unknown{near_misses(name, FIELDS)}")
            if spec or conversion:
                raise self._wrong(f"{{{name}}} takes nothing after its name")
        self._check()

    def name(self, photo: Photo, way: Way) -> str:
        """Return the path of a painting inside the output folder, with ``/``.

        Raises:
            RequestError: it would lead out of the folder.
        """
        path = PurePath(photo.path)
        extension = self._extension or path.suffix[1:]
        if is_clip(photo.path):
            extension = extension_of(photo.path)
        elif f".{extension.lower()}" not in FORMATS:
            extension = "png"
        folder = path.parent.name or PurePath(storage.absolute(photo.path)).parent.name
        values = {
            "photo": path.stem,
            "style": way.style,
            "ext": extension,
            "name": path.name,
            "folder": folder,
            "method": way.recipe.method,
        }
        values = {name: _UNSAFE.sub("_", value) for name, value in values.items()}
        parts = [part for part in re.split(f"[{re.escape(_SEPARATORS)}]", self._filled(values)) if part != "."]
        if any(part in ("", "..") for part in parts):
            raise self._wrong(
                f"it would make {self._filled(values)!r} of {photo.path}, which leads out of the folder"
            )
        return "/".join([*photo.folder.split("/"), *parts] if photo.folder else parts)

    def _filled(self, values: dict[str, str]) -> str:
        """The pattern with values; the longest are cut until every part is short enough for a file's name."""
        values = dict(values)
        while True:
            text = "".join(before + (values[name] if name else "") for before, name, *_ in self._parts)
            if all(len(os.fsencode(part)) <= _LONGEST for part in text.split("/")):
                return text
            longest = max(_CUT, key=lambda name: len(values[name]) if f"{{{name}}}" in self.text else -1)
            if len(values[longest]) < 2:
                raise self._wrong("its names are too long for a file system")
            values[longest] = values[longest][:-1]

    def _check(self) -> None:
        """Refuse a pattern whose own text leads out of the folder or has a wrong extension."""
        if not self.text.strip() or self.text[-1] in _SEPARATORS:
            raise self._wrong("it names no file")
        if PurePath(self.text).is_absolute() or self.text[0] in _SEPARATORS or ".." in PurePath(self.text).parts:
            raise self._wrong("it leads out of the output folder")
        if self.text.endswith("{ext}"):
            if not self.text.endswith(".{ext}"):
                raise self._wrong("there is no dot before {ext}")
            return
        ending = PurePath("x" + self.text.rpartition("}")[2]).suffix.lower()
        if ending not in FORMATS:
            raise self._wrong(f"it does not end in .{{ext}}, or in one of {', '.join(FORMATS)}")
        if self._extension not in (None, ending[1:]):
            raise self._wrong(f"it ends in {ending}, and the format {self._extension} is asked for")

    def _wrong(self, what: str) -> RequestError:
        known = ", ".join(f"{{{name}}}" for name in FIELDS)
        return RequestError(f"--pattern is {self.text!r}: {what}; expected a name made of {known}, as in {PATTERN}")


def same_file_key(path: str) -> str:
    """Return what two paths have in common if they are one file on this system by their spelling."""
    if os.name == "posix" and os.uname().sysname != "Darwin":
        return path
    return unicodedata.normalize("NFC", os.path.normcase(path)).casefold()


def _known_extension(extension: str | None) -> str | None:
    if extension is None:
        return None
    bare = extension.removeprefix(".").lower()
    if f".{bare}" not in FORMATS:
        known = [name[1:] for name in FORMATS]
        raise RequestError(f"--format is {extension!r}{near_misses(bare, known)}; expected one of {', '.join(known)}")
    return bare
