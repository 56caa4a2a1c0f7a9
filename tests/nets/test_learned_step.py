import pytest
import torch

from impasto.nets.learned_step import LearnedStep

pytestmark = pytest.mark.numeric


@pytest.mark.parametrize("cell, size", [(2, (6, 2)), (4, (4, 4)), (4, (20, 12))])
def test_it_begins_as_no_step_at_all(cell: int, size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    picture, gradient = torch.rand(2, 3, *size), torch.randn(2, 3, *size)
    first, second = LearnedStep(cell, 8, first=True), LearnedStep(cell, 8, first=False)
    moved, handed_on = first(picture, gradient)
    assert torch.equal(moved, picture)
    assert torch.equal(second(moved, gradient, handed_on)[0], picture)


def test_a_gradients_unit_does_not_count_but_its_direction_does() -> None:
    torch.manual_seed(0)
    step = LearnedStep(4, 8, first=True)
    torch.nn.init.normal_(step.out.weight, std=0.1)
    picture, gradient = torch.rand(2, 3, 8, 12), torch.randn(2, 3, 8, 12)
    moved, handed_on = step(picture, gradient)
    assert torch.equal(step(picture, gradient, handed_on)[0], moved)  # the first, made again, hears nothing
    torch.testing.assert_close(step(picture, gradient * 1e4)[0], moved)
    torch.testing.assert_close(step(picture[1:], gradient[1:] * 3)[0], moved[1:])  # of each example apart
    assert not torch.allclose(step(picture, gradient.flip(3))[0], moved, atol=1e-3)
    assert step(picture, torch.zeros_like(gradient))[0].isfinite().all()


def test_what_is_handed_on_counts() -> None:
    torch.manual_seed(0)
    step = LearnedStep(4, 8, first=False)
    torch.nn.init.normal_(step.out.weight, std=0.1)
    picture, gradient = torch.rand(1, 3, 8, 8), torch.randn(1, 3, 8, 8)
    one, other = (step(picture, gradient, torch.full((1, 8, 2, 2), value))[0] for value in (0.0, 1.0))
    assert not torch.allclose(one, other, atol=1e-3)
