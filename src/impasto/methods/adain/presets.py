"""Named settings of adain. Imports no torch."""

from __future__ import annotations

from ..common.preset import Preset
from .options import AdainOptions

PRESETS: dict[str, Preset] = {
    "impasto": Preset(
        "Our decoder, which is also given the style's moments at the shallower layers on the way up; features take "
        "the style's correlations too.",
        AdainOptions(),
    ),
    "adain": Preset(
        "Huang & Belongie's test.lua: strength 1, 512 px, which is its shorter side and our longer. The rest of what "
        "differs is in the decoder: `impasto train adain --preset adain` makes one, --net FILE paints with it.",
        AdainOptions(alpha=1.0, style_scale=1.0, style_upscale=True, descreen=False, grain=0.0, covariance=0.0),
    ),
    "adain-naoto0804": Preset(
        "naoto0804's test.py: painting differs from `adain` by the unbiased variance alone, under a thousandth of a "
        "deviation at 512 px, which is left out; the rest is training: `impasto train adain --preset "
        "adain-naoto0804`.",
        AdainOptions(alpha=1.0, style_scale=1.0, style_upscale=True, descreen=False, grain=0.0, covariance=0.0),
    ),
}
