"""Settings of adain. Imports no torch."""

from __future__ import annotations

from ...recipe import GRAIN, Grain
from ...settings import FileName, setting
from ..common.options import AnyStyleOptions, Share

COVARIANCE = (
    "How much of the correlations between the style's channels its features take, beside its means and deviations: "
    "bolder strokes, less of the photo; 0 as in the paper"
)


class AdainOptions(AnyStyleOptions):
    """Huang & Belongie 2017: the photo's features take the style's means and deviations.

    Lu et al. 2019: and the correlations between its channels.
    """

    covariance: Share | None = setting(
        "strokes", "advanced", default=None, description=f"{COVARIANCE}; unset: what the net was trained for."
    )
    grain: Grain = GRAIN
    net: FileName = setting(
        "network", "advanced", default="adain", description="Decoder: the name of a shipped net, or a file."
    )
