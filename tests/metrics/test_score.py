"""The measure, against its definition."""

import pytest
import torch

from impasto.encoders.vgg import VGG
from impasto.metrics import score
from impasto.metrics.score import LAYERS, Scorer, distances
from impasto.weights.canonical import tiny_weights

pytestmark = pytest.mark.numeric


def picture(height, width, seed=0):
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def scorer(monkeypatch):
    monkeypatch.setattr(score, "load", lambda name, **_: tiny_weights())
    monkeypatch.setattr(score, "SIZE", 48)
    return Scorer(torch.device("cpu"))


def test_distances_are_as_defined():
    vgg = VGG(tiny_weights())
    made, photo, style = picture(32, 40), picture(32, 40, 1), picture(40, 24, 2)
    of = {name: vgg(x, LAYERS) for name, x in (("made", made), ("photo", photo), ("style", style))}

    def gram(f):
        channels, height, width = f.shape[1:]
        total = torch.zeros(channels, channels)
        for y in range(height):
            for x in range(width):
                total += torch.outer(f[0, :, y, x], f[0, :, y, x])
        return total / (height * width)

    apart = []
    for layer in LAYERS:
        aim = gram(of["style"][layer])
        apart.append(float((gram(of["made"][layer]) - aim).norm() / aim.norm()))
    own = of["photo"]["relu4_1"]
    got = distances(vgg, made, photo, of["style"])
    assert got.style == pytest.approx(sum(apart) / 4, rel=1e-4)
    assert got.content == pytest.approx(float((of["made"]["relu4_1"] - own).norm() / own.norm()), rel=1e-4)


def test_the_photo_has_content_0_and_the_style_style_0(scorer):
    photo, style = picture(30, 44), picture(50, 36, 1)
    assert scorer.measure(photo, photo, style).content == 0
    assert scorer.measure(style, style, style) == (0, 0, 0)
    assert scorer.measure(photo, photo, style).style > 0
    assert scorer.measure(photo, photo, style).texture > 0


def test_pictures_are_measured_at_one_size(scorer):
    photo, style = picture(30, 44), picture(50, 36, 1)
    large = torch.nn.functional.interpolate(photo, scale_factor=4, mode="nearest")
    assert scorer.measure(large, photo, style).content < 0.35
    assert scorer.measure(picture(61, 87, 3), photo, style).content > 0
