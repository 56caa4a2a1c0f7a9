"""Sizes and resampling."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from impasto.images.geometry import fit, fit_area, fitted_size, resize, scale_ladder

pytestmark = pytest.mark.numeric


@given(st.integers(1, 20_000), st.integers(1, 20_000), st.integers(1, 4096))
def test_fitted_size_keeps_the_longer_side_exact(height, width, longest):
    high, wide = fitted_size(height, width, longest)
    assert max(high, wide) == longest and min(high, wide) >= 1
    # the shorter side is off by rounding only
    assert abs(min(high, wide) - longest * min(height, width) / max(height, width)) <= 1
    assert fitted_size(height, width, None) == (height, width)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 60))
def test_fit_has_the_fitted_size_and_range(height, width, longest):
    image = torch.rand(2, 3, height, width).round()  # hard edges overshoot
    fitted = fit(image, longest)
    assert fitted.shape == (2, 3, *fitted_size(height, width, longest))
    assert fitted.min() >= 0 and fitted.max() <= 1


def test_nothing_to_do_is_nothing_done():
    image = torch.rand(1, 3, 9, 7)
    assert fit(image, None) is image
    assert fit(image, 9) is image
    assert resize(image, 9, 7) is image


@pytest.mark.parametrize("size", [(17, 23), (90, 64), (200, 150)])
def test_resampling_is_that_of_pillow(size):
    values = np.random.default_rng(0).random((64, 48), np.float32)
    expected = Image.fromarray(values).resize((size[1], size[0]), Image.Resampling.BICUBIC)
    resized = resize(torch.from_numpy(values)[None, None], *size)[0, 0].numpy()
    np.testing.assert_allclose(resized, np.asarray(expected).clip(0, 1), atol=1e-5)


@given(st.integers(1, 3000), st.integers(1, 3000))
@settings(max_examples=10, deadline=None)
def test_fit_area(height, width):
    high, wide = fit_area(torch.zeros(1, 1, 1, 1).expand(1, 1, height, width), 4096).shape[-2:]
    if min(high, wide) > 8:
        assert high * wide == pytest.approx(4096, rel=0.1)
        assert high / wide == pytest.approx(height / width, rel=0.1)


def test_scale_ladder_of_style_transfer_pytorch():
    assert scale_ladder(512, 128) == [128, 181, 256, 362, 512]
    assert scale_ladder(512, 128, 2) == [128, 256, 512]
    assert scale_ladder(512, 512) == [512]
    assert scale_ladder(100, 128) == [100]
    assert scale_ladder(4, 0)[-1] == 4
    with pytest.raises(ValueError, match="more than 1"):
        scale_ladder(512, 128, 1)
