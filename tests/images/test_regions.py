"""Masks: what they mean together, and what is refused."""

import pytest
import torch

from impasto.errors import ImpastoWarning, RequestError
from impasto.images.picture import Picture
from impasto.images.regions import make_regions, mask_of, warn_of_darkness, warn_of_shape


def left(height=20, width=30, until=12):
    mask = torch.zeros(1, 1, height, width)
    mask[..., :until] = 1
    return mask


def test_no_mask_at_all():
    assert make_regions([], [1.0], 20, 30) is None
    assert make_regions([None, None], [1.0, 2.0], 20, 30) is None


def test_where_masks_overlap_styles_mix_by_weight_and_mask():
    one, two = left(until=20), 1 - left(until=10)
    regions = make_regions([one, two], [3.0, 1.0], 20, 30)
    shares = regions.shares[:, 0, 5]
    assert torch.equal(shares[:, 0], torch.tensor([1.0, 0.0]))
    assert torch.allclose(shares[:, 15], torch.tensor([0.75, 0.25]))
    assert torch.equal(shares[:, 25], torch.tensor([0.0, 1.0]))
    assert torch.equal(regions.coverage, torch.ones(1, 1, 20, 30))


def test_a_style_without_mask_is_everywhere():
    regions = make_regions([left(), None], [1.0, 1.0], 20, 30)
    assert torch.allclose(regions.shares[:, 0, 0, 0], torch.tensor([0.5, 0.5]))
    assert torch.equal(regions.shares[:, 0, 0, 29], torch.tensor([0.0, 1.0]))
    assert regions.coverage.min() == 1


def test_outside_every_mask_nothing_shows_and_the_border_is_soft_within():
    regions = make_regions([left()], [1.0], 20, 30, feather=0.2)  # 6 pixels wide
    row = regions.coverage[0, 0, 10]
    assert torch.equal(row[12:], torch.zeros(18))
    assert torch.equal(row[:6], torch.ones(6))
    edge = row[5:13]
    assert torch.equal(edge, edge.sort(descending=True).values) and len(edge.unique()) > 5
    assert torch.equal(regions.shares[0, 0, 10], (torch.arange(30) < 12).float())


def test_complements_leave_no_gap():
    mask = left()
    regions = make_regions([mask, 1 - mask], [1.0, 1.0], 20, 30, feather=0.2)
    assert torch.equal(regions.coverage, torch.ones(1, 1, 20, 30))
    assert torch.allclose(regions.shares.sum(0), torch.ones(1, 20, 30))
    assert 0.1 < float(regions.shares[0, 0, 10, 12]) < 0.9


def test_grey_is_partly():
    regions = make_regions([torch.full((1, 1, 20, 30), 0.3)], [1.0], 20, 30, feather=0.1)
    assert torch.allclose(regions.coverage, torch.tensor(0.3))
    assert torch.equal(regions.shares, torch.ones(1, 1, 20, 30))


def test_masks_are_fitted_to_the_picture():
    regions = make_regions([left(40, 60, 24)], [1.0], 20, 30)
    assert regions.shares.shape == (1, 1, 20, 30)
    assert regions.at(5, 7).shape == (1, 1, 5, 7)
    assert torch.equal(regions.everywhere(20, 30), torch.ones(1, 1, 20, 30))


def test_where_no_style_applies_the_mixture_stands_in():
    one, two = left(until=6), 1 - left(until=24)
    shares = make_regions([one, two], [1.0, 1.0], 20, 30).everywhere(20, 30)
    assert torch.allclose(shares.sum(0), torch.ones(1, 20, 30))
    assert torch.allclose(shares[:, 0, 10, 15], torch.tensor([0.5, 0.5]))


def test_a_style_that_counts_for_nothing_covers_nothing():
    regions = make_regions([left(), 1 - left()], [0.0, 1.0], 20, 30)
    assert regions.coverage[0, 0, 10, 0] == 0


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        ([torch.zeros(1, 1, 8, 8)], "sky.png is black all over"),
        ([torch.ones(1, 1, 8, 8)] * 2, "2 masks for 1 styles"),
    ],
)
def test_what_is_refused(masks, message):
    with pytest.raises(RequestError, match=message):
        make_regions(masks, [1.0], 20, 30, names=["sky.png"])


def test_a_mask_is_as_light_as_it_is_opaque():
    pixels, alpha = torch.full((1, 3, 4, 4), 0.5), torch.full((1, 1, 4, 4), 0.5)
    assert torch.allclose(mask_of(Picture(pixels)), torch.tensor(0.5))
    assert torch.allclose(mask_of(Picture(pixels, alpha)), torch.tensor(0.25))


def test_other_proportions_are_told_of(recwarn):
    photo = Picture(torch.zeros(1, 3, 100, 150))
    warn_of_shape(Picture(torch.zeros(1, 3, 50, 75)), photo)
    warn_of_shape(Picture(torch.zeros(1, 3, 67, 101)), photo)
    assert not recwarn
    with pytest.warns(ImpastoWarning, match="mask sky.png is 80×80, the photo 150×100"):
        warn_of_shape(Picture(torch.zeros(1, 3, 80, 80), source="sky.png"), photo)


@pytest.mark.parametrize("lightest", [1, 2, 8])
def test_a_mask_of_small_numbers_is_told(lightest):
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., 1] = lightest / 255
    with pytest.warns(ImpastoWarning, match=f"sky.png is {lightest} of 255"):
        warn_of_darkness(mask, "sky.png")


@pytest.mark.parametrize("lightest", [0, 40, 255])
def test_other_masks_are_not(lightest, recwarn):
    warn_of_darkness(torch.full((1, 1, 4, 4), lightest / 255), "sky.png")
    assert not recwarn
