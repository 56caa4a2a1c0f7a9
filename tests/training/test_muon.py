"""Muon's steps."""

import copy

import pytest
import torch

from impasto.training.muon import Muon, orthogonalise

pytestmark = pytest.mark.numeric


@pytest.mark.parametrize("shape", [(16, 144), (64, 27), (32, 32)])
def test_singular_values_come_near_1_and_vectors_stay(shape):
    torch.manual_seed(0)
    u, _, v = torch.linalg.svd(torch.randn(shape), full_matrices=False)
    matrix = u @ torch.diag(torch.logspace(0, -1, len(v))) @ v
    made = orthogonalise(matrix * 1e-4)
    values = torch.diagonal(u.T @ made @ v.T)
    assert values.min() > 0.6 and values.max() < 1.3
    torch.testing.assert_close(made, u @ torch.diag(values) @ v, atol=2e-3, rtol=0)


def test_all_but_filters_take_adams_steps():
    torch.manual_seed(0)
    own = [torch.randn(shape, requires_grad=True) for shape in ((5,), (3, 8, 3, 3), (4, 4))]
    adams = copy.deepcopy(own)
    settings = {"lr": 0.01, "betas": (0.9, 0.99)}
    optimisers = Muon(own, **settings), torch.optim.Adam(adams, **settings)
    for seed in range(4):
        for parameters, optimiser in zip((own, adams), optimisers, strict=True):
            for place, parameter in enumerate(parameters):
                generator = torch.Generator().manual_seed(10 * seed + place)
                parameter.grad = torch.randn(parameter.shape, generator=generator)
            optimiser.step()
    for got, expected in zip(own, adams, strict=True):
        torch.testing.assert_close(got, expected)


def test_a_step_of_filters_is_as_long_as_adams_and_moves_all_directions():
    filters = torch.zeros(32, 16, 3, 3, requires_grad=True)
    torch.manual_seed(0)
    steep = torch.randn(32, 1) @ torch.randn(1, 144)  # one direction that dwarfs the rest
    filters.grad = (steep + 0.1 * torch.randn(32, 144)).view_as(filters)
    Muon([filters], lr=0.01, betas=(0.9, 0.99)).step()
    assert 0.5 * 0.002 < filters.detach().square().mean().sqrt() < 1.5 * 0.002
    values = torch.linalg.svdvals(filters.detach().flatten(1))
    assert values.min() > 0.3 * values.max()
    assert (
        torch.linalg.svdvals(filters.grad.flatten(1)).min()
        < 0.05 * torch.linalg.svdvals(filters.grad.flatten(1)).max()
    )


def test_it_goes_on_from_its_saved_state_to_the_bit():
    def steps(optimiser, parameter, seeds):
        for seed in seeds:
            parameter.grad = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(seed))
            optimiser.step()

    for shape in ((16, 4, 3, 3), (7,)):
        whole, parts = torch.ones(shape, requires_grad=True), torch.ones(shape, requires_grad=True)
        steps(Muon([whole], lr=0.1, betas=(0.9, 0.99)), whole, range(6))
        first = Muon([parts], lr=0.1, betas=(0.9, 0.99))
        steps(first, parts, range(3))
        again = Muon([parts], lr=0.1, betas=(0.9, 0.99))
        again.load_state_dict(copy.deepcopy(first.state_dict()))
        steps(again, parts, range(3, 6))
        assert torch.equal(whole, parts)


def test_matrices_of_one_shape_go_together_and_bfloat16_does():
    torch.manual_seed(0)
    several = torch.randn(3, 32, 144)
    together = orthogonalise(several)
    torch.testing.assert_close(together, torch.stack([orthogonalise(each) for each in several]))
    rough = orthogonalise(several.bfloat16()).float()
    assert (rough - together).norm() < 0.05 * together.norm()
