"""A table of all scores gives the matches that the search a row at a time gives."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.matching import swap as room
from impasto.matching.styles import Match, prepare, tone
from impasto.matching.swap import match_patches

pytestmark = pytest.mark.numeric


def smooth(*shape: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(*shape[:2], shape[2] // 3 + 1, shape[3] // 3 + 1, generator=generator)
    return F.interpolate(coarse, shape[2:], mode="bilinear") + 0.1 * torch.rand(*shape, generator=generator)


@pytest.mark.parametrize(("patch", "stride"), [(3, 1), (3, 2), (4, 3), (1, 1)])
@pytest.mark.parametrize("coherence", [0.0, 0.3])
@pytest.mark.parametrize("match", ["plain", "normalised"])
def test_matches_are_the_same(patch: int, stride: int, coherence: float, match: Match) -> None:
    photos, painting = smooth(2, 8, 18, 20, seed=0), smooth(1, 8, 17, 15, seed=1)
    for weight in (0.0, 1.0):
        style = prepare(
            [painting],
            patch=patch,
            stride=stride,
            match=match,
            coherence=coherence,
            luminance_weight=weight,
            tones=[tone(smooth(1, 3, 34, 30, seed=2), 17, 15)],
        )
        tones = tone(smooth(2, 3, 36, 40, seed=3), 18, 20)
        shades = [each[0] * style.tone_gain if style.tone_gain else None for each in tones]
        wanted = match_patches(photos, style, tones=tones)
        assert torch.equal(room._match_in_table(photos, style, shades), wanted)


def test_a_table_is_made_of_one_whole_style_within_the_budget() -> None:
    photos, painting = smooth(2, 8, 18, 20, seed=0), smooth(1, 8, 17, 15, seed=1)
    values = 2 * 18 * 20 * 17 * 15 * 4 * 4
    assert room._fits_a_table(photos, prepare([painting]), values)
    assert not room._fits_a_table(photos, prepare([painting]), values - 1)
    assert not room._fits_a_table(photos, prepare([painting] * 2), values)
    assert not room._fits_a_table(photos, prepare([painting], search="patchmatch"), values)
