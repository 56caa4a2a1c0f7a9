"""Named settings of adain. Imports no torch."""

from __future__ import annotations

from ..common.preset import Preset
from .options import AdainOptions

PRESETS: dict[str, Preset] = {
    "impasto": Preset(
        "Our decoder, which also gets the style's moments at shallower layers; features also take the style's "
        "correlations.",
        AdainOptions(),
    ),
    "adain": Preset(
        "Huang & Belongie's test.lua: strength 1, 512 px (of the shorter side there, of the longer here). "
        "Everything else is in the decoder: `impasto train adain --preset adain` makes one, and --net FILE paints "
        "with it.",
        AdainOptions(alpha=1.0, style_scale=1.0, style_upscale=True, descreen=False, grain=0.0, covariance=0.0),
    ),
    "adain-naoto0804": Preset(
        "naoto0804's test.py. It paints as `adain` does, except that variances are unbiased, which is left out "
        "here: it changes deviations by less than a thousandth at 512 px. Everything else is in the training: "
        "`impasto train adain --preset adain-naoto0804`.",
        AdainOptions(alpha=1.0, style_scale=1.0, style_upscale=True, descreen=False, grain=0.0, covariance=0.0),
    ),
}
