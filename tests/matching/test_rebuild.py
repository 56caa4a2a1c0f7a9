"""Features of finer layers at matched positions, against their definition one patch at a time."""

import pytest
import torch
from torch import Tensor

from impasto.errors import RequestError
from impasto.matching import rebuild as room
from impasto.matching.rebuild import Keep, with_finer
from impasto.matching.styles import SwapStyle, prepare
from impasto.matching.swap import match_patches, swap
from impasto.statistics.moments import adain, blend, moments

pytestmark = pytest.mark.numeric

SIDES = {"relu2_1": 2, "relu1_1": 4}


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def finer_of(coarse: Tensor, extra: int = 0, seed: int = 5) -> dict[str, Tensor]:
    """Features of finer layers, for a picture whose last odd pixels pooling leaves out."""
    count, _, height, width = coarse.shape
    return {
        layer: noise(count, 3 + side, side * height + min(extra, side - 1), side * width, seed=seed + side)
        for layer, side in SIDES.items()
    }


def by_definition(rows: Tensor, style: SwapStyle, finer: list[Tensor], side: int) -> Tensor:
    """Cut each chosen patch out of a finer layer, and average overlapping ones: 1×C×H×W."""
    patch, stride = style.patch, style.stride
    ny, nx = rows.shape
    height, width = ((n - 1) * stride + patch for n in (ny, nx))
    total = torch.zeros(finer[0].shape[1], height * side, width * side)
    count = torch.zeros(height * side, width * side)
    for y in range(ny):
        for x in range(nx):
            number = max(k for k, source in enumerate(style.sources) if rows[y, x] >= source.offset)
            source = style.sources[number]
            top, left = divmod(int(rows[y, x]) - source.offset, source.width)
            here = [slice(n * stride * side, (n * stride + patch) * side) for n in (y, x)]
            there = [slice(n * side, (n + patch) * side) for n in (top, left)]
            total[:, here[0], here[1]] += finer[number][0, :, there[0], there[1]]
            count[here[0], here[1]] += 1
    return (total / count)[None]


@pytest.mark.parametrize(("patch", "stride"), [(1, 1), (3, 1), (3, 2), (4, 3), (2, 2)])
@pytest.mark.parametrize("at_once", [2**24, 300])
@pytest.mark.parametrize("odd", [0, 1, 3])
def test_is_the_definition(patch: int, stride: int, at_once: int, odd: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "AT_ONCE", at_once)  # in strips of a row or a few, or whole
    content, styles = noise(1, 4, 11, 9), [noise(1, 4, 8, 7, seed=1), noise(1, 4, 6, 9, seed=2)]
    finer = [finer_of(style, odd, seed=k) for k, style in enumerate(styles)]
    ready = with_finer(prepare(styles, [2.0, 1.0], patch=patch, stride=stride), finer, "relu3_1")
    made: dict[str, Tensor] = {}
    coarse = swap(content, ready, finer=made)
    torch.testing.assert_close(coarse, swap(content, ready))
    (rows,) = match_patches(content, ready)
    for layer, side in SIDES.items():
        expected = by_definition(rows, ready, [each[layer] for each in finer], side)
        torch.testing.assert_close(made[layer], expected)
        assert made[layer].shape[2:] == (side * coarse.shape[2], side * coarse.shape[3])


@pytest.mark.parametrize("restore", ["keep", "style"])
@pytest.mark.parametrize("alpha", [1.0, 0.3])
@pytest.mark.parametrize("at_once", [2**24, 300])
def test_each_layer_gets_its_moments_and_its_share(
    restore: Keep, alpha: float, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "AT_ONCE", at_once)
    content, styles = noise(2, 4, 10, 9), [noise(1, 4, 8, 7, seed=1), noise(1, 4, 6, 9, seed=2)]
    own, finer = finer_of(content), [finer_of(style, seed=k) for k, style in enumerate(styles)]
    ready = with_finer(prepare(styles, [2.0, 1.0], patch=4, stride=3), finer, "relu3_1")
    made = dict(own) if alpha != 1 else {}
    swap(content, ready, alpha=alpha, restore=restore, finer=made)
    for layer, side in SIDES.items():
        for n, rows in enumerate(match_patches(content, ready)):
            expected = by_definition(rows, ready, [each[layer] for each in finer], side)
            if restore == "style":
                expected = adain(expected, blend([moments(each[layer]) for each in finer], [2.0, 1.0]))
            height, width = expected.shape[2:]
            expected = expected.lerp(own[layer][n : n + 1, :, :height, :width], 1 - alpha)
            torch.testing.assert_close(made[layer][n : n + 1], expected, atol=1e-4, rtol=1e-4)


def test_a_picture_swapped_with_itself_is_itself_at_every_layer() -> None:
    features = noise(1, 6, 10, 11)
    finer = finer_of(features, 1)
    made: dict[str, Tensor] = {}
    swap(features, with_finer(prepare([features]), [finer], "relu3_1"), finer=made)
    for layer, side in SIDES.items():
        torch.testing.assert_close(made[layer], finer[layer][:, :, : 10 * side, : 11 * side])


def test_where_pooling_takes_in_odd_pixels_they_are_repeated() -> None:
    style = noise(1, 4, 5, 5)
    fine = noise(1, 3, 9, 10, seed=1)
    ready = with_finer(prepare([style]), [{"relu2_1": fine}], "relu3_1")
    made: dict[str, Tensor] = {}
    swap(style, ready, finer=made)
    torch.testing.assert_close(made["relu2_1"], torch.cat([fine, fine[:, :, -1:]], 2))


def test_every_style_needs_its_finer_features() -> None:
    ready = prepare([noise(1, 4, 5, 5), noise(1, 4, 6, 5)])
    with pytest.raises(RequestError, match="2 styles and finer features of 1"):
        with_finer(ready, [finer_of(noise(1, 4, 5, 5))], "relu3_1")
