"""The photograph's colours under the painting's brush."""

import numpy as np
import pytest
import torch
from skimage.color import rgb2lab

from impasto.images.palette import coral, histogram, luminance, oklab

pytestmark = pytest.mark.numeric


def chroma(picture):
    lab = rgb2lab(picture[0].permute(1, 2, 0).numpy())
    return lab[..., 1:]


def muted(picture):
    """Within a range where no colour is clipped."""
    return 0.35 + 0.3 * picture


@pytest.mark.parametrize("keep", [luminance, oklab])
def test_lightness_of_the_one_and_colours_of_the_other(keep, picture):
    painting, photo = muted(picture(20, 24, 1)), muted(picture(20, 24, 2))
    made = keep(painting, photo)
    assert made.shape == painting.shape and made.dtype == torch.float32
    assert torch.allclose(keep(photo, photo), photo, atol=1e-4)
    assert torch.allclose(keep(made, painting), painting, atol=1e-3), "the painting's lightness is still in it"
    apart = [np.abs(chroma(made) - chroma(other)).mean() for other in (photo, painting)]
    assert apart[0] < 0.35 * apart[1]


def test_oklab_is_ottossons():
    """Of his table: linear white, and red at L 0.628, a 0.225, b 0.126."""
    from impasto.images.palette import _to_oklab

    colours = np.array([[[1.0, 1.0, 1.0], [1.0, 0.0, 0.0]]], np.float32)
    expected = [[[1.0, 0.0, 0.0], [0.628, 0.225, 0.126]]]
    assert np.allclose(_to_oklab(colours), expected, atol=1e-3)


def test_histograms_are_matched(picture):
    painting, photo = picture(30, 30, 1) ** 2, picture(24, 40, 2) * 0.5
    made = histogram(painting, photo)
    for share in (0.1, 0.5, 0.9):
        got, expected = (x[0].flatten(1).quantile(share, dim=1) for x in (made, photo))
        assert torch.allclose(got, expected, atol=0.02)


def test_coral_gives_the_photos_mean_and_covariance(picture):
    style, photo = muted(picture(30, 30, 1)), muted(picture(24, 40, 2))
    photo = photo * torch.tensor([0.9, 0.6, 0.5]).view(1, 3, 1, 1)
    made = coral(style, photo)
    got, expected = (x[0].flatten(1) for x in (made, photo))
    assert torch.allclose(got.mean(1), expected.mean(1), atol=1e-3)
    assert torch.allclose(torch.cov(got), torch.cov(expected), atol=1e-3)


def test_flat_colours_break_nothing():
    flat, other = torch.full((1, 3, 8, 8), 0.5), torch.rand(1, 3, 8, 8)
    for keep in (luminance, oklab, histogram, coral):
        for pair in ((flat, other), (other, flat), (flat, flat)):
            made = keep(*pair)
            assert torch.isfinite(made).all() and made.min() >= 0 and made.max() <= 1
