"""The lattice goes, and nothing else does."""

import math

import pytest
import torch
from torch import Tensor

from impasto.nets import descreen
from impasto.nets.descreen import remove_lattice

pytestmark = pytest.mark.numeric


def scene(height: int, width: int) -> Tensor:
    """A smooth slope, an edge, and strokes of 5 and 7 pixels."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    plane = 0.3 + 0.2 * x / width + 0.3 * (x + 2 * y > width) + 0.05 * (x * 2 * math.pi / 5).sin()
    plane = plane + 0.05 * (y * 2 * math.pi / 7).sin()
    return torch.stack([plane, plane.flip(0), plane.flip(1)])[None]


def lattice(height: int, width: int, period: int) -> Tensor:
    cell = 0.06 * (torch.rand(1, 3, period, period, generator=torch.Generator().manual_seed(period)) - 0.5)
    return cell.repeat(1, 1, -(-height // period), -(-width // period))[:, :, :height, :width]


@pytest.mark.parametrize("period", [2, 4])
@pytest.mark.parametrize(("height", "width"), [(96, 128), (97, 131)])
def test_a_lattice_goes_and_strokes_and_edges_stay(period: int, height: int, width: int) -> None:
    clean, grid = scene(height, width), lattice(height, width, period)
    grid = grid - grid[:, :, :period, :period].mean((2, 3), keepdim=True)
    kept = remove_lattice(clean, period)
    assert float((remove_lattice(clean + grid, period) - kept).std()) < 0.1 * float(grid.std())
    assert float((kept - clean).abs().max()) < 0.03 and float((kept - clean).abs().mean()) < 0.003


def test_strips_are_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = scene(301, 150) + lattice(301, 150, 4)
    whole = remove_lattice(picture, 4)
    monkeypatch.setattr(descreen, "VALUES", 1)
    torch.testing.assert_close(remove_lattice(picture, 4), whole, atol=1e-6, rtol=0)


def test_small_pictures_are_left_alone() -> None:
    picture = scene(24, 200)
    assert torch.equal(remove_lattice(picture, 4), picture)
