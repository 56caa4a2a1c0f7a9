"""The distance of textures, against its definition."""

import itertools

import pytest
import torch

from impasto.metrics import texture
from impasto.metrics.texture import texture_distance

pytestmark = pytest.mark.numeric


def test_it_is_as_defined(picture, monkeypatch):
    monkeypatch.setattr(texture, "PATCHES", 20)
    monkeypatch.setattr(texture, "DIRECTIONS", 5)
    made, style = picture(40, 64, 1).double(), picture(64, 48, 2).double()

    def resized(image, height, width):
        return torch.nn.functional.interpolate(image, (height, width), mode="bicubic", antialias=True)

    def bands(height, width, image):
        scales = [resized(image, max(7, round(height / 2**n)), max(7, round(width / 2**n))) for n in range(4)]
        for fine, coarse in itertools.pairwise(scales):
            yield (fine - resized(coarse, *fine.shape[2:]))[0]
        yield scales[-1][0]

    generator = torch.Generator().manual_seed(3)
    apart = []
    for own, aim in zip(bands(40, 64, made), bands(64, 48, style), strict=True):
        places = torch.rand(20, 2, generator=generator, dtype=torch.float64)
        directions = torch.randn(147, 5, generator=generator, dtype=torch.float64)
        sums = spread = 0.0
        for direction in directions.T:
            direction = (direction / direction.norm()).reshape(3, 7, 7)
            values = []
            for band in (own, aim):
                height, width = band.shape[1:]
                corners = [(int(y * (height - 6)), int(x * (width - 6))) for y, x in places.tolist()]
                values.append(sorted(float((band[:, y : y + 7, x : x + 7] * direction).sum()) for y, x in corners))
            sums += sum(abs(p - q) for p, q in zip(*values, strict=True))
            mean = sum(values[1]) / 20
            spread += sum(abs(q - mean) for q in values[1])
        apart.append(sums / spread)
    assert texture_distance(made, style, size=64, seed=3) == pytest.approx(sum(apart) / 4, rel=1e-9)


def _shuffled(image, side):
    """The blocks of a picture in another order."""
    height, width = image.shape[2:]
    blocks = image.reshape(3, height // side, side, width // side, side).permute(1, 3, 0, 2, 4).flatten(0, 1)
    blocks = blocks[torch.randperm(len(blocks), generator=torch.Generator().manual_seed(0))]
    return blocks.reshape(height // side, width // side, 3, side, side).permute(2, 0, 3, 1, 4).reshape(image.shape)


def _stripes():
    """Of 8 pixels, in three colours, with some grain."""
    waves = torch.sin(torch.arange(128) * (2 * torch.pi / 8))[:, None] * torch.tensor([0.3, 0.2, 0.1])[:, None, None]
    grain = torch.randn(3, 128, 128, generator=torch.Generator().manual_seed(1)) * 0.05
    return (0.5 + waves + grain)[None].clamp(0, 1)


def test_the_style_itself_is_0_and_its_blocks_are_nearer_than_another_picture():
    style = _stripes()
    other = style.transpose(2, 3)  # the same pixels
    assert texture_distance(style, style, size=128) == 0
    near, far = (texture_distance(each, style, size=128) for each in (_shuffled(style, 32), other))
    assert 0 < near < far / 3


def test_colours_alone_are_not_a_texture(picture):
    """A blurred style has nearly its colours and none of its grain."""
    style = picture(128, 128, 1)
    blurred = torch.nn.functional.avg_pool2d(style, 5, 1, 2, count_include_pad=False)
    assert texture_distance(blurred, style, size=128) > 0.3


def test_an_even_picture_is_about_1_away():
    style = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    even = style.mean(dim=(2, 3), keepdim=True).expand_as(style)
    assert texture_distance(even, style, size=128) == pytest.approx(1, abs=0.1)
    assert texture_distance(even, even, size=128) == 0
    assert texture_distance(even, (even * 0.9), size=128) < 1e3  # a style without any spread


def test_sizes_shapes_and_seeds(picture):
    style, made = picture(128, 128, 1), picture(96, 128, 2)
    found = texture_distance(made, style, size=128)
    assert texture_distance(made, style, size=128) == found
    assert texture_distance(made, style, size=128, seed=1) == pytest.approx(found, rel=0.1)
    assert texture_distance(made, style, size=128, seed=1) != found
    turned = [each.transpose(2, 3) for each in (made, style)]
    assert texture_distance(*turned, size=128) == pytest.approx(found, rel=0.1)
    assert texture_distance(picture(4, 300), picture(300, 4), size=64) > 0  # thinner than a patch


def test_threads_do_not_count(picture):
    style, made = picture(128, 128, 1), picture(96, 128, 2)
    before = torch.get_num_threads()
    try:
        found = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            found.append(texture_distance(made, style, size=128))
    finally:
        torch.set_num_threads(before)
    assert found[0] == pytest.approx(found[1], rel=1e-12)
