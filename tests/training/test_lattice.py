import pytest
import torch

from impasto.training.lattice import (
    PaintingWaves,
    PhotoWaves,
    evenness,
    fleck,
    flicker,
    grid_terms,
    lattice,
    spectrum,
    waves,
)

pytestmark = pytest.mark.numeric


def _cosine(turns: torch.Tensor) -> torch.Tensor:
    return (turns * 2 * torch.pi).cos()


def _lattice(picture: torch.Tensor, photo: torch.Tensor, *styles: torch.Tensor) -> float:
    power = waves(photo)
    even = evenness(power)
    return float(lattice(picture, even, spectrum(power, even), *(spectrum(waves(style)) for style in styles)))


def test_lattice_is_what_stands_out_of_noise_in_some_directions() -> None:
    rows, columns = torch.arange(288.0)[:, None], torch.arange(288.0)[None]
    photo = 0.5 + 0.02 * torch.randn(1, 3, 288, 288, generator=torch.Generator().manual_seed(0))

    def found(wave: torch.Tensor, *styles: torch.Tensor) -> float:
        return _lattice(photo + 0.05 * wave.expand(288, 288), photo, *styles)

    for wave in (columns % 2, rows % 2, columns % 4 == 0, (rows % 4 == 1) & (columns % 4 == 2)):
        assert found(wave.float()) > 0.005
    assert found((rows + columns) % 2) > 0.001  # the one wave in the spectrum's corner
    for turns in (columns / 3.1, rows / 5.6, (rows + columns) / 8, rows / 10.7):
        assert found(_cosine(turns)) > 0.005
    halves = torch.where(columns < 144, columns % 2, 1 - columns % 2)  # its phase is not to hide it
    assert found(halves) > 0.7 * found(columns % 2)
    assert found(torch.zeros(1)) == 0
    more = torch.randn(288, 288, generator=torch.Generator().manual_seed(1))
    for wave in (more, _cosine(rows / 24)):
        assert found(wave) < 0.0008
    striped = photo + 0.05 * _cosine(rows / 5.6)  # strokes of the style are its own
    assert found(_cosine(rows / 5.6), striped) < 0.0008


def test_lattice_sees_stripes_of_colour_under_brushwork_in_grey() -> None:
    generator = torch.Generator().manual_seed(0)
    photo = 0.5 + 0.01 * torch.randn(1, 3, 288, 288, generator=generator)
    brushwork = 0.5 + 0.2 * torch.randn(1, 1, 288, 288, generator=generator).expand(1, 3, -1, -1)
    stripes = 0.02 * _cosine(torch.arange(288.0) / 8).view(-1, 1) * torch.tensor([1.0, 0, -1]).view(3, 1, 1)
    grey = photo - 0.5 + brushwork
    assert _lattice(grey + stripes, photo, brushwork) > 2 * _lattice(grey + stripes.mean(0), photo, brushwork)
    assert _lattice(grey + stripes, photo, brushwork) > 0.002


def test_lattice_counts_where_the_photo_is_even() -> None:
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(1, 3, 256, 256, generator=generator)
    left = torch.arange(256) < 128
    photo = 0.5 + torch.where(left, 0.002, 0.2) * noise  # even on the left, full of things on the right
    even = evenness(waves(photo))
    assert even.shape == (1, 1, 7, 7)
    assert even[..., :3].min() > 0.9
    assert even[..., 4:].max() < 0.1
    weave = 0.1 * _cosine(torch.arange(256.0) / 8).view(-1, 1)
    on_left, on_right = (photo + torch.where(side, weave, 0 * weave) for side in (left, ~left))
    assert _lattice(on_left, photo) > 2 * _lattice(on_right, photo)


def test_lattice_takes_chance_in_few_windows_for_none() -> None:
    generator = torch.Generator().manual_seed(0)
    for side, most in ((64, 0.05), (128, 0.012), (256, 0.004)):
        photo, picture = (0.5 + 0.05 * torch.randn(2, 3, side, side, generator=generator) for _ in range(2))
        assert _lattice(picture, photo) < most


