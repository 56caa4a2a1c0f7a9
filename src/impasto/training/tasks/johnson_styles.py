"""The style pictures of `impasto train johnson`, and what is recorded of them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from ...errors import ImpastoWarning, RequestError
from ...images.read import read
from ...images.visible import visible
from ...methods.johnson.gallery import Credit
from ...weights.files import sha256_of

_FLAT = 4 / 255  # largest difference of pixels in a picture of one colour


def read_styles(styles: Sequence[str]) -> dict[str, Tensor]:
    """Read the style pictures, 1×3×H×W in [0, 1], by the names of their files. One of one colour gets a warning.

    Raises:
        RequestError: there is none, one cannot be read, or two have the same name.
    """
    if not styles:
        raise RequestError("no style to learn; give --style with at least one picture")
    pictures = {Path(style).stem: visible(read(style)).pixels for style in styles}
    if len(pictures) < len(styles):
        raise RequestError("two styles have the same name; expected each once: rename a file")
    flat = [style for style in styles if _is_flat(pictures[Path(style).stem])]
    if flat:
        warnings.warn(
            f"{', '.join(flat)} has one colour only, and a net learns that colour and no strokes from it; expected a "
            "picture of a painting",
            ImpastoWarning,
            stacklevel=3,
        )
    return pictures


def _is_flat(picture: Tensor) -> bool:
    return bool((picture.amax((2, 3)) - picture.amin((2, 3))).max() <= _FLAT)


def credits_of(
    names: Sequence[str], styles: Sequence[str], past: Mapping[str, Any], given: Mapping[str, Mapping[str, Any]]
) -> list[Credit]:
    """The credit of each style: what the net to begin with says, then the hash of its file, then what is given."""
    earlier = {credit["name"]: credit for credit in past.get("credits", [])}
    paths = {Path(style).stem: Path(style) for style in styles}
    found: list[Credit] = []
    for name in names:
        fields: dict[str, Any] = dict(earlier.get(name, {"name": name}))
        if name in paths:
            fields["sha256"] = sha256_of(paths[name])
        found.append(Credit(**{**fields, **given.get(name, {})}))
    return found
