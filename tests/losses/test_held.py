"""The loss that holds a picture at another one."""

import pytest
import torch

from impasto.losses.held import Held


@pytest.mark.parametrize("strength", [0.5, 2.0])
def test_the_gradient_is_that_of_the_definition(picture, strength):
    image, aim, trust = picture(12, 16, 1), picture(12, 16, 2), torch.rand(1, 1, 12, 16)
    gradient = torch.zeros_like(image)
    held = Held(aim, trust, strength)
    loss = held.add(image, gradient, torch.tensor(3.0))
    leaf = image.clone().requires_grad_()
    weight = strength * 3.0 / (8 / 255) ** 2
    expected = weight * (trust * (leaf - aim).square()).mean()
    expected.backward()
    assert float(loss) == pytest.approx(float(expected.detach()), rel=1e-5)
    assert torch.allclose(gradient, leaf.grad, rtol=1e-4, atol=1e-6)


def test_the_weight_stays_and_a_new_size_has_its_own(picture):
    held = Held(picture(12, 16, 1), torch.ones(1, 1, 12, 16))
    held.add(picture(12, 16, 2), torch.zeros(1, 3, 12, 16), torch.tensor(1.0))
    first = held.weight
    held.add(picture(12, 16, 2), torch.zeros(1, 3, 12, 16), torch.tensor(9.0))
    assert held.weight == first
    smaller = held.at(6, 8)
    assert smaller.weight is None and smaller.picture.shape == (1, 3, 6, 8)


@pytest.mark.parametrize(("name", "settings"), [("gatys", {"steps": 4}), ("nnst", {"steps": 3, "first_steps": 3})])
def test_a_held_painting_stays_nearer(tiny_encoder, style, picture, name, settings):
    import impasto

    recipe = impasto.make_recipe(name, [impasto.Style(path=str(style))], settings={**settings, "size": 48})
    painter = impasto.bind(recipe).painter
    photo, start = picture(36, 48, 3), picture(36, 48, 4)

    def far(painter):
        *_, last = painter.paint(photo, start=start)
        return float((last.image - start).square().mean())

    assert far(painter.holding(Held(start, torch.ones(1, 1, 36, 48), 50.0))) < 0.5 * far(painter)


@pytest.mark.parametrize("name", ["gatys", "nnst"])
def test_a_next_frame_takes_fewer_steps_at_the_final_size(name):
    import impasto

    options = impasto.make_recipe(name).options
    ((size, steps),) = options.continued().stages(512)
    assert size == 512 and 0 < steps < options.stages(512)[-1][1]


@pytest.mark.parametrize("name", ["adain", "johnson", "swap"])
def test_other_methods_paint_a_next_frame_as_the_first(name):
    import impasto

    options = impasto.make_recipe(name).options
    assert options.continued() is options
