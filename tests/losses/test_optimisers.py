"""The optimisers against PyTorch's and on problems whose answer is known."""

import pytest
import torch

from impasto.losses.optimisers import LBFGS, LearnedSteps, frequency_preconditioner

pytestmark = pytest.mark.numeric


def _problem(size=12):
    generator = torch.Generator().manual_seed(0)
    basis = torch.linalg.qr(torch.randn(3 * size * size, 3 * size * size, generator=generator))[0]
    curvature = basis @ torch.diag(torch.logspace(0, 2, 3 * size * size)) @ basis.t()
    target = torch.rand(1, 3, size, size, generator=generator)

    def gradient(image):
        return (curvature @ (image - target).flatten()).view_as(image)

    return target, gradient


def test_plain_lbfgs_takes_pytorchs_steps():
    target, gradient = _problem()
    mine, theirs = torch.zeros_like(target), torch.zeros_like(target).requires_grad_()
    own = LBFGS(1.0, 100)
    reference = torch.optim.LBFGS([theirs], lr=1.0, max_iter=1)
    for _ in range(30):
        own.update(mine, gradient(mine))

        def closure():
            theirs.grad = gradient(theirs.detach())
            return (theirs.detach() - target).square().sum()

        reference.step(closure)
        torch.testing.assert_close(mine, theirs.detach(), rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("exponent", [0.0, 0.5])
@pytest.mark.parametrize("history", [5, 100])
def test_lbfgs_reaches_the_minimum(exponent, history):
    target, gradient = _problem()
    image = torch.zeros_like(target)
    optimiser = LBFGS(1.0, history, frequency_preconditioner(12, 12, exponent))
    start = float((image - target).norm())
    for _ in range(150):
        optimiser.update(image, gradient(image))
    assert float((image - target).norm()) < 0.02 * start


def test_a_move_is_taken_back_and_learnt_from():
    target, gradient = _problem()
    image = torch.zeros_like(target)
    optimiser = LBFGS(30.0)  # thirty times too far
    optimiser.update(image, gradient(image))
    optimiser.update(image, gradient(image))
    there, far = image.clone(), float((image - target).norm())
    assert optimiser.shorten(image)
    assert float((image - target).norm()) < far / 5
    optimiser.rate = 1.0
    for _ in range(200):
        optimiser.update(image, gradient(image))
    assert float((image - target).norm()) < 0.02 * float(target.norm())
    assert not torch.equal(image, there)


def test_a_move_can_be_shortened_to_nothing_and_no_further():
    target, gradient = _problem()
    image = torch.zeros_like(target)
    optimiser = LBFGS()
    assert not optimiser.shorten(image)  # none was made yet
    optimiser.update(image, gradient(image))
    count = 0
    while optimiser.shorten(image):
        count += 1
    assert 0 < count < 20
    assert float(image.abs().max()) < 1e-5


def test_the_first_move_is_as_long_as_asked_for():
    target, gradient = _problem()
    image = torch.zeros_like(target)
    LBFGS(min_move=0.5).update(image, gradient(image))
    assert float(image.abs().mean()) == pytest.approx(0.5)


def test_a_vanishing_gradient_moves_nothing():
    image = torch.rand(1, 3, 4, 4)
    before = image.clone()
    optimiser = LBFGS()
    for _ in range(3):
        optimiser.update(image, torch.zeros_like(image))
    assert torch.equal(image, before)


@pytest.mark.parametrize("size", [(8, 8), (7, 12), (9, 5), (1, 6), (6, 1), (1, 1)])
@pytest.mark.parametrize("exponent", [0.0, 0.35, 1.0])
def test_the_preconditioner_is_symmetric_and_positive(size, exponent):
    torch.manual_seed(0)
    apply = frequency_preconditioner(*size, exponent)
    a, b = torch.randn(2, 3 * size[0] * size[1])
    assert float(a.dot(apply(b))) == pytest.approx(float(b.dot(apply(a))), rel=1e-3, abs=1e-4)
    assert float(a.dot(apply(a))) > 0


def test_the_preconditioner_favours_low_frequencies():
    height = width = 16
    x = torch.arange(16.0)
    slow = torch.cos(2 * torch.pi * x / 16).expand(1, 3, 16, 16).reshape(-1)
    fast = torch.cos(2 * torch.pi * x * 7 / 16).expand(1, 3, 16, 16).reshape(-1)
    apply = frequency_preconditioner(height, width, 0.5)
    ratio = (apply(slow).norm() / slow.norm()) / (apply(fast).norm() / fast.norm())
    assert float(ratio) == pytest.approx(7, rel=1e-3)  # f^(-2·0.5)


def test_learned_steps_are_made_in_turn_each_from_where_the_last_ended():
    def move(image, gradient, handed_on):
        return image - gradient, torch.ones(1) if handed_on is None else handed_on + 1

    image, seen = torch.tensor([1.0, 2.0]), []
    steps = [lambda *args: (seen.append(args[2]), move(*args))[1]] * 3
    descent = LearnedSteps(steps)
    for _ in range(2):
        descent.update(image, torch.tensor([0.25, 0.5]))
    assert image.tolist() == [0.5, 1.0]
    assert not descent.shorten(image)
    later = LearnedSteps(steps)
    later.restore(*descent.state())
    later.update(image, torch.tensor([0.25, 0.5]))
    assert image.tolist() == [0.25, 0.5]
    assert [None if each is None else float(each) for each in seen] == [None, 1, 2]
    assert later.state() == ({}, {"made": 3})
