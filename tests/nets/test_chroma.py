import pytest
import torch

from impasto.nets.chroma import soften_chroma

pytestmark = pytest.mark.numeric

LUMA = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)


def test_luma_is_kept_and_chroma_averaged() -> None:
    picture = torch.rand(2, 3, 20, 24, generator=torch.Generator().manual_seed(0))
    made = soften_chroma(picture)
    assert made.shape == picture.shape
    torch.testing.assert_close((made * LUMA).sum(1), (picture * LUMA).sum(1))
    point = torch.zeros(1, 3, 9, 9)
    point[:, :, 4, 4] = torch.tensor([1.0, 0.0, -0.299 / 0.114])  # of no luma
    row = torch.tensor([0.0, 0, 1, 2, 2, 2, 1, 0, 0]) / 8
    torch.testing.assert_close(soften_chroma(point)[0, 0], row.outer(row))


@pytest.mark.parametrize("period", [2, 4])
@pytest.mark.parametrize("axis", [2, 3])
def test_a_lattice_of_colour_goes(period: int, axis: int) -> None:
    wave = (torch.arange(32.0) * 2 * torch.pi / period).cos().view((-1, 1) if axis == 2 else (1, -1))
    colour = torch.tensor([1.0, -0.299 / 0.587, 0.0]).view(1, 3, 1, 1)
    made = soften_chroma(0.5 + 0.2 * wave * colour.expand(1, 3, 32, 32))
    assert made[:, :, 2:-2, 2:-2].std((2, 3)).max() < 1e-6


def test_what_is_even_or_grey_stays() -> None:
    grey = torch.rand(1, 1, 16, 16).expand(1, 3, -1, -1)
    torch.testing.assert_close(soften_chroma(grey), grey)
    even = torch.tensor([0.9, 0.1, 0.4]).view(1, 3, 1, 1).expand(1, 3, 8, 8)
    torch.testing.assert_close(soften_chroma(even), even)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 9), (9, 2)])
def test_pictures_smaller_than_the_window_are_averaged_too(height: int, width: int) -> None:
    picture = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))
    made = soften_chroma(picture)
    assert made.shape == picture.shape
    torch.testing.assert_close((made * LUMA).sum(1), (picture * LUMA).sum(1))
