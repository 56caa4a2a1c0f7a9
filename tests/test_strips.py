"""Chains of layers over strips of rows against the whole."""

import pytest
import torch
import torch.nn.functional as F

from impasto.strips import MIN_ROWS, Chain, Edges, Pointwise, Pool, Upsample, Window, ranges, run

pytestmark = pytest.mark.numeric

KERNEL = torch.randn(3, 3, 3, 3, generator=torch.Generator().manual_seed(1))


def blur(x: torch.Tensor, edges: Edges = (1, 1)) -> torch.Tensor:
    top, bottom = edges
    return F.conv2d(F.pad(x, (1, 1, top, bottom), mode="reflect"), KERNEL)


def doubled(x: torch.Tensor, edges: Edges = (1, 1)) -> torch.Tensor:
    return F.interpolate(blur(x, edges), scale_factor=2)


LAYERS = (
    Window(blur),
    Pointwise(lambda x, _: x.relu()),
    Pool(lambda x: F.max_pool2d(x, 2), ceil=False),
    Upsample(doubled),
)
WHOLE = (blur, torch.relu, lambda x: F.max_pool2d(x, 2), doubled)


@pytest.mark.parametrize("order", [(0,), (0, 0, 0), (2, 0), (3, 0, 0), (0, 1, 2, 0, 3, 0), (2, 2, 0, 3, 3, 0, 1)])
@pytest.mark.parametrize("height", [8, 31, 44])
def test_strips_are_the_whole(order: tuple[int, ...], height: int) -> None:
    x = torch.rand(2, 3, height, 16)
    whole = x
    for place in order:
        whole = WHOLE[place](whole)
    chain = Chain(x, values=1)
    for place in order:
        chain = chain.then(LAYERS[place])
    assert chain.size == whole.shape[2:]
    assert len(list(chain.strips())) == len(ranges(whole.shape[2], MIN_ROWS))
    torch.testing.assert_close(chain.whole(), whole)


def test_several_layers_of_one_run() -> None:
    x = torch.rand(1, 3, 32, 8)
    first = blur(x)
    second = F.max_pool2d(first, 2)
    third = blur(second)
    layers = (LAYERS[0], LAYERS[2], LAYERS[0])
    got = run(layers, lambda rows: x[:, :, slice(*rows)], (32, 8), {0: (2, 30), 2: (5, 7)})
    torch.testing.assert_close(got[0], first[:, :, 2:30])
    torch.testing.assert_close(got[2], third[:, :, 5:7])


def test_no_more_rows_are_read_than_the_windows_reach() -> None:
    read: list[tuple[int, int]] = []
    x = torch.rand(1, 3, 100, 8)

    def reading(rows: tuple[int, int]) -> torch.Tensor:
        read.append(rows)
        return x[:, :, slice(*rows)]

    run((LAYERS[0], LAYERS[0]), reading, (100, 8), {1: (40, 50)})
    run((LAYERS[0], LAYERS[2], LAYERS[0]), reading, (100, 8), {2: (0, 10)})
    assert read == [(38, 52), (0, 23)]


def test_what_is_small_is_kept_and_what_is_not_is_worked_out_again() -> None:
    chain = Chain(torch.rand(1, 3, 20, 10), values=1).then(LAYERS[0])
    assert chain.stored_if_small(600).layers == ()
    assert chain.stored_if_small(599) is chain
