"""Hypercolumns come out the same however much of them is held at once."""

import pytest
import torch

from impasto.encoders.vgg import VGG
from impasto.matching import columns as room
from impasto.matching.columns import STORED, Hypercolumns

pytestmark = pytest.mark.numeric

LAYERS = ["relu1_2", "relu2_1", "relu3_1", "relu4_1"]


@pytest.fixture
def encoder(tiny_encoder):
    return VGG(tiny_encoder, until="relu4_1")


@pytest.mark.parametrize("size", [(200, 264), (131, 97), (19, 300)])
def test_bands_are_parts_of_the_whole(encoder, picture, monkeypatch, size):
    photo = picture(*size)
    seen = Hypercolumns(encoder, photo, LAYERS)
    mean, whole = seen.mean, seen.whole()
    assert whole.dtype == STORED
    monkeypatch.setattr(room, "MAX_VALUES", 20_000)
    banded = Hypercolumns(encoder, photo, LAYERS)
    parts = list(banded.bands())
    assert len(parts) > 1 or min(size) < 32
    together = torch.cat([band for _, band in parts], 2)
    torch.testing.assert_close(together.float(), whole.float(), rtol=2e-2, atol=2e-3)
    torch.testing.assert_close(banded.mean, mean, rtol=5e-3, atol=1e-4)
    torch.testing.assert_close(Hypercolumns(encoder, photo, LAYERS).whole(), together, rtol=0, atol=0)


def test_deeper_layers_are_enlarged_as_pictures_are(encoder, picture):
    photo = picture(72, 104)
    (deep,) = encoder(photo, ["relu4_1"]).values()
    found = Hypercolumns(encoder, photo, ["relu4_1"])
    expected = torch.nn.functional.interpolate(deep.float(), found.size, mode="bilinear", align_corners=False)
    torch.testing.assert_close(found.whole().float(), expected, rtol=2e-2, atol=2e-3)
