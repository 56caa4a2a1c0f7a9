"""Finds the masks of photos in a folder, by name."""

from __future__ import annotations

from pathlib import Path, PurePath

from ..errors import RequestError
from ..recipe import is_picture
from .inputs import Photo
from .ways import Way


class MaskFolder:
    """A folder with masks: ``PHOTO.STYLE.png`` for one style of a photo, ``PHOTO.png`` for all of its styles.

    Sub-folders are those of the photos. Any format of picture will do.

    Args:
        folder: the folder.

    Raises:
        RequestError: it is not one.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise RequestError(f"--mask-dir {folder} is not a folder; expected one with a mask for each photo")
        self._folder = folder
        self._known: dict[str, dict[str, Path]] = {}

    def find(self, photo: Photo, way: Way) -> tuple[str | None, ...]:
        """Return the masks of a photo, one for each style.

        Raises:
            RequestError: there is none.
        """
        stem, known = PurePath(photo.path).stem, self._inside(photo.folder)
        names = [PurePath(style.path).stem for style in way.recipe.styles] or [way.style]
        found = [known.get(f"{stem}.{name}") or known.get(stem) for name in names]
        if not any(found):
            raise RequestError(
                f"{photo.path} has no mask in {self._folder / photo.folder}; expected {stem}.png, or "
                f"{stem}.STYLE.png for one style"
            )
        count = len(way.recipe.parts)
        masks = [None if path is None else str(path) for path in found]
        return tuple(masks if len(masks) == count else [masks[0]] * count)

    def _inside(self, folder: str) -> dict[str, Path]:
        """The pictures of a sub-folder by their names without extension."""
        if folder not in self._known:
            place = self._folder / folder
            files = sorted(place.iterdir()) if place.is_dir() else []
            self._known[folder] = {path.stem: path for path in files if is_picture(path.name)}
        return self._known[folder]
