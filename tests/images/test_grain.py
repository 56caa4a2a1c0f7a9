"""Grain where a photograph is even, and nowhere else."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import example, given, settings
from hypothesis import strategies as st

from impasto.images.grain import grained

pytestmark = pytest.mark.numeric


def _deviation(photo):
    """Of the luminance in every whole square of 16 pixels."""
    luminance = photo.mean(1, keepdim=True)
    mean = F.avg_pool2d(luminance, 16)
    return (F.avg_pool2d(luminance.square(), 16) - mean.square()).clamp_min(0).sqrt()


def test_an_even_photo_gets_the_contrast_asked_for():
    even = torch.full((1, 3, 192, 256), 0.5)
    made = grained(even, 0.02, seed=3)
    assert float(made.std()) == pytest.approx(0.02, rel=0.05)
    assert float(_deviation(made).min()) > 0.006
    assert torch.equal(made[:, 0], made[:, 1])  # grey
    assert float(made.mean()) == pytest.approx(0.5, abs=0.003)


def test_a_photo_of_more_contrast_stays_as_it_is():
    rough = torch.rand(1, 3, 64, 80, generator=torch.Generator().manual_seed(0))
    assert torch.equal(grained(rough, 0.05), rough)


def test_only_the_even_half_changes():
    photo = torch.full((1, 3, 64, 128), 0.5)
    photo[..., 64:] = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    moved = (grained(photo, 0.02) - photo).abs().amax((0, 1, 2))
    assert float(moved[:48].max()) > 0.02
    assert float(moved[72:].max()) == 0


def test_none_gives_the_photo_back():
    photo = torch.full((1, 3, 20, 20), 0.5)
    assert grained(photo, 0.0) is photo


def test_the_photo_is_not_written_to():
    photo = torch.full((1, 3, 20, 20), 0.5)
    grained(photo, 0.1)
    assert torch.equal(photo, torch.full((1, 3, 20, 20), 0.5))


def test_the_seed_decides():
    photo = torch.full((1, 3, 40, 40), 0.5)
    assert torch.equal(grained(photo, 0.1, seed=1), grained(photo, 0.1, seed=1))
    assert not torch.equal(grained(photo, 0.1, seed=1), grained(photo, 0.1, seed=2))


def test_pictures_of_a_batch_differ():
    made = grained(torch.full((2, 3, 40, 40), 0.5), 0.1)
    assert not torch.equal(made[0], made[1])


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 70), st.integers(1, 70), st.floats(0, 1), st.sampled_from([0.0, 0.5, 1.0]))
@example(1, 1, 1.0, 0.5)
def test_any_size_stays_a_picture(height, width, contrast, value):
    photo = torch.full((1, 3, height, width), value)
    made = grained(photo, contrast)
    assert made.shape == photo.shape
    assert bool(made.isfinite().all())
    assert 0 <= float(made.min()) <= float(made.max()) <= 1
