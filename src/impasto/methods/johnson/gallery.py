"""Styles by name: which network paints them, and whose pictures they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ...errors import WeightsError, near_misses
from ...nets.files import JOHNSON_KIND
from ...weights.container import load_metadata
from ...weights.shipped import load_net, locate_net, net_names


@dataclass(frozen=True)
class Credit:
    """The picture a style was learnt from.

    Attributes:
        name: of the style.
        title: of the picture.
        artist: who made it.
        year: when, as the catalogues say.
        sha256: of the file it was learnt from.
    """

    name: str
    title: str = ""
    artist: str = ""
    year: str = ""
    sha256: str = ""


@dataclass(frozen=True)
class GalleryEntry:
    """A style in the gallery: its credit, and the network's file that knows it."""

    credit: Credit
    path: Path
    metadata: Mapping[str, Any]


@cache
def gallery() -> dict[str, GalleryEntry]:
    """The shipped styles by name. Where two networks know one, that of a single style goes by its file's name."""
    found: dict[str, GalleryEntry] = {}
    for net in net_names():
        path = locate_net(net)
        metadata = load_metadata(path)
        if metadata is not None and metadata["kind"] == JOHNSON_KIND:
            credits = _credits(metadata)
            for credit in credits:
                found[net if len(credits) == 1 else credit.name] = GalleryEntry(credit, path, metadata)
    return dict(sorted(found.items()))


def find(name: str) -> tuple[Path, str]:
    """The network's file and the style in it that ``STYLE`` or ``FILE[#STYLE]`` names.

    Raises:
        WeightsError: no such style or file, or the file knows several and none is named; with the near misses.
    """
    known = gallery()
    if name in known:
        return known[name].path, known[name].credit.name
    text, _, style = name.partition("#")
    path = Path(text).expanduser()
    if not (path.exists() or path.suffix or len(path.parts) > 1):
        hint = near_misses(name, known) or f"; known: {', '.join(known)}"
        raise WeightsError(f"no style is called {name!r}, and no file has that path{hint}")
    _, metadata = load_net(path, kind=JOHNSON_KIND, encoder_sha256=None)
    styles = [credit.name for credit in _credits(metadata)]
    if not style and len(styles) == 1:
        return path, styles[0]
    if style not in styles:
        what = f"has no style {style!r}" if style else f"knows {len(styles)} styles"
        hint = near_misses(style, styles) if style else ""
        raise WeightsError(f"{path} {what}{hint or '; expected one of ' + ', '.join(styles)}: write FILE#STYLE")
    return path, style


def _credits(metadata: Mapping[str, Any]) -> list[Credit]:
    by_name = {credit["name"]: Credit(**credit) for credit in metadata.get("credits", [])}
    return [by_name.get(name, Credit(name)) for name in metadata["network"]["styles"]]
