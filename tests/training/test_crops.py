"""Sides of crops that training accepts."""

import pytest

from impasto.errors import RequestError
from impasto.training.options import check_crop

pytestmark = pytest.mark.numeric


@pytest.mark.parametrize(("crop", "stride", "offered"), [(42, 8, "40 or 48"), (40, 64, "64")])
def test_a_refused_crop_names_those_that_would_do(crop: int, stride: int, offered: str) -> None:
    with pytest.raises(RequestError, match=rf"for this net: {offered}$"):
        check_crop(crop, stride)


def test_a_multiple_of_the_stride_is_accepted() -> None:
    check_crop(64, 8)
