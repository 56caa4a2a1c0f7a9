"""Named settings of swap. Imports no torch."""

from __future__ import annotations

from typing import Any

from ..common.preset import Preset
from .options import SwapOptions

_PAPERS: dict[str, Any] = {
    "layer": "relu3_1",
    "patch_size": 3,
    "stride": 1,
    "match": "plain",
    "luminance_weight": 0.0,
    "coherence": 0.0,
    "search": "exact",
    "moments": "keep",
    "alpha": 1.0,
    "style_scale": 512 / 640,
    "style_upscale": False,
    "grain": 0.0,
    "descreen": False,
}

PRESETS: dict[str, Preset] = {
    "impasto": Preset(
        "Matches by structure and by brightness beside the rest of the picture, and gives the averaged patches the "
        "style's moments back; our net.",
        SwapOptions(),
    ),
    "style-swap": Preset(
        "Chen & Schmidt's style-swap.lua without a decoder: 100 steps of Adam from the photo, the style at 512 px. "
        "Deviations: a photo under 640 px is enlarged to it; what patches leave uncovered is padded by reflection "
        "and cropped back, where theirs is cut off.",
        SwapOptions(
            **_PAPERS,
            inverse="optimise",
            steps=100,
            optimizer="adam",
            learning_rate=0.05,
            tv_weight=1e-7,
            normalize_gradients=True,
        ),
        size=640,
    ),
    "style-swap-released": Preset(
        "The same swap through an inverse net in one pass, as with the authors' dec-tconv-sigmoid.t7. The net is "
        "ours unless --net names one of their architecture: `impasto train swap --preset style-swap-released`.",
        SwapOptions(**_PAPERS, inverse="network"),
        size=640,
    ),
}
