"""Sizes a picture is painted at in turn, so that its strokes are of one size beside it."""

from itertools import pairwise

import pytest
import torch

from impasto.images.geometry import resize
from impasto.methods.common.scales import finer, restored, scales, tones_of, with_tones

pytestmark = pytest.mark.numeric


@pytest.mark.parametrize(
    ("final", "style_scale", "sizes"),
    [
        (512, 1, (512,)),
        (600, 1, (600,)),  # too little for a pass more
        (1024, 1, (512, 1024)),
        (2048, 1, (512, 1024, 2048)),
        (512, 2, (256, 512)),
        (512, 0.5, (1024,)),  # and made smaller
        (256, 1, (512,)),
        (64, 1, (64,)),
        (4096, 16, (64, 128, 256, 512, 1024, 2048, 4096)),
    ],
)
def test_sizes(final, style_scale, sizes):
    assert scales(final, style_scale) == sizes


@pytest.mark.parametrize("style_scale", [0.5, 0.8, 1, 2, 3])
def test_strokes_are_of_one_size_beside_the_picture(style_scale):
    for final in range(256, 5000, 97):
        sizes = scales(final, style_scale)
        assert 0.8 <= sizes[0] * style_scale / 512 <= 1.26
        assert all(1 < larger / smaller <= 2.51 for smaller, larger in pairwise(sizes))
        assert sizes[-1] == final or len(sizes) == 1


def test_what_only_the_larger_photograph_shows_is_added(picture):
    photo, painting = picture(40, 30), picture(20, 15, 1) * 0.4 + 0.3
    smaller = resize(photo, 20, 15)
    begun = finer(painting, smaller, photo)
    assert torch.allclose(finer(smaller, smaller, photo), photo, atol=1e-6)  # nothing painted, nothing lost
    assert begun.shape == photo.shape and (resize(begun, 20, 15) - painting).abs().mean() < 0.05


def test_of_the_photographs_detail_a_start_gets_brightness_alone(picture):
    photo, start = picture(40, 30), picture(20, 15, 1) * 0.4 + 0.3
    smaller, enlarged = resize(photo, 20, 15), resize(start, 40, 30)
    assert torch.equal(restored(start, smaller, photo, 0), enlarged)
    added = restored(start, smaller, photo, 0.5) - enlarged
    assert torch.allclose(added[:, :1], added[:, 1:2], atol=1e-6) and torch.allclose(
        added[:, :1], added[:, 2:], atol=1e-6
    )
    lost = photo - resize(smaller, 40, 30)
    bright = 0.299 * lost[:, 0] + 0.587 * lost[:, 1] + 0.114 * lost[:, 2]
    assert torch.allclose(added[:, 0], bright / 2, atol=1e-6)
    more = restored(start, smaller, photo, 4)
    assert float(more.min()) >= 0 and float(more.max()) <= 1  # clipped
    assert (more - enlarged).norm() > 3 * (restored(start, smaller, photo, 1) - enlarged).norm()


@pytest.mark.parametrize("detail", [0, 1, 4])
def test_a_start_that_is_the_photograph_is_the_photograph(picture, detail):
    photo = picture(40, 30)
    assert torch.equal(restored(photo, photo, photo, detail), photo)


def test_a_later_picture_keeps_the_tones_of_the_first_and_its_own_strokes(picture):
    first, later = picture(40, 64), picture(80, 128, 1) * 0.4 + 0.3
    tones = tones_of(first)
    assert tones.shape == (1, 3, 5, 8)
    made = with_tones(later.clone(), tones)
    assert made.shape == later.shape
    astray, now = (tones_of(resize(each, 40, 64)) - tones for each in (later, made))
    assert now.abs().mean() < 0.2 * astray.abs().mean()
    added = (made - later)[..., 16:-16, 16:-16]
    assert added.diff(dim=3).abs().max() < 0.3 * later.diff(dim=3).abs().max()  # nothing but long waves
    assert torch.allclose(with_tones(later.clone(), resize(later, 5, 8)), later, atol=1e-6)
