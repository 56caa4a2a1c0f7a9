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
        "Our net. Patches are matched by structure and relative brightness, and the averaged features get the "
        "style's moments.",
        SwapOptions(),
    ),
    "style-swap": Preset(
        "Chen & Schmidt's style-swap.lua without a decoder: 100 steps of Adam from the photo, the style at 512 px. "
        "Differences: a photo under 640 px is enlarged to 640 px; borders that patches do not cover are padded by "
        "reflection and cropped, where theirs are cut off.",
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
        "The same with an inverse net in one pass, as with the authors' dec-tconv-sigmoid.t7. The net is ours, "
        "unless --net names one of their architecture: `impasto train swap --preset style-swap-released`.",
        SwapOptions(**_PAPERS, inverse="network"),
        size=640,
    ),
}
