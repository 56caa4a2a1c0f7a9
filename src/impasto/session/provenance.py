"""The record inside a picture of how it was made, and the search for the files that it was made from."""

from __future__ import annotations

import hashlib
import warnings
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Annotated, Any, Protocol

from pydantic import Field, ValidationError

from ..errors import ImpastoWarning, RequestError
from ..images.metadata import read_metadata
from ..images.source import STANDARD_STREAM
from ..recipe import Frozen, Recipe
from ..untrusted import printable, read_text, shorten
from ..values import explain, read_toml
from ..weights.files import sha256_of
from ..weights.releases import RELEASES
from .inputs import IN_MEMORY

RECIPE_FILE = ".toml"


class Input(Frozen):
    """A file that a picture was made from: its name without its folder, and its hash."""

    name: str
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Provenance(Frozen):
    """The record inside a picture, or in a recipe file.

    `inputs` has the photograph first, then the other files in the order in which the recipe names them. If two have
    the same name, their order tells which is which.
    """

    version: str | None = Field(default=None, description="Version of impasto.")
    photo: str | None = Field(default=None, description="File name of the photograph.")
    device: str = "auto"
    bits: int = 8
    quality: int = 95
    keep_gps: bool = False
    stopped: str | None = Field(default=None, description="Why the painting ended early.")
    recipe: dict[str, Any]
    losses: dict[str, float] = Field(default_factory=dict[str, float])
    inputs: tuple[Input, ...] = ()

    def stored(self) -> dict[str, Any]:
        """Convert to JSON data, without the fields that are None; the recipe keeps its own."""
        return {name: value for name, value in self.model_dump(mode="json").items() if value is not None}


def read_provenance(source: str) -> Provenance:
    """Read the record from a picture that impasto wrote, or from a TOML file.

    Raises:
        RequestError: there is none, or it is invalid.
    """
    if PurePath(source).suffix.lower() == RECIPE_FILE:
        try:
            text = read_text(source)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise RequestError(f"{source} cannot be read ({reason}); expected a recipe in TOML") from None
        found = read_toml(text, source)
    else:
        found = read_record(source)
    try:
        return Provenance.model_validate(found)
    except ValidationError as error:
        raise explain(error, source) from None


def read_record(picture: str) -> dict[str, Any]:
    """Read the record from a picture, as plain data.

    Raises:
        RequestError: there is none, or the file is not a picture.
    """
    found = read_metadata(picture)
    if found is None:
        raise RequestError(f"{picture} carries no recipe; expected a picture that impasto wrote")
    return found


class Source(Protocol):
    """A file that was read, such as a `Picture`: its path, and its sha256 or None."""

    @property
    def source(self) -> str: ...  # noqa: D102 (see above)

    @property
    def sha256(self) -> str | None: ...  # noqa: D102 (see above)


def inputs_of(recipe: Recipe, content: Source, styles: Sequence[Source]) -> tuple[Input, ...]:
    """List the files that a picture is made from, with their present hashes."""
    found = [(content.source, content.sha256)]
    read = {style.path: picture.sha256 for style, picture in zip(recipe.styles, styles, strict=True)}

    def note(name: str) -> str:
        """Add the file that a name in the recipe stands for, if it is one."""
        file, _ = _file_of(name, Path(name).is_file())
        if name in read:
            found.append((name, read[name]))
        elif _is_file_name(file) and Path(file).expanduser().is_file():
            found.append((file, sha256_of(file)))
        return name

    recipe.renamed(note)
    return tuple(Input(name=PurePath(name).name, sha256=digest) for name, digest in found if digest)


class Finder:
    """Finds inputs by name and sha256, and notes what it does not find.

    Args:
        inputs: the recorded inputs.
        places: folders that may have them, and files that may be one of them under another name.
    """

    def __init__(self, inputs: Sequence[Input], places: Sequence[Path]) -> None:
        self._folders = [place for place in dict.fromkeys(places) if not place.is_file()]
        self._files = [place for place in dict.fromkeys(places) if place.is_file()]
        self._digests: dict[str, deque[str]] = {}
        for each in inputs:
            self._digests.setdefault(each.name, deque()).append(each.sha256)
        self._problems: list[str] = []

    def expected(self, name: str) -> str | None:
        """The recorded sha256 of a name, or None; of several with that name, the next one."""
        digests = self._digests.get(name)
        if not digests:
            return None
        return digests.popleft() if len(digests) > 1 else digests[0]

    def find(self, name: str) -> str:
        """Find the file that a recipe calls `name`; return the name itself if it is not a file or is not found.

        A recipe comes from a stranger, so a path in it is never followed: only names are looked for.
        """
        file, style = _file_of(name, name in self._digests)
        if not _is_bare(file):
            what = "was standard input" if file == STANDARD_STREAM else "is not the name of a file"
            self._problems.append(f"{shorten(name) or 'a file without a name'} {what}")
            return name
        digest = self.expected(file)
        if name.endswith(IN_MEMORY):
            self._problems.append(f"{shorten(name)} was not a file")
            return name
        if digest is None and not _is_file_name(file):
            return name
        there = [path for path in self._files if path.name == file]
        there += [folder / file for folder in self._folders if (folder / file).is_file()]
        renamed = [path for path in self._files if path.name != file and digest is not None]
        for path in (*there, *renamed):
            if digest is None or _sha256(path) == digest:
                return f"{path}{style}"
        recorded = f" (sha256 {digest})" if digest else ""
        if there:
            self._problems.append(f"{there[0]} is another file (sha256 {_sha256(there[0])}) than recorded{recorded}")
        else:
            self._problems.append(f"{shorten(file)}{recorded} is not there")
        return name

    def check(self, source: str) -> None:
        """Check that every file was found.

        Raises:
            RequestError: a file is missing or has changed.
        """
        if self._problems:
            places = ", ".join("the current folder" if folder == Path() else str(folder) for folder in self._folders)
            raise RequestError(
                f"{source}: {'; '.join(self._problems[:9])}; looked in {places}: add the folder or the file with "
                "--inputs, or paint with another: --photo FILE, --style FILE, --start FILE"
            )


def changed(then: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return the names of the networks whose sha256 has changed, sorted."""
    return sorted(name for name, sha256 in then.items() if now.get(name) != sha256)


def warn_of_other_nets(recipe: Recipe, then: Mapping[str, str]) -> None:
    """Warn if networks differ from those of an earlier painting, given as sha256 by name."""
    now = recipe.portable()["nets"]
    for name in changed(then, now):
        here = f"has the sha256 {now[name]} here" if name in now else "is not used here"
        release = RELEASES.get(then[name])
        repair = f": impasto {release} has it: pip install 'impasto=={release}'" if release else ""
        warnings.warn(
            f"the network {name} (sha256 {then[name]}) {here}: the picture will differ{repair}",
            ImpastoWarning,
            stacklevel=2,
        )


def _is_bare(name: str) -> bool:
    """Whether a name can only be that of a file in a folder, or of something shipped."""
    return name not in ("", ".", "..", STANDARD_STREAM) and PurePath(name).name == name and printable(name) == name


def _is_file_name(name: str) -> bool:
    """Whether a name in a recipe is a file's; a name of something shipped has no dot and no slash."""
    return name != STANDARD_STREAM and (bool(PurePath(name).suffix) or len(PurePath(name).parts) > 1)


def _file_of(name: str, whole: bool) -> tuple[str, str]:
    """Split a network's ``FILE#STYLE`` into its two parts, unless it is the `whole` name of a file."""
    file, hash_, style = (name, "", "") if whole else name.partition("#")
    return file, hash_ + style


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
