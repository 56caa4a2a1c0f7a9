"""Settings of adain. Imports no torch."""

from __future__ import annotations

from ...recipe import GRAIN, Grain
from ...settings import FileName, setting
from ..common.options import AnyStyleOptions, Share

COVARIANCE = (
    "How much of the correlations between the style's channels the features take, besides its means and deviations. "
    "More makes bolder strokes and keeps less of the photo; 0 as in the paper"
)


class AdainOptions(AnyStyleOptions):
    """Huang & Belongie 2017: the photo's features take the style's means and deviations.

    They also take correlations between its channels (Lu et al. 2019).
    """

    covariance: Share | None = setting(
        "strokes", "advanced", default=None, description=f"{COVARIANCE}; unset: as the net was trained."
    )
    grain: Grain = GRAIN
    net: FileName = setting(
        "network", "advanced", default="adain", description="Decoder: the name of a shipped net, or a file."
    )