def test_lattice_is_of_each_picture_and_has_a_gradient() -> None:
    noise = torch.rand(2, 3, 70, 80, generator=torch.Generator().manual_seed(0))
    weave = (torch.arange(80.0) * 2).cos().expand(70, 80)
    pictures = (0.3 * noise + torch.stack([0.2 * weave, 0.2 * weave.roll(1, 1)])[:, None]).requires_grad_(True)
    natural, even = spectrum(waves(noise)), evenness(waves(noise))
    both = lattice(pictures, even, natural)
    both.backward()
    each = [lattice(pictures[i : i + 1], even[i : i + 1], natural[i : i + 1]) for i in range(2)]
    assert both.item() == pytest.approx(sum(one.item() for one in each) / 2)
    assert pictures.grad is not None and pictures.grad.isfinite().all() and pictures.grad.abs().max() > 0
    black = torch.zeros(1, 3, 64, 64)
    assert _lattice(black, black, black) == 0
    assert spectrum(waves(noise[:, :, :20])).shape == (2, 3, 64, 33)  # a style may be smaller than a window


def test_fleck_is_colour_that_flickers_more_than_in_photo_and_style() -> None:
    generator = torch.Generator().manual_seed(0)
    even = torch.full((1, 3, 64, 64), 0.5)
    grey = even + 0.1 * torch.randn(1, 1, 64, 64, generator=generator)
    coloured = even + 0.1 * torch.randn(1, 3, 64, 64, generator=generator)
    slope = even + torch.linspace(-0.5, 0.5, 64) * torch.tensor([1.0, 0.0, -1.0]).view(1, 3, 1, 1)

    def found(picture: torch.Tensor, photo: torch.Tensor = even, painting: torch.Tensor = even) -> float:
        return float(fleck(picture, flicker(photo), PaintingWaves.of(painting).flicker))

    assert found(coloured) > 0.1
    for smooth in (grey, slope):
        assert found(smooth) == pytest.approx(0, abs=1e-6)
    assert found(coloured, photo=coloured) == found(grey, painting=coloured) == 0
    half = torch.cat([even[..., :32], coloured[..., 32:]], 3)  # a photo's own lies where it lies, a style's anywhere
    assert found(half.flip(3), photo=half) > 0.9 * found(half) > 0.04
    assert found(half.flip(3), painting=coloured) < 0.1 * found(half)
    picture = coloured.clone().requires_grad_()
    fleck(picture, flicker(even), PaintingWaves.of(even).flicker).backward()
    assert picture.grad is not None and picture.grad.abs().max() > 0
    assert flicker(even[:, :, :9, :12]).shape == (1, 1, 1, 1)  # smaller than what is averaged over


def test_pictures_are_held_to_the_outlines_and_the_manner_they_have() -> None:
    generator = torch.Generator().manual_seed(0)
    photos, paintings = (0.5 + 0.01 * torch.randn(2, 3, 96, 96, generator=generator) for _ in range(2))
    pictures = photos + 0.1 * torch.randn(2, 3, 96, 96, generator=generator)
    pictures = pictures + 0.05 * (torch.arange(96) % 2)
    of_photos, of_paintings = PhotoWaves.of(photos), PaintingWaves.of(paintings)
    terms = grid_terms(pictures, of_photos, of_paintings, lattice_weight=2.0, fleck_weight=3.0)
    expected = lattice(pictures, of_photos.share, of_photos.spectrum, spectrum(waves(paintings)))
    of_fleck = fleck(pictures, flicker(photos), of_paintings.flicker)
    assert min(float(expected), float(of_fleck)) > 0
    torch.testing.assert_close(terms, {"lattice": 2 * expected, "fleck": 3 * of_fleck})
    turned = torch.tensor([1, 0])
    again = grid_terms(
        pictures.flip(0), of_photos.at(turned), of_paintings.at(turned), lattice_weight=2.0, fleck_weight=3.0
    )
    torch.testing.assert_close(again, terms)
    assert grid_terms(pictures, of_photos, of_paintings, lattice_weight=0.0, fleck_weight=0.0) == {}
