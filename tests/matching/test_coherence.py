"""Matches that agree with their neighbours: the energy is at its lowest nearby, and pieces stay whole."""

import itertools

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.matching import coherence
from impasto.matching.coherence import make_coherent
from impasto.matching.exact import best_patches
from impasto.matching.styles import Search, prepare, tone
from impasto.matching.swap import match_patches

pytestmark = pytest.mark.numeric


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


class Field:
    """Patches of a photo, each somewhere in a style, and their energy by the definition."""

    def __init__(self, content: Tensor, style: Tensor, patch: int, stride: int) -> None:
        mine, theirs = (F.normalize(F.unfold(x, patch, stride=stride)[0].T, dim=1) for x in (content, style))
        self.similarity = mine @ theirs.T
        self.down, self.along = ((side - patch) // stride + 1 for side in style.shape[2:])

    def of(self, found: Tensor, y: int, x: int, place: int, weight: float) -> float:
        """Energy of one patch, and what it adds to that of those around it."""
        ny, nx = found.shape
        v, u = divmod(place, self.along)
        agreeing = sum(
            divmod(int(found[y + dy, x + dx]), self.along) == (v + dy, u + dx)
            for dy, dx in itertools.product((-1, 0, 1), repeat=2)
            if (dy or dx) and 0 <= y + dy < ny and 0 <= x + dx < nx
        )
        return -float(self.similarity[y * nx + x, place]) - weight * agreeing / 8

    def total(self, found: Tensor, weight: float) -> float:
        """Of all patches."""
        return sum(
            self.of(found, y, x, int(found[y, x]), weight) for y, x in itertools.product(*map(range, found.shape))
        )

    def continued(self, found: Tensor, y: int, x: int) -> list[int]:
        """Patches that would continue one beside this."""
        places: list[int] = []
        for dy, dx in ((-1, 0), (1, 0), (0, -1), (0, 1)):
            if 0 <= y + dy < found.shape[0] and 0 <= x + dx < found.shape[1]:
                v, u = divmod(int(found[y + dy, x + dx]), self.along)
                if 0 <= v - dy < self.down and 0 <= u - dx < self.along:
                    places.append((v - dy) * self.along + u - dx)
        return places


@pytest.mark.parametrize(("patch", "stride"), [(3, 1), (3, 2), (4, 3), (1, 1)])
@pytest.mark.parametrize("weight", [0.1, 0.5, 3.0])
def test_no_patch_can_do_better_by_continuing_a_neighbours(
    patch: int, stride: int, weight: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coherence, "ROUNDS", 50)  # until nothing moves
    content, style = noise(1, 4, 14, 17), noise(1, 4, 19, 13, seed=1)
    (source,) = prepare([style], patch=patch, stride=stride).sources
    pixels = content[0].permute(1, 2, 0).contiguous()
    first = best_patches(pixels, source, patch, stride, 2**20)
    before = [each.clone() for each in first]
    score, index = make_coherent(pixels, source, patch, stride, first, weight, 2**20)
    assert all(torch.equal(*pair) for pair in zip(first, before, strict=True))

    field = Field(content, style, patch, stride)
    assert field.total(index, weight) < field.total(first[1], weight)
    for y, x in itertools.product(*map(range, index.shape)):
        own = field.of(index, y, x, int(index[y, x]), weight)
        assert all(own <= field.of(index, y, x, place, weight) + 1e-5 for place in field.continued(index, y, x))
    unit = F.unfold(style, patch, stride=stride)[0].T[index.flatten()]
    expected = (F.unfold(content, patch, stride=stride)[0].T * unit).sum(1) / unit.norm(dim=1)
    torch.testing.assert_close(score.flatten(), expected, atol=1e-4, rtol=1e-4)


def test_a_piece_of_the_style_under_noise_is_found_whole() -> None:
    style = noise(1, 6, 24, 24)
    photo = (style + 2 * noise(1, 6, 24, 24, seed=3))[:, :, 4:18, 6:22]
    apart, whole = (
        match_patches(photo, prepare([style], match="normalised", coherence=weight))[0] for weight in (0.0, 0.5)
    )
    expected = (torch.arange(12)[:, None] + 4) * 24 + torch.arange(14) + 6
    share = [float((found == expected).float().mean()) for found in (apart, whole)]
    assert share[1] > 0.95 > 0.75 > share[0]


@pytest.mark.parametrize("search", ["exact", "patchmatch"])
def test_the_budget_changes_nothing(search: Search) -> None:
    content, style = noise(1, 5, 19, 23), noise(1, 5, 17, 14, seed=1)
    tones = [tone(noise(1, 3, 40, 40, seed=2), *x.shape[2:]) for x in (content, style)]
    ready = prepare([style], search=search, tones=tones[1:], luminance_weight=0.3, coherence=0.4)
    expected = match_patches(content, ready, tones=tones[0])
    assert torch.equal(match_patches(content, ready, tones=tones[0], budget_mb=0.01), expected)
    without = prepare([style], search=search, tones=tones[1:], luminance_weight=0.3)
    assert not torch.equal(match_patches(content, without, tones=tones[0]), expected)
