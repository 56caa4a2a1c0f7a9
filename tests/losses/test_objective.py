"""The objective's hand-written gradients against autograd over the plain definitions."""

import pytest
import torch
import torch.nn.functional as F

from impasto.encoders.vgg import VGG
from impasto.losses.functional import covariance, gram, matrix_sqrt, total_variation, wasserstein2
from impasto.losses.objective import NormalisedGradient, Objective, TVTerm
from impasto.losses.targets import content_terms, style_terms
from impasto.painter import Regions
from impasto.weights.canonical import tiny_weights

pytestmark = pytest.mark.numeric

STYLE = {"relu1_1": 1.0, "relu2_1": 2.0, "relu3_1": 3.0, "relu5_1": 0.5}
CONTENT = {"relu4_2": 2.0, "conv4_2": 1.0, "relu2_1": 0.3}


@pytest.fixture
def pictures():
    generator = torch.Generator().manual_seed(0)
    return [torch.rand(1, 3, h, w, generator=generator) for h, w in ((40, 53), (40, 53), (61, 47), (33, 64))]


@pytest.mark.parametrize("kind", ["gram", "wasserstein"])
@pytest.mark.parametrize("reduction", ["mean", "half-sum"])
def test_value_and_gradient_are_autograds(pictures, kind, reduction):
    image, photo, style, _ = pictures
    vgg = VGG(tiny_weights())
    terms = style_terms(vgg, [style], [1.0], STYLE, kind=kind) + content_terms(vgg, photo, CONTENT, reduction)
    losses, gradient = Objective(vgg, terms, TVTerm(1e-3, "squared", 255.0))(image)

    leaf = image.clone().requires_grad_()
    got, wanted, kept = vgg(leaf, {**STYLE, **CONTENT}), vgg(style, STYLE), vgg(photo, CONTENT)
    expected = 1e-3 * total_variation(leaf * 255)
    for layer, weight in STYLE.items():
        if kind == "gram":
            expected = expected + weight * F.mse_loss(gram(got[layer]), gram(wanted[layer]))
        else:
            mean, cov = covariance(wanted[layer])
            expected = expected + weight * wasserstein2(got[layer], mean, cov, matrix_sqrt(cov))
    for layer, weight in CONTENT.items():
        squares = (got[layer] - kept[layer]).square()
        expected = expected + weight * (squares.mean() if reduction == "mean" else squares.sum() / 2)
    (reference,) = torch.autograd.grad(expected, leaf)
    assert float(losses["total"]) == pytest.approx(expected.item(), rel=1e-4)
    torch.testing.assert_close(gradient, reference, rtol=1e-3, atol=float(reference.abs().max()) * 1e-4)


def test_several_styles_are_the_sum_of_their_losses(pictures):
    image, _, *styles = pictures
    vgg = VGG(tiny_weights())
    together, gradient = Objective(vgg, style_terms(vgg, styles, [0.3, 0.7], STYLE))(image)
    parts = [Objective(vgg, style_terms(vgg, [s], [1.0], STYLE))(image) for s in styles]
    expected = sum(w * float(p[0]["total"]) for w, p in zip((0.3, 0.7), parts, strict=True))
    assert float(together["total"]) == pytest.approx(expected, rel=1e-4)
    torch.testing.assert_close(gradient, 0.3 * parts[0][1] + 0.7 * parts[1][1], rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("kind", ["gram", "wasserstein"])
def test_guided_terms_are_autograds(pictures, kind):
    image, photo, *styles = pictures
    vgg = VGG(tiny_weights())
    left = torch.zeros(1, 1, *image.shape[2:])
    left[..., :20] = 0.7
    regions = Regions(torch.cat([left, 1 - left]), torch.ones_like(left))
    terms = style_terms(vgg, styles, [0.5, 0.5], STYLE, kind=kind, regions=regions)
    losses, gradient = Objective(vgg, terms + content_terms(vgg, photo, CONTENT))(image)

    leaf = image.clone().requires_grad_()
    got, kept = vgg(leaf, {**STYLE, **CONTENT}), vgg(photo, CONTENT)
    expected = sum(w * F.mse_loss(got[layer], kept[layer]) for layer, w in CONTENT.items())
    for number, style in enumerate(styles):
        for layer, features in vgg(style, STYLE).items():
            share = regions.at(*got[layer].shape[2:])[number].flatten()
            x = got[layer][0].flatten(1).T
            if kind == "gram":
                apart = F.mse_loss((x * share[:, None]).T @ x / share.sum(), gram(features))
            else:
                mean, cov = covariance(features)
                apart = wasserstein2(got[layer], mean, cov, matrix_sqrt(cov), share.view(1, 1, *got[layer].shape[2:]))
            expected = expected + STYLE[layer] * share.mean() * apart
    (reference,) = torch.autograd.grad(expected, leaf)
    assert float(losses["total"]) == pytest.approx(expected.item(), rel=1e-4)
    torch.testing.assert_close(gradient, reference, rtol=1e-3, atol=float(reference.abs().max()) * 1e-4)


@pytest.mark.parametrize("kind", ["gram", "wasserstein"])
def test_a_guide_of_one_is_none_at_all(pictures, kind):
    image, _, style, _ = pictures
    vgg = VGG(tiny_weights())
    ones = torch.ones(1, 1, *image.shape[2:])
    plain, guided = (
        Objective(vgg, style_terms(vgg, [style], [1.0], STYLE, kind=kind, regions=regions))(image)
        for regions in (None, Regions(ones, ones))
    )
    assert float(plain[0]["total"]) == pytest.approx(float(guided[0]["total"]), rel=1e-4)
    torch.testing.assert_close(plain[1], guided[1], rtol=1e-3, atol=float(plain[1].abs().max()) * 1e-4)


def test_a_picture_is_at_no_distance_from_itself(pictures):
    photo = pictures[0]
    vgg = VGG(tiny_weights())
    terms = style_terms(vgg, [photo], [1.0], STYLE) + content_terms(vgg, photo, CONTENT)
    losses, gradient = Objective(vgg, terms)(photo)
    assert float(losses["total"]) == pytest.approx(0, abs=1e-9)
    assert float(gradient.abs().max()) < 1e-6


def test_normalised_gradients_do_not_depend_on_the_size_of_the_loss(pictures):
    image, photo, *_ = pictures
    vgg = VGG(tiny_weights())
    (term,) = content_terms(vgg, photo, {"relu4_2": 5.0})
    (mild,) = content_terms(vgg, photo, {"relu4_2": 5.0}, "half-sum")
    strong, weak = (Objective(vgg, [NormalisedGradient(t)])(image)[1] for t in (term, mild))
    torch.testing.assert_close(strong, weak, rtol=1e-3, atol=1e-7)


def test_weightless_layers_are_left_out(pictures):
    vgg = VGG(tiny_weights())
    assert style_terms(vgg, [pictures[2]], [1.0], {"relu1_1": 0.0}) == []
    assert content_terms(vgg, pictures[1], {"relu1_1": 0.0}) == []


def test_what_leaves_the_range_is_pulled_back(pictures):
    image = pictures[0] * 2 - 0.5
    losses, gradient = Objective(VGG(tiny_weights()), [], None, 3.0)(image)
    leaf = image.clone().requires_grad_()
    expected = 3 * ((leaf - leaf.clamp(0, 1)) * 255).square().mean()
    # The clamp's own derivative is nothing outside the range, where the excess is.
    (reference,) = torch.autograd.grad(expected, leaf)
    assert float(losses["range"]) == pytest.approx(expected.item())
    torch.testing.assert_close(gradient, reference)
