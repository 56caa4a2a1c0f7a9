"""How a run of `impasto train johnson` begins, and how long it lasts, where nobody says it."""

from __future__ import annotations

from collections.abc import Collection

from ...settings import place_of
from ..start import Start
from .johnson_options import PRESETS, JohnsonTraining

OWN = "impasto"
"""The preset whose runs begin with a net."""

GALLERY = Start(net="gallery", max_time="3h")
"""A start that gives a net of one's own in an evening, on two cores."""


def default_start(preset: str, encoder: str | None, given: Collection[str]) -> Start:
    """Return the net that a run begins with where none is asked for, and its longest time.

    It is the gallery, for three hours at most. Another preset, another encoder, or a setting of the network that is
    given ask for a network of their own, which begins with random weights. A length that is given stays.

    Args:
        preset: name of the preset.
        encoder: name or file; None for the preset's own.
        given: names of the settings that are given.

    Examples:
        >>> default_start("impasto", None, []).net
        'gallery'
    """
    network = {name for name, field in JohnsonTraining.model_fields.items() if place_of(field).group == "network"}
    if preset != OWN or encoder not in (None, PRESETS[OWN].encoder) or not network.isdisjoint(given):
        return Start()
    return Start(GALLERY.net) if {"steps", "max_time"} & set(given) else GALLERY
