"""Finds out what is painted already, by the recipe and the hashes inside the pictures, not by their names."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from ..errors import ImpastoError
from ..images.codecs import kind_of
from ..images.foreign import is_cut_short
from ..images.header import found_recipe, is_whole
from ..images.metadata import as_text, metadata_in
from ..images.source import load_bytes
from ..recipe import is_picture
from ..session.provenance import inputs_of
from ..weights.files import sha256_of
from . import storage
from .clip_names import is_clip
from .clips import clip_state, record_in
from .jobs import Job, State, Writing
from .ways import Way

_LOSSLESS = frozenset({".png", ".tif", ".tiff"})

NetsOf = Callable[[Way], Mapping[str, str]]
"""Returns the sha256 of each network of a way, by name."""

StylesOf = Callable[[Way], Sequence[str | None] | None]
"""Returns the sha256 of each style picture of a way; None if its files are to be hashed."""


@dataclass(frozen=True, slots=True)
class _File:
    """A file that a picture is made from, not decoded."""

    source: str
    sha256: str | None


class Done:
    """Compares what lies where a painting goes with what would be painted.

    Args:
        writing: how pictures are written.
        nets: returns the hashes of networks. It is asked only where there is a painting to compare with.
        styles: returns the hashes of a way's style pictures, or None for those of its files.
    """

    def __init__(self, writing: Writing, nets: NetsOf, styles: StylesOf | None = None) -> None:
        self._writing, self._nets, self._styles = writing, nets, styles

    def state(self, job: Job) -> State:
        """Say what lies where a painting goes.

        Raises:
            RequestError: the photo, a style or a network cannot be read.
        """
        if is_clip(job.photo.path):
            return clip_state(job, self._writing, lambda: self._nets(job.way))
        if not storage.exists(job.output):
            return State.ABSENT
        try:
            data = storage.load(job.output)
            if not is_whole(data):
                return State.BROKEN if not data or is_cut_short(data) or kind_of(data) else State.FOREIGN
            found = metadata_in(data, job.output)
        except ImpastoError:
            return State.FOREIGN
        if found is None:
            return State.FOREIGN
        return State.DONE if self._same(job, found) else State.CHANGED

    def _same(self, job: Job, found: Mapping[str, Any]) -> bool:
        """Whether a record is that of the painting: its recipe, networks, inputs and way of writing."""
        recipe, recorded = job.recipe, found.get("recipe")
        if not isinstance(recorded, dict) or found.get("stopped") is not None:
            return False
        writing = self._writing
        if (found.get("bits", 8), found.get("keep_gps", False)) != (writing.bits, writing.keep_gps):
            return False
        lossless = PurePath(job.output).suffix.lower() in _LOSSLESS
        if not lossless and found.get("quality") != writing.quality:
            return False
        if _without_nets(recorded) != _without_nets(json.loads(as_text(recipe.portable()))):
            return False
        photo = _File(job.photo.path, digest(job.photo.path))
        known = None if self._styles is None else self._styles(job.way)
        if known is None:
            known = [sha256_of(style.path) for style in recipe.styles]
        styles = [_File(style.path, sha256) for style, sha256 in zip(recipe.styles, known, strict=True)]
        wanted = [each.sha256 for each in inputs_of(recipe, photo, styles)]
        if [each.get("sha256") for each in found.get("inputs", ()) if isinstance(each, dict)] != wanted:
            return False
        nets = {PurePath(name).name: sha256 for name, sha256 in self._nets(job.way).items()}
        return recorded.get("nets", {}) == nets


def _without_nets(recipe: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in recipe.items() if name != "nets"}


def digest(path: str) -> str:
    """Return the sha256 of a photo's file.

    Raises:
        ImageError: it cannot be read.
    """
    if storage.is_remote(path):
        return hashlib.sha256(storage.load(path)).hexdigest()
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return hashlib.sha256(load_bytes(path)[0]).hexdigest()  # says what is wrong


def orphans(out: Path, outputs: set[str], photos: set[str]) -> Iterator[str]:
    """Yield the paintings in a folder whose photo is gone. Pictures without a recipe are not named.

    Args:
        out: the folder.
        outputs: the absolute paths of what the batch paints.
        photos: the file names of its photos.
    """
    for folder, folders, names in os.walk(out):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(folder, name)
            if not (is_picture(name) or is_clip(name)) or storage.absolute(str(path)) in outputs:
                continue
            found = record_in(str(path)) if is_clip(name) else found_recipe(path)
            if found is not None and "recipe" in found and found.get("photo") not in photos:
                yield str(path)
