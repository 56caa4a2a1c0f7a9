import pytest
import torch

from impasto.matching.styles import luminance
from impasto.methods.cascade.colours import with_colours
from impasto.painter import Regions


def colours(height, width, seed, spread):
    noise = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed)) - 0.5
    return 0.5 + spread * noise


def deviation(picture):
    return float((picture - luminance(picture)).std())


def test_colours_come_as_far_apart_as_the_paintings_up_to_a_limit():
    style = colours(40, 60, 1, 0.5)
    for spread, expected in ((0.4, 0.5), (0.2, 0.27), (0.6, 0.6)):  # nearly as far; far below: the limit; farther
        picture = colours(48, 64, 2, spread)
        made = with_colours(picture.clone(), [style], [1.0])
        assert deviation(made) / deviation(picture) == pytest.approx(expected / spread, rel=0.06)
        assert torch.allclose(luminance(made), luminance(picture), atol=1e-5)


def test_strips_change_nothing(monkeypatch):
    from impasto.methods.cascade import colours as module

    picture, style = colours(50, 40, 3, 0.3), colours(30, 30, 4, 0.5)
    whole = with_colours(picture.clone(), [style], [1.0])
    monkeypatch.setattr(module, "_AT_ONCE", 7 * 40)
    assert torch.equal(with_colours(picture.clone(), [style], [1.0]), whole)


def test_each_region_takes_the_colours_of_its_style():
    picture = torch.full((1, 3, 32, 64), 0.5)
    red, blue = (
        torch.tensor(rgb).view(1, 3, 1, 1).expand(1, 3, 16, 16) for rgb in ([0.8, 0.2, 0.2], [0.2, 0.2, 0.8])
    )
    left = torch.zeros(1, 1, 32, 64)
    left[..., :32] = 1
    regions = Regions(torch.cat([left, 1 - left]), torch.ones(1, 1, 32, 64))
    made = with_colours(picture.clone(), [red, blue], [0.5, 0.5], regions)
    assert made[0, 0, 16, 4] > made[0, 2, 16, 4]
    assert made[0, 2, 16, 60] > made[0, 0, 16, 60]
    both = with_colours(picture.clone(), [red, blue], [0.5, 0.5])
    assert both[0, 0].mean() == pytest.approx(float(both[0, 2].mean()), abs=1e-4)


def test_pictures_without_colour_stay_in_range():
    black, white = torch.zeros(1, 3, 5, 3), torch.ones(1, 3, 5, 3)
    for picture in (black, white):
        made = with_colours(picture.clone(), [colours(16, 16, 5, 1.0)], [1.0])
        assert made.isfinite().all() and made.min() >= 0 and made.max() <= 1
