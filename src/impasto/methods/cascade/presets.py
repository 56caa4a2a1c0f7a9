"""Named settings of cascade. Imports no torch."""

from __future__ import annotations

from ..common.preset import Preset
from .options import BOLD, PASSES, QUICK, CascadeOptions

PRESETS: dict[str, Preset] = {
    "quick": Preset(
        "A short nnst at a small size, for large forms and colours, then swap at the final size.",
        CascadeOptions(rungs=QUICK),
    ),
    "passes": Preset(
        "One pass of adain at a small size, for large forms, then one of swap: half the time of quick, less bold.",
        CascadeOptions(rungs=PASSES),
    ),
    "bold": Preset(
        "swap three times, each time about twice as large, without adding the photo's detail: large forms only.",
        CascadeOptions(rungs=BOLD),
    ),
}
