"""Named settings of painting with feed-forward networks. Imports no torch."""

from __future__ import annotations

from ..common.preset import Preset
from .options import JohnsonOptions

PRESETS: dict[str, Preset] = {
    "impasto": Preset("The gallery that ships.", JohnsonOptions()),
}
