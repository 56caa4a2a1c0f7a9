"""The recipe inside a painted film, for `impasto show` and `impasto replay`."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from pydantic import ValidationError

from ..errors import RequestError
from ..images.metadata import METADATA_KEY, as_text
from ..session.provenance import Provenance, read_record
from ..untrusted import read_json
from ..values import explain
from .options import FilmSettings


class FilmProvenance(Provenance):
    """The record inside a painted film: that of a picture, and how the film was painted."""

    film: FilmSettings


def comment_of(record: dict[str, Any]) -> str:
    """Return a record as the text that a film holds."""
    return as_text({METADATA_KEY: record})


def read_film_record(path: str) -> dict[str, Any]:
    """Read the record from a painted film, as plain data.

    Raises:
        RequestError: there is none.
        ImageError: the file is no film.
    """
    if PurePath(path).suffix.lower() in (".apng", ".webp"):
        return read_record(path)
    found = _parsed(_comment(path))
    if found is None:
        raise RequestError(f"{path} carries no recipe; expected a film that impasto wrote")
    return found


def film_provenance(path: str) -> FilmProvenance:
    """Read the record from a painted film.

    Raises:
        RequestError: there is none, or it is invalid.
    """
    try:
        return FilmProvenance.model_validate(read_film_record(path))
    except ValidationError as error:
        raise explain(error, path) from None


def _comment(path: str) -> object:
    if PurePath(path).suffix.lower() == ".gif":
        from ..images.source import load_bytes, open_image

        return open_image(*load_bytes(path), ("GIF",)).info.get("comment")
    from .read import open_container

    with open_container(path) as container:
        texts = {name.lower(): text for name, text in container.metadata.items()}
        return texts.get("comment")


def _parsed(text: object) -> dict[str, Any] | None:
    if not isinstance(text, str | bytes):
        return None
    try:
        wrapped = read_json(text)
    except ValueError:
        return None
    found = wrapped.get(METADATA_KEY) if isinstance(wrapped, dict) else None
    return found if isinstance(found, dict) else None
