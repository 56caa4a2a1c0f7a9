"""Named settings of nnst. Imports no torch."""

from __future__ import annotations

from ..common.layer_weights import equal
from ..common.preset import Preset
from .options import NnstOptions

PRESETS: dict[str, Preset] = {
    "nnst-2022": Preset(
        "Kolkin et al. 2022 with the settings of the released code: VGG-16, ten layers, 64 to 512 px, 200 steps of "
        "Adam at each size and 200 layer by layer, rotations. Differences: layers are compared one by one after the "
        "match, Adam moves pixels by 5 levels instead of a pyramid, the match pads by reflection, and there is no "
        "colour step at the end.",
        NnstOptions(
            layers=equal(
                1.0,
                *("relu1_1", "relu1_2", "relu2_1", "relu2_2", "relu3_1"),
                *("relu3_2", "relu3_3", "relu4_1", "relu4_2", "relu4_3"),
            ),
            content_weight=0,
            spare=0,
            so_far=0.25,
            detail=0,
            moments_weight=0,
            first_steps=200,
            steps=200,
            split_steps=200,
            split_sizes=1,
            split_every=1,
            rotations=True,
            optimizer="adam",
        ),
        encoder="vgg16",
        size=512,
    ),
}
