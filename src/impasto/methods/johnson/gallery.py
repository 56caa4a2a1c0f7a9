"""The gallery: shipped styles by name, with their networks and the pictures they were trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ...errors import WeightsError, near_misses
from ...nets.files import JOHNSON_KIND
from ...untrusted import shorten
from ...weights.container import load_metadata
from ...weights.shipped import load_net, locate_net, net_names


@dataclass(frozen=True)
class Credit:
    """The picture that a style was trained on.

    Attributes:
        name: name of the style.
        title: title of the picture.
        artist: who painted it.
        year: when it was painted, as text.
        sha256: hash of the picture's file.
    """

    name: str
    title: str = ""
    artist: str = ""
    year: str = ""
    sha256: str = ""


@dataclass(frozen=True)
class GalleryEntry:
    """A style in the gallery.

    Attributes:
        credit: the picture it was trained on.
        path: file of its network.
        metadata: metadata of that file.
    """

    credit: Credit
    path: Path
    metadata: Mapping[str, Any]


@cache
def gallery() -> dict[str, GalleryEntry]:
    """Return the shipped styles by name. A network with a single style is listed by the name of its file."""
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
    """Find a style by ``STYLE``, a name in the gallery, or ``FILE[#STYLE]``.

    Returns:
        The file of the network, and the name of the style in it.

    Raises:
        WeightsError: there is no such style or file, or the file has several styles and none is named.
    """
    known = gallery()
    if name in known:
        return known[name].path, known[name].credit.name
    text, _, style = name.partition("#")
    path = Path(text).expanduser()
    if not (path.exists() or path.suffix or len(path.parts) > 1):
        hint = near_misses(name, known) or f"; known: {', '.join(known)}"
        raise WeightsError(f"no style is called {name!r}, and no file has that path{hint}")
    styles = [credit.name for credit in _styles(path)[0]]
    if not style and len(styles) == 1:
        return path, styles[0]
    if style not in styles:
        what = f"has no style {style!r}" if style else f"has {len(styles)} styles"
        hint = near_misses(style, styles) if style else ""
        raise WeightsError(
            f"{path} {what}{hint or '; expected one of ' + shorten(', '.join(styles))}: write FILE#STYLE"
        )
    return path, style


def styles_of(net: str) -> dict[str, GalleryEntry]:
    """Return the styles of a network, by what ``--net`` calls them.

    Args:
        net: a style or a network of the package by its name, or ``FILE[#STYLE]``.

    Raises:
        WeightsError: there is no such style or network.
    """
    if net in gallery():
        return {net: gallery()[net]}
    path = Path(net.partition("#")[0]).expanduser()
    if "#" in net or not (net in net_names() or path.exists()):
        path, style = find(net)
        wanted = {style}
    else:
        path, wanted = locate_net(net), None
    credits, metadata = _styles(path)
    shipped = net in net_names()
    return {
        credit.name if shipped else f"{path}#{credit.name}": GalleryEntry(credit, path, metadata)
        for credit in credits
        if wanted is None or credit.name in wanted
    }


def _styles(path: Path) -> tuple[list[Credit], Mapping[str, Any]]:
    """The credits of a network's styles, and its metadata.

    Raises:
        WeightsError: it is no network of styles.
    """
    _, metadata = load_net(path, kind=JOHNSON_KIND, encoder_sha256=None)
    try:
        credits = _credits(metadata)
    except (AttributeError, KeyError, TypeError):
        credits = []
    if not credits or {type(credit.name) for credit in credits} != {str}:
        raise WeightsError(f"{path} does not name its styles; get the file again")
    return credits, metadata


def _credits(metadata: Mapping[str, Any]) -> list[Credit]:
    by_name = {credit["name"]: Credit(**credit) for credit in metadata.get("credits", [])}
    return [by_name.get(name, Credit(name)) for name in metadata["network"]["styles"]]
