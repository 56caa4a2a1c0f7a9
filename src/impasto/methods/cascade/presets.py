"""Named settings of cascade. Imports no torch."""

from __future__ import annotations

from ..common.preset import Preset
from .options import BOLD, PASSES, QUICK, CascadeOptions

PRESETS: dict[str, Preset] = {
    "quick": Preset(
        "A short nnst at a small size, for large forms and colours; swap then paints that picture at its own size.",
        CascadeOptions(rungs=QUICK),
    ),
    "passes": Preset(
        "One pass of adain at a small size, for the large forms, and one of swap: in half the time, less bold.",
        CascadeOptions(rungs=PASSES),
    ),
    "bold": Preset(
        "swap three times, each twice as large, with nothing of the photo's detail brought back: large forms only.",
        CascadeOptions(rungs=BOLD),
    ),
}
